"""How attempts at jobs end, set by set: what the row keeps of a result, and who has the job next."""

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
import orjson

from rights.kernel import rows
from rights.kernel.clock import rfc3339
from rights.kernel.ids import public
from settlement.domain.node_results import SIGNATURE_BYTES, Result, decoded, signed_bytes
from settlement.domain.proofs import ProofType

MOST_AT_ONCE = 500
_END_JOBS = """
UPDATE settlement_job j SET state = e.state, reason = left(e.why, 200), lease_expires_at = NULL, told = e.told, proofs = e.proofs,
       node_id = CASE WHEN e.state = 'open' THEN NULL ELSE j.node_id END,
       shunned = CASE WHEN e.how = 'struck' THEN array_append(j.shunned, e.node) ELSE j.shunned END,
       ended_at = CASE WHEN e.state IN ('done', 'parked') THEN %(now)s::timestamptz END
FROM unnest(%(jobs)s::uuid[], %(nodes)s::bigint[], %(states)s::text[], %(ends)s::text[], %(whys)s::text[], %(tolds)s::jsonb[], %(proofs)s::jsonb[])
     AS e(job, node, state, how, why, told, proofs)
WHERE j.id = e.job
"""
_END_TRIES = """
UPDATE settlement_jobattempt a SET ended_at = %(now)s, "end" = e.how, claimed_units = e.units, output_hash = e.hash, signature = e.mark, detail = left(e.why, 200)
FROM unnest(%(jobs)s::uuid[], %(numbers)s::int[], %(ends)s::text[], %(units)s::bigint[], %(hashes)s::text[], %(marks)s::text[], %(whys)s::text[])
     AS e(job, number, how, units, hash, mark, why)
WHERE a.job_id = e.job AND a.number = e.number
"""
# The output of a request of one job as it is; of several, an object of them by route.
_KEEP_OUTPUT = """
UPDATE settlement_requestpayload p SET output = CASE
    WHEN (SELECT count(*) FROM settlement_job s WHERE s.request_id = p.request_id) = 1 THEN e.only
    ELSE (coalesce(p.output, '{}')::jsonb || e.parts)::text END
FROM (SELECT j.request_id, min(o.output) AS only, jsonb_object_agg('rte_' || j.route_id::text, o.output) AS parts
      FROM unnest(%(jobs)s::uuid[], %(outputs)s::text[]) AS o(job, output) JOIN settlement_job j ON j.id = o.job GROUP BY j.request_id) e
WHERE p.request_id = e.request_id
"""
# Those whose lease is over, or that nobody took in time: at most so many, and none that somebody else has under lock.
_OVERDUE = """
WITH due AS (
    SELECT id FROM settlement_job WHERE state = 'leased' AND lease_expires_at <= %(now)s
    ORDER BY lease_expires_at LIMIT %(most)s FOR NO KEY UPDATE SKIP LOCKED
), tried AS (
    UPDATE settlement_jobattempt a SET ended_at = %(now)s, "end" = 'expired' FROM settlement_job j, due
    WHERE j.id = due.id AND a.job_id = j.id AND a.number = j.leases
)
UPDATE settlement_job j SET lease_expires_at = NULL, reason = 'the lease expired',
       state = CASE WHEN o.is_over THEN 'parked' ELSE 'open' END,
       node_id = CASE WHEN o.is_over THEN j.node_id END,
       told = CASE WHEN o.is_over THEN %(told)s::jsonb || jsonb_build_object('route_id', j.route_id::text, 'error', 'no node answered in time') END,
       ended_at = CASE WHEN o.is_over THEN %(now)s::timestamptz END
FROM (SELECT s.id, s.attempts >= s.max_attempts OR s.deadline_at <= %(now)s AS is_over FROM settlement_job s JOIN due ON due.id = s.id) o
WHERE j.id = o.id
"""
_UNTAKEN = """
WITH due AS (
    SELECT id FROM settlement_job WHERE state = 'open' AND deadline_at <= %(now)s ORDER BY deadline_at LIMIT %(most)s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE settlement_job j SET state = 'parked', reason = 'the deadline passed', ended_at = %(now)s,
       told = %(told)s::jsonb || jsonb_build_object('route_id', j.route_id::text, 'error', 'no node did it before the deadline')
FROM due WHERE j.id = due.id
"""


class End(msgspec.Struct, frozen=True, kw_only=True):
    """How lease `number` of a job ended, and what the job is then. `told` when it is over; `output` when it is done."""

    job_id: str
    request_id: str
    number: int
    node_id: int
    state: str
    end: str
    why: str
    told: dict[str, Any] | None
    proofs: list[dict[str, Any]]
    units: int | None
    output: str | None
    output_hash: str
    signature: str


def told_of(
    *,
    route_id: str,
    units: int,
    latency_us: int = 0,
    queue_us: int = 0,
    output_ref: str = "",
    output_hash: str = "",
    is_partial: bool = False,
    error: str = "",
) -> dict[str, Any]:
    """The leg of a receipt, and whether it is less than was asked for."""
    return {
        "route_id": route_id,
        "delivered_units": units,
        "billable_units": units,
        "latency_us": max(latency_us, 0),  # clocks of two machines differ
        "queue_us": max(queue_us, 0),
        "output_ref": output_ref,
        "output_hash": output_hash,
        "error": error,
        "is_partial": is_partial,
    }


def proof_of(*, job_id: str, node: str, result: Result, is_valid: bool) -> dict[str, Any]:
    """A node's signature under its result as a proof; its bytes as they are kept there, hexadecimal."""
    said = signed_bytes(job_id=job_id, units=result.units, output_hash=result.output_hash)
    mark = decoded(result.signature, SIGNATURE_BYTES)
    return {
        "type": str(ProofType.SUPPLIER_SIGNATURE),
        "reference": public("job", job_id),
        "content_hash": hashlib.sha256(said).hexdigest(),
        "producer": node,
        "units": result.units,
        "signature": "" if mark is None else mark.hex(),
        "is_valid": is_valid,
    }


def end_attempts(ends: Sequence[End], now_us: int) -> None:
    """Write the ends; their jobs are under lock, and each is in `ends` once."""
    if not ends:
        return
    values = {
        "now": rfc3339(now_us),
        "jobs": rows.array(end.job_id for end in ends),
        "nodes": rows.array(end.node_id for end in ends),
        "numbers": rows.array(end.number for end in ends),
        "states": rows.array(end.state for end in ends),
        "ends": rows.array(end.end for end in ends),
        "whys": rows.text_array(end.why for end in ends),
        "tolds": rows.text_array(None if end.told is None else orjson.dumps(end.told).decode() for end in ends),
        "proofs": rows.text_array(orjson.dumps(end.proofs).decode() for end in ends),
        "units": rows.text_array(end.units for end in ends),
        "hashes": rows.text_array(end.output_hash for end in ends),
        "marks": rows.text_array(end.signature for end in ends),
    }
    done = [end for end in ends if end.output is not None]
    with rows.together():
        rows.write(_END_JOBS, values)
        rows.write(_END_TRIES, values)
        if done:
            outputs = {"jobs": rows.array(end.job_id for end in done), "outputs": rows.text_array(end.output for end in done)}
            rows.write(_KEEP_OUTPUT, outputs)


def expire_leases_due(*, now_us: int, most: int = MOST_AT_ONCE) -> int:
    """Offer again what was leased too long, and put aside what has been tried enough or is past its deadline; how many. One transaction each."""
    nothing = told_of(route_id="", units=0)
    values = {"now": rfc3339(now_us), "most": most, "told": orjson.dumps(nothing).decode()}
    return rows.execute(_OVERDUE, values) + rows.execute(_UNTAKEN, values)
