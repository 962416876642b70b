"""Nodes: who may lease the jobs of a supplier (SPEC §8). The supplier registers them; the venue suspends those that lie.

Locks: the supplier's row (registration only), a node's row, then its jobs by id, the `registry` stream last.
"""

from collections.abc import Sequence

import msgspec
from django.db import transaction

from rights.domain.issuance import Refusal
from rights.domain.reason import stated_reason
from rights.kernel import rows
from rights.kernel.clock import rfc3339, to_datetime
from rights.kernel.ids import public
from rights.models import Supplier
from rights.services.journal import NewEvent
from rights.services.refusals import SupplyRefusedError, supply_refused
from rights.services.registry import remember_all
from rights.services.suppliers import locked_supplier
from settlement.domain import node_events
from settlement.domain.node_results import KEY_BYTES, Result, decoded
from settlement.domain.node_states import MOST_STRIKES
from settlement.models import Node

MOST_NODES = 10_000  # of one supplier
# What the node has at work goes to others; a lease that was taken back counts as no attempt.
_GIVE_BACK = """
WITH held AS (SELECT id FROM settlement_job WHERE node_id = %(node)s AND state = 'leased' ORDER BY id FOR NO KEY UPDATE),
     ended AS (UPDATE settlement_jobattempt a SET "end" = 'returned', ended_at = %(now)s, detail = %(why)s
               FROM settlement_job j WHERE j.id IN (SELECT id FROM held) AND a.job_id = j.id AND a.number = j.leases)
UPDATE settlement_job SET state = 'open', attempts = attempts - 1, node_id = NULL, lease_expires_at = NULL
WHERE id IN (SELECT id FROM held)
"""


class NewNode(msgspec.Struct, frozen=True):
    """What a supplier says of a node. `public_key`: base64 of an Ed25519 key."""

    name: str
    public_key: str


def node_refusals(said: NewNode) -> list[Refusal]:
    """Everything wrong with it; empty when it can be taken."""
    checks = [
        (0 < len(said.name) <= 80 and said.name.isprintable(), "name", "a name is 1 to 80 printable characters"),
        (decoded(said.public_key, KEY_BYTES) is not None, "public_key", "a public key is the base64 of the 32 bytes of an Ed25519 key"),
    ]
    return [Refusal("node_description", words, field) for holds, field, words in checks if not holds]


@transaction.atomic
def register_node(*, supplier_id: str, said: NewNode, node_id: str, actor: str, now_us: int) -> Node:
    """The supplier's new node, active. Raises SupplyRefusedError `node_description`, `node_exists`, `nodes_many`, `supplier_suspended`."""
    refusals = node_refusals(said)
    if refusals:
        raise SupplyRefusedError(refusals)
    supplier: Supplier = locked_supplier(supplier_id)
    if supplier.status != "active":
        raise supply_refused("supplier_suspended", f"supplier {supplier.slug} is suspended")
    if Node.objects.filter(supplier=supplier).count() >= MOST_NODES:
        raise supply_refused("nodes_many", f"a supplier has at most {MOST_NODES} nodes")
    row, made = Node.objects.get_or_create(
        public_key=said.public_key,
        defaults={"uuid": node_id, "supplier": supplier, "name": said.name, "created_at": to_datetime(now_us)},
    )
    if not made:
        raise supply_refused("node_exists", "a node with this public key is registered already", "public_key")
    fact = node_events.registered(supplier=public("sup", str(supplier.uuid)), name=said.name, public_key=said.public_key)
    _remember(row, node_events.REGISTERED, fact, actor, now_us)
    return row


@transaction.atomic
def rename_node(*, node_id: str, name: str, actor: str, now_us: int) -> Node:
    """The node under another name. Raises SupplyRefusedError `node_description`."""
    row = locked_node(node_id)
    refusals = node_refusals(NewNode(name, row.public_key))
    if refusals:
        raise SupplyRefusedError(refusals)
    if row.name != name:
        row.name = name
        row.save(update_fields=["name"])
        _remember(row, node_events.RENAMED, node_events.renamed(name=name), actor, now_us)
    return row


@transaction.atomic
def suspend_node(*, node_id: str, by: str, reason: str, actor: str, now_us: int) -> Node:
    """It leases nothing more, and what it has goes to others. `by`: supplier or venue; what the venue says outlasts what the supplier said.

    Raises SupplyRefusedError `status_unchanged`, ReasonMissing.
    """
    stated = stated_reason(reason)
    row = locked_node(node_id)
    if row.status == "suspended" and by in {row.suspended_by, "supplier"}:
        raise supply_refused("status_unchanged", "the node is suspended already", "status")
    _remember(row, node_events.SUSPENDED, suspended(row=row, by=by, reason=stated, now_us=now_us), actor, now_us)
    return row


class Struck(msgspec.Struct, frozen=True):
    """A result that was not so, of a job of this request; `lie` is the first thing that was found. `actor`: who handed it in."""

    node_id: str
    actor: str
    result: Result
    request_id: str
    lie: str


@transaction.atomic
def strike_nodes(*, struck: Sequence[Struck], now_us: int) -> None:
    """A strike for each, on the record; a node, which is under lock already, is suspended when it has too many. Appends: call it last."""
    by_node: dict[str, list[Struck]] = {}
    for one in struck:
        by_node.setdefault(one.node_id, []).append(one)
    # What a suspended node has at work is given back before the registry is locked.
    facts = [(mine[0].actor, _strike(node_id, mine, now_us)) for node_id, mine in by_node.items()]
    for actor, events in facts:
        remember_all(events, actor=actor, now_us=now_us)


def _strike(node_id: str, struck: Sequence[Struck], now_us: int) -> list[NewEvent]:
    row, facts = locked_node(node_id), []
    for one in struck:
        row.strikes += 1
        fact = node_events.struck(
            job=public("job", one.result.job_id),
            request=public("req", one.request_id),
            lie=one.lie,
            units=one.result.units,
            output_hash=one.result.output_hash,
            signature=one.result.signature,
            strikes=row.strikes,
        )
        facts.append(event_of(row, node_events.STRUCK, fact))
    row.save(update_fields=["strikes"])
    if row.strikes >= MOST_STRIKES and row.status == "active":
        reason = f"{row.strikes} results that were not so"
        facts.append(event_of(row, node_events.SUSPENDED, suspended(row=row, by="venue", reason=reason, now_us=now_us)))
    return facts


def suspended(*, row: Node, by: str, reason: str, now_us: int) -> node_events.Payload:
    """Suspend the node, which is under lock; the event's payload, for the caller to remember."""
    rows.execute(_GIVE_BACK, {"node": row.pk, "now": rfc3339(now_us), "why": "the node was suspended"})
    row.status, row.suspended_by = "suspended", by
    row.save(update_fields=["status", "suspended_by"])
    return node_events.suspended(by=by, reason=reason)


@transaction.atomic
def reinstate_node(*, node_id: str, by: str, reason: str, actor: str, now_us: int) -> Node:
    """Active again, without strikes. Raises SupplyRefusedError `status_unchanged`, `node_suspended_by_venue`, ReasonMissing."""
    stated = stated_reason(reason)
    row = locked_node(node_id)
    if row.status == "active":
        raise supply_refused("status_unchanged", "the node is active already", "status")
    if row.suspended_by == "venue" and by != "venue":
        raise supply_refused("node_suspended_by_venue", "the venue suspended it, and only the venue reinstates it", "status")
    row.status, row.suspended_by, row.strikes = "active", "", 0
    row.save(update_fields=["status", "suspended_by", "strikes"])
    _remember(row, node_events.REINSTATED, node_events.reinstated(reason=stated), actor, now_us)
    return row


def locked_node(node_id: str) -> Node:
    """The node (by UUID), locked until the transaction ends. Raises Node.DoesNotExist."""
    return Node.objects.select_for_update(no_key=True).get(uuid=node_id)


def event_of(row: Node, kind: str, payload: node_events.Payload) -> NewEvent:
    return NewEvent(kind, "node", public("nod", str(row.uuid)), payload)


def _remember(row: Node, kind: str, payload: node_events.Payload, actor: str, now_us: int) -> None:
    remember_all([event_of(row, kind, payload)], actor=actor, now_us=now_us)
