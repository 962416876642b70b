"""What a disclosure sheet counts beside its versions: units by terms, what is issued under each assurance, how units ended.

Issuing and ending change these from one moment to the next, so they are no part of a version; whoever shows a sheet shows them as they are.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from rights.kernel import rows
from rights.selectors.supply import LEFT_OF

MOST_TERMS = 200
_OUTCOMES = ("consumed", "expired", "burned")
_TERMS = """
SELECT r.terms_hash, i.slug, sum(r.remaining_units)::text FROM rights_right r JOIN rights_issuer i ON i.id = r.issuer_id
WHERE r.series_id = ANY(%s::bigint[]) AND r.status IN ('issued', 'active', 'frozen') AND r.remaining_units > 0 GROUP BY 1, 2 ORDER BY 1, 2
"""
_ASSURANCES = f"""
SELECT DISTINCT 'ast_' || a.uuid, a.issued_units::text, ({LEFT_OF})::text FROM rights_series s JOIN rights_assurance a
  ON (a.compute_class_id, a.window_start, a.window_end) = (s.compute_class_id, s.window_start, s.window_end)
WHERE s.id = ANY(%s::bigint[]) AND a.issued_units > 0 ORDER BY 1
"""
_ENDED = """
SELECT h.code, sum(b.amount)::text FROM rights_right r JOIN settlement_asset a ON a.root_right = r.id
JOIN settlement_balance b ON b.asset_id = a.id JOIN rights_account h ON h.id = b.account_id
WHERE r.series_id = ANY(%s::bigint[]) AND r.parent_id IS NULL AND h.code IN ('units:consumed', 'units:expired', 'units:burned') GROUP BY 1
"""
_HEADS = """
SELECT s.id, t.last_hash FROM rights_series s JOIN rights_stream t ON t.id = s.stream_id WHERE s.id = ANY(%s::bigint[]) ORDER BY s.id
"""
MOST = 1000  # sheets whose sums are remembered


class _Sums(msgspec.Struct, frozen=True):
    """Added up from every right of a sheet; holds as long as the heads of its series' streams, like deliverable_units.py."""

    terms: list[tuple[str, str, str]]
    ended: dict[str, str]


_sums: dict[tuple[tuple[int, str], ...], _Sums] = {}


def counts_of(series_ids: Iterable[int]) -> dict[str, Any]:
    """The counts of a sheet that tells of these series, as they are now."""
    ids = rows.array(series_ids)
    sums = _sums_of(ids)
    return {
        "supply": {"units": str(sum(int(units) for _, _, units in sums.terms))},
        "terms": [{"terms_hash": terms, "issuer": issuer, "units": units} for terms, issuer, units in sums.terms[:MOST_TERMS]],
        "terms_left_out": max(0, len(sums.terms) - MOST_TERMS),
        "assurances": [
            {"id": name, "issued_units": issued, "headroom_units": left} for name, issued, left in rows.fetch_all(_ASSURANCES, [ids])
        ],
        "outcomes": {name: sums.ended.get(f"units:{name}", "0") for name in _OUTCOMES},
    }


def _sums_of(ids: str) -> _Sums:
    heads = tuple((series, head) for series, head in rows.fetch_all(_HEADS, [ids]))
    found = _sums.get(heads)
    if found is None:
        found = _Sums(terms=[(row[0], row[1], row[2]) for row in rows.fetch_all(_TERMS, [ids])], ended=dict(rows.fetch_all(_ENDED, [ids])))
        if len(_sums) >= MOST:
            _sums.clear()
        _sums[heads] = found
    return found
