"""The L2 book of one instrument as of a batch, kept by applying what batches published."""

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence

import msgspec

from exchange.domain.checksum import CHECKSUM_DEPTH, checksum
from exchange.domain.command import Side
from exchange.feed.record import Level, PublicRecord
from exchange.services.rules import Rules

Entry = tuple[int, int]  # lots, orders
Changes = dict[tuple[int, int], Entry]  # (side, price ticks) -> what stands there now; (0, 0): nothing
GONE: Entry = (0, 0)
BID, ASK = int(Side.BUY), int(Side.SELL)

# One statement, so one snapshot: the number and the orders belong together.
SNAPSHOT = """
SELECT b.seq, b.phase, b.post_only::int, b.trade_count, b.last_price_ticks, coalesce(l.sides, '{}'), coalesce(l.prices, '{}'), coalesce(l.lots, '{}'),
       coalesce(l.orders, '{}')
FROM exchange_book b LEFT JOIN LATERAL (
    SELECT array_agg(side::int) AS sides, array_agg(price_ticks) AS prices, array_agg(lots) AS lots, array_agg(orders) AS orders
    FROM (SELECT side, price_ticks, sum(remaining_lots)::bigint AS lots, count(*) AS orders
          FROM exchange_order WHERE book_id = b.instrument_id AND is_open GROUP BY side, price_ticks) grouped
) l ON true
WHERE b.instrument_id = %s
"""


class Batch(msgspec.Struct, frozen=True, gc=False):
    """A committed batch as the readers of the feed see it."""

    seq: int
    record: PublicRecord
    checksum: int


class Gap(Exception):
    """The batch is not the next one, or the book it leads to is not the lane's."""


class _Levels:
    """One side, best first. Keys are prices, negated for bids, so that both sides read alike."""

    __slots__ = ("entries", "keys")

    def __init__(self) -> None:
        self.keys: list[int] = []
        self.entries: dict[int, Entry] = {}

    def put(self, key: int, entry: Entry) -> None:
        if key not in self.entries:
            insort(self.keys, key)
        self.entries[key] = entry

    def remove(self, key: int) -> None:
        del self.entries[key]
        del self.keys[bisect_left(self.keys, key)]


class Replica:
    """The instrument's levels and last trade."""

    def __init__(self, rules: Rules, *, seq: int, phase: int, trade_count: int, last_ticks: int | None, levels: Iterable[Level]) -> None:
        self.rules = rules
        self.seq = seq
        self.phase = phase
        self.post_only = 0
        self.trade_count = trade_count
        self.last_ticks = last_ticks
        self._checksum: tuple[int, int] | None = None
        self._sides = (_Levels(), _Levels())
        for side, price, lots, orders in levels:
            self._sides[side].put(-price if side == BID else price, (lots, orders))

    def apply(self, batch: Batch) -> Changes:
        """Move on by one batch and return the levels that differ; raises `Gap` and is then of no further use."""
        if batch.seq != self.seq + 1:
            raise Gap(f"book {self.rules.book_id}: at {self.seq}, given {batch.seq}")
        changes: Changes = {}
        for side, price, lots, orders in batch.record.levels:
            levels, key = self._sides[side], -price if side == BID else price
            entry = (lots, orders) if lots else GONE
            if levels.entries.get(key, GONE) == entry:
                continue
            changes[side, price] = entry
            if lots:
                levels.put(key, entry)
            else:
                levels.remove(key)
        self.seq = batch.seq
        self.phase, self.post_only = batch.record.phase, batch.record.post_only
        if batch.record.trades:
            self.trade_count = batch.record.trades[-1].trade_no
            self.last_ticks = batch.record.trades[-1].price_ticks
        if self.checksum() != batch.checksum:
            raise Gap(f"book {self.rules.book_id}: another checksum than batch {batch.seq}")
        return changes

    def top(self, side: int, depth: int | None) -> list[tuple[int, int, int]]:
        """The best `depth` levels (None: all) as (price ticks, lots, orders), best first."""
        levels = self._sides[side]
        keys = levels.keys if depth is None else levels.keys[:depth]
        return [(-key if side == BID else key, *levels.entries[key]) for key in keys]

    def prices(self, side: int, depth: int) -> list[int]:
        """Only the prices of `top`."""
        keys = self._sides[side].keys[:depth]
        return [-key for key in keys] if side == BID else keys

    def entry(self, side: int, price: int) -> Entry:
        return self._sides[side].entries.get(-price if side == BID else price, GONE)

    def checksum(self) -> int:
        """The book's checksum, computed once per batch."""
        if self._checksum is None or self._checksum[0] != self.seq:
            self._checksum = (self.seq, self._compute_checksum())
        return self._checksum[1]

    def _compute_checksum(self) -> int:
        text = self.rules.price_text
        bids, asks = ([(text(price), str(lots)) for price, lots, _ in self.top(side, CHECKSUM_DEPTH)] for side in (BID, ASK))
        return checksum(bids, asks)


class View:
    """What a reader of `depth` levels a side has: the best levels, and how they change from batch to batch."""

    def __init__(self, replica: Replica, depth: int | None) -> None:
        self.depth = depth
        self._prices = (set[int](), set[int]()) if depth is None else self._seen(replica, depth)

    @staticmethod
    def _seen(replica: Replica, depth: int) -> tuple[set[int], set[int]]:
        return set(replica.prices(BID, depth)), set(replica.prices(ASK, depth))

    def advance(self, replica: Replica, changes: Changes) -> Changes:
        """The part of `changes` that this reader sees, with the levels that came into sight or went out of it."""
        if self.depth is None or not changes:
            return changes
        before, after = self._prices, self._seen(replica, self.depth)
        self._prices = after
        seen: Changes = {}
        for side in (BID, ASK):
            for price in before[side] - after[side]:
                seen[side, price] = GONE
            for price in after[side] - before[side]:
                seen[side, price] = replica.entry(side, price)
        for (side, price), entry in changes.items():
            if price in after[side]:
                seen[side, price] = entry
        return seen


def from_row(rules: Rules, row: Sequence[object]) -> Replica:
    """The replica that a row of `SNAPSHOT` describes."""
    seq, phase, post_only, trade_count, last, sides, prices, lots, orders = row
    levels = zip(sides, prices, lots, orders, strict=True)  # type: ignore[call-overload]
    found = Replica(rules, seq=seq, phase=phase, trade_count=trade_count, last_ticks=last, levels=levels)  # type: ignore[arg-type]
    found.post_only = post_only  # type: ignore[assignment]
    return found
