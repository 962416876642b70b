"""What has to be there before rights are used: an issuer with cash, a supplier that can be called, one whose work nodes do, holders with keys."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from exchange.demo.catalog import ASSURANCE_MODE, WARES, manifest
from exchange.management.node.key_file import NodeKey
from exchange.services import keys
from exchange.services.funding import fund
from exchange.services.participants import NewAccount, appoint_issuer, open_participant
from rights.domain.manifest import read_manifest
from rights.kernel.clock import now_us, rfc3339
from rights.kernel.ids import Mint
from rights.models import Account, Issuer, Participant
from rights.services.capabilities import NewCapability, post_capability
from rights.services.capacity import Posting, post_capacity
from rights.services.pledges import Source
from rights.services.post_assurance import Capacity, post_assurance
from rights.services.register import class_for
from rights.services.suppliers import Description, register_supplier
from settlement.models import Endpoint
from settlement.services.endpoints import Setup, change_endpoint, register_endpoint, setup_of
from settlement.services.issuance import issue_right
from settlement.services.ledger import cash_asset
from settlement.services.nodes import NewNode, register_node

ACTOR = "venue:bench"
HOUR_US = 3_600_000_000
SCOPES = {"read", "redeem"}
WARE = WARES[0]
UNITS = 10**12  # of each right: more than any run takes
PLENTY = 10**16
LEASE_MS = 30_000
MINT = Mint()


class Holder(msgspec.Struct, frozen=True):
    account_id: int
    right_id: str  # bare UUID
    token: str


class Stage(msgspec.Struct, frozen=True):
    """`holders` have a right that `supplier` stands behind, `node_holders` one that `nodes` do."""

    supplier: str
    holders: list[Holder]
    node_supplier: str
    node_holders: list[Holder]
    nodes: list[NodeKey]


@contextmanager
def staged(*, supplier_url: str, holders: int, nodes: int) -> Iterator[Stage]:
    """A stage of its own for every run. Its suppliers do nothing more afterwards: nobody is routed to who is not there."""
    try:
        yield _stage(supplier_url, holders, nodes)
    finally:
        for row in Endpoint.objects.filter(capability__supplier__slug__startswith="use-", status="active"):
            change_endpoint(endpoint_id=str(row.uuid), said=setup_of(row), status="paused", is_operator=True, actor=ACTOR, now_us=now_us())


def _stage(supplier_url: str, holders: int, nodes: int) -> Stage:
    moment = now_us()
    tag = f"{moment:x}"[-8:]
    cash_asset()
    _, called = _supplier(f"use-called-{tag}", Setup("openai", supplier_url, "bench", "", 120_000, 2, inside=True), moment)
    other, worked = _supplier(f"use-nodes-{tag}", Setup("node-network", model="bench", timeout_ms=LEASE_MS, max_attempts=5), moment)
    ours = [_node(other, f"node {number}", moment) for number in range(nodes)]
    return Stage(
        supplier=f"use-called-{tag}",
        holders=_holders(f"use-{tag}", called, holders, moment),
        node_supplier=f"use-nodes-{tag}",
        node_holders=_holders(f"use-n-{tag}", worked, holders, moment),
        nodes=ours,
    )


def _open(slug: str, moment: int) -> Account:
    opened = open_participant(slug=slug, name=slug, account=NewAccount("main", "vault", "US"), mint=MINT, actor=ACTOR, now_us=moment)
    return opened.accounts.get()


def _supplier(slug: str, endpoint: Setup, moment: int) -> tuple[str, str]:
    """(the supplier's UUID, that of its one capability, which is called as said)."""
    owner: Participant = _open(slug, moment).participant
    supplier = register_supplier(
        participant=owner, slug=slug, said=Description(slug, "US-EAST"), supplier_id=MINT.uuid(moment), actor=ACTOR, now_us=moment
    )
    new = NewCapability(
        **WARE.capability,
        quality_band=WARE.service["quality_band"],
        latency_band=WARE.service["latency_class"],
        availability="reserved",
        unit=WARE.resource["unit"],
        tariff_minor=10,
        tariff_units=1,
    )
    made = post_capability(supplier=supplier, new=new, capability_id=MINT.uuid(moment), actor=ACTOR, now_us=moment)
    capability = str(made.uuid)
    register_endpoint(capability_id=capability, said=endpoint, endpoint_id=MINT.uuid(moment), is_operator=True, actor=ACTOR, now_us=moment)
    return str(supplier.uuid), capability


def _node(supplier: str, name: str, moment: int) -> NodeKey:
    key = NodeKey(MINT.uuid(moment).replace("-", "") * 2)
    node_id = MINT.uuid(moment)
    register_node(supplier_id=supplier, said=NewNode(name, key.public_key), node_id=node_id, actor=ACTOR, now_us=moment)
    key.node_id = f"nod_{node_id}"
    return key


def _holders(slug: str, capability: str, count: int, moment: int) -> list[Holder]:
    """An issuer whose rights the capability stands behind, and who holds them."""
    house = _open(f"{slug}-issuer", moment)
    issuer = appoint_issuer(
        participant=house.participant,
        slug=f"{slug}-issuer",
        issuer_type="provider",
        tier=1,
        issuance_path="centralized-coordinator",
        actor=ACTOR,
        now_us=moment,
    )
    fund(account=house, amount="1000000000", currency="USD", reason="to pay suppliers", mint=MINT, actor=ACTOR, now_us=moment)
    start = moment // HOUR_US * HOUR_US - HOUR_US
    span = start, start + 48 * HOUR_US
    document = manifest(ware=WARE, units=UNITS, start=rfc3339(span[0]), end=rfc3339(span[1]), reference=slug)
    document["issuer"]["id"] = issuer.slug
    post_capacity(capability_id=capability, posting=Posting(*span, PLENTY, (issuer.slug,)), actor=ACTOR, now_us=moment)
    capacity = Capacity(ASSURANCE_MODE, slug, *span, PLENTY, sources=(Source(capability, PLENTY),))
    compute_class = class_for(manifest=read_manifest(document), issuer_tier=issuer.tier)
    post_assurance(
        issuer=issuer, compute_class=compute_class, capacity=capacity, assurance_id=MINT.uuid(moment), actor=ACTOR, now_us=moment
    )
    return [_holder(f"{slug}-{number}", issuer, document, moment) for number in range(count)]


def _holder(slug: str, issuer: Issuer, document: dict[str, object], moment: int) -> Holder:
    account = _open(slug, moment)
    right = issue_right(issuer=issuer, holder=account, document=document, mint=MINT, actor=ACTOR, now_us=moment, activate=True)
    new = keys.create(account_id=account.pk, scopes=SCOPES, label="bench", expires_us=None, now_us=moment)
    return Holder(account.pk, str(right.pk), new.token)
