"""One view of the whole database: everything read inside belongs to the same moment, and nothing waits for it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction

CHUNK = 2000
_OPEN = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
    "SET LOCAL work_mem = '128MB'",
    "SET LOCAL jit = off",
)


@contextmanager
def snapshot() -> Iterator[None]:
    """A read-only transaction in one snapshot, without the limits that protect the trading path."""
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            for statement in _OPEN:
                cursor.execute(statement)
        yield


def stream_rows(sql: str, params: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
    """Rows by a cursor of the server's, so that a table may be larger than memory."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql, params)
        while chunk := cursor.fetchmany(CHUNK):
            yield from chunk
