"""Trying again: only what failed before anything was done, after a wait that grows and is partly chance, and never past the deadline."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable

from rights.kernel.clock import now_us
from settlement.adapters.base import Report, failed

BASE_MS = 100
LONGEST_MS = 5_000


class Again(Exception):
    """This attempt came to nothing, and another may do better. `after_ms`: what the supplier asks to be left alone for."""

    def __init__(self, fault: str, detail: str, after_ms: int = 0) -> None:
        super().__init__(fault, detail)
        self.fault, self.detail, self.after_ms = fault, detail, after_ms


def wait_ms(attempt: int, after_ms: int) -> int:
    """How long to wait after attempt number `attempt` (from 1): between half and all of a wait that doubles."""
    whole = min(LONGEST_MS, BASE_MS << (attempt - 1))
    return max(min(after_ms, LONGEST_MS), whole // 2 + secrets.randbelow(whole // 2 + 1))


class Watch:
    """Measures one call, attempts and all."""

    def __init__(self) -> None:
        self._start = time.monotonic_ns()

    @property
    def us(self) -> int:
        return (time.monotonic_ns() - self._start) // 1000


async def attempted(act: Callable[[int, int], Awaitable[Report]], *, most: int, timeout_ms: int, deadline_us: int) -> Report:
    """`act(attempt, patience_ms)` until it answers or it makes no sense to ask again; the last fault otherwise."""
    watch = Watch()
    last = Again("deadline_passed", "there was no time left to call the supplier")
    for attempt in range(1, most + 1):
        patience_ms = min(timeout_ms, (deadline_us - now_us()) // 1000)
        if patience_ms <= 0:
            return failed(last.fault, last.detail, took_us=watch.us, attempts=attempt - 1)
        try:
            return await act(attempt, patience_ms)
        except Again as again:
            last = again
        pause_ms = wait_ms(attempt, last.after_ms)
        if attempt == most or now_us() + pause_ms * 1000 >= deadline_us:
            return failed(last.fault, last.detail, took_us=watch.us, attempts=attempt)
        await asyncio.sleep(pause_ms / 1000)
    raise AssertionError
