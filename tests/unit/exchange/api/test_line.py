"""Nodes in line for work: as many are rung as there is something for, and a ring that was of no use goes to the next."""

import asyncio
from contextlib import aclosing, asynccontextmanager

import pytest

from exchange.api.node_entry import line as lines
from exchange.api.node_entry.line import Line


class Caller:
    """A node that waits; `rung` counts how often it may look, `looks` holds it there."""

    def __init__(self, line: Line, supplier: str = "s", seconds: float = 600.0) -> None:
        self._line, self._supplier, self._seconds = line, supplier, seconds
        self.rung = asyncio.Semaphore(0)
        self.served = asyncio.Queue()
        self.hangs_up = asyncio.Event()

    async def receive(self):
        await self.hangs_up.wait()
        return {"type": "http.disconnect"}

    async def wait(self) -> bool:
        """Whether there was something for it, as `served` says at each look."""
        with self._line.place(self._supplier) as place:
            async with aclosing(place.rings(self._seconds, self.receive)) as rings:
                async for _ in rings:
                    self.rung.release()
                    if await self.served.get():
                        return True
        return False


@pytest.fixture
def line(monkeypatch):
    """A line that hears no bell but the test's."""

    class Hub:
        def on_jobs(self, listener):
            self.listener = listener

    async def started():
        return Hub()

    monkeypatch.setattr(lines.hubs, "started", started)
    monkeypatch.setattr(lines, "LOOK_S", 600.0)
    return Line()


async def settled():
    for _ in range(5):
        await asyncio.sleep(0)


@asynccontextmanager
async def waiting(line: Line, *callers: Caller):
    tasks = [asyncio.create_task(caller.wait()) for caller in callers]
    await settled()  # until each stands in line
    yield tasks
    line.let_go()
    await asyncio.gather(*tasks)
    assert line._looking is None or line._looking.cancel()


async def test_as_many_look_as_there_is_something_for_the_first_first(line):
    callers = [Caller(line) for _ in range(3)] + [Caller(line, "other")]
    async with waiting(line, *callers) as tasks:
        line.offered("s", 2)
        for caller in callers[:2]:
            await caller.rung.acquire()
            caller.served.put_nowait(True)
        assert await asyncio.gather(*tasks[:2]) == [True, True]
        assert callers[2].rung.locked()
        assert callers[3].rung.locked()
    assert [task.result() for task in tasks] == [True, True, False, False]


async def test_a_ring_of_no_use_goes_on_to_the_next(line):
    first, second = Caller(line), Caller(line)
    async with waiting(line, first, second) as tasks:
        line.offered("s", 1)
        await first.rung.acquire()
        line.offered("s", 2)  # while the first looks: one of them is for it, which it will not need
        await second.rung.acquire()
        second.served.put_nowait(False)
        first.served.put_nowait(True)
        assert await tasks[0]
        await second.rung.acquire()
        second.served.put_nowait(True)
        assert await tasks[1]


async def test_a_ring_is_handed_on_until_somebody_has_use_for_it(line):
    callers = [Caller(line) for _ in range(lines.HANDS + 3)]
    async with waiting(line, *callers) as tasks:
        line.offered("s", 1)
        for caller in callers[: lines.HANDS + 1]:
            await caller.rung.acquire()
            caller.served.put_nowait(False)
        await settled()
        line.offered("s", 1)  # those who have looked stand behind the others
        for caller in callers[lines.HANDS + 1 :]:
            await caller.rung.acquire()
            caller.served.put_nowait(caller is callers[-1])
        assert await tasks[-1]
        assert all(caller.rung.locked() for caller in callers)


async def test_who_stands_alone_looks_once_for_each_ring(line):
    caller = Caller(line)
    async with waiting(line, caller) as (task,):
        for is_use in (False, True):
            line.offered("s", 1)
            await caller.rung.acquire()
            caller.served.put_nowait(is_use)
        assert await task
        assert caller.rung.locked()


async def test_nothing_is_leased_for_who_has_hung_up(line):
    gone, there = Caller(line), Caller(line)
    async with waiting(line, gone, there) as tasks:
        gone.hangs_up.set()
        line.offered("s", 1)
        await there.rung.acquire()
        there.served.put_nowait(True)
        assert await asyncio.gather(*tasks) == [False, True]
    assert gone.rung.locked()


async def test_who_waits_long_enough_is_answered_and_who_does_not_wait_at_once(line):
    assert await Caller(line, seconds=0.0).wait() is False
    assert await Caller(line, seconds=0.001).wait() is False
    assert line._places == {}
    line._looking.cancel()


async def test_a_bell_that_could_not_be_heard_is_heard_by_the_next(line, monkeypatch):
    heard = []

    class Hub:
        on_jobs = heard.append

    async def away():
        raise OSError("the hub is away")

    async def started():
        await asyncio.sleep(0)  # several come meanwhile
        return Hub

    monkeypatch.setattr(lines.hubs, "started", away)
    before = asyncio.all_tasks()
    with pytest.raises(OSError, match="the hub is away"):
        await Caller(line).wait()
    assert asyncio.all_tasks() == before
    monkeypatch.setattr(lines.hubs, "started", started)
    async with waiting(line, Caller(line), Caller(line)):
        assert heard == [line.offered]


async def test_a_lost_ring_is_found_by_the_clock(line, monkeypatch):
    asked = []

    async def in_thread(act, *, suppliers, now_us):
        asked.append(suppliers)
        return {"s": 1}

    monkeypatch.setattr(lines, "in_thread", in_thread)
    monkeypatch.setattr(lines, "LOOK_S", 0.0)
    caller = Caller(line)
    async with waiting(line, caller) as (task,):
        await caller.rung.acquire()
        caller.served.put_nowait(True)
        assert await task
    assert asked[0] == ("s",)
