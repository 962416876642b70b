"""The books that somebody in this process watches, each replica moved on batch by batch."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any, Protocol

from exchange.feed import replica
from exchange.feed.pool import Connections
from exchange.feed.record import decode_public
from exchange.feed.replica import Batch, Changes, Gap, Replica
from exchange.services.rules import Rules
from rights.kernel.rows import array
from rights.kernel.trip import Answer, Trip

LOG = logging.getLogger(__name__)
PER_READ = 100
_SINCE = """
SELECT m.book_id, m.seq, m.public, m.checksum FROM unnest(%s::bigint[], %s::bigint[]) AS w(book_id, after)
JOIN LATERAL (SELECT * FROM exchange_batch x WHERE x.book_id = w.book_id AND x.seq > w.after ORDER BY x.seq LIMIT %s) m ON true
"""


class BookListener(Protocol):
    """Hears of a book in the order of its batches, at once and without awaiting."""

    def advanced(self, replica: Replica, batch: Batch, changes: Changes) -> None: ...

    def reread(self, replica: Replica) -> None:
        """The replica was read anew: what came before it is not to be continued."""


class Watched:
    def __init__(self, replica: Replica) -> None:
        self.replica = replica
        self.listeners: list[BookListener] = []


class Books:
    def __init__(self, pool: Connections) -> None:
        self._pool = pool
        self._watched: dict[int, Watched] = {}
        self._noticed: dict[int, int] = {}
        self._dirty: set[int] = set()
        self._begin = asyncio.Lock()

    def notice(self, book_id: int, seq: int) -> bool:
        """A batch is said to have committed; True when that asks for a read."""
        if seq > self._noticed.get(book_id, -1):
            self._noticed[book_id] = seq
        if book_id not in self._watched:
            return False
        self._dirty.add(book_id)
        return True

    def doubt(self) -> None:
        """Look at every watched book at the next read."""
        self._dirty.update(self._watched)

    def seq(self, book_id: int) -> int | None:
        """The last batch this process has heard of, or None."""
        watched = self._watched.get(book_id)
        noticed = self._noticed.get(book_id)
        if watched is None:
            return noticed
        return max(watched.replica.seq, noticed or 0)

    async def watch(self, rules: Rules, listener: BookListener) -> Replica:
        """Read the book and let `listener` hear of every batch after what is returned. Nothing may be awaited before it is used."""
        if rules.book_id not in self._watched:
            async with self._begin:
                if rules.book_id not in self._watched:
                    self._watched[rules.book_id] = Watched(await self._load(rules))
        watched = self._watched[rules.book_id]
        if listener not in watched.listeners:
            watched.listeners.append(listener)
        return watched.replica

    def unwatch(self, book_id: int, listener: BookListener) -> None:
        watched = self._watched.get(book_id)
        if watched is None or listener not in watched.listeners:
            return
        watched.listeners.remove(listener)
        if not watched.listeners:
            del self._watched[book_id]

    def ask(self, trip: Trip) -> Answer | None:
        """Ask for one round of batches; None when no book is said to have moved. Should the answer never come, `doubt`."""
        asked, self._dirty = [b for b in self._dirty if b in self._watched], set()
        if not asked:
            return None
        return trip.ask(_SINCE, [array(asked), array(self._watched[b].replica.seq for b in asked), PER_READ], binary=True)

    async def take(self, answer: Answer) -> bool:
        """Hand out what was asked for; True when there may be more."""
        rows = answer.rows()
        await self._mend(self._apply(rows))
        if len(rows) >= PER_READ:
            self._dirty.update(row[0] for row in rows)
        return bool(self._dirty)

    def _apply(self, rows: Iterable[tuple[Any, ...]]) -> set[int]:
        broken: set[int] = set()
        for book_id, seq, public, checksum in rows:
            watched = self._watched.get(book_id)
            if watched is None or book_id in broken or seq <= watched.replica.seq:
                continue
            batch = Batch(seq, decode_public(public), checksum)
            try:
                changes = watched.replica.apply(batch)
            except Gap as gap:
                LOG.warning("%s; reading it anew", gap)
                broken.add(book_id)
                continue
            for listener in tuple(watched.listeners):
                listener.advanced(watched.replica, batch, changes)
        return broken

    async def _mend(self, broken: set[int]) -> None:
        for book_id in broken:
            watched = self._watched.get(book_id)
            if watched is None:
                continue
            watched.replica = await self._load(watched.replica.rules)
            for listener in tuple(watched.listeners):
                listener.reread(watched.replica)

    async def _load(self, rules: Rules) -> Replica:
        async with self._pool.connection() as connection:
            row = await (await connection.execute(replica.SNAPSHOT, [rules.book_id], binary=True)).fetchone()
        if row is None:
            raise LookupError(f"no book {rules.book_id}")
        return replica.from_row(rules, row)
