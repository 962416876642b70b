"""What became of requests against an issuer's rights: counts and rates with the size of the sample (SPEC §1, §9)."""

from typing import Any

from rights.kernel import rows
from settlement.domain.settlement_states import Outcome

WHOLE_BPS = 10_000
# A request that no supplier took up counts when it ran out of time, not when its holder called it off.
_COUNTS = """
SELECT c.key, s.window_start, s.window_end, t.outcome, count(*) FROM (
    SELECT DISTINCT q.request_id, r.series_id, q.state FROM rights_right r JOIN settlement_route q ON q.right_id = r.id
    WHERE r.issuer_id = %s AND q.locked_at IS NOT NULL AND q.state IN ('completed', 'released')) x
JOIN settlement_settlement t ON t.request_id = x.request_id AND t.state = 'finalized' AND (x.state = 'completed' OR t.outcome = 'expired')
JOIN rights_series s ON s.id = x.series_id JOIN rights_computeclass c ON c.id = s.compute_class_id
WHERE %s::text IS NULL OR c.key = %s GROUP BY 1, 2, 3, 4 ORDER BY 2 DESC, 1, 3
"""
_DISPUTES = """
SELECT d.state, count(DISTINCT d.id) FROM rights_right r JOIN settlement_route q ON q.right_id = r.id AND q.state = 'completed'
JOIN settlement_settlement t ON t.request_id = q.request_id JOIN settlement_dispute d ON d.settlement_id = t.id
JOIN rights_series s ON s.id = r.series_id JOIN rights_computeclass c ON c.id = s.compute_class_id
WHERE r.issuer_id = %s AND (%s::text IS NULL OR c.key = %s) GROUP BY 1
"""
MOST_WINDOWS = 100


def issuer_outcomes(*, issuer_id: int, slug: str, class_key: str | None) -> dict[str, Any]:
    """All outcomes, and those of the latest windows of each class."""
    total: dict[str, int] = {}
    windows: dict[tuple[Any, ...], dict[str, int]] = {}
    for key, start, end, outcome, count in rows.fetch_all(_COUNTS, [issuer_id, class_key, class_key]):
        total[outcome] = total.get(outcome, 0) + count
        windows.setdefault((key, start, end), {})[outcome] = count
    disputes = dict(rows.fetch_all(_DISPUTES, [issuer_id, class_key, class_key]))
    return {
        "issuer_id": slug,
        **_rates(total),
        "disputes": {"opened": sum(disputes.values()), **{s: disputes.get(s, 0) for s in ("open", "rejected", "upheld", "reclassified")}},
        "windows": [
            {"class": key, "window": {"start": _text(start), "end": _text(end)}, **_rates(counts)}
            for (key, start, end), counts in list(windows.items())[:MOST_WINDOWS]
        ],
    }


def _rates(counts: dict[str, int]) -> dict[str, Any]:
    size = sum(counts.values())
    found = {str(outcome): counts.get(outcome, 0) for outcome in Outcome}
    rates = {name: None if not size else count * WHOLE_BPS // size for name, count in found.items()}
    return {"sample_size": size, "counts": found, "rates_bps": rates}


def _text(moment: Any) -> str:
    return str(moment.strftime("%Y-%m-%dT%H:%M:%SZ"))
