"""Nodes take jobs, keep them, and give them up (SPEC §8). A lease is a row's state: whoever holds the row's lock decides who has the job.

Oldest first, several at once, and never two nodes one job: locked rows are skipped. Locks: the nodes by id, then jobs by id.
"""

from collections.abc import Sequence

import msgspec
from django.db import transaction

from rights.kernel import rows
from rights.kernel.clock import rfc3339
from rights.kernel.ids import public
from rights.kernel.trip import Trip
from rights.services.refusals import SupplyRefusedError, supply_refused
from settlement.services.node_calls import Calls, NodeBarred, NonceUsed, Worker

MOST_AT_ONCE = 100
MOST_HELD = 1_000  # leases of one node

_TAKE = """
WITH node AS (
    SELECT n.id, n.supplier_id FROM settlement_node n JOIN rights_supplier s ON s.id = n.supplier_id
    WHERE n.uuid = %(node)s AND n.status = 'active' AND s.status = 'active'
), picked AS (
    SELECT j.id FROM settlement_job j JOIN settlement_request q ON q.id = j.request_id AND q.state = 'executing'
    WHERE j.supplier_id = (SELECT supplier_id FROM node) AND j.state = 'open' AND j.deadline_at > %(now)s
      AND NOT ((SELECT id FROM node) = ANY (j.shunned)) AND (%(workloads)s::text[] IS NULL OR j.workload = ANY (%(workloads)s::text[]))
    ORDER BY j.offered_at, j.id
    LIMIT least(%(most)s, %(held)s - (SELECT count(*) FROM settlement_job h WHERE h.node_id = (SELECT id FROM node) AND h.state = 'leased'))
    FOR NO KEY UPDATE OF j SKIP LOCKED
), leased AS (
    UPDATE settlement_job j SET state = 'leased', node_id = node.id, leases = j.leases + 1, attempts = j.attempts + 1, leased_at = %(now)s,
           lease_expires_at = least(%(now)s::timestamptz + j.lease_ms * interval '1 millisecond', j.deadline_at)
    FROM picked, node WHERE j.id = picked.id
    RETURNING j.id, j.node_id, j.request_id, j.workload, j.operation, j.model, j.unit, j.units, j.attempts, j.leases, j.offered_at,
              j.lease_expires_at, j.deadline_at
), tried AS (
    INSERT INTO settlement_jobattempt (job_id, number, node_id, leased_at, "end", output_hash, signature, detail)
    SELECT id, leases, node_id, %(now)s, '', '', '', '' FROM leased
)
SELECT l.id::text, l.workload, l.operation, l.model, l.unit, l.units, l.attempts, (extract(epoch from l.lease_expires_at) * 1000000)::bigint,
       (extract(epoch from l.deadline_at) * 1000000)::bigint, p.body, p.body_hash
FROM leased l JOIN settlement_requestpayload p ON p.request_id = l.request_id ORDER BY l.offered_at, l.id
"""
_KEEP = """
UPDATE settlement_job SET lease_expires_at = greatest(lease_expires_at, least(%(now)s::timestamptz + lease_ms * interval '1 millisecond', deadline_at))
WHERE id IN (SELECT id FROM settlement_job WHERE id = ANY (%(jobs)s::uuid[]) AND state = 'leased'
             AND node_id = (SELECT id FROM settlement_node WHERE uuid = %(node)s) ORDER BY id FOR NO KEY UPDATE)
RETURNING id::text, (extract(epoch from lease_expires_at) * 1000000)::bigint
"""

_ON_OFFER = """
SELECT s.slug, (SELECT count(*) FROM (
    SELECT 1 FROM settlement_job j WHERE j.supplier_id = s.id AND j.state = 'open' AND j.deadline_at > %(now)s LIMIT %(most)s) o)
FROM rights_supplier s WHERE s.slug = ANY (%(suppliers)s::text[])
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


class Wish(msgspec.Struct, frozen=True):
    """A node's call for work: at most so many jobs, of these workloads. `nonce` as of a NodeCall."""

    node_id: str
    nonce: str
    most: int
    workloads: tuple[str, ...] | None = None


class Keep(msgspec.Struct, frozen=True):
    """A node's call to keep these jobs. `nonce` as of a NodeCall."""

    node_id: str
    nonce: str
    job_ids: Sequence[str]


Leased = list[Lease] | NonceUsed | NodeBarred | SupplyRefusedError


@transaction.atomic(savepoint=False)
def lease_together(*, wishes: Sequence[Wish], now_us: int) -> list[Leased]:
    """For each wish, in their order, open jobs of the node's supplier, the oldest first; none when there are none.

    Or what refuses it: NonceUsed, NodeBarred, SupplyRefusedError `node_suspended`, `supplier_suspended`, `leases_many`.
    """
    trip = Trip()
    asked = Calls(trip, wishes, now_us)
    trip.go()
    seen = asked.read()
    answers: list[Leased] = []
    taken = []
    for wish in wishes:
        answers.append([])
        try:
            _check(wish.node_id, seen.worker(wish))
        except (NonceUsed, NodeBarred, SupplyRefusedError) as refused:
            answers[-1] = refused
            continue
        values = {
            "node": wish.node_id,
            "now": rfc3339(now_us),
            "most": min(wish.most, MOST_AT_ONCE),
            "held": MOST_HELD,
            "workloads": None if wish.workloads is None else rows.text_array(wish.workloads),
        }
        taken.append((len(answers) - 1, trip.ask(_TAKE, values)))
    trip.go()
    for place, answer in taken:
        answers[place] = [Lease(*row) for row in answer.rows()]
    return answers


def lease_jobs(*, node_id: str, most: int, workloads: Sequence[str] | None, now_us: int) -> list[Lease]:
    """`lease_together` for one node. Raises what refuses it."""
    wish = Wish(node_id, "", most, None if workloads is None else tuple(workloads))
    (leased,) = lease_together(wishes=[wish], now_us=now_us)
    if isinstance(leased, Exception):
        raise leased
    return leased


def on_offer(*, suppliers: Sequence[str], now_us: int) -> dict[str, int]:
    """How many jobs these suppliers (their slugs) have to give, counted to a page of leases."""
    asked = {"suppliers": rows.text_array(suppliers), "now": rfc3339(now_us), "most": MOST_AT_ONCE}
    return dict(rows.fetch_all(_ON_OFFER, asked))


@transaction.atomic
def keep_leases(*, call: Keep, now_us: int) -> dict[str, int]:
    """Job → until when the node has it now, of those that are still its; never sooner than before, never beyond the job's deadline.

    Raises NonceUsed, NodeBarred.
    """
    trip = Trip()
    asked = Calls(trip, [call], now_us)
    kept = trip.ask(_KEEP, {"node": call.node_id, "jobs": rows.array(call.job_ids), "now": rfc3339(now_us)})
    trip.go()
    asked.read().worker(call)
    return dict(kept.rows())


def _check(node_id: str, worker: Worker) -> None:
    """Raise SupplyRefusedError unless the node may work; nothing was taken then."""
    if worker.status != "active":
        raise supply_refused("node_suspended", f"{public('nod', node_id)} is suspended")
    if worker.supplier_status != "active":
        raise supply_refused("supplier_suspended", f"supplier {worker.supplier} is suspended")
    if worker.leases >= MOST_HELD:
        raise supply_refused("leases_many", f"a node has at most {MOST_HELD} leases at a time")
