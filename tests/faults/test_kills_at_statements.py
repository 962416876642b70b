"""TRUST.md, fault programme B: SIGKILL before, in and after every step of every kind of command; then a fresh worker goes on.

After each kill: the audit is clean, whoever was told "accepted" has it applied exactly once, and the state is that of a run that
nobody killed: to the byte when the kill hit the batch, and but for numbers and ids drawn twice when it hit the intake.
"""

import os
import signal
import time
from typing import Any

import msgspec
import pytest

from exchange.audit.run import audit
from rights.kernel import rows
from tests.faults.cases import SCRIPTS, Case, Pit, script
from tests.faults.forks import ForkServer
from tests.faults.trap import AFTER, BEFORE, SENT
from tests.faults.world import Kept, state

pytestmark = pytest.mark.django_db(transaction=True)
TORTURE = os.environ.get("TORTURE") == "1"
CI_POINTS_A_CASE = 11
MARKETS = ("open", "auction", "stale")


class Point(msgspec.Struct, frozen=True):
    case: str
    step: int
    where: str


def done(answer: dict[str, Any]) -> dict[int, dict[str, Any]]:
    return {report["act"]: report for report in answer["reports"] if "act" in report}


def chosen(case: str, steps: int) -> list[Point]:
    """Every point of the case in a full run; otherwise a fixed, even sample of those before and after a step."""
    points = [Point(case, step, where) for step in range(1, steps + 1) for where in (BEFORE, SENT, AFTER)]
    if TORTURE:
        return points
    few = [p for p in points if p.where != SENT]
    most = CI_POINTS_A_CASE if case != "many at once" else 0
    return [few[i * len(few) // most] for i in range(most)] if len(few) > most else few


class Trial:
    """One market, its cases' unkilled runs, and what is compared with them."""

    def __init__(self, market: str, server: ForkServer) -> None:
        self.pit = Pit(market)
        self.kept = Kept(market)
        self.server = server

    def unkilled(self, case: Case) -> tuple[int, dict[str, str]]:
        """How many steps the case takes, and the state it leads to."""
        self.kept.restore()
        answer = self.server.run(case.acts)
        assert answer["code"] == 0, answer
        self.check_invariants(case)
        return max(report["steps"] for report in answer["reports"]), state({}, to_the_byte=True)

    def killed(self, case: Case, point: Point, expected: dict[str, str]) -> None:
        self.kept.restore()
        answer = self.server.run(case.acts, kill=[point.step, point.where])
        if answer["code"] == 0 and max(report["steps"] for report in answer["reports"]) < point.step:
            return  # the unkilled run had to look something up that is known by now: there is no such step to be killed in
        assert answer["code"] == -signal.SIGKILL, answer
        told = done(answer)
        resumed = self.server.run(case.acts, again=True, skip=list(told))
        assert resumed["code"] == 0, resumed
        # Numbers that a killed INSERT drew are gone: the intake's, and those of a matcher that pulls orders by itself.
        untold = [act["do"] for number, act in enumerate(case.acts) if number not in told]
        to_the_byte = set(untold) <= {"match"} and case.market != "stale"
        same = self._asked_twice(case, told)
        found = state(same, to_the_byte=to_the_byte)
        differing = {part for part in found if found[part] != expected[part]} - case.repeats
        assert differing == set(), f"differs from the unkilled run (byte by byte: {to_the_byte})"
        self._check_promises(told)
        # A state that equals an audited one to the byte would pass again.
        self.check_invariants(case, quick=to_the_byte and not TORTURE)

    def _asked_twice(self, case: Case, told: dict[int, Any]) -> dict[str, str]:
        return {} if 0 in told else case.same

    def _check_promises(self, told: dict[int, dict[str, Any]]) -> None:
        """What a client was told is accepted has been applied once, under the order id it was told."""
        for report in told.values():
            if not isinstance(report["answer"], list):
                continue
            for promised in report["answer"]:
                n, _, order_id = promised if isinstance(promised, list) else (promised, None, None)
                times = rows.fetch_all("SELECT count(*) FROM exchange_batch, unnest(command_ns) AS n WHERE n = %s", [n])
                assert times == [(1,)], f"command {n} was promised"
                if order_id and not rows.fetch_all("SELECT 1 FROM exchange_command WHERE n = %s AND order_id = %s", [n, order_id]):
                    raise AssertionError(f"order {order_id} was promised")

    def check_invariants(self, case: Case, *, quick: bool = False) -> None:
        report = audit(now_us=case.acts[-1]["now_us"] + 10_000_000, quick=quick)
        assert report.broken == []


@pytest.mark.parametrize("market", MARKETS)
def test_a_kill_at_any_step_loses_and_doubles_nothing(market: str, fork_server: ForkServer) -> None:
    trial = Trial(market, fork_server)
    failures: list[str] = []
    count = 0
    began = time.monotonic()
    for name, (where, _) in SCRIPTS.items():
        if where != market:
            continue
        case = script(name, trial.pit)
        steps, expected = trial.unkilled(case)
        for point in chosen(name, steps):
            count += 1
            try:
                trial.killed(case, point, expected)
            except AssertionError as error:
                failures.append(f"{point}: {error}")
    trial.kept.drop()
    print(f"{market}: {count} kills, {(time.monotonic() - began) / count * 1000:.0f} ms each")
    assert not failures, f"{len(failures)} of {count}:\n" + "\n".join(failures[:10])


def test_a_matcher_without_a_transaction_would_be_found_out(fork_server: ForkServer) -> None:
    trial = Trial("open", fork_server)
    case = script("places that cross", trial.pit)
    steps, expected = trial.unkilled(case)
    case.acts[1]["do"] = "torn match"
    found = 0
    for step in range(steps // 2, steps - 2, 4):
        try:
            trial.killed(case, Point(case.name, step, AFTER), expected)
        except AssertionError:
            found += 1
    trial.kept.drop()
    assert found, "the kills of this file prove nothing"
