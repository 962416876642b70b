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


def acts_of(pit: Pit) -> list[dict[str, Any]]:
    """Two batches: the first so that the matcher remembers the book, the second to stop in."""
    first = submitted(pit, pit.wish("other", "buy", 1, 170)), pit.matched()
    pit.now_us += 1_000_000
    crossing = submitted(pit, pit.wish("other", "buy", 9, 221), pit.wish("third", "sell", 3, 189, tif=2))
    return [*first, crossing, pit.matched()]


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
    before, after = (honest["reports"][n]["steps"] for n in (2, 3))
    steps = range(before + 1, after + 1)
    too_late = 0
    for step in steps if TORTURE else steps[:: max(1, len(steps) // CI_STEPS)]:
        kept.restore()
        fork_server.begin([{"acts": acts, "kill": [step, STOP]}])
        wait_until(lambda: is_stopped(fork_server), STARTED_S, f"the matcher to stop at step {step}")
        zombie = is_stopped(fork_server)
        rescued = rescuer.run(acts[3:])
        meanwhile = state({}, to_the_byte=True)
        os.kill(zombie, signal.SIGCONT)
        woken = fork_server.answers()[0]
        assert rescued["code"] == 0, (step, rescued)
        assert meanwhile == expected, f"stopped at step {step}"
        too_late += woken["code"] != 0
        assert state({}, to_the_byte=True) == expected, f"woken at step {step}: {woken}"
        assert rows.fetch_all("SELECT n FROM exchange_batch, unnest(command_ns) AS n GROUP BY n HAVING count(*) > 1") == []
    kept.drop()
    assert too_late, "it never held the book"
