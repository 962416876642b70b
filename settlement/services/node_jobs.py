"""Routes that nodes do become jobs (SPEC §8), and what other adapters did of the same request waits beside them.

A job bears its route's id, so that opening it twice opens it once. Whoever began an execution opens its jobs; the timetable opens those
of one who died before he did.
"""

from collections.abc import Sequence

import msgspec
import orjson

from rights.kernel import rows
from rights.kernel.clock import rfc3339
from settlement.domain.receipt_body import LegTold
from settlement.services.job_ends import told_of
from settlement.services.pulse import SILENT_US

ADAPTER = "node-network"
FORSAKEN_US = SILENT_US  # an execution without jobs for so long has lost its executor
_OPEN = f"""
INSERT INTO settlement_job (id, request_id, route_id, supplier_id, capability_id, workload, operation, model, unit, units, state, reason, leases, attempts,
       max_attempts, lease_ms, shunned, told, proofs, offered_at, deadline_at, ended_at)
SELECT t.id, t.request_id, t.id, t.supplier_id, t.capability_id, q.workload, q.operation, e.model, c.unit, t.units,
       CASE WHEN p.request_id IS NULL THEN 'parked' ELSE 'open' END, '', 0, 0, e.max_attempts, e.timeout_ms, '{{}}',
       CASE WHEN p.request_id IS NULL THEN %(told)s::jsonb || jsonb_build_object('route_id', t.id::text) END, '[]', %(now)s, t.expires_at,
       CASE WHEN p.request_id IS NULL THEN %(now)s::timestamptz END
FROM settlement_route t JOIN settlement_request q ON q.id = t.request_id JOIN rights_capability c ON c.id = t.capability_id
JOIN settlement_endpoint e ON e.capability_id = t.capability_id AND e.status = 'active' AND e.adapter = '{ADAPTER}'
LEFT JOIN settlement_requestpayload p ON p.request_id = t.request_id
WHERE t.state = 'executing' AND q.state = 'executing'
"""
_OPEN_THESE = _OPEN + "AND t.request_id = ANY (%(requests)s::uuid[]) ORDER BY t.id ON CONFLICT DO NOTHING"
_OPEN_DUE = (
    _OPEN
    + """
AND q.updated_at <= %(before)s AND NOT EXISTS (SELECT 1 FROM settlement_job j WHERE j.route_id = t.id) ON CONFLICT DO NOTHING
"""
)
_TELL = """
INSERT INTO settlement_job (id, request_id, route_id, supplier_id, capability_id, workload, operation, model, unit, units, state, reason, leases, attempts,
       max_attempts, lease_ms, shunned, told, proofs, offered_at, deadline_at, ended_at)
SELECT t.id, t.request_id, t.id, t.supplier_id, t.capability_id, q.workload, q.operation, '', c.unit, t.units, 'done', 'by another adapter', 0, 0, 1, 1,
       '{}', e.told, '[]', %(now)s, t.expires_at, %(now)s
FROM unnest(%(routes)s::uuid[], %(tolds)s::jsonb[]) AS e(route, told) JOIN settlement_route t ON t.id = e.route
JOIN settlement_request q ON q.id = t.request_id JOIN rights_capability c ON c.id = t.capability_id
WHERE t.request_id = %(request)s AND t.state = 'executing'
ON CONFLICT DO NOTHING
"""


def open_jobs(*, request_id: str, now_us: int) -> int:
    """Offer the executing routes of a request that nodes do; how many were not offered before. Without a payload there is nothing to do, and it failed."""
    return open_jobs_of(request_ids=[request_id], now_us=now_us)


def open_jobs_of(*, request_ids: Sequence[str], now_us: int) -> int:
    """`open_jobs` of several requests."""
    return rows.execute(_OPEN_THESE, {"requests": rows.array(request_ids), "now": rfc3339(now_us), "told": _no_payload()})


def open_jobs_due(*, now_us: int) -> int:
    """`open_jobs` for executions whose executor died before it got so far; how many jobs."""
    return rows.execute(_OPEN_DUE, {"before": rfc3339(now_us - FORSAKEN_US), "now": rfc3339(now_us), "told": _no_payload()})


def tell_legs(*, request_id: str, legs: Sequence[LegTold], now_us: int) -> int:
    """Keep what other adapters did of a request that waits for nodes; how many legs were not told before. The first telling counts."""
    values = {
        "request": request_id,
        "now": rfc3339(now_us),
        "routes": rows.array(leg.route_id for leg in legs),
        "tolds": rows.text_array(orjson.dumps({**msgspec.to_builtins(leg), "is_partial": False}).decode() for leg in legs),
    }
    return rows.execute(_TELL, values) if legs else 0


def _no_payload() -> str:
    return orjson.dumps(told_of(route_id="", units=0, error="there is no payload to be done")).decode()
