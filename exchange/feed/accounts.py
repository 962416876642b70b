"""What transactions told the accounts that somebody in this process listens to, in order and without a gap.

Order entry waits here for its commands' results; sockets listen here for the private channels.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import Any, NamedTuple, Self

import msgspec

from exchange.feed.pool import Connections
from exchange.feed.record import PrivateRecord, ResultRecord, decode_private
from rights.kernel.rows import array
from rights.kernel.trip import Answer, Trip

PER_READ = 64
KEEP_UNCLAIMED_S = 5.0
MOST_UNCLAIMED = 100_000

COLUMNS = (
    "m.account_id, m.seq, m.book_id, m.batch_seq, m.orders_seq, m.fills_seq, m.balances_seq, m.requests_seq, m.settlements_seq, m.body"
)
_SINCE = f"""
SELECT {COLUMNS} FROM unnest(%s::bigint[], %s::bigint[]) AS w(account_id, after)
JOIN LATERAL (
    SELECT * FROM exchange_accountmessage x WHERE x.account_id = w.account_id AND x.seq > w.after ORDER BY x.seq LIMIT %s
) m ON true
"""
_NOW = "SELECT coalesce((SELECT seq FROM exchange_accountfeed WHERE account_id = %s), 0)"


class Message(msgspec.Struct, frozen=True, gc=False):
    """One row of exchange_accountmessage; a channel's numbers end at its `*_seq`."""

    account_id: int
    seq: int
    book_id: int | None
    batch_seq: int | None
    orders_seq: int
    fills_seq: int
    balances_seq: int
    requests_seq: int
    settlements_seq: int
    record: PrivateRecord


class Outcome(NamedTuple):
    """What became of a command, the private record that says so, and the batch that did it."""

    result: ResultRecord
    record: PrivateRecord
    batch_seq: int


Listener = Callable[[Message], None]


def message_of(row: tuple[Any, ...]) -> Message:
    return Message(*row[:-1], decode_private(row[-1]))  # type: ignore[call-arg]


class _Wanted:
    """A list of commands that somebody waits for with one future."""

    __slots__ = ("done", "future", "missing")

    def __init__(self, missing: int) -> None:
        self.missing = missing
        self.done: dict[int, Outcome] = {}
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def take(self, n: int, outcome: Outcome) -> None:
        self.done[n] = outcome
        self.missing -= 1
        if not self.missing and not self.future.done():
            self.future.set_result(None)


class Followed:
    """An account somebody listens to. `cursor` is the last message read."""

    def __init__(self, account_id: int, cursor: int) -> None:
        self.account_id = account_id
        self.cursor = cursor
        self.waiters = 0
        self.idle_since = time.monotonic()
        self.listeners: list[Listener] = []
        self.wanted: dict[int, _Wanted] = {}
        self.unclaimed: dict[int, Outcome] = {}
        self._arrived: deque[tuple[float, int]] = deque()  # unclaimed numbers in order of arrival

    @property
    def is_idle(self) -> bool:
        return not self.waiters and not self.listeners

    def hear(self, message: Message) -> None:
        """Take the next message: results to whoever waits, the whole to the listeners."""
        self.cursor = message.seq
        if message.record.results:
            self._sort_results(message)
        for listener in tuple(self.listeners):
            listener(message)

    def want(self, numbers: Iterable[int]) -> _Wanted:
        """Wait for these commands; what has already come is taken at once."""
        listed = list(numbers)
        wanted = _Wanted(len(listed))
        for n in listed:
            early = self.unclaimed.pop(n, None)
            if early is None:
                self.wanted[n] = wanted
            else:
                wanted.take(n, early)
        if not listed:
            wanted.future.set_result(None)
        return wanted

    def _sort_results(self, message: Message) -> None:
        now = time.monotonic()
        self._forget_unclaimed(now)
        for result in message.record.results:
            outcome = Outcome(result, message.record, message.batch_seq or 0)
            wanted = self.wanted.pop(result.n, None)
            if wanted is not None:
                wanted.take(result.n, outcome)
            elif self.waiters:
                self.unclaimed[result.n] = outcome
                self._arrived.append((now, result.n))

    def _forget_unclaimed(self, now: float) -> None:
        while self._arrived and (self._arrived[0][0] < now - KEEP_UNCLAIMED_S or len(self._arrived) > MOST_UNCLAIMED):
            self.unclaimed.pop(self._arrived.popleft()[1], None)


class Waiter:
    """Open before a command is committed; its result can't be missed until it is closed."""

    def __init__(self, followed: Followed) -> None:
        self._followed = followed
        self._open = True
        followed.waiters += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        if self._open:
            self._open = False
            self._followed.waiters -= 1
            self._followed.idle_since = time.monotonic()

    async def results(self, numbers: Iterable[int], timeout: float) -> dict[int, Outcome]:  # noqa: ASYNC109 - part of the answer, not an error
        """Outcomes by command number; those that `timeout` seconds did not bring are left out."""
        listed = list(numbers)
        wanted = self._followed.want(listed)
        try:
            if not wanted.future.done():
                await asyncio.wait([wanted.future], timeout=timeout)
        finally:
            if wanted.missing:
                for n in listed:
                    self._followed.wanted.pop(n, None)
        return wanted.done

    async def result(self, n: int, timeout: float) -> Outcome | None:  # noqa: ASYNC109
        """The outcome of one command, or None when it did not come in time."""
        return (await self.results([n], timeout)).get(n)


class Accounts:
    """Reads what the followed accounts were told, whenever woken."""

    LINGER_S = 5.0  # an account is read on for a while, so that a busy client does not cost a look at its feed per call

    def __init__(self, pool: Connections, meet: Callable[[int], Awaitable[object]]) -> None:
        self._pool = pool
        self._meet = meet  # learns a book's rules before anybody hears of it
        self._met: set[int | None] = {None}
        self._followed: dict[int, Followed] = {}
        self._begin = asyncio.Lock()

    async def follow(self, account_id: int) -> Followed:
        """Hear of the account from now on: every message committed after this call began is heard."""
        found = self._followed.get(account_id)
        if found is not None:
            found.idle_since = time.monotonic()
            return found
        async with self._begin:
            if account_id not in self._followed:
                async with self._pool.connection() as connection:
                    row = await (await connection.execute(_NOW, [account_id])).fetchone()
                self._followed[account_id] = Followed(account_id, row[0] if row else 0)
        return self._followed[account_id]

    @property
    def any(self) -> bool:
        return bool(self._followed)

    def lacks(self, account_id: int, seq: int) -> bool:
        """Whether this message of a followed account is still to be read."""
        found = self._followed.get(account_id)
        return found is not None and seq > found.cursor

    def ask(self, trip: Trip) -> Answer | None:
        """Ask for one round of messages; None when nobody listens."""
        self._let_go()
        if not self._followed:
            return None
        followed = self._followed.values()
        return trip.ask(_SINCE, [array(f.account_id for f in followed), array(f.cursor for f in followed), PER_READ], binary=True)

    async def take(self, answer: Answer) -> bool:
        """Hand out what was asked for; True when there may be more."""
        rows = answer.rows()
        for book_id in {row[2] for row in rows} - self._met:
            await self._meet(book_id)
            self._met.add(book_id)
        for row in rows:
            account = self._followed.get(row[0])
            # Let go and followed again while this was read, an account may be further on: nothing is heard twice.
            if account is not None and row[1] > account.cursor:
                account.hear(message_of(row))
        return len(rows) >= PER_READ

    def _let_go(self) -> None:
        deadline = time.monotonic() - self.LINGER_S
        for account_id in [a for a, f in self._followed.items() if f.is_idle and f.idle_since < deadline]:
            del self._followed[account_id]
