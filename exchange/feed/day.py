"""The last 24 hours of one instrument's trades, by the minute: kept by adding trades, never by asking the database again."""

from collections import deque
from collections.abc import Iterable

import msgspec

from exchange.feed.record import TradeRecord

MINUTE_US = 60_000_000
DAY_MINUTES = 24 * 60

# Minutes with trades since a moment and up to a trade number: minute, open, high, low, lots, trades.
SINCE = """
SELECT (extract(epoch from t.at) * 1000000)::bigint / 60000000 AS minute, (array_agg(t.price_ticks ORDER BY t.trade_no))[1],
       max(t.price_ticks), min(t.price_ticks), sum(t.quantity_lots)::bigint, count(*)
FROM exchange_book b JOIN exchange_trade t
  ON t.book_id = b.instrument_id AND t.trade_no >= first_trade_since(b.instrument_id, %s::timestamptz, b.trade_count)
WHERE b.instrument_id = %s AND t.trade_no <= %s GROUP BY 1 ORDER BY 1
"""


class _Minute(msgspec.Struct, gc=False):
    minute: int
    open: int
    high: int
    low: int
    lots: int
    trades: int


class Day:
    """Prices in ticks, quantities in lots; minutes that are older than a day leave when somebody looks.

    Counts trades with numbers above `last_no`; what was before is given by `prepend`.
    """

    def __init__(self, last_no: int) -> None:
        self._minutes: deque[_Minute] = deque()
        self._last_no = last_no
        self.lots = self.trades = 0

    def prepend(self, rows: Iterable[tuple[int, ...]]) -> None:
        """Rows of SINCE up to the number this day began after."""
        earlier = [_Minute(*row) for row in rows]
        if earlier and self._minutes and earlier[-1].minute == self._minutes[0].minute:
            first = self._minutes.popleft()
            last = earlier[-1]
            last.high, last.low = max(last.high, first.high), min(last.low, first.low)
            last.lots += first.lots
            last.trades += first.trades
        self._minutes.extendleft(reversed(earlier))
        self.lots = sum(m.lots for m in self._minutes)
        self.trades = sum(m.trades for m in self._minutes)

    def add(self, at_us: int, trades: Iterable[TradeRecord]) -> None:
        """Count what a batch traded."""
        minute = at_us // MINUTE_US
        for trade in trades:
            if trade.trade_no <= self._last_no:
                continue
            self._last_no = trade.trade_no
            price = trade.price_ticks
            if not self._minutes or self._minutes[-1].minute < minute:
                self._minutes.append(_Minute(minute, price, price, price, 0, 0))
            entry = self._minutes[-1]
            entry.high, entry.low = max(entry.high, price), min(entry.low, price)
            entry.lots += trade.quantity_lots
            entry.trades += 1
            self.lots += trade.quantity_lots
            self.trades += 1

    def prices(self, now_us: int) -> tuple[int | None, int | None, int | None]:
        """(open, high, low), after what is older than a day has left."""
        first = now_us // MINUTE_US - DAY_MINUTES
        while self._minutes and self._minutes[0].minute < first:
            gone = self._minutes.popleft()
            self.lots -= gone.lots
            self.trades -= gone.trades
        if not self._minutes:
            return None, None, None
        return self._minutes[0].open, max(m.high for m in self._minutes), min(m.low for m in self._minutes)
