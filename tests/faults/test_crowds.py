"""Many matchers on one book, every bell rung ten times, and everybody else who takes the same locks (TRUST.md, fault programme C).

Eight processes drain one book while others send, some of them committing late. A second round adds operators, issuers and the
timetable. Nothing may be doubled or lost, nobody may meet an error that is no refusal, and PostgreSQL may not have had to break
a single deadlock: the lock order alone must do.
"""

import os
import time
from typing import Any

import pytest
from django.db import connection

from exchange.audit.run import audit
from exchange.replay.run import replay
from rights.kernel import rows
from rights.kernel.clock import to_us
from tests.faults.cases import Pit
from tests.faults.forks import ForkServer
from tests.unit.rights.domain.manifests import chat_day

pytestmark = pytest.mark.django_db(transaction=True)
TORTURE = os.environ.get("TORTURE") == "1"
MATCHERS = 8
CLIENTS = 4
COMMANDS = 1000 if TORTURE else 100
HOUR_US = 3_600_000_000
MEDDLE_S = 60.0 if TORTURE else 6.0


class Stage:
    """A market with a deep purse, and the acts of a crowd on it."""

    def __init__(self) -> None:
        self.pit = Pit("open")
        for slug in ("holder", "third"):
            self.pit.desk.issue(500_000_000, holder=slug, transfer_policy={"min_transfer_units": "1000000"})
        self._began = time.monotonic()

    @property
    def now_us(self) -> int:
        return int(self.pit.now_us + (time.monotonic() - self._began) * 1_000_000)

    def act(self, do: str, **more: Any) -> dict[str, Any]:
        accounts = {slug: {"id": key.account_id, "actor": f"key:{key.uuid}"} for slug, key in self.pit.keys.items()}
        act = {"do": do, "book": self.pit.book_id, "epoch_us": self.pit.now_us, "began": self._began, "accounts": accounts}
        return {"acts": [act | more]}

    def skip_to_the_end(self) -> None:
        """The window is over; the clock goes on from there."""
        self.pit.now_us = to_us(self.pit.series.window_end) + 1_000_000
        self._began = time.monotonic()

    def check(self) -> None:
        """Everything accepted has been applied once, and every invariant holds."""
        told = rows.fetch_all("SELECT count(*), count(DISTINCT n) FROM exchange_command")
        applied = rows.fetch_all("SELECT count(*), count(DISTINCT n) FROM exchange_batch, unnest(command_ns) AS n")
        assert told == applied
        report = audit(now_us=self.now_us + 10_000_000)
        assert report.broken == []


def answers(jobs: list[dict[str, Any]]) -> list[Any]:
    """What each process reported; fails with the errors of those that met one."""
    failed = [job for job in jobs if job["code"] != 0]
    assert not failed, "\n".join(str(report.get("error")) for job in failed for report in job["reports"])
    return [job["reports"][-1]["answer"] for job in jobs]


def deadlocks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def test_eight_matchers_on_one_book_double_nothing(fork_server: ForkServer) -> None:
    stage = Stage()
    before = rows.fetch_all("SELECT last_command_seq FROM exchange_book")[0][0]
    expected = before + CLIENTS * COMMANDS
    matchers = [stage.act("drain", until=expected, through_task=number % 2 == 0) for number in range(MATCHERS)]
    clients = [stage.act("crowd", seed=number, count=COMMANDS) for number in range(CLIENTS)]
    rung = answers(fork_server.run_all(matchers + clients))[:MATCHERS]
    assert min(rung) > 10
    assert rows.fetch_all("SELECT last_command_seq FROM exchange_book") == [(expected,)]
    assert deadlocks() == 0
    stage.check()


def test_matchers_whose_clocks_are_an_hour_apart(fork_server: ForkServer) -> None:
    """Time only decides what has run out; who holds the book, what is unread and in which order it is applied is told without a clock."""
    stage = Stage()
    expected = rows.fetch_all("SELECT last_command_seq FROM exchange_book")[0][0] + CLIENTS * COMMANDS
    skews = (-HOUR_US, 0, HOUR_US, -HOUR_US, HOUR_US)
    matchers = [stage.act("drain", until=expected, through_task=number > 2, skew_us=skew) for number, skew in enumerate(skews)]
    clients = [stage.act("crowd", seed=100 + number, count=COMMANDS) for number in range(CLIENTS)]
    answers(fork_server.run_all(matchers + clients))
    assert rows.fetch_all("SELECT last_command_seq FROM exchange_book") == [(expected,)]
    jumps = "SELECT count(*) FROM (SELECT at - lag(at) OVER (ORDER BY seq) AS step FROM exchange_batch) s WHERE abs(extract(epoch FROM step)) > 3000"
    assert rows.fetch_all(jumps)[0][0] > 10, "the clocks did take turns"
    stage.check()
    assert replay().differences == {}


def test_everybody_who_takes_the_same_locks_at_once(fork_server: ForkServer) -> None:
    stage = Stage()
    document = chat_day(resource={"amount": "4000000"}, transfer_policy={"min_transfer_units": "1000000"})
    matchers = [stage.act("drain", seconds=MEDDLE_S) for _ in range(2)]
    clients = [stage.act("crowd", seed=number, seconds=MEDDLE_S) for number in range(2)]
    meddlers = [stage.act("meddle", seed=number, seconds=MEDDLE_S, document=document) for number in range(4)]
    done = answers(fork_server.run_all(matchers + clients + meddlers))[4:]
    by_kind = {name: sum(found[name] for found in done) for name in done[0]}
    assert all(by_kind.values()), by_kind
    expired = answers(fork_server.run_all([stage.act("drain", seconds=0.5)]))
    assert expired
    stage.check()
    stage.skip_to_the_end()
    assert sum(answers(fork_server.run_all([stage.act("end") for _ in range(3)]))) > 10
    assert deadlocks() == 0
    stage.check()
