"""The book, trades, candles and tickers, read from rows. Each is one statement, so one snapshot."""

from typing import Any

import msgspec

from exchange.feed.record import TradeRecord
from exchange.selectors import named
from exchange.selectors.named import moment
from rights.kernel import rows
from rights.kernel.clock import rfc3339

DAY_US = 86_400_000_000


class BookRead(msgspec.Struct, frozen=True):
    """Levels best first: (ticks, lots, orders), or at level 3 (ticks, lots, order id) in priority."""

    seq: int
    phase: int
    bids: list[tuple[int, int, Any]]
    asks: list[tuple[int, int, Any]]


class PublicTrade(msgspec.Struct, frozen=True):
    record: TradeRecord
    batch_seq: int
    at_us: int


class Candle(msgspec.Struct, frozen=True):
    """One interval; prices in ticks, None where nothing traded. `notional_minor` for the average price."""

    start_us: int
    open: int | None
    high: int | None
    low: int | None
    close: int | None
    lots: int
    trades: int
    notional_minor: int


class TickerRow(msgspec.Struct, frozen=True):
    """Best prices now, and the last 24 hours; ticks and lots."""

    book_id: int
    seq: int
    phase: int
    post_only: bool
    reference_ticks: int | None
    last_ticks: int | None
    bid: int | None
    bid_lots: int | None
    ask: int | None
    ask_lots: int | None
    open: int | None
    high: int | None
    low: int | None
    lots: int
    trades: int


_LEVELS = """
SELECT b.seq, b.phase, o.side, o.price_ticks, o.lots, o.orders FROM exchange_book b LEFT JOIN LATERAL (
    SELECT side, price_ticks, sum(remaining_lots)::bigint AS lots, count(*) AS orders FROM exchange_order
    WHERE book_id = b.instrument_id AND is_open GROUP BY side, price_ticks
) o ON true WHERE b.instrument_id = %s ORDER BY o.side, CASE o.side WHEN 0 THEN -o.price_ticks ELSE o.price_ticks END
"""
_ORDERS = """
SELECT b.seq, b.phase, o.side, o.price_ticks, o.remaining_lots, 'ord_' || o.id FROM exchange_book b
LEFT JOIN exchange_order o ON o.book_id = b.instrument_id AND o.is_open
WHERE b.instrument_id = %s ORDER BY o.side, CASE o.side WHEN 0 THEN -o.price_ticks ELSE o.price_ticks END, o.joined
"""
_TRADES = f"""
SELECT id::text, trade_no, price_ticks, quantity_lots, aggressor, batch_seq, {moment("at")} FROM exchange_trade
WHERE book_id = %s AND trade_no < %s ORDER BY trade_no DESC LIMIT %s
"""
_CANDLES = f"""
WITH span AS (
    SELECT first_trade_since(b.instrument_id, %(from)s, b.trade_count) AS low,
           first_trade_since(b.instrument_id, %(to)s, b.trade_count) AS high
    FROM exchange_book b WHERE b.instrument_id = %(book)s
), traded AS (
    SELECT {moment("t.at")} / %(width)s * %(width)s AS start, (array_agg(t.price_ticks ORDER BY t.trade_no))[1] AS open,
           max(t.price_ticks) AS high, min(t.price_ticks) AS low, (array_agg(t.price_ticks ORDER BY t.trade_no DESC))[1] AS close,
           sum(t.quantity_lots)::bigint AS lots, count(*) AS trades, sum(t.notional_minor)::bigint AS notional
    FROM span JOIN exchange_trade t ON t.book_id = %(book)s AND t.trade_no >= span.low AND t.trade_no < span.high GROUP BY 1
)
SELECT g.start, d.open, d.high, d.low, d.close, coalesce(d.lots, 0), coalesce(d.trades, 0), coalesce(d.notional, 0),
       (SELECT t.price_ticks FROM exchange_trade t, span WHERE t.book_id = %(book)s AND t.trade_no = span.low - 1)
FROM generate_series(%(first)s::bigint, %(last)s::bigint, %(width)s::bigint) AS g(start) LEFT JOIN traded d USING (start) ORDER BY g.start
"""
_TICKERS = """
SELECT b.instrument_id, b.seq, b.phase, b.post_only, i.reference_price_ticks, b.last_price_ticks, bid.price_ticks, bid.lots, ask.price_ticks, ask.lots,
       (SELECT t.price_ticks FROM exchange_trade t WHERE t.book_id = b.instrument_id AND t.trade_no = day.first_no), day.high, day.low,
       coalesce(day.lots, 0), coalesce(day.trades, 0)
FROM exchange_book b JOIN exchange_instrument i ON i.id = b.instrument_id JOIN rights_series s ON s.id = i.series_id
JOIN rights_computeclass c ON c.id = s.compute_class_id
LEFT JOIN LATERAL (SELECT price_ticks, sum(remaining_lots)::bigint AS lots FROM exchange_order
    WHERE book_id = b.instrument_id AND is_open AND side = 0 GROUP BY price_ticks ORDER BY price_ticks DESC LIMIT 1) bid ON true
LEFT JOIN LATERAL (SELECT price_ticks, sum(remaining_lots)::bigint AS lots FROM exchange_order
    WHERE book_id = b.instrument_id AND is_open AND side = 1 GROUP BY price_ticks ORDER BY price_ticks LIMIT 1) ask ON true
LEFT JOIN LATERAL (SELECT min(t.trade_no) AS first_no, max(t.price_ticks) AS high, min(t.price_ticks) AS low,
    sum(t.quantity_lots)::bigint AS lots, count(*) AS trades FROM exchange_trade t
    WHERE t.book_id = b.instrument_id AND t.trade_no >= first_trade_since(b.instrument_id, %(day)s, b.trade_count)) day ON true
"""


def book(*, book_id: int, orders: bool) -> BookRead:
    """The whole book, by price level or, with `orders`, order by order."""
    found = rows.fetch_all(_ORDERS if orders else _LEVELS, [book_id])
    sides: tuple[list[tuple[int, int, Any]], ...] = ([], [])
    for _, _, side, price, lots, last in found:
        if side is not None:
            sides[side].append((price, lots, last))
    return BookRead(found[0][0], found[0][1], sides[0], sides[1])


def trades(*, book_id: int, before_no: int, limit: int) -> list[PublicTrade]:
    """Trades with a number below `before_no`, newest first, at most `limit` + 1."""
    return [
        PublicTrade(TradeRecord(*row[:5]), batch_seq=row[5], at_us=row[6])
        for row in rows.fetch_all(_TRADES, [book_id, before_no, limit + 1])
    ]


def candles(*, book_id: int, width_us: int, end_us: int, count: int) -> list[Candle]:
    """`count` intervals up to the one in which `end_us` lies, oldest first; empty ones carry the last price on.

    Intervals before the first trade ever are left out.
    """
    last = end_us // width_us * width_us
    first = last - (count - 1) * width_us
    values = {
        "book": book_id,
        "width": width_us,
        "first": first,
        "last": last,
        "from": rfc3339(first),
        "to": rfc3339(last + width_us),
    }
    shown: list[Candle] = []
    close: int | None = None
    for row in named.fetch_all(_CANDLES, values):
        candle = Candle(*row[:8])
        close = row[8] if not shown and close is None else close
        if candle.close is None and close is not None:
            candle = Candle(candle.start_us, close, close, close, close, 0, 0, 0)
        if candle.close is not None:
            close = candle.close
            shown.append(candle)
    return shown


def tickers(*, now_us: int, limit: int, after: str = "") -> list[TickerRow]:
    """Tickers by symbol of books that are not closed, at most `limit` + 1."""
    sql = _TICKERS + "WHERE i.symbol > %(after)s AND b.phase <> 3 ORDER BY i.symbol LIMIT %(limit)s"
    values = {"day": rfc3339(now_us - DAY_US), "after": after, "limit": limit + 1}
    return [TickerRow(*row) for row in named.fetch_all(sql, values)]


def ticker(*, book_id: int, now_us: int) -> TickerRow:
    values = {"day": rfc3339(now_us - DAY_US), "book": book_id}
    return TickerRow(*named.fetch_all(_TICKERS + "WHERE b.instrument_id = %(book)s", values)[0])


def curve(*, class_key: str, now_us: int, limit: int) -> list[TickerRow]:
    """The class's windows that have not ended, soonest first."""
    sql = _TICKERS + "WHERE c.key = %(class)s AND s.window_end > %(now)s ORDER BY s.window_start, s.window_end, i.symbol LIMIT %(limit)s"
    return [
        TickerRow(*row)
        for row in named.fetch_all(sql, {"day": rfc3339(now_us - DAY_US), "class": class_key, "now": rfc3339(now_us), "limit": limit})
    ]
