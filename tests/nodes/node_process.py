"""One node of the test network: honest, or one that crashes, lies, or answers twice and late. `python -m tests.nodes.node_process …`.

Writes a line of JSON for each thing it wants remembered; what it had said when it died is there.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from exchange.management.node.agent import Agent
from exchange.management.node.client import Done, Lost, NodeClient, Refused
from exchange.management.node.key_file import NodeKey

EVERY_LATE = 4


class Log:
    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="ascii", buffering=1)

    def say(self, **told: Any) -> None:
        self._file.write(json.dumps(told) + "\n")


class TimedClient(NodeClient):
    """Notes for each job when it was leased and when its first verdict was there, which is when its receipt was."""

    def __init__(self, url: str, key: NodeKey, log: Log) -> None:
        super().__init__(url, key)
        self._log, self.leased, self.worked = log, {}, {}

    async def lease(self, most, workloads=(), *, wait_s=0):
        found = await super().lease(most, workloads, wait_s=wait_s)
        at = time.perf_counter_ns()
        self.leased |= {lease["job_id"]: at for lease in found}
        return found

    async def complete(self, results):
        verdicts = await super().complete(results)
        at = time.perf_counter_ns()
        for row in verdicts:
            leased = self.leased.pop(row["job_id"], None)
            took = {} if leased is None else {"overhead_us": (at - leased - self.worked.pop(row["job_id"], 0)) // 1000}
            self._log.say(job=row["job_id"], verdict=row["verdict"], reason=row["reason"], **took)
        return verdicts


def words(lease: dict[str, Any]) -> Done:
    """Ten to twenty words, a token each: the same for the same job."""
    count = 10 + int(lease["job_id"][-2:], 16) % 11
    return Done(" ".join(["word"] * count), count)


async def work(client: TimedClient, lease: dict[str, Any], said: argparse.Namespace) -> Done:
    """A job done, in as long as a machine would be at it that is not this one."""
    began = time.perf_counter_ns()
    await asyncio.sleep(said.work_ms / 1000)
    done = words(lease)
    client.worked[lease["job_id"]] = time.perf_counter_ns() - began
    return done


async def honest(client: TimedClient, log: Log, said: argparse.Namespace) -> None:
    agent = Agent(client, lambda lease: work(client, lease, said))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, agent.stop)
    await agent.run()


async def crashing(client: TimedClient, log: Log, said: argparse.Namespace) -> None:
    taken = 0
    async for lease in _leases(client):
        taken += 1
        done = await work(client, lease, said)
        if taken == said.crash_at:
            log.say(crashed=lease["job_id"])
            os.kill(os.getpid(), signal.SIGKILL)
        await answered(client, [client.result(lease["job_id"], done)])


async def lying(client: TimedClient, log: Log, said: argparse.Namespace) -> None:
    """Every second result: more than reserved, more than there is, or an output of another hash."""
    lies = itertools.cycle(["above_reserved", "recount", "output_hash"])
    count = itertools.count()
    async for lease in _leases(client):
        done = await work(client, lease, said)
        told = client.result(lease["job_id"], done)
        if next(count) % 2 == 0:
            kind = next(lies)
            units = int(lease["units"])
            if kind == "output_hash":
                told["output"] = "another"
            else:
                told = client.result(lease["job_id"], Done(done.output, units + 1 if kind == "above_reserved" else units))
            log.say(lied=lease["job_id"], kind=kind)
        await answered(client, [told])


async def doubling(client: TimedClient, log: Log, said: argparse.Namespace) -> None:
    """Each answer twice at once and again later; every fourth one only when its lease is long over."""
    before: dict[str, Any] | None = None
    late: list[tuple[str, dict[str, Any]]] = []
    count = itertools.count()
    async for lease in _leases(client):
        told = client.result(lease["job_id"], await work(client, lease, said))
        if next(count) % EVERY_LATE == 0:
            late.append((lease["lease_expires_at"], told))
            client.leased.pop(lease["job_id"])  # how long this one takes says nothing of the exchange
        else:
            await asyncio.gather(answered(client, [told]), answered(client, [told, told]))
            if before is not None:
                await answered(client, [before])
            before = told
        over = [one for until, one in late if until < _moment(-1.0)]
        late = [(until, one) for until, one in late if until >= _moment(-1.0)]
        if over:
            log.say(late=[one["job_id"] for one in over])
            await answered(client, over)
    if late:  # told to end when everything is done: by others, then
        log.say(late=[one["job_id"] for _, one in late])
        await answered(client, [one for _, one in late])


async def answered(client: TimedClient, results: list[dict[str, Any]]) -> None:
    """Hand in, again and again until somebody says what became of it."""
    while True:
        with contextlib.suppress(Lost):
            await client.complete(results)
            return


async def _leases(client: TimedClient):
    """One after another, until the process is told to end or the venue will have nothing more of it."""
    ending = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    while not ending.is_set():
        try:
            found = await client.lease(1, wait_s=1)
        except Lost:
            found = []
        except Refused as refused:
            if refused.code == "supply_refused":
                return
            raise
        for lease in found:
            yield lease
        if not found:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    await ending.wait()


def _moment(ahead_s: float) -> str:
    at = time.time() + ahead_s
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1e6):06d}Z"


KINDS = {"honest": honest, "crashing": crashing, "lying": lying, "doubling": doubling}


async def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("url", "seed", "node", "log"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--kind", choices=KINDS, required=True)
    parser.add_argument("--work-ms", type=int, required=True)
    parser.add_argument("--crash-at", type=int, required=True, help="each life of a node that crashes ends with so many leases")
    said = parser.parse_args()
    log = Log(Path(said.log))
    client = TimedClient(said.url, NodeKey(said.seed, said.node), log)
    try:
        await KINDS[said.kind](client, log, said)
    finally:
        await client.close()


if __name__ == "__main__":
    asyncio.run(main())
