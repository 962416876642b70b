"""How many units of active rights each instrument delivers, without adding them up for every page that says so.

Whatever changes a right's units, status or series appends to that series' stream in the same transaction (SPEC §10), and no two states of
a stream have the same head. So a sum that was made under a head holds for as long as the head does, in this process and for ever.
"""

from collections.abc import Iterable

from exchange.services.rules import DELIVERED
from rights.kernel import rows

MOST = 100_000  # series that are remembered
_Sum = tuple[str, int]  # the head of the series' stream, and the units it had then
_sums: dict[int, _Sum] = {}

_HEADS = f"""
SELECT d.instrument_id, s.id, t.last_hash FROM {DELIVERED} d JOIN rights_series s ON s.id = d.series_id
JOIN rights_stream t ON t.id = s.stream_id WHERE d.instrument_id = ANY(%s::bigint[])
"""
# Head and sum in one statement, so that both are of one moment.
_SUMS = """
SELECT s.id, t.last_hash, supply.units FROM rights_series s JOIN rights_stream t ON t.id = s.stream_id CROSS JOIN LATERAL (
    SELECT coalesce(sum(r.remaining_units), 0)::bigint AS units FROM rights_right r WHERE r.series_id = s.id AND r.status = 'active') supply
WHERE s.id = ANY(%s::bigint[])
"""


def deliverable_units(instrument_ids: Iterable[int]) -> dict[int, int]:
    """Units of active rights, by instrument; under dominance those of other series count as well."""
    wanted = rows.array(instrument_ids)
    heads = rows.fetch_all(_HEADS, [wanted])
    found = {series: _sums.get(series, ("", 0)) for _, series, _ in heads}
    moved = {series for _, series, head in heads if found[series][0] != head}
    if moved:
        fresh = {series: (head, units) for series, head, units in rows.fetch_all(_SUMS, [rows.array(sorted(moved))])}
        if len(_sums) > MOST:
            _sums.clear()
        _sums.update(fresh)
        found |= fresh
    units: dict[int, int] = {}
    for instrument, series, _ in heads:
        units[instrument] = units.get(instrument, 0) + found[series][1]
    return units
