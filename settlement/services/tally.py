"""Count a settlement that has become final, for its issuers' record (settlement/domain/record.py)."""

from collections.abc import Sequence

from rights.kernel import rows
from settlement.domain.settlement_states import JUDGED, Outcome
from settlement.models import Settlement
from settlement.services.slices import Slice

_COUNT = """
INSERT INTO settlement_outcometally AS t (issuer_id, compute_class_id, series_id, outcome, requests, used_units, reserved_units)
SELECT r.issuer_id, s.compute_class_id, r.series_id, %s, 1, sum(x.used), sum(x.reserved)
FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[]) AS x(id, used, reserved) JOIN rights_right r ON r.id = x.id
JOIN rights_series s ON s.id = r.series_id JOIN rights_issuer i ON i.id = r.issuer_id
WHERE NOT EXISTS (SELECT 1 FROM settlement_request q JOIN rights_account a ON a.id IN (q.holder_id, q.account_id)
    WHERE q.id = %s AND a.participant_id = i.participant_id) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
ON CONFLICT (issuer_id, compute_class_id, series_id, outcome) DO UPDATE SET requests = t.requests + 1,
    used_units = t.used_units + excluded.used_units, reserved_units = t.reserved_units + excluded.reserved_units
"""


def counts(settlement: Settlement, slices: Sequence[Slice], *, ran: bool) -> bool:
    """Whether it says anything of issuers: what was executed does, and what ran out of time; a lock that was let go does not, nor what failed
    for what was asked, unless a reviewer decided it.
    """
    if settlement.rule not in JUDGED and any(each.leg is not None and each.leg.is_callers for each in slices):
        return False
    return ran or settlement.outcome == Outcome.EXPIRED


def count_outcome(settlement: Settlement, slices: Sequence[Slice], *, ran: bool) -> None:
    """Add it once for every issuer and window of its rights, in the caller's transaction; an issuer's use of its own rights is no record.

    Locks: tallies, behind balances.
    """
    if not slices or not counts(settlement, slices, ran=ran):
        return
    used = ((each.route.right_id, each.share.used, each.route.units) for each in slices)
    rows.execute(_COUNT, [settlement.outcome, *map(rows.array, zip(*used, strict=True)), str(settlement.request_id)])
