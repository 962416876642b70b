"""The ceilings: the very rows that requests wrote, copied again with as many commits as they took, and in batches; the supplier without us."""

import time
from collections.abc import Sequence
from statistics import median
from typing import Any

from django.db import connection, transaction

from exchange.bench.ceilings import read_rows
from rights.kernel import rows

# What one request writes, by table; what of it is updated later is counted as written once.
_ROWS = {
    "settlement_request": "SELECT * FROM settlement_request WHERE id = '{request}'",
    "settlement_requestpayload": "SELECT * FROM settlement_requestpayload WHERE request_id = '{request}'",
    "settlement_route": "SELECT * FROM settlement_route WHERE request_id = '{request}'",
    "settlement_receipt": "SELECT * FROM settlement_receipt WHERE request_id = '{request}'",
    "settlement_proof": "SELECT p.* FROM settlement_receipt c JOIN settlement_proof p ON p.receipt_id = c.id WHERE c.request_id = '{request}'",
    "settlement_settlement": "SELECT * FROM settlement_settlement WHERE request_id = '{request}'",
    "settlement_posting": "SELECT p.* FROM settlement_posting p WHERE p.entry_id IN (SELECT id FROM settlement_route WHERE request_id = '{request}' "
    "UNION SELECT id FROM settlement_settlement WHERE request_id = '{request}')",
    "rights_unitlock": "SELECT l.* FROM rights_unitlock l JOIN settlement_route t ON l.ref = 'rte_' || t.id WHERE t.request_id = '{request}'",
    "rights_event": "SELECT e.* FROM rights_event e WHERE e.object_id IN (SELECT 'req_{request}' UNION SELECT 'rte_' || id FROM settlement_route "
    "WHERE request_id = '{request}' UNION SELECT 'rcp_' || id FROM settlement_receipt WHERE request_id = '{request}' "
    "UNION SELECT 'stl_' || id FROM settlement_settlement WHERE request_id = '{request}')",
}
MOST_REQUESTS = 200
COMMITS = 3  # of a request that is executed in the background: submitted, begun, settled
BATCH = 32
_LATEST = "SELECT request_id::text FROM settlement_settlement WHERE state = 'finalized' ORDER BY created_at DESC LIMIT %s"


def raw_requests() -> dict[str, Any]:
    """Requests/s of COPYing the rows of the latest requests into empty tables of the same shape, on one connection."""
    asked = [row[0] for row in rows.fetch_all(_LATEST, [MOST_REQUESTS])]
    data = [[(table, read_rows(sql.format(request=request))) for table, sql in _ROWS.items()] for request in asked]
    with connection.cursor() as cursor:
        for table in _ROWS:
            cursor.execute(f"CREATE TABLE bench_{table} (LIKE {table} INCLUDING ALL)")
    try:
        alone = [_alone(data) for _ in range(3)]
        batched = [_batched(data) for _ in range(3)]
    finally:
        with connection.cursor() as cursor:
            for table in _ROWS:
                cursor.execute(f"DROP TABLE bench_{table}")
    return {"requests": len(asked), "per_s_by_itself": round(median(alone), 1), "per_s_in_batches": round(median(batched), 1)}


def _alone(data: Sequence[list[tuple[str, bytes]]]) -> float:
    """Each request's rows in as many commits as a request takes."""
    _empty()
    started = time.perf_counter()
    for request in data:
        for first in range(COMMITS):
            with transaction.atomic():
                _write(request[first::COMMITS])
    return len(data) / (time.perf_counter() - started)


def _batched(data: Sequence[list[tuple[str, bytes]]]) -> float:
    _empty()
    started = time.perf_counter()
    for start in range(0, len(data), BATCH):
        with transaction.atomic():
            for request in data[start : start + BATCH]:
                _write(request)
    return len(data) / (time.perf_counter() - started)


def _write(parts: Sequence[tuple[str, bytes]]) -> None:
    with connection.cursor() as cursor:
        for table, raw in parts:
            with cursor.copy(f"COPY bench_{table} FROM STDIN (FORMAT binary)") as copy:
                copy.write(raw)


def _empty() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE " + ", ".join(f"bench_{table}" for table in _ROWS))
