"""Count a settlement that has become final, for its issuers' record (settlement/domain/record.py)."""

from collections.abc import Sequence
from typing import NamedTuple

from rights.kernel import rows
from rights.kernel.trip import Answer, Trip
from settlement.domain.settlement_states import JUDGED, Outcome
from settlement.models import Settlement
from settlement.services.slices import Slice

_COUNT = """
INSERT INTO settlement_outcometally AS t (issuer_id, compute_class_id, series_id, outcome, requests, used_units, reserved_units)
SELECT r.issuer_id, s.compute_class_id, r.series_id, x.outcome, count(DISTINCT x.request), sum(x.used), sum(x.reserved)
FROM unnest(%s::uuid[], %s::text[], %s::uuid[], %s::bigint[], %s::bigint[]) AS x(request, outcome, id, used, reserved)
JOIN rights_right r ON r.id = x.id JOIN rights_series s ON s.id = r.series_id JOIN rights_issuer i ON i.id = r.issuer_id
JOIN settlement_request q ON q.id = x.request
WHERE NOT EXISTS (SELECT 1 FROM rights_account a WHERE a.id IN (q.holder_id, q.account_id) AND a.participant_id = i.participant_id)
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
ON CONFLICT (issuer_id, compute_class_id, series_id, outcome) DO UPDATE SET requests = t.requests + excluded.requests,
    used_units = t.used_units + excluded.used_units, reserved_units = t.reserved_units + excluded.reserved_units
"""


class Final(NamedTuple):
    """A settlement that has become final; `ran`: it was executed."""

    settlement: Settlement
    slices: Sequence[Slice]
    ran: bool


def counts(settlement: Settlement, slices: Sequence[Slice], *, ran: bool) -> bool:
    """Whether it says anything of issuers: what was executed does, and what ran out of time; a lock that was let go does not, nor what failed
    for what was asked, unless a reviewer decided it.
    """
    if settlement.rule not in JUDGED and any(each.leg is not None and each.leg.is_callers for each in slices):
        return False
    return ran or settlement.outcome == Outcome.EXPIRED


def ask_counts(trip: Trip, finals: Sequence[Final]) -> Answer | None:
    """Add each once for every issuer and window of its rights, in the caller's transaction; an issuer's use of its own rights is no record.

    Locks: tallies, behind balances. None where there is nothing to count.
    """
    used = [
        (final.settlement.request_id, final.settlement.outcome, each.route.right_id, each.share.used, each.route.units)
        for final in finals
        if counts(final.settlement, final.slices, ran=final.ran)
        for each in final.slices
    ]
    return trip.ask(_COUNT, [*map(rows.array, zip(*used, strict=True))]) if used else None
