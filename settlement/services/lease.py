"""Nodes take jobs, keep them, and give them up (SPEC §8). A lease is a row's state: whoever holds the row's lock decides who has the job.

Oldest first, several at once, and never two nodes one job: locked rows are skipped. Locks: the node's row, then jobs by id.
"""

from collections.abc import Sequence

import msgspec
from django.db import transaction

from rights.kernel import rows
from rights.kernel.clock import rfc3339, to_datetime
from rights.kernel.ids import public
from rights.services.refusals import supply_refused
from settlement.models import Node
from settlement.services.nodes import locked_node

MOST_AT_ONCE = 100
MOST_HELD = 1_000  # leases of one node

_TAKE = """
WITH picked AS (
    SELECT id FROM settlement_job
    WHERE supplier_id = %(supplier)s AND state = 'open' AND deadline_at > %(now)s AND NOT (%(node)s = ANY (shunned))
      AND (%(workloads)s::text[] IS NULL OR workload = ANY (%(workloads)s::text[]))
    ORDER BY offered_at, id LIMIT %(most)s FOR NO KEY UPDATE SKIP LOCKED
), leased AS (
    UPDATE settlement_job j SET state = 'leased', node_id = %(node)s, leases = j.leases + 1, attempts = j.attempts + 1, leased_at = %(now)s,
           lease_expires_at = least(%(now)s::timestamptz + j.lease_ms * interval '1 millisecond', j.deadline_at)
    FROM picked WHERE j.id = picked.id
    RETURNING j.id, j.request_id, j.workload, j.operation, j.model, j.unit, j.units, j.attempts, j.leases, j.offered_at, j.lease_expires_at, j.deadline_at
), tried AS (
    INSERT INTO settlement_jobattempt (job_id, number, node_id, leased_at, "end", output_hash, signature, detail)
    SELECT id, leases, %(node)s, %(now)s, '', '', '', '' FROM leased
)
SELECT l.id::text, l.workload, l.operation, l.model, l.unit, l.units, l.attempts, (extract(epoch from l.lease_expires_at) * 1000000)::bigint,
       (extract(epoch from l.deadline_at) * 1000000)::bigint, p.body, p.body_hash
FROM leased l JOIN settlement_requestpayload p ON p.request_id = l.request_id ORDER BY l.offered_at, l.id
"""
_HELD = "SELECT count(*) FROM settlement_job WHERE node_id = %s AND state = 'leased'"
_KEEP = """
UPDATE settlement_job SET lease_expires_at = greatest(lease_expires_at, least(%(now)s::timestamptz + lease_ms * interval '1 millisecond', deadline_at))
WHERE id IN (SELECT id FROM settlement_job WHERE id = ANY (%(jobs)s::uuid[]) AND node_id = %(node)s AND state = 'leased' ORDER BY id FOR NO KEY UPDATE)
RETURNING id::text, (extract(epoch from lease_expires_at) * 1000000)::bigint
"""


class Lease(msgspec.Struct, frozen=True):
    """A job in a node's hands. `units` are the most that may be delivered; `body` is the payload, `body_hash` its SHA-256."""

    job_id: str
    workload: str
    operation: str
    model: str
    unit: str
    units: int
    attempt: int
    expires_us: int
    deadline_us: int
    body: str
    body_hash: str


@transaction.atomic
def lease_jobs(*, node_id: str, most: int, workloads: Sequence[str] | None, now_us: int) -> list[Lease]:
    """At most `most` open jobs of the node's supplier, the oldest first; none when there are none.

    Raises SupplyRefusedError `node_suspended`, `supplier_suspended`, `leases_many`.
    """
    node = working_node(node_id)
    held = rows.fetch_one(_HELD, [node.pk])
    room = MOST_HELD - (held[0] if held else 0)
    if room <= 0:
        raise supply_refused("leases_many", f"a node has at most {MOST_HELD} leases at a time")
    values = {
        "node": node.pk,
        "supplier": node.supplier_id,
        "now": rfc3339(now_us),
        "most": min(most, room, MOST_AT_ONCE),
        "workloads": None if workloads is None else rows.text_array(workloads),
    }
    found = [Lease(*row) for row in rows.fetch_all(_TAKE, values)]
    seen(node, now_us)
    return found


@transaction.atomic
def keep_leases(*, node_id: str, job_ids: Sequence[str], now_us: int) -> dict[str, int]:
    """Job → until when it has it now, of those that are still the node's; never sooner than before, never beyond the job's deadline."""
    node = locked_node(node_id)
    values = {"node": node.pk, "jobs": rows.array(job_ids), "now": rfc3339(now_us)}
    kept = dict(rows.fetch_all(_KEEP, values))
    seen(node, now_us)
    return kept


def working_node(node_id: str) -> Node:
    """The node under lock, if it may work. Raises SupplyRefusedError `node_suspended`, `supplier_suspended`."""
    node = locked_node(node_id)
    if node.status != "active":
        raise supply_refused("node_suspended", f"{public('nod', node_id)} is suspended")
    if node.supplier.status != "active":
        raise supply_refused("supplier_suspended", f"supplier {node.supplier.slug} is suspended")
    return node


def seen(node: Node, now_us: int) -> None:
    """Note that it is alive; at most once a second, for it is only shown."""
    if node.last_seen_at is None or (to_datetime(now_us) - node.last_seen_at).total_seconds() >= 1:
        node.last_seen_at = to_datetime(now_us)
        node.save(update_fields=["last_seen_at"])
