"""One view of the whole database: everything read inside belongs to the same moment, and nothing waits for it."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction

from rights.kernel import rows
from rights.kernel.trip import Trip

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


def stream_rows(sql: str, params: Sequence[Any] = (), *, expected: int = CHUNK + 1) -> Iterator[tuple[Any, ...]]:
    """Rows by a cursor of the server's, so that a table may be larger than memory; in one trip where no more are `expected` than one chunk."""
    if expected <= CHUNK:
        yield from rows.fetch_all(sql, params)
        return
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql, params)
        while chunk := cursor.fetchmany(CHUNK):
            yield from chunk
            if len(chunk) < CHUNK:
                return


def stream_each(statements: Sequence[str], *, expected: int) -> Iterator[Iterable[tuple[Any, ...]]]:
    """The rows of each statement in turn; of all of them in one trip where no more are `expected` than one chunk."""
    if expected > CHUNK:
        yield from map(stream_rows, statements)
        return
    trip = Trip()
    answers = [trip.ask(sql) for sql in statements]
    trip.go()
    for answer in answers:
        yield answer.rows()
