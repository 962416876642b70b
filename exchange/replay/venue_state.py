"""Cash and books as the events alone tell them, against the tables."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import msgspec

from exchange.domain.command import Phase
from exchange.domain.proceeds import RELEASED
from exchange.replay.finding import Findings
from exchange.replay.right_tables import StateHash, canonical
from rights.kernel import rows
from settlement.domain import route_events, settlement_events

CASH, BOOKS = "cash", "books"
ESCROW = "venue:escrow"
ESCROWED = {route_events.LOCKED: 1, route_events.REPLACED: -1, route_events.EXPIRED: -1, route_events.RELEASED: -1}
Payload = Mapping[str, Any]


class BookState(msgspec.Struct):
    """What a book's events say of it."""

    symbol: str
    currency: str
    fee_account: str
    proceeds_account: str | None = None
    phase: str = Phase.PRE_OPEN.name.lower()
    trade_count: int = 0
    last_price_ticks: int | None = None
    post_only: bool = False


class VenueState:
    """Cash by (account, currency) in minor units, and every book. Feed the registry's stream first."""

    def __init__(self) -> None:
        self.cash: dict[tuple[str, str], int] = defaultdict(int)
        self.books: dict[str, BookState] = {}
        self.fees: dict[str, int] = {}

    def apply(self, event_type: str, object_id: str, payload: Payload) -> None:
        """Take one event in; types that move neither cash nor books pass. KeyError or ValueError when the payload has another shape."""
        if event_type in ("account.funded", "account.withdrawn"):
            minor = int(payload["amount_minor"]) * (1 if event_type == "account.funded" else -1)
            self.cash[(object_id, payload["asset"])] += minor
            self.cash[(payload["contra"], payload["asset"])] -= minor
        elif event_type == "trade.executed":
            self._traded(payload)
        elif event_type == RELEASED:
            self._released(payload)
        elif event_type == "offer.accepted":
            self._sold(payload)
        elif event_type in ESCROWED:
            self._escrow(payload, ESCROWED[event_type])
        elif event_type == settlement_events.FINALIZED:
            self._paid(payload)
        else:
            self._book(event_type, object_id, payload)

    def _book(self, event_type: str, object_id: str, payload: Payload) -> None:
        """A book is listed, or changes otherwise than by a trade."""
        if event_type == "instrument.listed":
            self.books[object_id] = BookState(object_id, payload["currency"], payload["fee_account"], payload.get("proceeds_account"))
        elif event_type == "instrument.phase_changed":
            book = self.books[object_id]
            if book.phase != payload["from"]:
                raise ValueError(f"{object_id} was in {book.phase}, not in {payload['from']}")
            book.phase = payload["to"]
        elif event_type == "instrument.post_only_changed":
            book = self.books[object_id]
            if book.post_only == payload["post_only"]:
                raise ValueError(f"{object_id} was told twice what it was")
            book.post_only = payload["post_only"]

    def _paid(self, payload: Payload) -> None:
        """A settlement is final: the escrow goes where it belongs."""
        for move in payload["moves"]:
            minor, currency = int(move["amount_minor"]), move["currency"]
            self.cash[(move["from"], currency)] -= minor
            self.cash[(move["to"], currency)] += minor

    def _sold(self, payload: Payload) -> None:
        """A package's block offer was taken."""
        price, fee, currency = int(payload["price_minor"]), int(payload["fee_minor"]), payload["currency"]
        self.cash[(payload["buyer"], currency)] -= price + fee
        self.cash[(payload["seller"], currency)] += price
        if fee:
            self.cash[(payload["fee_account"], currency)] += fee

    def _escrow(self, payload: Payload, sign: int) -> None:
        """Cash of a right's issuer is set aside for a route, or comes back."""
        minor, currency = sign * int(payload["escrow_minor"]), payload["currency"]
        if minor:
            self.cash[(payload["payer"], currency)] -= minor
            self.cash[(ESCROW, currency)] += minor

    def _released(self, payload: Payload) -> None:
        """The units of a trade are final: what waited for its seller goes to him, or in part back."""
        book = self.books[payload["instrument"]]
        for side in ("seller", "buyer"):
            minor = int(payload[f"{side}_minor"])
            self.cash[(book.proceeds_account or "", book.currency)] -= minor
            self.cash[(payload[side], book.currency)] += minor

    def _traded(self, payload: Payload) -> None:
        book = self.books[payload["instrument"]]
        book.trade_count += 1
        if int(payload["trade_no"]) != book.trade_count:
            raise ValueError(f"trade {payload['trade_no']} follows {book.trade_count - 1}")
        book.last_price_ticks = int(payload["price"])
        notional, buy_fee, sell_fee = int(payload["notional"]), int(payload["buy_fee"]), int(payload["sell_fee"])
        self.cash[(payload["buyer"], book.currency)] -= notional + buy_fee
        self.cash[(book.proceeds_account or payload["seller"], book.currency)] += notional - sell_fee
        self.cash[(book.fee_account, book.currency)] += buy_fee + sell_fee


_CASH = """
SELECT coalesce(a.code, 'acc_' || a.uuid::text), s.code, b.amount FROM settlement_balance b
JOIN settlement_asset s ON s.id = b.asset_id AND s.kind = 'cash' JOIN rights_account a ON a.id = b.account_id ORDER BY 1, 2
"""
_BOOKS = """
SELECT i.symbol, s.code, a.code, e.code, b.phase, b.trade_count, b.last_price_ticks, b.post_only FROM exchange_book b
JOIN exchange_instrument i ON i.id = b.instrument_id JOIN settlement_asset s ON s.id = i.currency_id
JOIN rights_account a ON a.id = b.fee_account_id LEFT JOIN rights_account e ON e.id = b.proceeds_account_id ORDER BY 1
"""


def compare_venue(state: VenueState, digest: StateHash, findings: Findings) -> None:
    """Compare all cash balances and all books."""
    stored_cash = {(account, currency): amount for account, currency, amount in rows.fetch_all(_CASH)}
    for key in sorted(stored_cash.keys() | state.cash.keys()):
        events, table = state.cash.get(key, 0), stored_cash.get(key, 0)
        digest.add(events=canonical([*key, events]), tables=canonical([*key, table]))
        if events != table:
            findings.add(CASH, account=key[0], currency=key[1], events=str(events), table=str(table))
    stored_books = {
        symbol: BookState(symbol, currency, fees, proceeds, Phase(phase).name.lower(), trades, last, post_only)
        for symbol, currency, fees, proceeds, phase, trades, last, post_only in rows.fetch_all(_BOOKS)
    }
    for symbol in sorted(stored_books.keys() | state.books.keys()):
        told, stored = (msgspec.to_builtins(found.get(symbol)) for found in (state.books, stored_books))
        digest.add(events=canonical(told), tables=canonical(stored))
        if told != stored:
            findings.add(BOOKS, symbol=symbol, events=told, table=stored)
