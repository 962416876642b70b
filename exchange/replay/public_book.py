"""The book as a reader of the public channel knows it: from what batches published, and nothing else (TRUST M1)."""

from itertools import islice

import msgspec
from sortedcontainers import SortedDict

from exchange.domain.checksum import CHECKSUM_DEPTH, checksum
from exchange.domain.command import Side
from exchange.feed.record import PublicRecord, decode_public
from exchange.replay.book_source import BatchRow, BookRow
from exchange.replay.finding import Findings
from exchange.services.rules import rules_of
from rights.kernel import rows

CHECK = "published_book"
_OPEN = """
SELECT side::int, price_ticks, sum(remaining_lots)::bigint, count(*) FROM exchange_order WHERE book_id = %s AND is_open
GROUP BY 1, 2 ORDER BY 1, 2
"""


class PublicBook:
    """Applies deltas and proves the checksum at every step."""

    def __init__(self, book: BookRow, findings: Findings) -> None:
        self._book, self._findings = book, findings
        self._rules = rules_of(book.book_id)
        # Keyed by price with the sign that makes the best level the first.
        self._sides: tuple[SortedDict[int, tuple[int, int]], SortedDict[int, tuple[int, int]]] = (SortedDict(), SortedDict())
        self.phase = 0
        self.post_only = 0

    def batch(self, batch: BatchRow) -> PublicRecord | None:
        """Apply what the batch published; None when that can't be read."""
        try:
            record = decode_public(batch.raw_public)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self._broken(batch.seq, "its public part can't be read")
            return None
        for side, price, lots, orders in record.levels:
            levels, key = self._sides[side], -price if side == Side.BUY else price
            if lots:
                levels[key] = (lots, orders)
            else:
                levels.pop(key, None)
        self.phase, self.post_only = record.phase, record.post_only
        if record.at_us != batch.at_us:
            self._broken(batch.seq, "it was published under another time")
        if self.checksum() != batch.checksum:
            self._broken(batch.seq, f"readers of the channel have checksum {self.checksum()}, the lane had {batch.checksum}")
        return record

    def checksum(self) -> int:
        text = self._rules.price_text
        bids, asks = self._sides
        return checksum(
            [(text(-key), str(lots)) for key, (lots, _) in islice(bids.items(), CHECKSUM_DEPTH)],
            [(text(key), str(lots)) for key, (lots, _) in islice(asks.items(), CHECKSUM_DEPTH)],
        )

    def end(self) -> None:
        """Compare with the open orders and the book's row."""
        bids, asks = self._sides
        published = [(0, -key, *entry) for key, entry in reversed(bids.items())] + [(1, key, *entry) for key, entry in asks.items()]
        resting = rows.fetch_all(_OPEN, [self._book.book_id])
        for level in sorted(set(published) ^ set(resting)):
            where = "published, not resting" if level in published else "resting, not published"
            self._broken(self._book.seq, f"{where}: side {level[0]}, {level[1]} ticks, {level[2]} lots in {level[3]} orders")
        told, stored = (self.phase, self.post_only), (self._book.phase, self._book.post_only)
        if told != stored and self._book.seq:
            self._broken(self._book.seq, f"phase and post-only {told} were published, the book is in {stored}")

    def _broken(self, seq: int, fault: str) -> None:
        self._findings.add(CHECK, book=self._book.symbol, batch=seq, fault=fault)
