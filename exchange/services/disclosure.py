"""The disclosure sheet of an instrument (SPEC §3): what a buyer may know before he trades, computed from what is there.

A sheet holds no moment of its own, so the same facts give the same sheet.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from rights.kernel import rows
from rights.kernel.clock import rfc3339, to_us
from rights.models import Series
from rights.selectors.supply import LEFT_OF

FORMAT = "synthference/sheet/v1"
MOST_TERMS = 200
_TERMS = """
SELECT w.terms_hash, w.issuer, w.units::text, t.transfer_policy::text
FROM (SELECT r.terms_hash, i.slug AS issuer, sum(r.remaining_units) AS units FROM rights_right r JOIN rights_issuer i ON i.id = r.issuer_id
      WHERE r.series_id = ANY(%s::bigint[]) AND r.status IN ('issued', 'active', 'frozen') AND r.remaining_units > 0 GROUP BY 1, 2) w
JOIN rights_terms t ON t.terms_hash = w.terms_hash ORDER BY 1, 2 LIMIT %s
"""
_ASSURANCES = f"""
SELECT DISTINCT 'ast_' || a.uuid, i.slug, a.mode, a.reference, a.gross_units::text, a.haircut_bps,
       floor(a.gross_units::numeric * (10000 - a.haircut_bps) / 10000)::bigint::text, a.overbook_bps, a.issued_units::text,
       ({LEFT_OF})::text, a.status, a.degradation_plan
FROM rights_series s JOIN rights_assurance a
  ON (a.compute_class_id, a.window_start, a.window_end) = (s.compute_class_id, s.window_start, s.window_end)
JOIN rights_issuer i ON i.id = a.issuer_id WHERE s.id = ANY(%s::bigint[]) AND a.issued_units > 0 ORDER BY 1
"""
_FIELDS = (
    "id", "issuer", "mode", "reference", "gross_units", "haircut_bps", "usable_units", "overbook_bps", "issued_units", "headroom_units",
    "status", "degradation_plan",
)  # fmt: skip


def sheet_of(*, series: Iterable[Series], delivery_rule: str, trading: Mapping[str, Any]) -> dict[str, Any]:
    """The sheet's content. `series`: the instrument's own first, then what else it delivers; units as texts."""
    found = list(series)
    own, ids = found[0], rows.array(s.pk for s in found)
    terms = rows.fetch_all(_TERMS, [ids, MOST_TERMS])
    return {
        "format": FORMAT,
        "class": {**_class(own), "dimensions": own.compute_class.dimensions},
        "window": _window(own),
        "trading": dict(trading),
        "delivery": {"rule": delivery_rule, "also": [{**_class(s), "window": _window(s)} for s in found[1:]]},
        "terms": [{"terms_hash": row[0], "issuer": row[1], "units": row[2], "transfer_policy": orjson.loads(row[3])} for row in terms],
        "assurances": [dict(zip(_FIELDS, row, strict=True)) for row in rows.fetch_all(_ASSURANCES, [ids])],
    }


def _class(series: Series) -> dict[str, Any]:
    kind = series.compute_class
    return {"key": kind.key, "fingerprint": kind.fingerprint, "unit": kind.unit, "lot_size": str(kind.lot_size)}


def _window(series: Series) -> dict[str, Any]:
    start, end = rfc3339(to_us(series.window_start)), rfc3339(to_us(series.window_end))
    return {"start": start, "end": end, "mode": series.window_mode, "period_s": series.epoch_size_s}
