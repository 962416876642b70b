"""Two connections that meet at a chosen place: what commits between a look and a lock, and what holds a lock somebody waits for."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

from django.db import connection, transaction

from tests.plugins.live import wait_until

PATIENCE_S = 20


def elsewhere(act: Callable[[], Any]) -> Any:
    """What `act` answers on a connection of its own, after its commit."""

    def run() -> Any:
        try:
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result(PATIENCE_S)


def once_after(function: Callable[..., Any], act: Callable[[], Any]) -> Callable[..., Any]:
    """The function, with `act` done after its first call."""
    done: list[bool] = []

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        found = function(*args, **kwargs)
        if not done:
            done.append(True)
            act()
        return found

    return wrapped


def once_before(function: Callable[..., Any], act: Callable[[], Any]) -> Callable[..., Any]:
    """The function, with `act` done before its first call."""
    done: list[bool] = []

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if not done:
            done.append(True)
            act()
        return function(*args, **kwargs)

    return wrapped


@contextmanager
def holding(act: Callable[[], Any], then: Callable[[], Any] = lambda: None) -> Iterator[None]:
    """Inside, `act` is done elsewhere but not committed; once this connection waits for one of its locks, `then` is done and all commits."""
    held, mine = Event(), backend()

    def run() -> None:
        try:
            with transaction.atomic():
                act()
                held.set()
                wait_until(lambda: _is_blocked(mine), PATIENCE_S, "the other connection to wait for a lock")
                then()
        finally:
            held.set()
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run)
        assert held.wait(PATIENCE_S)
        yield
        running.result(PATIENCE_S)


def backend() -> int:
    """The server process behind this connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def _is_blocked(backend_id: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", [backend_id])
        return bool(cursor.fetchone()[0])
