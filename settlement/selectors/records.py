"""The record of the issuers of rights, each in its right's class (settlement/domain/record.py). An index's part per issuer and class."""

from collections.abc import Iterable

from rights.kernel import rows
from settlement.domain.record import Record, Tally

_OF_RIGHTS = """
SELECT r.id::text, t.outcome, sum(t.requests)::bigint, sum(t.used_units), sum(t.reserved_units)
FROM rights_right r JOIN rights_series s ON s.id = r.series_id
JOIN settlement_outcometally t ON (t.issuer_id, t.compute_class_id) = (r.issuer_id, s.compute_class_id)
WHERE r.id = ANY(%s::uuid[]) GROUP BY 1, 2
"""


def records_of_rights(right_ids: Iterable[str]) -> dict[str, Record]:
    """By right (bare UUID); those whose issuer has none in their class are left out."""
    tallies: dict[str, dict[str, Tally]] = {}
    for right, outcome, requests, used, reserved in rows.fetch_all(_OF_RIGHTS, [rows.array(right_ids)]):
        tallies.setdefault(right, {})[outcome] = Tally(requests, int(used), int(reserved))
    return {right: Record(by_outcome) for right, by_outcome in tallies.items()}
