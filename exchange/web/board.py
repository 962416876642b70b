"""The board of all markets as one read: what a visitor sees before (or without) the live channels."""

from datetime import datetime
from typing import Any

import msgspec

from exchange.domain.amounts import fixed_text
from exchange.domain.command import Phase
from exchange.selectors import named
from exchange.selectors.backing import BACKING
from exchange.selectors.deliverable_units import deliverable_units
from rights.kernel import rows
from rights.kernel.clock import to_datetime

PHASES = [phase.name.lower() for phase in Phase]

_SELECT = f"""
SELECT i.id, i.symbol, c.key, c.unit, c.dimensions::text, i.lot_size, cur.code, cur.scale, i.tick_minor, i.price_decimals, b.phase,
       s.window_start, s.window_end, i.opens_at, i.gate_closes_at, b.last_price_ticks, i.reference_price_ticks,
       resting.bid, resting.ask, coalesce(day.lots, 0), coalesce(backing.state, 'sound')
FROM exchange_instrument i
JOIN exchange_book b ON b.instrument_id = i.id
JOIN rights_series s ON s.id = i.series_id
JOIN rights_computeclass c ON c.id = s.compute_class_id
JOIN settlement_asset cur ON cur.id = i.currency_id
LEFT JOIN LATERAL (
    SELECT max(price_ticks) FILTER (WHERE side = 0) AS bid, min(price_ticks) FILTER (WHERE side = 1) AS ask
    FROM exchange_order WHERE book_id = i.id AND is_open
) resting ON true
LEFT JOIN LATERAL (
    SELECT sum(quantity_lots) AS lots FROM exchange_trade
    WHERE book_id = i.id AND trade_no >= first_trade_since(i.id, %(day_ago)s, b.trade_count)
) day ON true
CROSS JOIN LATERAL ({BACKING}) backing
"""
_ORDER = " ORDER BY b.phase = 3, c.key, s.window_start, i.symbol LIMIT %(limit)s"


class Row(msgspec.Struct, frozen=True):
    """One instrument on the board; amounts are texts as the API writes them, None where there is none."""

    symbol: str
    class_key: str
    unit: str
    words: str
    lot_size: int
    currency: str
    phase: str
    window_start: datetime
    window_end: datetime
    opens_at: datetime
    gate_closes_at: datetime
    last_price: str | None
    reference_price: str | None
    best_bid: str | None
    best_ask: str | None
    volume_lots: int
    deliverable_lots: int
    backing: str

    @property
    def lot_text(self) -> str:
        return f"1 lot = {self.lot_size:,} {self.unit if self.lot_size > 1 else self.unit.removesuffix('s')}"

    @property
    def volume_text(self) -> str:
        return f"{self.volume_lots:,}"

    @property
    def deliverable_text(self) -> str:
        return f"{self.deliverable_lots:,}"

    @property
    def length_text(self) -> str:
        """The window's length as people say it: "1 h", "24 h", "7 d"."""
        minutes = int((self.window_end - self.window_start).total_seconds()) // 60
        if minutes % 60:
            return f"{minutes} min"
        return f"{minutes // 60} h" if minutes <= 48 * 60 else f"{minutes / 1440:g} d"


_RESOURCES = {"gpu_time": "GPU time", "agent_runtime": "agent runtime"}
_BANDS = ("service.quality_band", "service.latency_class", "service.privacy_class")


def class_words(dimensions: dict[str, Any]) -> str:
    """A class in the words a trader would say: "Text inference (chat) · standard · interactive · private"."""
    kind = str(dimensions.get("resource.type", ""))
    name = _RESOURCES.get(kind, kind.replace("_", " "))
    models = [model for model in dimensions.get("resource.model_class", ()) if model not in name]
    resource = f"{name[:1].upper()}{name[1:]}" + (f" ({', '.join(models)})" if models else "")
    tags = ", ".join(dimensions.get("resource.capability_tags", ()))
    return " · ".join(str(word) for word in (resource, *(dimensions.get(band) for band in _BANDS), tags) if word)


def _rows(found: list[tuple[Any, ...]]) -> list[Row]:
    units = deliverable_units(row[0] for row in found)
    return [_row(row[1:], units[row[0]]) for row in found]


def _row(found: tuple[Any, ...], units: int) -> Row:
    symbol, key, unit, dimensions, lot_size, currency, scale, tick, decimals, phase = found[:10]
    start, end, opens, gate = found[10:14]
    last, reference, bid, ask = (None if t is None else fixed_text(t * tick, scale, decimals) for t in found[14:18])
    words = class_words(msgspec.json.decode(dimensions))
    return Row(
        symbol=symbol,
        class_key=key,
        unit=unit,
        words=words,
        lot_size=lot_size,
        currency=currency,
        phase=PHASES[phase],
        window_start=start,
        window_end=end,
        opens_at=opens,
        gate_closes_at=gate,
        last_price=last,
        reference_price=reference,
        best_bid=bid,
        best_ask=ask,
        volume_lots=int(found[18]),
        deliverable_lots=units // lot_size,
        backing=str(found[19]),
    )


def _moments(now_us: int) -> dict[str, Any]:
    return {"now": to_datetime(now_us), "day_ago": to_datetime(now_us - 86_400_000_000)}


def board(*, now_us: int, class_key: str = "", text: str = "", closed: bool = False, limit: int = 500) -> list[Row]:
    """Instruments by class and window, narrowed by class and by words of the symbol; closed ones only when asked for."""
    where, params = ["true"], _moments(now_us) | {"limit": limit}
    if class_key:
        where.append("c.key = %(class_key)s")
        params["class_key"] = class_key
    if not closed:
        where.append("b.phase <> 3")
    for number, word in enumerate(text.split()[:5]):
        where.append(f"strpos(upper(i.symbol || ' ' || c.dimensions::text), upper(%(word{number})s)) > 0")
        params[f"word{number}"] = word
    return _rows(named.fetch_all(_SELECT + " WHERE " + " AND ".join(where) + _ORDER, params))


def instrument(*, symbol: str, now_us: int) -> Row | None:
    """One instrument's row of the board."""
    params = _moments(now_us) | {"limit": 1, "symbol": symbol}
    return next(iter(_rows(named.fetch_all(_SELECT + " WHERE i.symbol = %(symbol)s" + _ORDER, params))), None)


def neighbours(row: Row) -> tuple[tuple[str, datetime] | None, tuple[str, datetime] | None]:
    """The markets of the same class in the window before and the window after, where they are still open: (symbol, window start)."""
    sql = """SELECT i.symbol, s.window_start FROM exchange_instrument i JOIN exchange_book b ON b.instrument_id = i.id
             JOIN rights_series s ON s.id = i.series_id JOIN rights_computeclass c ON c.id = s.compute_class_id
             WHERE c.key = %s AND b.phase <> 3 AND (s.window_start, i.symbol) {} (%s, %s) ORDER BY s.window_start {}, i.symbol {} LIMIT 1"""
    params = [row.class_key, row.window_start, row.symbol]
    before, after = (rows.fetch_one(sql.format(sign, way, way), params) for sign, way in (("<", "DESC"), (">", "ASC")))
    return (before[0], before[1]) if before else None, (after[0], after[1]) if after else None


def classes() -> list[tuple[str, str]]:
    """Every class that has an instrument: its key and its words."""
    sql = """SELECT DISTINCT c.key, c.dimensions::text FROM rights_computeclass c
             JOIN rights_series s ON s.compute_class_id = c.id JOIN exchange_instrument i ON i.series_id = s.id ORDER BY c.key"""
    return [(key, class_words(msgspec.json.decode(dimensions))) for key, dimensions in rows.fetch_all(sql)]
