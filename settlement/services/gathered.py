"""Calls that go together: what comes while one transaction is under way goes in the next, so that nobody waits where it is quiet."""

import asyncio
import functools
from asyncio import AbstractEventLoop, Future, Task
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

import msgspec

from settlement.services.off_loop import in_thread

Item = TypeVar("Item")
Result = TypeVar("Result")
Given = TypeVar("Given")
Answer = TypeVar("Answer")


class Apart(Exception):
    """An item that is to be done by itself: nothing of it was done."""


MOST_APART = 4  # items that are done by themselves at once


class _Calls(msgspec.Struct, Generic[Item, Result]):
    """What one event loop has under way."""

    room: asyncio.Semaphore
    waiting: deque[tuple[Item, "Future[Result]"]] = msgspec.field(default_factory=deque)
    at_work: "Task[None] | None" = None
    apart: set["Task[None]"] = msgspec.field(default_factory=set)


class Gathered(Generic[Item, Result]):
    """`act` takes up to `most` items in a thread and answers, in their order, a result or an exception for each.

    Each has a weight, and those that go together weigh up to `heaviest`; one that weighs more by itself goes without others.

    What it answers with Apart is done by `alone`, a few at once beside the others, so that what one is stuck at holds up nobody behind it.
    Each event loop gathers its own. An item is done though whoever called is gone: nobody knows whether it has gone already.
    """

    def __init__(
        self,
        act: Callable[[Sequence[Item]], Sequence[Result | Exception]],
        alone: Callable[[Item], Result] | None = None,
        most: int = 32,
        *,
        weight: Callable[[Item], int] = lambda _item: 1,
        heaviest: int | None = None,
    ) -> None:
        self._act, self._alone, self._most = act, alone, most
        self._weight, self._heaviest = weight, most if heaviest is None else heaviest
        self._by_loop: WeakKeyDictionary[AbstractEventLoop, _Calls[Item, Result]] = WeakKeyDictionary()

    async def __call__(self, item: Item) -> Result:
        """What `act` answers for the item. Raises what it answers or, for all of its items, what it raises."""
        loop = asyncio.get_running_loop()
        calls = self._by_loop.setdefault(loop, _Calls(asyncio.Semaphore(MOST_APART)))
        answer: Future[Result] = loop.create_future()
        calls.waiting.append((item, answer))
        if calls.at_work is None:
            calls.at_work = loop.create_task(self._work(calls))
        return await answer

    async def _work(self, calls: _Calls[Item, Result]) -> None:
        try:
            while calls.waiting:
                taken = self._taken(calls.waiting)
                items = [item for item, _ in taken]
                for (item, answer), result in zip(taken, await self._results(items), strict=True):
                    if self._alone is not None and isinstance(result, Apart):
                        apart = asyncio.create_task(self._by_itself(calls, self._alone, item, answer))
                        calls.apart.add(apart)
                        apart.add_done_callback(calls.apart.discard)
                    else:
                        _give(answer, result)
        finally:
            calls.at_work = None

    def _taken(self, waiting: deque[tuple[Item, "Future[Result]"]]) -> list[tuple[Item, "Future[Result]"]]:
        """The first of those who wait, as many as go together; one at least."""
        taken = [waiting.popleft()]
        weight = self._weight(taken[0][0])
        while waiting and len(taken) < self._most and (weight := weight + self._weight(waiting[0][0])) <= self._heaviest:
            taken.append(waiting.popleft())
        return taken

    async def _by_itself(self, calls: _Calls[Item, Result], alone: Callable[[Item], Result], item: Item, answer: "Future[Result]") -> None:
        async with calls.room:
            result = await in_thread(functools.partial(_tried, alone, item))
        _give(answer, result)

    async def _results(self, items: Sequence[Item]) -> Sequence[Result | Exception]:
        results = await in_thread(functools.partial(_tried, self._act, items))
        if isinstance(results, Exception):
            return [results] * len(items)
        if len(results) != len(items):
            return [RuntimeError(f"{len(results)} results for {len(items)} items")] * len(items)
        return results


def _tried(act: Callable[[Given], Answer], given: Given) -> Answer | Exception:
    """What it answers or raises: a StopIteration could not be told to a Future."""
    try:
        return act(given)
    except Exception as error:  # noqa: BLE001 - whatever it is, whoever called is told
        return error


def _give(answer: "Future[Result]", result: Result | Exception) -> None:
    if answer.done():  # whoever called is gone
        return
    if isinstance(result, StopIteration):
        answer.set_exception(RuntimeError(f"{result!r}"))
    elif isinstance(result, Exception):
        answer.set_exception(result)
    else:
        answer.set_result(result)
