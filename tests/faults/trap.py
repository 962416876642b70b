"""Kills, or stops, this very process at a chosen step of its talk with PostgreSQL.

A step is one wait of psycopg for the server: a statement, a COMMIT or ROLLBACK, and for COPY its start, its data and its end. The
hook sits below Django and below COPY, so nothing that reaches the database passes it by.
"""

import os
import select
import signal
from typing import Any

import psycopg
from psycopg.waiting import Ready, Wait

BEFORE, SENT, AFTER = "before", "sent", "after"
STOP = "stop"


class Trap:
    """Counts steps. At step `at` the process dies: before it is sent, once it is sent and unanswered, or after its answer.

    Or it stops before the step, and goes on whenever somebody lets it.
    """

    def __init__(self, at: int = 0, where: str = BEFORE) -> None:
        self.steps = 0
        self._at, self._where = at, where
        self._sync, self._async = psycopg.Connection.wait, psycopg.AsyncConnection.wait

    def set(self) -> None:
        trap = self

        def wait(connection: psycopg.Connection[Any], gen: Any, *args: Any, **more: Any) -> Any:
            trap.steps += 1
            if trap.steps != trap._at:
                return trap._sync(connection, gen, *args, **more)
            trap._before(connection, gen)
            answer = trap._sync(connection, gen, *args, **more)
            return _die() if trap._where == AFTER else answer

        async def wait_async(connection: psycopg.AsyncConnection[Any], gen: Any, *args: Any, **more: Any) -> Any:
            trap.steps += 1
            if trap.steps != trap._at:
                return await trap._async(connection, gen, *args, **more)
            trap._before(connection, gen)
            answer = await trap._async(connection, gen, *args, **more)
            return _die() if trap._where == AFTER else answer

        psycopg.Connection.wait = wait  # type: ignore[method-assign, assignment]
        psycopg.AsyncConnection.wait = wait_async  # type: ignore[method-assign, assignment]

    def _before(self, connection: Any, gen: Any) -> None:
        if self._where == STOP:
            os.kill(os.getpid(), signal.SIGSTOP)
        if self._where == BEFORE:
            _die()
        if self._where == SENT:
            _only_send(gen, connection.pgconn.socket)
            _die()


def _only_send(gen: Any, socket: int) -> None:
    """Drive the protocol until there is nothing left to send, and take no answer."""
    try:
        wants = next(gen)
        while wants & Wait.W:
            select.select([], [socket], [])
            wants = gen.send(Ready.W)
    except StopIteration:
        pass  # a step that needs no answer


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
