"""Book, trades, candles, tickers and term structure: for anybody, from one snapshot each."""

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api import render
from exchange.api.base import ApiView, listing, not_found, page
from exchange.api.doc import Doc
from exchange.api.permissions import PUBLIC
from exchange.api.views.instruments import rules_or_404
from exchange.domain.checksum import CHECKSUM_DEPTH, checksum
from exchange.feed import wire
from exchange.selectors import instruments, market_data
from exchange.services.rules import Rules, rules_of

MAX_DEPTH = 5000
INTERVALS = {"1m": 60, "5m": 300, "15m": 900, "1h": 3600, "1d": 86_400}
_LATEST = 2**62


def with_seq(response: Response, seq: int) -> Response:
    """Order-path answers say how far the book had come."""
    response["X-Book-Seq"] = str(seq)
    return response


class BookView(ApiView):
    scopes: ClassVar = {"GET": PUBLIC}
    queries: ClassVar = {"GET": ("depth", "level")}
    docs: ClassVar = {"GET": Doc("The book with its sequence and checksum", "Book")}

    def get(self, _request: Request, symbol: str) -> Response:
        rules = rules_or_404(symbol)
        depth = self.query.whole("depth", 1, MAX_DEPTH) or MAX_DEPTH
        level = self.query.choice("level", {"2": 2, "3": 3}) or 2
        read = market_data.book(book_id=rules.book_id, orders=level == 3)
        body = {
            "symbol": symbol,
            "seq": str(read.seq),
            "phase": render.PHASES[read.phase],
            "checksum": str(checksum(_top(read.bids, rules), _top(read.asks, rules))),
            "bids": _shown(read.bids[:depth], rules),
            "asks": _shown(read.asks[:depth], rules),
        }
        return with_seq(Response(body), read.seq)


def _shown(entries: list[tuple[int, int, Any]], rules: Rules) -> list[list[Any]]:
    return [[rules.price_text(ticks), str(lots), last] for ticks, lots, last in entries]


def _top(entries: list[tuple[int, int, Any]], rules: Rules) -> list[tuple[str, str]]:
    """The best levels for the checksum, also when the entries are single orders."""
    levels: dict[int, int] = {}
    for ticks, lots, _ in entries:
        if ticks not in levels and len(levels) == CHECKSUM_DEPTH:
            break
        levels[ticks] = levels.get(ticks, 0) + lots
    return [(rules.price_text(ticks), str(lots)) for ticks, lots in levels.items()]


class TradesView(ApiView):
    scopes: ClassVar = {"GET": PUBLIC}
    queries: ClassVar = {"GET": ("limit", "cursor")}
    docs: ClassVar = {"GET": Doc("Trades, newest first; `trade_no` has no gaps", "Trade", listed=True)}

    def get(self, _request: Request, symbol: str) -> Response:
        rules = rules_or_404(symbol)
        limit, before = self.query.limit(), self.query.cursor("trades", "i")
        found = market_data.trades(book_id=rules.book_id, before_no=int(before[0]) if before else _LATEST, limit=limit)
        return page(
            found,
            limit,
            "trades",
            lambda row: (row.record.trade_no,),
            lambda row: wire.trade(row.record, rules, row.batch_seq, row.at_us),
        )


class CandlesView(ApiView):
    scopes: ClassVar = {"GET": PUBLIC}
    queries: ClassVar = {"GET": ("interval", "end", "limit")}
    docs: ClassVar = {"GET": Doc("Candles without holes, oldest first, up to the interval of `end`", "Candle", listed=True)}

    def get(self, _request: Request, symbol: str) -> Response:
        rules = rules_or_404(symbol)
        width_s = self.query.choice("interval", INTERVALS) or 60
        end_us = self.query.moment_us("end") or self.now_us
        found = market_data.candles(book_id=rules.book_id, width_us=width_s * 1_000_000, end_us=end_us, count=self.query.limit())
        return listing([render.candle(row, rules) for row in found])


class TickerView(ApiView):
    scopes: ClassVar = {"GET": PUBLIC}
    docs: ClassVar = {"GET": Doc("Best prices and the last 24 hours", "Ticker")}

    def get(self, _request: Request, symbol: str) -> Response:
        rules = rules_or_404(symbol)
        row = market_data.ticker(book_id=rules.book_id, now_us=self.now_us)
        return with_seq(Response(render.ticker(row, rules)), row.seq)


class TickersView(ApiView):
    scopes: ClassVar = {"GET": PUBLIC}
    queries: ClassVar = {"GET": ("limit", "cursor")}
    docs: ClassVar = {"GET": Doc("Tickers of every instrument that is not closed", "Ticker", listed=True)}

    def get(self, _request: Request) -> Response:
        limit, after = self.query.limit(), self.query.cursor("tickers", "s")
        found = market_data.tickers(now_us=self.now_us, limit=limit, after=str(after[0]) if after else "")
        return page(
            found,
            limit,
            "tickers",
            lambda row: (rules_of(row.book_id).symbol,),
            lambda row: render.ticker(row, rules_of(row.book_id)),
        )


class CurveView(ApiView):
    scopes: ClassVar = {"GET": PUBLIC}
    queries: ClassVar = {"GET": ("class",)}
    docs: ClassVar = {"GET": Doc("Term structure of a class: one point per window", "CurvePoint", listed=True, errors=("not_found",))}

    def get(self, _request: Request) -> Response:
        key = self.query.required_symbol("class")
        if instruments.class_named(key) is None:
            raise not_found()
        found = market_data.curve(class_key=key, now_us=self.now_us, limit=1000)
        return listing([render.curve_point(row, rules_of(row.book_id)) for row in found])
