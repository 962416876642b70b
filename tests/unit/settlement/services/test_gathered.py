"""What comes while one transaction is under way goes together in the next."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from settlement.services.gathered import Apart, Gathered


class _Gate:
    """An act that tells when it begins and waits until it is let through."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun, self.open = threading.Semaphore(0), threading.Semaphore(0)

    def act(self, items: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(items))
        self.begun.release()
        self.open.acquire()
        return [ValueError(f"{item} is odd") if item % 2 else item * 10 for item in items]


async def test_what_waits_goes_together_and_each_gets_its_own_answer():
    gate = _Gate()
    gathered = Gathered(gate.act, most=3)
    first = asyncio.create_task(gathered(0))
    await asyncio.to_thread(gate.begun.acquire)
    others = [asyncio.create_task(gathered(item)) for item in (1, 2, 3, 4)]
    await asyncio.to_thread(gate.open.release)
    assert await first == 0
    await asyncio.to_thread(gate.begun.acquire)
    others[1].cancel()  # whoever asked is gone; it is under way all the same
    gate.open.release(2)
    answers = await asyncio.gather(*others, return_exceptions=True)
    assert gate.batches == [[0], [1, 2, 3], [4]]
    assert [str(answers[0]), str(answers[2]), answers[3]] == ["1 is odd", "3 is odd", 40]
    assert isinstance(answers[1], asyncio.CancelledError)
    gate.open.release()
    assert await gathered(6) == 60  # and it goes on afterwards


async def test_what_goes_together_weighs_no_more_than_it_may():
    gate = _Gate()
    gathered = Gathered(gate.act, most=3, weight=lambda item: item, heaviest=10)
    calls = [asyncio.create_task(gathered(item)) for item in (6, 4, 2, 2, 2, 2, 40, 8, 4)]
    gate.open.release(6)
    await asyncio.gather(*calls)
    assert gate.batches == [[6, 4], [2, 2, 2], [2], [40], [8], [4]]


async def test_whoever_fails_fails_for_all_of_them_and_not_for_those_that_follow():
    def act(items: Sequence[int]) -> list[int | Exception]:
        if 0 in items:
            next(iter([]))
        return list(items[:1])

    gathered = Gathered(act)
    answers = await asyncio.gather(gathered(0), gathered(1), return_exceptions=True)
    assert [type(answer) for answer in answers] == [RuntimeError, RuntimeError]
    assert await gathered(2) == 2
    answers = await asyncio.gather(gathered(3), gathered(4), return_exceptions=True)
    assert [str(answer) for answer in answers] == ["1 results for 2 items"] * 2


async def test_what_is_to_be_done_by_itself_holds_up_nobody_behind_it():
    opened = threading.Event()

    def act(items: Sequence[int]) -> list[int | Exception]:
        return [Apart() if item < 0 else item for item in items]

    def alone(item: int) -> int:
        opened.wait()
        if item == -2:
            raise LookupError("there is no -2")
        return -item

    gathered = Gathered(act, alone)
    slow = [asyncio.create_task(gathered(-1)), asyncio.create_task(gathered(-2))]
    assert await gathered(1) == 1
    assert await gathered(2) == 2
    opened.set()
    answers = await asyncio.gather(*slow, return_exceptions=True)
    assert (answers[0], str(answers[1])) == (1, "there is no -2")


def test_each_event_loop_gathers_its_own():
    gathered = Gathered(list)

    async def both() -> list[int]:
        return await asyncio.gather(gathered(1), gathered(2))

    assert (asyncio.run(both()), asyncio.run(both())) == ([1, 2], [1, 2])


@pytest.fixture(autouse=True)
def _no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("settlement.services.off_loop.close_old_connections", lambda: None)
