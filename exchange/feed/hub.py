"""The process's ear: hears what committed, reads it once, and hands it to order entry and to the sockets in order.

Redis only makes it quick. Every POLL_S everything that is followed is looked at anyhow, so nothing depends on a notice.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

import psycopg
from channels.db import database_sync_to_async
from psycopg_pool import PoolTimeout

from exchange.feed import pool
from exchange.feed.accounts import Accounts, Outcome, Waiter
from exchange.feed.backlog import backlog, forget
from exchange.feed.books import Books
from exchange.feed.notices import Notices
from exchange.services.rules import Rules, rules_named, rules_of
from rights.kernel.trip import Trip

LOG = logging.getLogger(__name__)
POLL_S = 0.25
LONGEST_PAUSE_S = 2.0


class Reader:
    """Calls `read` as often as it is woken, never twice at once; a lost database only makes it wait."""

    def __init__(self, name: str, read: Callable[[], Awaitable[bool]]) -> None:
        self._name, self._read = name, read
        self._wake = asyncio.Event()

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        pause = 0.0
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                if await self._read():
                    self._wake.set()
                pause = 0.0
            except (psycopg.Error, PoolTimeout, OSError) as error:
                LOG.warning("%s can't read: %s", self._name, error)
                pause = min(pause * 2 or 0.1, LONGEST_PAUSE_S)
                await asyncio.sleep(pause)
                self._wake.set()
            except Exception:
                # A listener's fault must not silence everybody else.
                LOG.exception("%s failed", self._name)
                await asyncio.sleep(0.1)
                self._wake.set()


class Hub:
    """One per web process and event loop."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self._revoked_listeners: list[Callable[[str], None]] = []
        self._jobs_listeners: list[Callable[[str, int], None]] = []
        self._met: dict[int, Rules] = {}
        self._ready: asyncio.Future[None] | None = None

    async def start(self) -> None:
        """Open connections and begin to listen. Needs neither the database nor Redis to be up yet."""
        if self._ready is not None:
            await asyncio.shield(self._ready)
            return
        self._ready = asyncio.get_running_loop().create_future()
        self._pool = await pool.open_pool(name="feed", max_size=4)
        self.accounts = Accounts(self._pool, self.rules)
        self.books = Books(self._pool)
        self._held = pool.Held(self._pool)
        self._reader = Reader("feed", self._read)
        self.backlog = backlog()
        self._backlog_reader = Reader("backlog", self.backlog.read)
        self.backlog.on_pressure = self._backlog_reader.wake
        self._notices = Notices(on_batch=self._on_batch, on_account=self._on_account, on_revoked=self._on_revoked, on_jobs=self._on_jobs)
        for part in (
            self._notices.run(),
            self._reader.run(),
            self._backlog_reader.run(),
            self._by_the_clock(),
        ):
            self._tasks.append(asyncio.create_task(part))
        self._ready.set_result(None)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        if self._ready is not None:
            await self._held.let_go()
            await self._pool.close()

    @property
    def pool(self) -> pool.Connections:
        """For reads that belong to the feed (replays, snapshots)."""
        return self._pool

    async def expect(self, account_id: int) -> Waiter:
        """Open a waiter for commands of this account; to be done before they are committed. Close it (`with`) when answered."""
        return Waiter(await self.accounts.follow(account_id))

    async def results(self, account_id: int, numbers: Iterable[int], timeout: float) -> dict[int, Outcome]:  # noqa: ASYNC109
        """Outcomes of commands that the caller still holds a waiter for; see `Waiter.results`."""
        with await self.expect(account_id) as waiter:
            return await waiter.results(numbers, timeout)

    def book_seq(self, book_id: int) -> int | None:
        """The number of the last batch this process has heard of; None when it has heard of none."""
        return self.books.seq(book_id)

    async def rules(self, book_id: int) -> Rules:
        """The rules of a book, read in a thread the first time."""
        if book_id not in self._met:
            self._met[book_id] = await database_sync_to_async(rules_of, thread_sensitive=False)(book_id)
        return self._met[book_id]

    async def rules_named(self, symbol: str) -> Rules | None:
        rules = await database_sync_to_async(rules_named, thread_sensitive=False)(symbol)
        if rules is not None:
            self._met[rules.book_id] = rules
        return rules

    def on_revoked(self, listener: Callable[[str], None]) -> None:
        """Hear the UUIDs of keys as they are revoked (a notice: it may be lost)."""
        self._revoked_listeners.append(listener)

    def on_jobs(self, listener: Callable[[str, int], None]) -> None:
        """Hear of which supplier how many jobs were offered to nodes (a notice: it may be lost)."""
        self._jobs_listeners.append(listener)

    def _on_batch(self, book_id: int, seq: int) -> None:
        if self.books.notice(book_id, seq) or self.accounts.any:
            self._reader.wake()

    def _on_account(self, account_id: int, seq: int) -> None:
        if self.accounts.lacks(account_id, seq):
            self._reader.wake()

    def _on_revoked(self, uuid: str) -> None:
        for listener in tuple(self._revoked_listeners):
            listener(uuid)

    def _on_jobs(self, supplier: str, count: int) -> None:
        for listener in tuple(self._jobs_listeners):
            listener(supplier, count)

    async def _read(self) -> bool:
        """Private messages and batches in one trip: who waits for an answer is served first."""
        trip = Trip()
        messages, batches = self.accounts.ask(trip), self.books.ask(trip)
        if trip.is_empty:
            return False
        try:
            await self._held.go(trip)
            more = await self.accounts.take(messages) if messages is not None else False
            return await self.books.take(batches) or more if batches is not None else more
        except BaseException:
            self.books.doubt()
            raise

    async def _by_the_clock(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            self.books.doubt()
            self._reader.wake()
            if self.backlog.is_due:
                self._backlog_reader.wake()


_hubs: dict[asyncio.AbstractEventLoop, Hub] = {}


async def started() -> Hub:
    """The running hub of this process."""
    hub = _hubs.setdefault(asyncio.get_running_loop(), Hub())
    await hub.start()
    return hub


async def stop() -> None:
    """Stop the hub of the running loop, and its pools."""
    hub = _hubs.pop(asyncio.get_running_loop(), None)
    if hub is not None:
        await hub.stop()
    forget()
    await pool.close()
