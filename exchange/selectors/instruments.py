"""Classes and instruments as anybody may see them."""

from typing import Any

import msgspec
import orjson

from exchange.selectors import named
from exchange.selectors.backing import BACKING, HEADROOM, WEAK_MOSTLY
from exchange.selectors.deliverable_units import deliverable_units
from exchange.selectors.named import moment
from exchange.selectors.outcomes import behind_asks
from rights.kernel import rows
from rights.kernel.clock import rfc3339
from settlement.domain.record import NOTHING_EXPECTED, Expected


class ClassRow(msgspec.Struct, frozen=True):
    """One compute class."""

    key: str
    fingerprint: str
    dimensions: dict[str, Any]
    unit: str
    lot_size: int


class InstrumentRow(msgspec.Struct, frozen=True):
    """An instrument with its book's present state; ticks, lots, minor units, microseconds."""

    symbol: str
    compute_class: ClassRow
    lot_size: int
    currency: str
    scale: int
    tick_minor: int
    price_decimals: int
    min_lots: int
    max_lots: int
    collar_low: int
    collar_high: int
    maker_bps: int
    taker_bps: int
    position_limit: int | None
    reference_ticks: int | None
    opens_us: int
    gate_us: int
    window_start_us: int
    window_end_us: int
    window_mode: str
    phase: int
    seq: int
    last_ticks: int | None
    backing: str
    phase_reason: str | None
    post_only: bool
    post_only_reason: str | None
    delivery_rule: str
    proceeds_escrow: str
    headroom_units: int
    sheet_version: int | None
    sheet_hash: str | None
    sheet_is_stale: bool
    deliverable_units: int
    expected: Expected  # of the issuers behind its asks


_CLASS = "c.key, c.fingerprint, c.dimensions::text, c.unit, c.lot_size"
_INSTRUMENTS = f"""
SELECT i.id, i.symbol, {_CLASS}, i.lot_size, cur.code, cur.scale, i.tick_minor, i.price_decimals, i.min_quantity_lots, i.max_quantity_lots,
       i.collar_low_ticks, i.collar_high_ticks, i.maker_bps, i.taker_bps, i.position_limit_lots, i.reference_price_ticks,
       {moment("i.opens_at")}, {moment("i.gate_closes_at")}, {moment("s.window_start")}, {moment("s.window_end")},
       s.window_mode, b.phase, b.seq, b.last_price_ticks, coalesce(backing.state, 'sound'),
       change.reason, b.post_only, kept_out.reason, i.delivery_rule, i.proceeds_escrow, headroom.units, sheet.version, sheet.hash, b.post_only OR ({WEAK_MOSTLY})
FROM exchange_instrument i JOIN exchange_book b ON b.instrument_id = i.id JOIN settlement_asset cur ON cur.id = i.currency_id
JOIN rights_series s ON s.id = i.series_id JOIN rights_computeclass c ON c.id = s.compute_class_id
CROSS JOIN LATERAL ({BACKING}) backing
CROSS JOIN LATERAL ({HEADROOM}) headroom
LEFT JOIN LATERAL (
    SELECT e.body::jsonb #>> '{{payload,reason}}' AS reason FROM rights_event e
    WHERE e.object_id = i.symbol AND e.type = 'instrument.phase_changed' ORDER BY e.stream_id, e.seq DESC LIMIT 1
) change ON true
LEFT JOIN LATERAL (
    SELECT e.body::jsonb #>> '{{payload,reason}}' AS reason FROM rights_event e
    WHERE b.post_only AND e.object_id = i.symbol AND e.type = 'instrument.post_only_changed' ORDER BY e.stream_id, e.seq DESC LIMIT 1
) kept_out ON true
LEFT JOIN LATERAL (
    SELECT x.version, x.hash FROM exchange_disclosuresheet x WHERE x.instrument_id = i.id ORDER BY x.version DESC LIMIT 1
) sheet ON true
"""
_FILTERS = """
WHERE i.symbol > %(after)s AND (%(class)s::text IS NULL OR c.key = %(class)s) AND CASE WHEN %(phase)s::int IS NULL THEN i.delisted_at IS NULL ELSE b.phase = %(phase)s END
  AND (%(from)s::timestamptz IS NULL OR s.window_end > %(from)s) AND (%(to)s::timestamptz IS NULL OR s.window_start < %(to)s)
ORDER BY i.symbol LIMIT %(limit)s
"""


def _instruments(found: list[tuple[Any, ...]]) -> list[InstrumentRow]:
    units = deliverable_units(row[0] for row in found)
    expected = behind_asks(row[0] for row in found)
    return [_instrument((*row[1:], units[row[0]], expected.get(row[0], NOTHING_EXPECTED))) for row in found]


def _instrument(row: tuple[Any, ...]) -> InstrumentRow:
    return InstrumentRow(row[0], _class(row[1:6]), *row[6:])


def _class(row: tuple[Any, ...]) -> ClassRow:
    key, fingerprint, dimensions, unit, lot_size = row
    return ClassRow(key, fingerprint, orjson.loads(dimensions), unit, lot_size)


def instruments(
    *,
    now_us: int,
    limit: int,
    after: str = "",
    class_key: str | None = None,
    phase: int | None = None,
    from_us: int | None = None,
    to_us: int | None = None,
) -> list[InstrumentRow]:
    """Instruments by symbol, at most `limit` + 1; windows that overlap [from, to). Those that left the list only when their phase is asked for."""
    values = {
        "now": rfc3339(now_us),
        "after": after,
        "class": class_key,
        "phase": phase,
        "from": None if from_us is None else rfc3339(from_us),
        "to": None if to_us is None else rfc3339(to_us),
        "limit": limit + 1,
    }
    return _instruments(named.fetch_all(_INSTRUMENTS + _FILTERS, values))


def instrument(*, symbol: str, now_us: int) -> InstrumentRow | None:
    found = named.fetch_all(_INSTRUMENTS + "WHERE i.symbol = %(symbol)s", {"now": rfc3339(now_us), "symbol": symbol})
    return next(iter(_instruments(found)), None)


def classes(*, limit: int, after: str = "") -> list[ClassRow]:
    """Classes by key, at most `limit` + 1."""
    sql = f"SELECT {_CLASS} FROM rights_computeclass c WHERE c.key > %s ORDER BY c.key LIMIT %s"
    return [_class(row) for row in rows.fetch_all(sql, [after, limit + 1])]


def class_named(key: str) -> ClassRow | None:
    found = rows.fetch_one(f"SELECT {_CLASS} FROM rights_computeclass c WHERE c.key = %s", [key])
    return _class(found) if found else None
