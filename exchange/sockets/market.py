"""One instrument's public channels: each message is encoded once and handed to every socket of this process."""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Any

from channels.db import database_sync_to_async

from exchange.api import render
from exchange.feed import day, wire
from exchange.feed.day import Day
from exchange.feed.hub import Hub
from exchange.feed.replica import ASK, BID, Batch, Changes, Replica, View
from exchange.selectors import market_data
from exchange.selectors.market_data import DAY_US, TickerRow
from exchange.services.rules import Rules
from exchange.sockets import frames
from exchange.sockets.topic import Conflating, Topic
from rights.kernel.clock import now_us, rfc3339

REMEMBERED = 256  # batches that one delta can make up for
TRADES_SHOWN = 50
_REFERENCE = "SELECT reference_price_ticks FROM exchange_instrument WHERE id = %s"


class BookTopic(Conflating):
    """The book to one depth. A client that fell behind gets one delta over the batches it missed, or a snapshot."""

    channel = "book"

    def __init__(self, replica: Replica, depth: int | None) -> None:
        super().__init__(replica.rules.symbol)
        self.depth = depth
        self._begin(replica)

    def _begin(self, replica: Replica) -> None:
        self._replica = replica
        self._view = View(replica, self.depth)
        self._recent: deque[tuple[int, Changes]] = deque(maxlen=REMEMBERED)
        self._snapshot: tuple[int, str] | None = None
        self._at_us = now_us()
        self.seq = replica.seq

    def advanced(self, batch: Batch, changes: Changes) -> None:
        seen = self._view.advance(self._replica, changes)
        self._recent.append((batch.seq, seen))
        self._at_us = batch.record.at_us
        self.send(self._delta(batch.seq, batch.seq - 1, seen), batch.seq)

    def reread(self, replica: Replica) -> None:
        self._begin(replica)
        self.send(self.snapshot(), self.seq)

    def snapshot(self) -> str:
        if self._snapshot is None or self._snapshot[0] != self.seq:
            data = frames.book_snapshot(self._replica, self.depth)
            self._snapshot = (self.seq, self._frame("snapshot", None, self.seq, data))
        return self._snapshot[1]

    def catch_up(self, sent: int) -> tuple[str, int]:
        """One message from the book as of `sent` to the present."""
        if not self._recent or sent < self._recent[0][0] - 1:
            return self.snapshot(), self.seq
        merged: Changes = {}
        for seq, changes in self._recent:
            if seq > sent:
                merged.update(changes)
        return self._delta(self.seq, sent, merged), self.seq

    def _delta(self, seq: int, prev_seq: int, changes: Changes) -> str:
        return self._frame("delta", prev_seq, seq, frames.book_delta(changes, self._replica.rules))

    def _frame(self, kind: str, prev_seq: int | None, seq: int, data: Any) -> str:
        checksum = self._replica.checksum()
        return frames.message(
            self.channel, self.instrument, kind, seq=seq, prev_seq=prev_seq, at_us=self._at_us, data=data, checksum=checksum
        )


class TradesTopic(Topic):
    """Public trades. `seq` is the number of a message's last trade, `prev_seq` that of the trade before its first."""

    channel = "trades"

    def __init__(self, replica: Replica) -> None:
        super().__init__(replica.rules.symbol)
        self._rules = replica.rules
        self.seq = replica.trade_count
        self._shown: deque[dict[str, Any]] = deque(maxlen=TRADES_SHOWN)
        self._at_us = now_us()

    def remember(self, earlier: Iterable[dict[str, Any]]) -> None:
        """Trades from before this topic began, oldest first."""
        known = {trade["id"] for trade in self._shown}
        self._shown = deque([t for t in earlier if t["id"] not in known] + list(self._shown), maxlen=TRADES_SHOWN)

    def advanced(self, batch: Batch) -> None:
        record = batch.record
        if not record.trades:
            return
        data = [wire.trade(trade, self._rules, batch.seq, record.at_us) for trade in record.trades]
        self._shown.extend(data)
        self._at_us = record.at_us
        seq = record.trades[-1].trade_no
        before = record.trades[0].trade_no - 1
        self.send(frames.message(self.channel, self.instrument, "event", seq=seq, prev_seq=before, at_us=record.at_us, data=data), seq)

    def reread(self, replica: Replica) -> None:
        """Start anew from this replica; its earlier trades are remembered later."""
        self._shown.clear()
        self.seq = replica.trade_count

    def snapshot(self) -> str:
        return frames.message(
            self.channel, self.instrument, "snapshot", seq=self.seq, prev_seq=None, at_us=self._at_us, data=list(self._shown)
        )


class TickerTopic(Conflating):
    """Best prices, last trade and the last 24 hours; told when they changed, and not more often than the pulse."""

    channel = "ticker"

    def __init__(self, replica: Replica, day: Day) -> None:
        super().__init__(replica.rules.symbol)
        self.day = day
        self.reference_ticks: int | None = None
        self._replica = replica
        self._told: dict[str, Any] = {}
        self._is_due = False
        self.seq = replica.seq

    def advanced(self, batch: Batch) -> None:
        self.day.add(batch.record.at_us, batch.record.trades)
        self._is_due = True

    def reread(self, replica: Replica, day: Day) -> None:
        self._replica, self.day = replica, day
        self._is_due = True

    def pulse(self, at_us: int) -> None:
        """Tell the ticker if it is due and differs."""
        if not self._is_due or not self.lines:
            return
        self._is_due = False
        facts = self._facts(at_us)
        told = {**facts, "book_seq": ""}
        if told == self._told:
            return
        self._told = told
        before, self.seq = self.seq, self._replica.seq
        self.send(self._frame("event", before, facts, at_us), self.seq)

    def snapshot(self) -> str:
        at_us = now_us()
        return self._frame("snapshot", None, self._facts(at_us), at_us)

    def catch_up(self, sent: int) -> tuple[str, int]:
        at_us = now_us()
        return self._frame("event", sent, self._facts(at_us), at_us), self.seq

    def _facts(self, at_us: int) -> dict[str, Any]:
        replica = self._replica
        opened, high, low = self.day.prices(at_us)
        (bid, bid_lots, _), (ask, ask_lots, _) = (next(iter(replica.top(side, 1)), (None, None, None)) for side in (BID, ASK))
        row = TickerRow(
            book_id=replica.rules.book_id,
            seq=replica.seq,
            phase=replica.phase,
            post_only=bool(replica.post_only),
            reference_ticks=self.reference_ticks,
            last_ticks=replica.last_ticks,
            bid=bid,
            bid_lots=bid_lots,
            ask=ask,
            ask_lots=ask_lots,
            open=opened,
            high=high,
            low=low,
            lots=self.day.lots,
            trades=self.day.trades,
        )
        return render.ticker(row, replica.rules)

    def _frame(self, kind: str, prev_seq: int | None, facts: dict[str, Any], at_us: int) -> str:
        return frames.message(self.channel, self.instrument, kind, seq=self.seq, prev_seq=prev_seq, at_us=at_us, data=facts)


class Market:
    """The listener of one book. `begin` once, then topics are ready to be joined."""

    def __init__(self, rules: Rules, hub: Hub) -> None:
        self.rules = rules
        self._hub = hub
        self._books: dict[int | None, BookTopic] = {}
        self._beginning = asyncio.Lock()
        self._refresh: asyncio.Task[None] | None = None
        self._is_ended = False
        self.replica: Replica | None = None

    async def begin(self) -> None:
        """Read the book, its latest trades and its day, once."""
        async with self._beginning:
            if self.replica is not None or self._is_ended:
                return
            replica = await self._hub.books.watch(self.rules, self)
            self.trades = TradesTopic(replica)
            self.ticker = TickerTopic(replica, Day(replica.trade_count))
            self.replica = replica
            try:
                await self._read_history(replica.trade_count)
            except BaseException:
                self._hub.books.unwatch(self.rules.book_id, self)
                self.replica = None
                raise

    async def _read_history(self, until_no: int) -> None:
        """What was traded before this process watched: up to the trade numbered `until_no`."""
        book_id = self.rules.book_id
        since = rfc3339(now_us() - DAY_US)
        async with self._hub.pool.connection() as connection:
            minutes = await (await connection.execute(day.SINCE, [since, book_id, until_no], binary=True)).fetchall()
            found = await (await connection.execute(_REFERENCE, [book_id])).fetchone()
        latest = await database_sync_to_async(market_data.trades, thread_sensitive=False)(
            book_id=book_id, before_no=until_no + 1, limit=TRADES_SHOWN
        )
        shown = [wire.trade(t.record, self.rules, t.batch_seq, t.at_us) for t in reversed(latest[:TRADES_SHOWN])]
        self.trades.remember(shown)
        self.ticker.day.prepend(minutes)
        self.ticker.reference_ticks = found[0] if found else None

    def book(self, depth: int | None) -> BookTopic:
        """The topic of one depth; to be joined at once."""
        if depth not in self._books:
            if self.replica is None:
                raise LookupError("begin() comes first")
            self._books[depth] = BookTopic(self.replica, depth)
        return self._books[depth]

    @property
    def topics(self) -> list[Topic]:
        return [*self._books.values(), self.trades, self.ticker] if self.replica is not None else []

    def drop_unread(self) -> bool:
        """Forget depths that nobody reads; True when nobody reads anything here."""
        self._books = {depth: topic for depth, topic in self._books.items() if topic.lines}
        return self.replica is not None and not self._beginning.locked() and not any(topic.lines for topic in self.topics)

    def end(self) -> None:
        self._is_ended = True
        self._hub.books.unwatch(self.rules.book_id, self)
        if self._refresh is not None:
            self._refresh.cancel()

    def advanced(self, replica: Replica, batch: Batch, changes: Changes) -> None:
        for topic in self._books.values():
            topic.advanced(batch, changes)
        if self.replica is replica:
            self.trades.advanced(batch)
            self.ticker.advanced(batch)

    def reread(self, replica: Replica) -> None:
        self.replica = replica
        for topic in self._books.values():
            topic.reread(replica)
        self.trades.reread(replica)
        self.ticker.reread(replica, Day(replica.trade_count))
        self._refresh = asyncio.get_running_loop().create_task(self._tell_again(replica.trade_count))

    async def _tell_again(self, until_no: int) -> None:
        await self._read_history(until_no)
        self.trades.send(self.trades.snapshot(), self.trades.seq)
