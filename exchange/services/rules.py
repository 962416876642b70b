"""What every room needs to know of a book and that never changes while it trades."""

import threading
from collections.abc import Iterable

import msgspec

from exchange.domain.amounts import decimal_text, fixed_text
from rights.domain.fungibility import EXACT
from rights.domain.window import ends_us
from rights.kernel import rows


class Rules(msgspec.Struct, frozen=True, gc=False):
    """One instrument's constants. Ticks, lots, units, minor units; moments in microseconds."""

    book_id: int
    symbol: str
    series_id: int
    class_key: str
    unit: str
    stream_id: int
    stream_code: str
    currency_id: int
    currency: str
    scale: int
    tick_minor: int
    price_decimals: int
    lot_size: int
    min_lots: int
    max_lots: int
    collar_low: int
    collar_high: int
    maker_bps: int
    taker_bps: int
    position_limit_lots: int | None
    opens_us: int
    gate_us: int
    window_start_us: int
    window_end_us: int
    fee_account_id: int
    proceeds_account_id: int | None
    lane: int
    delivery_rule: str
    window_mode: str
    period_s: int

    @property
    def is_exact(self) -> bool:
        """Whether only rights of the book's own series are delivered here."""
        return self.delivery_rule == EXACT

    @property
    def pays_at_once(self) -> bool:
        """Whether a seller has his proceeds with the fill; otherwise they wait until the units are final."""
        return self.proceeds_account_id is None

    @property
    def venue_accounts(self) -> frozenset[int | None]:
        """The venue's own accounts that a fill touches: nobody is told of them."""
        return frozenset({self.fee_account_id, self.proceeds_account_id})

    def right_ends_us(self, activated_us: int | None) -> int:
        """When a right of the book's own series ends."""
        return ends_us(mode=self.window_mode, window_end_us=self.window_end_us, period_s=self.period_s, activated_us=activated_us)

    def price_text(self, ticks: int) -> str:
        return fixed_text(ticks * self.tick_minor, self.scale, self.price_decimals)

    def money_text(self, minor: int) -> str:
        return decimal_text(minor, self.scale)


_US = "(extract(epoch from {}) * 1000000)::bigint"
_SELECT = f"""
SELECT i.id, i.symbol, i.series_id, c.key, c.unit, s.stream_id, st.code, i.currency_id, a.code, a.scale, i.tick_minor, i.price_decimals,
       i.lot_size, i.min_quantity_lots, i.max_quantity_lots, i.collar_low_ticks, i.collar_high_ticks, i.maker_bps, i.taker_bps,
       i.position_limit_lots, {_US.format("i.opens_at")}, {_US.format("i.gate_closes_at")}, {_US.format("s.window_start")},
       {_US.format("s.window_end")}, b.fee_account_id, b.proceeds_account_id, b.lane, i.delivery_rule, s.window_mode, s.epoch_size_s
FROM exchange_instrument i JOIN exchange_book b ON b.instrument_id = i.id JOIN rights_series s ON s.id = i.series_id
JOIN rights_computeclass c ON c.id = s.compute_class_id JOIN rights_stream st ON st.id = s.stream_id
JOIN settlement_asset a ON a.id = i.currency_id
"""

# Which series each instrument delivers: its own, and under dominance those registered as at least as good (services/deliverable.py).
DELIVERED = """(SELECT id AS instrument_id, series_id FROM exchange_instrument
    UNION ALL SELECT instrument_id, series_id FROM exchange_deliverable)"""

_by_book: dict[int, Rules] = {}
_by_symbol: dict[str, Rules] = {}
_lock = threading.Lock()


def _remember(found: list[tuple[object, ...]]) -> None:
    with _lock:
        for row in found:
            rules = Rules(*row)  # type: ignore[arg-type]
            _by_book[rules.book_id] = _by_symbol[rules.symbol] = rules


def rules_of(book_id: int) -> Rules:
    """The rules of a book; LookupError when there is none. Listed instruments never change, so memory is safe."""
    if book_id not in _by_book:
        _remember(rows.fetch_all(_SELECT + " WHERE i.id = %s", [book_id]))
    if book_id not in _by_book:
        raise LookupError(f"no book {book_id}")
    return _by_book[book_id]


def learn(book_ids: Iterable[int]) -> None:
    """Have `rules_of` answer from memory for all of these."""
    missing = [book_id for book_id in book_ids if book_id not in _by_book]
    if missing:
        _remember(rows.fetch_all(_SELECT + " WHERE i.id = ANY(%s::bigint[])", [rows.array(missing)]))


def rules_named(symbol: str) -> Rules | None:
    """The rules of the instrument called `symbol`, or None."""
    if symbol not in _by_symbol:
        _remember(rows.fetch_all(_SELECT + " WHERE i.symbol = %s", [symbol]))
    return _by_symbol.get(symbol)


def known(symbol: str) -> Rules | None:
    """The rules if this process has met the symbol already; never touches the database."""
    return _by_symbol.get(symbol)


def known_book(book_id: int) -> bool:
    """Whether `rules_of` would answer from memory."""
    return book_id in _by_book


def load_all() -> None:
    _remember(rows.fetch_all(_SELECT))


def forget() -> None:
    """For tests, which replace databases under a running process."""
    with _lock:
        _by_book.clear()
        _by_symbol.clear()
