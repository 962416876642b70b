"""Savepoints that travel with the statement they are for.

A service in a service, and each of both in a test's transaction, sets a savepoint and releases it: a trip each, more than the service makes.
Here they wait for the next statement and go with it; a savepoint behind which nothing was done is never made.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection
from psycopg.pq import ExecStatus, TransactionStatus

from rights.kernel import trip


class _Waiting:
    """What is still to be said of savepoints, in order: (the savepoint that is made, or "" for a release, and the words)."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def make(self, sid: str) -> None:
        self.said.append((sid, f"SAVEPOINT {sid}"))

    def keep(self, sid: str) -> None:
        if self.said and self.said[-1][0] == sid:
            self.said.pop()
        else:
            self.said.append(("", f"RELEASE SAVEPOINT {sid}"))

    def drop_inside(self, sid: str) -> bool:
        """Leave out what was to be said inside of the savepoint; whether the server knows of it."""
        places = [place for place, (made, _) in enumerate(self.said) if made == sid]
        del self.said[places[0] + 1 if places else 0 :]
        return not places

    def take(self) -> list[bytes]:
        words = [word.encode() for _, word in self.said]
        self.said.clear()
        return words


@contextmanager
def lazy_savepoints() -> Iterator[None]:
    """Inside, which is inside a transaction of Django's connection that has begun."""
    waiting, own = _Waiting(), connection.connection
    wait, exchange, undo = psycopg.Connection.wait, trip._exchange, connection._savepoint_rollback

    def say() -> None:
        words = waiting.take()
        if words:
            assert own.pgconn.transaction_status == TransactionStatus.INTRANS, words
            answer = own.pgconn.exec_(b"; ".join(words))
            assert answer.status == ExecStatus.COMMAND_OK, (words, answer.error_message)

    def said_before(link: psycopg.Connection[Any], gen: Any, *args: Any, **more: Any) -> Any:
        if link is own and gen.__name__ != trip._converse.__name__:
            say()
        return wait(link, gen, *args, **more)

    def said_with(pgconn: Any, send: Callable[[], None], count: int) -> Any:
        words = waiting.take() if pgconn is own.pgconn else []

        def send_all() -> None:
            for word in words:
                pgconn.send_query_params(word, None)
            send()

        results = yield from exchange(pgconn, send_all, len(words) + count)
        assert all(result.status == ExecStatus.COMMAND_OK for result in results[: len(words)]), words
        return results[len(words) :]

    def undone(sid: str) -> None:
        if waiting.drop_inside(sid):
            undo(sid)

    psycopg.Connection.wait, trip._exchange = said_before, said_with  # type: ignore[method-assign, assignment]
    changed = {"_savepoint": waiting.make, "_savepoint_commit": waiting.keep, "_savepoint_rollback": undone}
    for name, how in changed.items():
        setattr(connection, name, how)
    try:
        yield
    finally:
        say()
        for name in changed:
            delattr(connection, name)
        psycopg.Connection.wait, trip._exchange = wait, exchange  # type: ignore[method-assign]
