"""A matcher that stops in the middle of a batch, holding the book, and wakes when others have long gone on (TRUST.md, programme C).

The lock is taken from it, somebody else applies what it was at, and what it does once it is awake changes nothing.
"""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from rights.kernel import rows
from tests.faults.cases import Pit
from tests.faults.forks import ForkServer
from tests.faults.trap import STOP
from tests.faults.world import Kept, state
from tests.plugins.live import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
TORTURE = os.environ.get("TORTURE") == "1"
CI_STEPS = 4
STARTED_S = 60.0
TAKEN_BACK_S = 10.0


def acts_of(pit: Pit) -> list[dict[str, Any]]:
    """Two batches: the first so that the matcher remembers the book, the second to stop in."""
    first = submitted(pit, pit.wish("other", "buy", 1, 170)), pit.matched()
    pit.now_us += 1_000_000
    crossing = submitted(pit, pit.wish("other", "buy", 9, 221), pit.wish("third", "sell", 3, 189, tif=2))
    return [*first, crossing, pit.matched()]


def in_time(acts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same, by somebody who does not wait for the session's own end (15 s)."""
    return [act | {"patience_s": TAKEN_BACK_S} for act in acts]


def submitted(pit: Pit, *commands: dict[str, Any]) -> dict[str, Any]:
    return {"do": "submit", "commands": list(commands), "now_us": pit.now_us}


def is_stopped(server: ForkServer) -> int:
    """The process id of a job that has stopped, or 0."""
    for pid in server.children():
        if ") T " in Path(f"/proc/{pid}/stat").read_text():
            return pid
    return 0


def test_a_matcher_that_wakes_too_late_changes_nothing(fork_server: ForkServer, rescuer: ForkServer) -> None:
    pit = Pit("open")
    acts = acts_of(pit)
    kept = Kept("zombie")
    honest = fork_server.run(acts)
    assert honest["code"] == 0, honest
    expected = state({}, to_the_byte=True)
    _, first, before, after = (report["steps"] for report in honest["reports"])
    steps = range(before + 1, after + 1)
    too_late: list[int] = []
    # The end of the first batch too, which had to read the book; behind it is a look that finds nothing more.
    for step in (first - 6, first - 5, *(steps if TORTURE else steps[:: max(1, len(steps) // CI_STEPS)])):
        kept.restore()
        fork_server.begin([{"acts": acts, "kill": [step, STOP]}])
        wait_until(lambda: is_stopped(fork_server), STARTED_S, f"the matcher to stop at step {step}")
        zombie = is_stopped(fork_server)
        rescued = rescuer.run(in_time(acts[1:] if step <= first else acts[3:]))
        meanwhile = state({}, to_the_byte=True)
        os.kill(zombie, signal.SIGCONT)
        woken = fork_server.answers()[0]
        assert rescued["code"] == 0, (step, rescued)
        assert meanwhile == expected, f"stopped at step {step}"
        if woken["code"] != 0:
            too_late.append(step)
        assert state({}, to_the_byte=True) == expected, f"woken at step {step}: {woken}"
        assert rows.fetch_all("SELECT n FROM exchange_batch, unnest(command_ns) AS n GROUP BY n HAVING count(*) > 1") == []
    kept.drop()
    assert min(too_late) <= first, "it never held the book that it had read"
    assert max(too_late) > before, "it never held the book that it remembered"
