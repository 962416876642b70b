"""What became of requests against an issuer's rights: counts and rates with the size of the sample (SPEC §1, §9).

Read from what was counted as settlements became final (settlement/services/tally.py): an index's part that begins with the issuer, never
routes or settlements. Disputes are few beside requests, and begun from.
"""

from collections.abc import Iterable
from typing import Any

from exchange.selectors.asking_issuers import asking_issuers
from rights.kernel import rows
from settlement.domain.record import WHOLE_BPS, Expected, Record, Tally, lower_bps, pooled
from settlement.domain.settlement_states import Outcome

MOST_WINDOWS = 100
DISPUTE_STATES = ("open", "rejected", "upheld", "reclassified")
_SUMS = "sum(t.requests)::bigint, sum(t.used_units), sum(t.reserved_units)"
_CLASSES = f"""
SELECT c.key, t.outcome, {_SUMS} FROM settlement_outcometally t JOIN rights_computeclass c ON c.id = t.compute_class_id
WHERE t.issuer_id = %s AND (%s::text IS NULL OR c.key = %s) GROUP BY 1, 2 ORDER BY 1, 2
"""
_WINDOWS = f"""
WITH latest AS (
    SELECT DISTINCT c.key, s.window_start, s.window_end FROM settlement_outcometally t JOIN rights_series s ON s.id = t.series_id
    JOIN rights_computeclass c ON c.id = t.compute_class_id WHERE t.issuer_id = %s AND (%s::text IS NULL OR c.key = %s)
    ORDER BY s.window_start DESC, c.key, s.window_end LIMIT {MOST_WINDOWS})
SELECT c.key, s.window_start, s.window_end, t.outcome, {_SUMS} FROM settlement_outcometally t JOIN rights_series s ON s.id = t.series_id
JOIN rights_computeclass c ON c.id = t.compute_class_id JOIN latest USING (key, window_start, window_end)
WHERE t.issuer_id = %s GROUP BY 1, 2, 3, 4 ORDER BY 2 DESC, 1, 3
"""
_DISPUTES = """
SELECT d.state, count(*) FROM settlement_dispute d JOIN settlement_settlement t ON t.id = d.settlement_id WHERE EXISTS (
    SELECT 1 FROM settlement_route q JOIN rights_right r ON r.id = q.right_id JOIN rights_series s ON s.id = r.series_id
    JOIN rights_computeclass c ON c.id = s.compute_class_id WHERE q.request_id = t.request_id AND q.state = 'completed'
      AND r.issuer_id = %s AND (%s::text IS NULL OR c.key = %s)) GROUP BY 1
"""
_FROZEN = """
SELECT r.freeze_reason, count(*) FROM rights_right r JOIN rights_series s ON s.id = r.series_id
JOIN rights_computeclass c ON c.id = s.compute_class_id WHERE r.issuer_id = %s AND r.status = 'frozen' AND (%s::text IS NULL OR c.key = %s)
GROUP BY 1 ORDER BY 1
"""
# The whole record of issuers in a class of rights, by book.
_OF_BOOKS = f"""
SELECT a.book_id, t.outcome, {_SUMS} FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS a(book_id, issuer_id, compute_class_id)
JOIN settlement_outcometally t ON (t.issuer_id, t.compute_class_id) = (a.issuer_id, a.compute_class_id) GROUP BY 1, 2
"""
_BEHIND_RIGHTS = f"""
SELECT 0, t.outcome, {_SUMS} FROM (
    SELECT DISTINCT r.issuer_id, s.compute_class_id FROM rights_right r JOIN rights_series s ON s.id = r.series_id
    WHERE r.id = ANY(%s::uuid[])) a
JOIN settlement_outcometally t ON (t.issuer_id, t.compute_class_id) = (a.issuer_id, a.compute_class_id) GROUP BY 1, 2
"""


def issuer_outcomes(*, issuer_id: int, slug: str, class_key: str | None) -> dict[str, Any]:
    """All outcomes, those of each class, and those of the latest windows; disputes; rights that are frozen now."""
    asked = [issuer_id, class_key, class_key]
    classes = _records((row[0], row[1:]) for row in rows.fetch_all(_CLASSES, asked))
    windows = _records((row[:3], row[3:]) for row in rows.fetch_all(_WINDOWS, [*asked, issuer_id]))
    disputes, frozen = dict(rows.fetch_all(_DISPUTES, asked)), dict(rows.fetch_all(_FROZEN, asked))
    return {
        "issuer_id": slug,
        **record_document(pooled(list(classes.values()))),  # its classes may count in different units
        "disputes": {"opened": sum(disputes.values()), **{state: disputes.get(state, 0) for state in DISPUTE_STATES}},
        "frozen_rights": {"count": sum(frozen.values()), "reasons": frozen},
        "classes": [{"class": key, **_with_units(record)} for key, record in classes.items()],
        "windows": [
            {"class": key, "window": {"start": _text(start), "end": _text(end)}, **_with_units(record)}
            for (key, start, end), record in windows.items()
        ],
    }


def behind_asks(book_ids: Iterable[int]) -> dict[int, Expected]:
    """What may be expected of the issuers whose rights the open asks of each book would deliver; books without a record are left out."""
    behind = [(book, *pair) for book, pairs in asking_issuers(book_ids).items() for pair in sorted(pairs)]
    found = rows.fetch_all(_OF_BOOKS, [[row[part] for row in behind] for part in range(3)]) if behind else []
    return {book: record.expected for book, record in _records((row[0], row[1:]) for row in found).items()}


def behind_rights(right_ids: Iterable[str]) -> Expected:
    """What may be expected of the issuers of these rights."""
    found = rows.fetch_all(_BEHIND_RIGHTS, [rows.array(right_ids)])
    return pooled(list(_records((row[0], row[1:]) for row in found).values())).expected


def expected_document(found: Expected) -> dict[str, Any]:
    """As instruments, previews and records say it."""
    return {
        "expected_delivery_bps": found.bps,
        "expected_delivery_lower_bps": found.lower_bps,
        "expected_delivery_sample": found.sample,
    }


def record_document(record: Record) -> dict[str, Any]:
    """Counts, and rates with their lower bounds, as the wire has them."""
    size = record.sample
    counts = {str(outcome): record.of(outcome).requests for outcome in Outcome}
    return {
        "sample_size": size,
        "counts": counts,
        "rates_bps": {name: count * WHOLE_BPS // size if size else None for name, count in counts.items()},
        "rates_lower_bps": {name: lower_bps(count * WHOLE_BPS, size) if size else None for name, count in counts.items()},
        **expected_document(record.expected),
    }


def _with_units(record: Record) -> dict[str, Any]:
    """Of one class, whose rights all count in one unit."""
    units = {"used_units": str(record.used_units), "reserved_units": str(record.reserved_units)}
    return {**record_document(record), **units}


def _records(found: Iterable[tuple[Any, tuple[Any, ...]]]) -> dict[Any, Record]:
    """Records by key, in the order they come; each row behind its key is (outcome, requests, used, reserved)."""
    tallies: dict[Any, dict[str, Tally]] = {}
    for key, (outcome, requests, used, reserved) in found:
        tallies.setdefault(key, {})[outcome] = Tally(requests, int(used), int(reserved))
    return {key: Record(by_outcome) for key, by_outcome in tallies.items()}


def _text(moment: Any) -> str:
    return str(moment.strftime("%Y-%m-%dT%H:%M:%SZ"))
