"""What an account holds, as its holder looks at it: what runs out when, what rests in books, what is locked. Whole units."""

from datetime import datetime
from typing import Any

import msgspec

from exchange.selectors import named
from exchange.services.rules import DELIVERED
from rights.kernel import rows
from rights.kernel.clock import to_datetime

LIVE = "r.remaining_units > 0 AND r.status IN ('issued', 'active', 'frozen')"
_LOCKED = """CASE WHEN r.reserved_units = 0 THEN 0 ELSE
    coalesce((SELECT sum(l.units) FROM rights_unitlock l WHERE l.right_id = r.id AND l.released_at IS NULL), 0) END"""
# Gathered by number first, once for sums and list: what describes a series is looked up for those that are shown alone. The sums, by unit,
# have no end and stand before the list.
_HELD = f"""
WITH mine AS (
    SELECT r.id, r.status, r.series_id, s.compute_class_id AS class_id, r.remaining_units AS units, r.reserved_units AS reserved,
           {_LOCKED} AS locked, r.ends_at
    FROM rights_right r JOIN rights_series s ON s.id = r.series_id WHERE r.holder_id = %(account)s AND {LIVE} AND r.ends_at > %(now)s),
gathered AS MATERIALIZED (
    SELECT m.series_id, m.class_id, m.ends_at, count(*) AS rights, min(m.id::text) AS one, sum(m.units)::bigint AS units,
           sum(m.reserved - m.locked)::bigint AS resting, sum(m.locked)::bigint AS locked,
           coalesce(sum(m.units) FILTER (WHERE m.status <> 'active'), 0)::bigint AS idle
    FROM mine m GROUP BY m.ends_at, m.series_id, m.class_id),
listed AS (
    SELECT g.* FROM gathered g WHERE (%(until)s::timestamptz IS NULL OR g.ends_at <= %(until)s)
      AND (g.ends_at, g.series_id) > (%(after_at)s::timestamptz, %(after_series)s) ORDER BY g.ends_at, g.series_id LIMIT %(limit)s)
SELECT NULL::bigint AS series_id, NULL::text, NULL::text, c.unit::text AS unit, NULL::timestamptz, NULL::timestamptz, NULL::timestamptz AS ends_at,
       sum(g.rights)::bigint, NULL::text, sum(g.units)::bigint, sum(g.resting)::bigint, sum(g.locked)::bigint,
       coalesce(sum(g.units) FILTER (WHERE g.ends_at <= %(soon)s), 0)::bigint
FROM gathered g JOIN rights_computeclass c ON c.id = g.class_id GROUP BY c.unit
UNION ALL
SELECT g.series_id, c.key, c.dimensions::text, c.unit, s.window_start, s.window_end, g.ends_at, g.rights, g.one, g.units, g.resting, g.locked, g.idle
FROM listed g JOIN rights_series s ON s.id = g.series_id JOIN rights_computeclass c ON c.id = g.class_id
ORDER BY ends_at NULLS FIRST, series_id, unit
"""
_ASKS = """
SELECT o.id::text, i.symbol, i.tick_minor, i.price_decimals, cur.scale, cur.code, c.unit, o.price_ticks, o.remaining_lots, i.lot_size,
       o.slice_rights::text[], o.slice_units, o.valid_until
FROM exchange_order o JOIN exchange_instrument i ON i.id = o.book_id JOIN settlement_asset cur ON cur.id = i.currency_id
JOIN rights_series s ON s.id = i.series_id JOIN rights_computeclass c ON c.id = s.compute_class_id
WHERE o.account_id = %(account)s AND o.is_open AND o.side = 1 AND (%(right)s::uuid IS NULL OR %(right)s::uuid = ANY(o.slice_rights))
ORDER BY o.id DESC LIMIT %(limit)s
"""
_LOCKS = f"""
SELECT l.id, l.kind, l.ref, l.units, l.created_at, r.id::text, c.key, c.unit, p.label, p.type
FROM rights_right r JOIN rights_unitlock l ON l.right_id = r.id AND l.released_at IS NULL
JOIN rights_series s ON s.id = r.series_id JOIN rights_computeclass c ON c.id = s.compute_class_id
LEFT JOIN rights_package p ON l.ref = 'pkg_' || p.uuid::text AND p.holder_id = r.holder_id
WHERE r.holder_id = %(account)s AND {LIVE} AND r.reserved_units > 0 AND (%(right)s::uuid IS NULL OR r.id = %(right)s::uuid)
  AND (%(before)s::bigint IS NULL OR l.id < %(before)s)
ORDER BY l.id DESC LIMIT %(limit)s
"""
_CLASSES = """
SELECT DISTINCT c.key FROM (SELECT DISTINCT series_id FROM rights_right WHERE holder_id = %s) mine
JOIN rights_series s ON s.id = mine.series_id JOIN rights_computeclass c ON c.id = s.compute_class_id ORDER BY c.key
"""
_BOOKS = f"""
SELECT d.series_id, i.symbol FROM {DELIVERED} d JOIN exchange_instrument i ON i.id = d.instrument_id
JOIN exchange_book b ON b.instrument_id = i.id
WHERE d.series_id = ANY(%s::bigint[]) AND b.phase <> 3 ORDER BY i.series_id = d.series_id, i.symbol DESC
"""
BEGINNING = (to_datetime(0), 0)


class Sum(msgspec.Struct, frozen=True):
    """All live rights that count in one unit. `resting`: in asks; `soon`: what ends by the moment that was asked for."""

    unit: str
    rights: int
    units: int
    resting: int
    locked: int
    soon: int


class Stake(msgspec.Struct, frozen=True):
    """Rights of one series that end at one moment. `idle`: units of those that are not active; `right`: one of them, by UUID."""

    series_id: int
    class_key: str
    dimensions: dict[str, Any]
    unit: str
    window_start: datetime
    window_end: datetime
    ends_at: datetime
    rights: int
    right: str
    units: int
    resting: int
    locked: int
    idle: int

    @property
    def free(self) -> int:
        """Neither in an ask nor locked."""
        return self.units - self.resting - self.locked


class Ask(msgspec.Struct, frozen=True):
    """An open ask with what it has reserved: (right's UUID, units) in order of delivery."""

    order: str
    symbol: str
    tick_minor: int
    price_decimals: int
    scale: int
    currency: str
    unit: str
    price_ticks: int
    lots: int
    lot_size: int
    slices: tuple[tuple[str, int], ...]
    valid_until: datetime | None

    @property
    def units(self) -> int:
        return self.lots * self.lot_size


class UnitsLocked(msgspec.Struct, frozen=True):
    """Units of a right that only `ref` may use or release; `label` and `package_type` when that is a package."""

    id: int
    kind: str
    ref: str
    units: int
    since: datetime
    right: str
    class_key: str
    unit: str
    label: str | None
    package_type: str | None


def held(
    *, account_id: int, now_us: int, soon_us: int, until_us: int | None, limit: int, after: tuple[datetime, int] = BEGINNING
) -> tuple[list[Sum], list[Stake]]:
    """All by unit, for units of different kinds don't add up; and what ends by `until_us` (None: ever), soonest first, at most `limit` + 1,
    where `after` is the (end, series) of the last one seen.
    """
    values = {
        "account": account_id,
        "now": to_datetime(now_us),
        "soon": to_datetime(soon_us),
        "until": None if until_us is None else to_datetime(until_us),
        "after_at": after[0],
        "after_series": after[1],
        "limit": limit + 1,
    }
    found = named.fetch_all(_HELD, values)
    sums = [Sum(row[3], row[7], *row[9:]) for row in found if row[0] is None]
    return sums, [Stake(row[0], row[1], msgspec.json.decode(row[2]), *row[3:]) for row in found if row[0] is not None]


def asks(*, account_id: int, limit: int, right: str | None = None) -> list[Ask]:
    """Open asks, newest first, at most `limit` + 1; only those that reserve `right` when it is given."""
    found = named.fetch_all(_ASKS, {"account": account_id, "right": right, "limit": limit + 1})
    return [Ask(*[*row[:10], tuple(zip(row[10], row[11], strict=True)), row[12]]) for row in found]


def locks(*, account_id: int, limit: int, right: str | None = None, before: int | None = None) -> list[UnitsLocked]:
    """What is locked, newest first, at most `limit` + 1; `before` is the id of the last one seen."""
    values = {"account": account_id, "right": right, "before": before, "limit": limit + 1}
    return [UnitsLocked(*row) for row in named.fetch_all(_LOCKS, values)]


def classes(*, account_id: int) -> list[str]:
    """The keys of every class of which the account has or had rights in its hands."""
    return [row[0] for row in rows.fetch_all(_CLASSES, [account_id])]


def books(series_ids: list[int]) -> dict[int, str]:
    """The market where rights of each series can be sold now, their own before one that takes them as at least as good."""
    return dict(rows.fetch_all(_BOOKS, [rows.array(set(series_ids))]))
