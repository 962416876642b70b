"""A node at work: leases as much as it can do at once, keeps what takes long, hands in what is done, several at a time.

Nothing is lost by its end: what it had goes to another when the lease expires. Results that the exchange did not answer are handed in again.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from exchange.management.node.client import Done, Lost, NodeClient, Refused

Lease = dict[str, Any]
Work = Callable[[Lease], Awaitable[Done]]
Answer = TypeVar("Answer")
WAIT_S = 3  # so long the exchange may wait for a job; told to end, a node waits as long
SOONEST_S, LATEST_S = 0.05, 1.0  # between two looks when there is nothing to do and nobody waits, and between two tries
HEARTBEAT_S = 2.0
MOST_TOGETHER = 100
# Results go together in one request of at most 256 KiB.
MOST_TEXT = 120_000
_LOG = logging.getLogger("node")


class JobFailed(Exception):
    """The job can't be done here; says why."""


class Agent:
    """`work` does one job; at most `parallel` at a time. `run` goes on until `stop`, then ends what it has begun."""

    def __init__(self, client: NodeClient, work: Work, *, parallel: int = 1, workloads: tuple[str, ...] = ()) -> None:
        self.client, self.work, self.parallel, self.workloads = client, work, parallel, workloads
        self.verdicts: dict[str, int] = {}
        self._stopping = asyncio.Event()
        self._free = asyncio.Event()
        self._held: dict[str, Lease] = {}  # from its lease until its verdict
        self._working: set[asyncio.Task[None]] = set()
        self._outbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def stop(self) -> None:
        """Take nothing more."""
        self._stopping.set()
        self._free.set()

    async def run(self) -> None:
        """Raises Refused when the exchange will have nothing of this node."""
        beside = [asyncio.create_task(self._hand_in()), asyncio.create_task(self._keep())]
        try:
            await self._take()
            await asyncio.gather(*self._working)
            await self._outbox.join()
        finally:
            for task in (*beside, *self._working):
                task.cancel()
            await asyncio.gather(*beside, *self._working, return_exceptions=True)

    async def _take(self) -> None:
        pause_s = SOONEST_S
        while not self._stopping.is_set():
            room = self.parallel - len(self._working)
            if (
                room <= 0 or self._outbox.qsize() >= self.parallel
            ):  # where the exchange is slow to take results, nodes are slow to take jobs
                self._free.clear()
                await self._free.wait()
                continue
            asked_s = time.monotonic()
            try:
                found = await self.client.lease(min(room, MOST_TOGETHER), self.workloads, wait_s=WAIT_S)
            except Lost as lost:
                _LOG.warning("the exchange does not answer: %s", lost)
                found, pause_s = [], LATEST_S
            for lease in found:
                self._held[lease["job_id"]] = lease
                task = asyncio.create_task(self._do(lease))
                self._working.add(task)
                task.add_done_callback(self._ended)
            has_waited = time.monotonic() - asked_s >= WAIT_S / 2
            pause_s = SOONEST_S if found or has_waited else min(pause_s * 2, LATEST_S)
            if not found and not has_waited:
                await _wait(self._stopping, pause_s)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._working.discard(task)
        self._free.set()

    async def _do(self, lease: Lease) -> None:
        try:
            done = await self.work(lease)
        except JobFailed as failed:
            reason = str(failed)
            _LOG.warning("%s failed: %s", lease["job_id"], reason)
            await self._again(lambda: self.client.fail(lease["job_id"], reason))
            self._held.pop(lease["job_id"], None)
        else:
            self._outbox.put_nowait(self.client.result(lease["job_id"], done))

    async def _hand_in(self) -> None:
        """All that has come together while the last was under way."""
        while True:
            results = [await self._outbox.get()]
            while not self._outbox.empty() and len(results) < MOST_TOGETHER and sum(len(r["output"]) for r in results) < MOST_TEXT:
                results.append(self._outbox.get_nowait())
            self._free.set()
            for row in await self._again(partial(self.client.complete, results)) or ():
                self.verdicts[row["verdict"]] = self.verdicts.get(row["verdict"], 0) + 1
                if row["verdict"] != "accepted":
                    _LOG.warning("%s: %s %s", row["job_id"], row["verdict"], row["reason"] or "")
            for result in results:
                self._held.pop(result["job_id"], None)
                self._outbox.task_done()

    async def _keep(self) -> None:
        """Keep what has been worked on for long."""
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            soon = datetime.fromtimestamp(time.time() + 3 * HEARTBEAT_S, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            ending = [job_id for job_id, lease in self._held.items() if lease["lease_expires_at"] <= soon]
            try:
                for start in range(0, len(ending), MOST_TOGETHER):
                    for job_id, until in (await self.client.keep(ending[start : start + MOST_TOGETHER])).items():
                        if job_id in self._held:
                            self._held[job_id]["lease_expires_at"] = until
            except (Lost, Refused) as error:
                _LOG.warning("leases could not be kept: %s", error)

    async def _again(self, call: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """Until there is an answer; None when it is a refusal."""
        pause_s = SOONEST_S
        while True:
            try:
                return await call()
            except Lost as lost:
                _LOG.warning("no answer, once more: %s", lost)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, LATEST_S)
            except Refused as refused:
                _LOG.warning("refused: %s", refused)
                return None


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Until the event, but no longer."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
