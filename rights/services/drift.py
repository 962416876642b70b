"""What happens to assurances when the capacity behind them falls (SPEC §7, drift). Pledges shrink, gross with them; nothing issued changes.

Locks, in this order: posted capacity by id (the caller's), assurances by id. An assurance of which more stands issued than may becomes
degraded here and now, so issuing pauses with the same commit; its plan is followed by exchange/services/degradation.py.
"""

from collections.abc import Iterable, Mapping

import msgspec

from rights.domain import supply_events
from rights.domain.assurance import shared_cut
from rights.domain.supply_events import SourceFacts
from rights.domain.units import issuable_units
from rights.kernel import rows
from rights.kernel.clock import rfc3339
from rights.selectors.supply import sources_of
from rights.services.journal import NewEvent

_PLEDGES = """
SELECT id, capacity_id, assurance_id, units FROM rights_assurancesource WHERE capacity_id = ANY(%s) ORDER BY capacity_id, id
"""
_ASSURANCES = """
SELECT id, uuid::text, gross_units, haircut_bps, overbook_bps, issued_units, status, revision, degradation_plan
FROM rights_assurance WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE
"""
_CUT = """
UPDATE rights_assurancesource s SET units = w.units FROM unnest(%s::bigint[], %s::bigint[]) AS w(id, units) WHERE s.id = w.id
"""
_DROP = "DELETE FROM rights_assurancesource WHERE id = ANY(%s)"
_WRITE = """
UPDATE rights_assurance a SET gross_units = w.gross, haircut_bps = w.haircut, status = w.status, revision = w.revision,
       degraded_at = CASE WHEN a.status <> w.status THEN %s ELSE a.degraded_at END
FROM unnest(%s::bigint[], %s::bigint[], %s::integer[], %s::varchar[], %s::integer[]) AS w(id, gross, haircut, status, revision)
WHERE a.id = w.id
"""


class Backing(msgspec.Struct):
    """An assurance under lock; units whole."""

    id: int
    uuid: str
    gross_units: int
    haircut_bps: int
    overbook_bps: int
    issued_units: int
    status: str
    revision: int
    degradation_plan: str

    @property
    def most_units(self) -> int:
        return issuable_units(self.gross_units, self.haircut_bps, self.overbook_bps)


def lock_assurances(ids: Iterable[int]) -> list[Backing]:
    """These assurances, locked in id order."""
    return [Backing(*row) for row in rows.fetch_all(_ASSURANCES, [sorted(ids)])]


def take_back_pledges(*, posted: Mapping[int, int], cause: str, now_us: int) -> list[NewEvent]:
    """Cut the pledges of each capacity (id → what is posted from now on) to what is there, by their shares; the facts to remember.

    The caller holds the capacities' locks, and lowers `units` itself afterwards. `cause` is the capability's public id.
    """
    pledges: dict[int, list[tuple[int, int, int]]] = {}
    for source_id, capacity_id, assurance_id, units in rows.fetch_all(_PLEDGES, [sorted(posted)]):
        pledges.setdefault(capacity_id, []).append((source_id, assurance_id, units))
    cut: dict[int, int] = {}
    touched: set[int] = set()
    for capacity_id, found in pledges.items():
        left = shared_cut([units for *_, units in found], posted[capacity_id])
        for (source_id, assurance_id, units), after in zip(found, left, strict=True):
            if after != units:
                cut[source_id] = after
                touched.add(assurance_id)
    if not cut:
        return []
    backings = lock_assurances(touched)
    gone = [source_id for source_id, after in cut.items() if not after]
    kept = {source_id: after for source_id, after in cut.items() if after}
    rows.execute(_DROP, [gone])
    rows.execute(_CUT, [rows.array(kept), rows.array(kept.values())])
    behind = sources_of(touched)
    for backing in backings:
        backing.gross_units = min(backing.gross_units, sum(one.units for one in behind.get(backing.id, ())))
    return restate(backings, behind, cause=cause, now_us=now_us)


def raise_haircuts(*, least_bps: Mapping[int, int], cause: str, now_us: int) -> list[NewEvent]:
    """Raise haircuts (assurance id → bps) where they are lower than what was measured asks for; the facts to remember."""
    backings = [b for b in lock_assurances(least_bps) if b.haircut_bps < least_bps[b.id]]
    for backing in backings:
        backing.haircut_bps = least_bps[backing.id]
    return restate(backings, sources_of(b.id for b in backings), cause=cause, now_us=now_us)


def restate(backings: list[Backing], behind: Mapping[int, list[SourceFacts]], *, cause: str, now_us: int) -> list[NewEvent]:
    """Write what drifted and judge it; an assurance that no longer carries what stands issued is degraded."""
    events: list[NewEvent] = []
    for backing in backings:
        before = backing.status
        backing.revision += 1
        backing.status = "degraded" if backing.issued_units > backing.most_units else before
        drifted = supply_events.drifted(
            cause=cause,
            gross_units=backing.gross_units,
            haircut_bps=backing.haircut_bps,
            status=backing.status,
            revision=backing.revision,
            behind=behind.get(backing.id, ()),
        )
        events.append(NewEvent(supply_events.DRIFTED, "assurance", f"ast_{backing.uuid}", drifted))
        if backing.status != before:
            events.append(degraded_event(backing, reason="drift"))
    if backings:
        rows.execute(
            _WRITE,
            [
                rfc3339(now_us),
                rows.array(b.id for b in backings),
                rows.array(b.gross_units for b in backings),
                rows.array(b.haircut_bps for b in backings),
                [b.status for b in backings],
                rows.array(b.revision for b in backings),
            ],
        )
    return events


def degraded_event(backing: Backing, *, reason: str) -> NewEvent:
    """Why it is no longer sound, and what it had declared for this case."""
    payload = supply_events.degraded(
        reason=reason,
        status=backing.status,
        degradation_plan=backing.degradation_plan,
        issued_units=backing.issued_units,
        issuable_units=backing.most_units,
    )
    return NewEvent(supply_events.DEGRADED, "assurance", f"ast_{backing.uuid}", payload)
