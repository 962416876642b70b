"""A network of node processes, of which some crash, lie, answer twice or late (TRUST.md, C): no job lost, none paid twice, liars marked.

`TORTURE=1` takes twenty nodes and ten thousand jobs (`JOBS`) of 500 ms (`WORK_MS`) each, and prints how long it took from a lease to the
receipt beside the work itself.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import pytest

from exchange.embedded.process import die_with_parent
from tests.plugins.live import ROOT, LiveExchange, wait_until

TORTURE = os.environ.get("TORTURE") == "1"
JOBS = int(os.environ.get("JOBS", "10000" if TORTURE else "60"))
KINDS = ["honest"] * 16 + ["crashing"] * 2 + ["lying", "doubling"] if TORTURE else ["honest", "crashing", "lying", "doubling"]
LEASE_MS = 5_000 if TORTURE else 1_500
PATIENCE_S = 3_600.0 if TORTURE else 120.0
TARIFF_MINOR = 10
MORE = 20
WORK_MS = int(os.environ.get("WORK_MS", "500" if TORTURE else "50"))  # what a job takes an honest node, beside what it costs the exchange
CRASH_AT = 25 if TORTURE else 5
LOOK_S = 1.0 if TORTURE else 0.02  # how often the database is asked how far they are, which costs it something too
# Others may have had nodes at work in this exchange before.
_OURS = "JOIN rights_supplier s ON s.id = x.supplier_id AND s.slug = 'net-supplier'"
_JOBS = f"SELECT count(*) FROM settlement_job x {_OURS}"
_UNGATHERED = f"SELECT count(*) FROM settlement_job x {_OURS} WHERE x.gathered_at IS NULL"
_AWAKE = f"SELECT count(*) FROM settlement_node x {_OURS} WHERE x.last_seen_at IS NOT NULL"
_CAUGHT = f"SELECT count(*) FROM settlement_node x {_OURS} WHERE x.strikes = 3"
_EXPIRED = f"SELECT count(*) FROM settlement_jobattempt a JOIN settlement_job x ON x.id = a.job_id {_OURS} WHERE a.\"end\" = 'expired'"
_RECEIPTS = """
SELECT count(*) FROM settlement_receipt c JOIN settlement_request q ON q.id = c.request_id JOIN rights_account a ON a.id = q.holder_id
JOIN rights_participant p ON p.id = a.participant_id WHERE p.slug = 'net-holder'
"""


class Fleet:
    """The node processes; those that kill themselves are started anew."""

    def __init__(self, url: str, seeds: list[str], ids: list[str], folder: Path) -> None:
        self._url, self._folder = url, folder
        self._nodes = list(zip(KINDS, seeds, ids, strict=True))
        self._stopping = False
        self._keepers = [threading.Thread(target=self._keep, args=(number,)) for number in range(len(self._nodes))]
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self.ends: list[int] = []

    def start(self) -> "Fleet":
        for keeper in self._keepers:
            keeper.start()
        return self

    def stop(self) -> None:
        self._stopping = True
        for process in list(self._running.values()):
            process.send_signal(signal.SIGTERM)
        for keeper in self._keepers:
            if keeper.ident is not None:
                keeper.join()

    def _keep(self, number: int) -> None:
        kind, seed, node = self._nodes[number]
        words = [
            "--url",
            self._url,
            "--seed",
            seed,
            "--node",
            node,
            "--kind",
            kind,
            "--log",
            str(self._folder / f"{number}.jsonl"),
            "--work-ms",
            str(WORK_MS),
            "--crash-at",
            str(CRASH_AT),
        ]
        while not self._stopping:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.nodes.node_process", *words],
                cwd=ROOT,
                preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509 - one prctl call, no locks
            )
            self._running[number] = process
            if self._stopping:
                process.send_signal(signal.SIGTERM)
            code = process.wait()
            if code != -signal.SIGKILL:
                self.ends.append(code)
                return

    def told(self) -> list[dict]:
        """What the nodes wanted remembered; a line that was cut by a death is none."""
        lines = [line for path in sorted(self._folder.glob("*.jsonl")) for line in path.read_text().splitlines(keepends=True)]
        return [json.loads(line) for line in lines if line.endswith("\n")]


def world(exchange: LiveExchange, call: str):
    printed = exchange.manage("shell", "-v", "0", "-c", f"from tests.nodes.world import *; say({call})", timeout_s=PATIENCE_S).stdout
    return json.loads(next(line for line in printed.splitlines() if line.startswith("WORLD "))[6:])


@pytest.fixture
def fleet(live_exchange, tmp_path):
    seeds = [secrets.token_hex(32) for _ in KINDS]
    ids = world(live_exchange, f"build({KINDS}, {seeds}, lease_ms={LEASE_MS})")
    fleet = Fleet(live_exchange.base_url, seeds, ids, tmp_path)
    yield fleet
    fleet.stop()


def work_through(exchange: LiveExchange, fleet: Fleet) -> int:
    """Feed the network until all is done and everything that may go wrong has; how many jobs that took."""
    with psycopg.connect(exchange.env["DATABASE_URL"], autocommit=True) as database:

        def count(sql: str) -> int:
            return database.execute(sql).fetchone()[0]

        def received(jobs: int) -> None:
            wait_until(lambda: count(_RECEIPTS) >= jobs, PATIENCE_S, f"{jobs} receipts", every_s=LOOK_S)

        fed = world(exchange, f"feed({JOBS})")
        wait_until(lambda: count(_JOBS) == fed, PATIENCE_S, "the executor to offer all of it to nodes", every_s=LOOK_S)
        fleet.start()
        wait_until(lambda: count(_AWAKE) == len(KINDS), PATIENCE_S, "all nodes to ask for work")
        received(fed)
        while count(_CAUGHT) < KINDS.count("lying") or not count(_EXPIRED):
            fed += world(exchange, f"feed({MORE})")
            assert fed < JOBS + 10 * MORE, "nobody lied or crashed"
            received(fed)
        wait_until(lambda: not count(_UNGATHERED), PATIENCE_S, "the timetable to see that all is done")
    return fed


def test_no_job_is_lost_and_none_is_paid_twice(live_exchange, fleet):
    jobs = work_through(live_exchange, fleet)
    fleet.stop()
    assert set(fleet.ends) == {0}
    told, found = fleet.told(), world(live_exchange, "found()")
    # None is lost: every request has its one receipt, and every job its end.
    assert (found["requests"], found["receipts"], found["jobs"], found["ungathered"]) == (jobs, jobs, {"done": jobs}, 0)
    assert found["outcomes"] == {"full": jobs}
    # None is paid twice: what was delivered, at its price, once.
    assert found["attempts"]["done"] == found["signed"] == jobs
    assert found["used_units"] == found["units"]
    assert found["earned_minor"] == found["payout_minor"] == found["units"] * TARIFF_MINOR
    assert found["escrow_minor"] == 0
    # Liars are caught and marked.
    lies = {(one["lied"], one["kind"]) for one in told if "lied" in one}
    refused = {(one["job"], one["reason"]) for one in told if one.get("verdict") == "refused"}
    assert lies
    assert refused == lies
    assert found["attempts"]["struck"] == found["lies"] == len(lies) == 3
    assert {tuple(node) for node in found["nodes"]} == {
        ("honest", "active", "", 0),
        ("crashing", "active", "", 0),
        ("lying", "suspended", "venue", 3),
        ("doubling", "active", "", 0),
    }
    # There was something to be caught and repaired.
    assert [one for one in told if "crashed" in one]
    assert [one for one in told if "late" in one]
    assert found["attempts"]["expired"] > 0
    live_exchange.manage("audit")
    live_exchange.manage("replay")
    spans = sorted(one["overhead_us"] for one in told if one.get("verdict") == "accepted" and "overhead_us" in one)
    print(
        f"{jobs} jobs, {len(KINDS)} nodes, {found['per_s']}/s: lease to receipt beside the work p50 {spans[len(spans) // 2] / 1000:.1f} ms",
        end=", ",
    )
    print(f"p99 {spans[len(spans) * 99 // 100] / 1000:.1f} ms; {found['attempts']}")
