"""The ceilings: the very rows that requests wrote, copied again with as many commits as they took, and in batches; the supplier without us."""

import time
from collections.abc import Sequence
from statistics import median
from typing import Any

from django.db import connection, transaction

from exchange.bench.ceilings import read_rows
from rights.kernel import rows

# What requests write, by table; what of it is updated later is counted as written once.
_ROUTES = "SELECT id FROM settlement_route WHERE request_id = ANY('{requests}')"
_SETTLEMENTS = "SELECT id FROM settlement_settlement WHERE request_id = ANY('{requests}')"
_ROWS = {
    "settlement_request": "SELECT * FROM settlement_request WHERE id = ANY('{requests}')",
    "settlement_requestpayload": "SELECT * FROM settlement_requestpayload WHERE request_id = ANY('{requests}')",
    "settlement_route": "SELECT * FROM settlement_route WHERE request_id = ANY('{requests}')",
    "settlement_receipt": "SELECT * FROM settlement_receipt WHERE request_id = ANY('{requests}')",
    "settlement_proof": "SELECT p.* FROM settlement_receipt c JOIN settlement_proof p ON p.receipt_id = c.id WHERE c.request_id = ANY('{requests}')",
    "settlement_settlement": "SELECT * FROM settlement_settlement WHERE request_id = ANY('{requests}')",
    "settlement_posting": f"SELECT * FROM settlement_posting WHERE entry_id IN ({_ROUTES} UNION {_SETTLEMENTS})",
    "rights_unitlock": f"SELECT * FROM rights_unitlock WHERE ref IN (SELECT 'rte_' || id FROM ({_ROUTES}) t)",
    "rights_event": "SELECT * FROM rights_event WHERE object_id IN (SELECT 'req_' || id FROM unnest('{requests}'::uuid[]) AS q(id) "
    f"UNION SELECT 'rte_' || id FROM ({_ROUTES}) t UNION SELECT 'stl_' || id FROM ({_SETTLEMENTS}) s "
    "UNION SELECT 'rcp_' || id FROM settlement_receipt WHERE request_id = ANY('{requests}'))",
}
MOST_REQUESTS = 200
COMMITS = 3  # of a request that is executed in the background: submitted, begun, settled
BATCH = 32
_LATEST = "SELECT request_id::text FROM settlement_settlement WHERE state = 'finalized' ORDER BY created_at DESC LIMIT %s"
_Parts = Sequence[tuple[str, bytes]]  # of one or more requests, by table


def raw_requests() -> dict[str, Any]:
    """Requests/s of COPYing the rows of the latest requests into empty tables of the same shape, on one connection.

    By itself: a COPY per table and request. In batches: one per table for so many requests, and one commit. No trigger, no foreign key.
    """
    asked = [row[0] for row in rows.fetch_all(_LATEST, [MOST_REQUESTS])]
    apart = [_read([request]) for request in asked]
    batches = [_read(asked[start : start + BATCH]) for start in range(0, len(asked), BATCH)]
    with connection.cursor() as cursor:
        for table in _ROWS:
            cursor.execute(f"CREATE TABLE bench_{table} (LIKE {table} INCLUDING ALL)")
    try:
        alone = [len(asked) / _took(apart, COMMITS) for _ in range(3)]
        batched = [len(asked) / _took(batches, 1) for _ in range(3)]
    finally:
        with connection.cursor() as cursor:
            for table in _ROWS:
                cursor.execute(f"DROP TABLE bench_{table}")
    return {
        "requests": len(asked),
        "batch": BATCH,
        "per_s_by_itself": round(median(alone), 1),
        "per_s_in_batches": round(median(batched), 1),
    }


def _read(requests: Sequence[str]) -> _Parts:
    return [(table, read_rows(sql.format(requests=rows.array(requests)))) for table, sql in _ROWS.items()]


def _took(groups: Sequence[_Parts], commits: int) -> float:
    """Seconds for all groups, each in so many commits."""
    _empty()
    started = time.perf_counter()
    for parts in groups:
        for first in range(commits):
            with transaction.atomic():
                _write(parts[first::commits])
    return time.perf_counter() - started


def _write(parts: _Parts) -> None:
    with connection.cursor() as cursor:
        for table, raw in parts:
            with cursor.copy(f"COPY bench_{table} FROM STDIN (FORMAT binary)") as copy:
                copy.write(raw)


def _empty() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE " + ", ".join(f"bench_{table}" for table in _ROWS))
