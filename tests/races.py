"""Two acts on connections of their own, many times, meeting at every point of each other's way.

In every third round both start together. In the others one of them, the leader, stops before one of its steps, a round's further than
the last one's; then the other runs until it has ended or waits for a lock of the leader's; then the leader goes on. A step is one wait of
psycopg for the server. So each of the two is first in some rounds, and every place where one can come in between is tried.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier, Event, local
from typing import Any

import psycopg
from django.db import connection

from exchange.services.operator_refusal import OperatorRefusal
from rights.services.refusals import RegistryRefusalError
from settlement.services.ledger import LedgerRefusal
from settlement.services.request_refusal import RequestRefused, RequestStateRefused
from settlement.services.transfer import TransferRefused

TORTURE = os.environ.get("TORTURE") == "1"
LONGEST_S = 60
_WAITS = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
Job = Callable[[int], Any]
REFUSALS = (TransferRefused, RegistryRefusalError, OperatorRefusal, LedgerRefusal, RequestRefused, RequestStateRefused)


def rounds(torture: int, sample: int) -> int:
    return torture if TORTURE else sample


def codes_of(refusal: Exception) -> tuple[str, ...]:
    """Every code that somebody is refused with."""
    if isinstance(refusal, TransferRefused):
        return tuple(one.verdict.code for one in refusal.refusals)
    if isinstance(refusal, RegistryRefusalError):
        return tuple(one.code for one in refusal.refusals)
    if isinstance(refusal, RequestRefused):
        return tuple(one.reason.code for one in refusal.refusals)
    if isinstance(refusal, OperatorRefusal | RequestStateRefused):
        return (refusal.code,)
    return (type(refusal).__name__,)


class _Meeting:
    """Where the leader of a round stops, and how the other gets its turn."""

    def __init__(self) -> None:
        self.threads = local()
        self.go = Event()
        self.other_done = Event()
        self.other_pid = 0
        self.spare: psycopg.Connection[Any] | None = None

    def lead(self, at: int) -> None:
        self.threads.left = at

    def step(self) -> None:
        """Called before every step of every thread."""
        left = getattr(self.threads, "left", None)
        if left is None:
            return
        self.threads.left = left - 1 if left else None
        if not left:
            self.threads.left = None
            self._let_the_other()

    def _let_the_other(self) -> None:
        self.go.set()
        while not self.other_done.wait(0.0005):
            if self.spare is not None and self.spare.execute(_WAITS, [self.other_pid]).fetchone():
                return

    def ended(self) -> None:
        """The leader has had fewer steps than that, or is through: the other may go in any case."""
        self.threads.left = None
        self.go.set()


@contextmanager
def _watched(meeting: _Meeting) -> Iterator[None]:
    wait = psycopg.Connection.wait

    def stepped(link: psycopg.Connection[Any], gen: Any, *args: Any, **more: Any) -> Any:
        if link is not meeting.spare:
            meeting.step()
        return wait(link, gen, *args, **more)

    settings = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    with psycopg.connect(**{name: settings[name] for name in names if name in settings}, autocommit=True) as spare:
        meeting.spare = spare
        psycopg.Connection.wait = stepped  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            psycopg.Connection.wait = wait  # type: ignore[method-assign]


def race(
    first: Job, second: Job, *, times: int, steps: int = 12, prepare: Callable[[int], None] = lambda number: None
) -> list[tuple[Any, Any]]:
    """`times` rounds: `prepare(number)`, then both jobs; what each of them answered, round by round.

    A refusal's answer is its codes. Anything else that is raised ends the test. `steps`: a leader stops before one of so many.
    """
    start, end = Barrier(3), Barrier(3)
    answers: list[list[Any]] = [[None, None] for _ in range(times)]
    meeting = _Meeting()

    def leads(place: int, number: int) -> bool:
        return number % 3 == place + 1

    def one(place: int, job: Job, number: int) -> Any:
        try:
            return job(number)
        except REFUSALS as refusal:
            return codes_of(refusal)

    def run(place: int, job: Job) -> None:
        connection.ensure_connection()
        pid = connection.connection.info.backend_pid
        try:
            for number in range(times):
                if number % 3 and not leads(place, number):
                    meeting.other_pid = pid
                start.wait(LONGEST_S)
                if leads(place, number):
                    meeting.lead(number // 3 % steps)
                    answers[number][place] = one(place, job, number)
                    meeting.ended()
                elif number % 3:
                    assert meeting.go.wait(LONGEST_S)
                    answers[number][place] = one(place, job, number)
                    meeting.other_done.set()
                else:
                    answers[number][place] = one(place, job, number)
                end.wait(LONGEST_S)
        except BaseException:
            for thing in (start, end):
                thing.abort()
            meeting.go.set()
            meeting.other_done.set()
            raise
        finally:
            connection.close()

    with _watched(meeting), ThreadPoolExecutor(2) as pool:
        running = [pool.submit(run, place, job) for place, job in enumerate((first, second))]
        try:
            for number in range(times):
                prepare(number)
                meeting.go.clear()
                meeting.other_done.clear()
                start.wait(LONGEST_S)
                end.wait(LONGEST_S)
        except BaseException:
            for thing in (start, end):
                thing.abort()
            meeting.go.set()
            meeting.other_done.set()
            raise
        finally:
            failures = [failure for job in running if (failure := job.exception()) is not None]
            for failure in failures:
                if type(failure).__name__ != "BrokenBarrierError":
                    raise failure
    return [(a, b) for a, b in answers]
