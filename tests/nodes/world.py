"""A running exchange with a supplier whose work nodes do: built, fed and looked at from inside its own settings (`manage.py shell`)."""

import hashlib
import json
from typing import Any

from django.db import transaction
from django.db.models import Count, Max, Min, Sum

from exchange.management.node.key_file import NodeKey
from exchange.services.funding import fund
from exchange.services.participants import NewAccount, appoint_issuer, grant_operator_roles, open_participant
from exchange.services.redeem_bell import ring
from rights.domain.manifest import read_manifest
from rights.kernel.clock import now_us, rfc3339
from rights.kernel.ids import Mint
from rights.models import Account, Right
from rights.services.capabilities import NewCapability, post_capability
from rights.services.capacity import Posting, post_capacity
from rights.services.pledges import Source
from rights.services.post_assurance import Capacity, post_assurance
from rights.services.register import class_for
from rights.services.suppliers import Description, register_supplier
from settlement.domain.envelope import Candidate, Envelope
from settlement.models import Balance, Job, JobAttempt, Node, Proof, Receipt, Request, Settlement
from settlement.services.endpoints import Setup, register_endpoint
from settlement.services.issuance import issue_right
from settlement.services.ledger import cash_asset
from settlement.services.nodes import NewNode, register_node
from settlement.services.submit import Ask, Submitted, submit_requests
from tests.unit.rights.domain.manifests import chat_day

MINT = Mint()
WHO = {"actor": "command:test"}
HOUR_US = 3_600_000_000
UNITS = 1_000  # reserved by each request
TARIFF_MINOR = 10  # a unit
TOGETHER = 32  # requests of one transaction
RIGHTS = 8  # requests take turns, so that they don't all wait for one row
BODY = json.dumps({"messages": [{"role": "user", "content": "say so many words as you like"}]})


def say(told: object) -> None:
    """For whoever reads our output."""
    print("WORLD " + json.dumps(told))


def build(kinds: list[str], seeds: list[str], *, lease_ms: int) -> list[str]:
    """Everything that is needed, and a node of each kind whose key is made of its seed; the nodes' ids."""
    at = now_us()
    window = {"start": rfc3339(at - at % HOUR_US - HOUR_US), "end": rfc3339(at - at % HOUR_US + 24 * HOUR_US)}
    start_us, end_us = at - at % HOUR_US - HOUR_US, at - at % HOUR_US + 24 * HOUR_US
    accounts = {slug: _open(slug, at) for slug in ("net-issuer", "net-holder", "net-supplier")}
    issuer = appoint_issuer(
        participant=accounts["net-issuer"].participant,
        slug="net-issuer",
        issuer_type="provider",
        tier=1,
        issuance_path="centralized-coordinator",
        now_us=at,
        **WHO,
    )
    grant_operator_roles(participant=accounts["net-issuer"].participant, mint=MINT, reason="test", now_us=at, **WHO)
    supplier = register_supplier(
        participant=accounts["net-supplier"].participant,
        slug="net-supplier",
        said=Description("Nodes", "US"),
        supplier_id=MINT.uuid(at),
        now_us=at,
        **WHO,
    )
    axes = NewCapability(
        workload="text.generation",
        quality_band="standard",
        latency_band="interactive",
        privacy_mode="private-cluster",
        environment="decentralized-network",
        availability="reserved",
        unit="tokens",
        tariff_minor=TARIFF_MINOR,
    )
    capability = str(post_capability(supplier=supplier, new=axes, capability_id=MINT.uuid(at), now_us=at, **WHO).uuid)
    setup = Setup("node-network", model="words", timeout_ms=lease_ms, max_attempts=5)
    register_endpoint(capability_id=capability, said=setup, endpoint_id=MINT.uuid(at), is_operator=True, now_us=at, **WHO)
    post_capacity(capability_id=capability, posting=Posting(start_us, end_us, 10**10, ("net-issuer",)), now_us=at, **WHO)
    terms = {"window": window, "assurance": {"reference": "nodes"}, "issuer": {"id": "net-issuer"}}
    manifest = read_manifest(chat_day(**terms))
    stated = Capacity(
        mode=manifest.document["assurance"]["mode"],
        reference="nodes",
        window_start_us=start_us,
        window_end_us=end_us,
        gross_units=10**10,
        sources=(Source(capability, 10**10),),
    )
    compute_class = class_for(manifest=manifest, issuer_tier=1)
    post_assurance(issuer=issuer, compute_class=compute_class, capacity=stated, assurance_id=MINT.uuid(at), now_us=at, **WHO)
    cash_asset()
    fund(account=accounts["net-issuer"], amount="1000000", currency="USD", reason="to pay", mint=MINT, now_us=at, **WHO)
    for _ in range(RIGHTS):
        document = chat_day(**{**terms, "resource": {"amount": str(10**8)}})
        issue_right(issuer=issuer, holder=accounts["net-holder"], document=document, mint=MINT, now_us=at, activate=True, **WHO)
    ids = [MINT.uuid(at) for _ in kinds]
    for node_id, kind, seed in zip(ids, kinds, seeds, strict=True):
        said = NewNode(kind, NodeKey(seed).public_key)
        register_node(supplier_id=str(supplier.uuid), said=said, node_id=node_id, now_us=at, **WHO)
    return [f"nod_{node_id}" for node_id in ids]


def _open(slug: str, at: int) -> Account:
    return open_participant(slug=slug, name=slug, account=NewAccount(slug, "app", "US"), mint=MINT, now_us=at, **WHO).accounts.get()


def feed(count: int) -> int:
    """So many requests, each locked; the executor is rung for them, which offers them to nodes."""
    holder = Account.objects.get(participant__slug="net-holder", code=None)
    rights = [str(pk) for pk in Right.objects.filter(holder=holder).values_list("pk", flat=True)]
    digest = hashlib.sha256(BODY.encode()).hexdigest()
    for first in range(0, count, TOGETHER):
        asks = [_ask(holder, rights[number % len(rights)], digest) for number in range(first, min(first + TOGETHER, count))]
        with transaction.atomic():
            made = submit_requests(asks=asks, mint=MINT, now_us=now_us())
        assert all(isinstance(one, Submitted) for one in made), made
        ring()
    return count


def _ask(holder: Account, right_id: str, digest: str) -> Ask:
    envelope = Envelope(
        workload="text.generation",
        operation="chat.completions",
        expected_units=UNITS,
        candidates=(Candidate(right_id),),
        delivery="async",
        payload_hash=digest,
    )
    return Ask(envelope, holder.pk, str(holder.uuid), BODY, MINT.uuid(now_us()), WHO["actor"])


def _mine() -> Any:
    return Request.objects.filter(holder__participant__slug="net-holder")


def over() -> int:
    """How many requests have their receipt."""
    return Receipt.objects.filter(request__in=_mine()).count()


def found() -> dict[str, Any]:
    """What became of all of it."""
    settlements = Settlement.objects.filter(request__in=_mine())
    sums = settlements.aggregate(units=Sum("units"), payout=Sum("payout_minor"))
    cash = Balance.objects.filter(asset=cash_asset())
    span = Receipt.objects.filter(request__in=_mine()).aggregate(first=Min("recorded_at"), last=Max("recorded_at"))
    used = sum(right.max_units - right.remaining_units for right in Right.objects.filter(holder__participant__slug="net-holder"))
    return {
        "requests": _mine().count(),
        "receipts": over(),
        "per_s": round(over() / max((span["last"] - span["first"]).total_seconds(), 1.0), 1),
        "outcomes": dict(settlements.values_list("outcome").annotate(Count("pk"))),
        "states": dict(settlements.values_list("state").annotate(Count("pk"))),
        "units": sums["units"],
        "used_units": used,
        "payout_minor": sums["payout"],
        "earned_minor": cash.get(account__participant__slug="net-supplier", account__code=None).amount,
        "escrow_minor": sum(cash.filter(account__code="venue:escrow").values_list("amount", flat=True)),
        "jobs": dict(Job.objects.filter(request__in=_mine()).values_list("state").annotate(Count("pk"))),
        "ungathered": Job.objects.filter(request__in=_mine(), gathered_at=None).count(),
        "attempts": dict(JobAttempt.objects.filter(job__request__in=_mine()).values_list("end").annotate(Count("pk"))),
        "lies": Proof.objects.filter(receipt__request__in=_mine(), type="supplier-signature", is_valid=False).count(),
        "signed": Proof.objects.filter(receipt__request__in=_mine(), type="supplier-signature", is_valid=True).count(),
        "nodes": [[n.name, n.status, n.suspended_by, n.strikes] for n in Node.objects.filter(supplier__slug="net-supplier").order_by("pk")],
    }
