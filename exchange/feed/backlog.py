"""How many commands wait for each book, as far as this process can tell without asking for every order.

The database is looked at now and then; what went in from here since that look is added to what it said. So a process always
counts its own commands, and learns of those of others at the next look: one web process never passes the bound, several do by
at most what the others take in between two looks. What becomes durable while a look is under way, and what was applied since the last
one, still counts until the next: an order may be refused that long before the bound, and is taken when it is sent again.
"""

import asyncio
import time
from collections.abc import Callable, Mapping

from django.conf import settings

from exchange.feed.pool import pool
from exchange.services.pending import COUNTS

SELDOM_S = 1.0  # how often a book into which commands go is looked at
LEAST_S = 0.2  # between two looks, however pressing


class _Line:
    """One book: what the last look saw, what became durable from here since that look began, what is on its way."""

    __slots__ = ("flying", "seen", "since")

    def __init__(self) -> None:
        self.seen = self.since = self.flying = 0

    @property
    def length(self) -> int:
        return self.seen + self.since + self.flying


class Backlog:
    """Counts for one event loop. Nobody waits for a look: orders are judged by what is known."""

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self.on_pressure: Callable[[], None] = lambda: None
        self._lines: dict[int, _Line] = {}
        self._looked_at = float("-inf")

    def waiting(self, book_id: int) -> int:
        """How many commands wait for the book, or are on their way to it."""
        line = self._lines.get(book_id)
        return line.length if line else 0

    def room(self, book_id: int) -> int:
        """How many more the book may be given; below zero when cancels, which are always taken, went beyond the bound."""
        return self.bound - self.waiting(book_id)

    def enter(self, counts: Mapping[int, int]) -> None:
        """Commands by book are about to be stored."""
        for book_id, count in counts.items():
            line = self._lines.setdefault(book_id, _Line())
            line.flying += count
            if line.length * 2 >= self.bound:
                self.on_pressure()

    def leave(self, counts: Mapping[int, int], *, stored: bool) -> None:
        """The same commands are durable now, or never will be."""
        for book_id, count in counts.items():
            line = self._lines[book_id]
            line.flying -= count
            line.since += count if stored else 0

    @property
    def is_due(self) -> bool:
        """Whether the clock should look: always while a book is a quarter full, else seldom."""
        full = any(line.length * 4 >= self.bound for line in self._lines.values())
        return full or (bool(self._lines) and time.monotonic() - self._looked_at >= SELDOM_S)

    async def read(self) -> bool:
        """Look at every book that is counted here, unless that was just done. One call at a time."""
        now = time.monotonic()
        before = {book_id: line.since for book_id, line in self._lines.items()}
        if not before or now - self._looked_at < LEAST_S:
            return False
        self._looked_at = now
        async with (await pool()).connection() as connection:
            found: dict[int, int] = dict(await (await connection.execute(COUNTS, [list(before)])).fetchall())
        for book_id, since in before.items():
            line = self._lines[book_id]
            line.seen = found.get(book_id, 0)
            line.since -= since
            if not line.length:
                del self._lines[book_id]
        return False


_backlogs: dict[asyncio.AbstractEventLoop, Backlog] = {}


def backlog() -> Backlog:
    """That of the running loop."""
    loop = asyncio.get_running_loop()
    if loop not in _backlogs:
        _backlogs[loop] = Backlog(settings.PENDING_PER_BOOK)
    return _backlogs[loop]


def forget() -> None:
    """The running loop ends."""
    _backlogs.pop(asyncio.get_running_loop(), None)
