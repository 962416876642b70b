"""Units that a route had locked are used, and the rest is let go (SPEC §9): the registry's half, set by set.

The lock was taken while the right could be used. That it froze meanwhile, or that its window ended, undoes no work.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from rights.domain import epoch, right_events
from rights.domain.manifest import Manifest, stored_manifest
from rights.kernel import rows
from rights.kernel.clock import rfc3339
from rights.kernel.trip import Answer, Trip
from rights.services.deliveries import Held, ask_rights, read_rights
from rights.services.journal import NewEvent


class Take(msgspec.Struct, frozen=True):
    """What became of one lock: of its `units`, `used` are gone. `ref` is whose lock it was, `locked_us` when it was taken."""

    right_id: str
    ref: str
    units: int
    used: int
    locked_us: int


class Returned(msgspec.Struct, frozen=True):
    """Units given back: whether the right took them in again, in whose hands, and of which root."""

    right_id: str
    units: int
    holder_id: int
    root_id: str
    kept: bool


_RELEASE = """
UPDATE rights_unitlock SET released_at = %s WHERE ref = ANY(%s) AND right_id = ANY(%s::uuid[]) AND released_at IS NULL
RETURNING right_id::text, ref, units
"""
_USE = """
UPDATE rights_right r SET reserved_units = r.reserved_units - w.locked, remaining_units = r.remaining_units - w.used,
       epoch_at = CASE WHEN w.used > 0 THEN w.epoch_at ELSE r.epoch_at END,
       epoch_used_units = CASE WHEN w.used > 0 THEN w.epoch_used ELSE r.epoch_used_units END,
       status = CASE WHEN w.over THEN 'fully_consumed' ELSE r.status END, netted = r.netted AND NOT w.over, updated_at = %s
FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::bigint[], %s::boolean[])
     AS w(id, locked, used, epoch_at, epoch_used, over) WHERE r.id = w.id
"""
_GIVE_BACK = """
UPDATE rights_right r SET remaining_units = r.remaining_units + w.units, updated_at = %s
FROM unnest(%s::uuid[], %s::bigint[]) AS w(id, units) WHERE r.id = w.id RETURNING r.id::text, r.max_units, r.remaining_units
"""
_CLOSE = """
UPDATE rights_right SET status = 'fully_consumed', netted = false, updated_at = %s
WHERE id = ANY(%s::uuid[]) AND status = 'active' AND remaining_units = 0 AND reserved_units = 0 RETURNING id::text
"""
_TERMS = "SELECT terms_hash, manifest FROM rights_terms WHERE terms_hash = ANY(%s)"
MOST_TERMS = 5_000
_terms: dict[str, Manifest] = {}  # by hash; terms never change


def manifests_of(hashes: Iterable[str]) -> dict[str, Manifest]:
    """The terms of these hashes."""
    wanted = set(hashes)
    missing = wanted - _terms.keys()
    if missing:
        if len(_terms) > MOST_TERMS:
            _terms.clear()
            missing = wanted
        _terms.update({found: stored_manifest(text, found) for found, text in rows.fetch_all(_TERMS, [list(missing)])})
    return {found: _terms[found] for found in wanted}


class Taken(msgspec.Struct):
    """Rights under lock, and the locks that were let go; to be read after the trip."""

    rights: Answer
    locks: Answer

    def held(self) -> dict[str, Held]:
        return read_rights(self.rights)

    def units(self) -> dict[tuple[str, str], int]:
        """What each (right, ref) had locked."""
        return {(right, ref): units for right, ref, units in self.locks.rows()}


def ask_take(trip: Trip, *, right_ids: Sequence[str], refs: Sequence[str], now_us: int) -> Taken:
    """Lock the rights and let go of what `refs` hold of them; `use_locked` writes what that means to the rights."""
    return Taken(ask_rights(trip, right_ids), trip.ask(_RELEASE, [rfc3339(now_us), list(refs), rows.array(right_ids)]))


class Use(msgspec.Struct, frozen=True):
    """What one settlement, say, uses; `ref` is its public id.

    `tentative`: rights of which some use may yet be undone; one of them that has nothing left is not `fully_consumed` yet. None: all.
    """

    takes: Sequence[Take]
    ref: str
    tentative: frozenset[str] | None


def use_locked(*, uses: Sequence[Use], held: Mapping[str, Held], now_us: int) -> list[list[NewEvent]]:
    """Write what the uses do to the rights, which are under lock, their locks let go; the facts of each.

    They come one after the other: `held` is as each leaves it to the next.
    """
    manifests = manifests_of(held[take.right_id].terms_hash for use in uses for take in use.takes)
    written: dict[str, _Written] = {}
    facts: list[list[NewEvent]] = []
    for use in uses:
        events: list[NewEvent] = []
        for right_id, takes in sorted(_by_right(use.takes).items()):
            right = held[right_id]
            may_end = use.tentative is not None and right_id not in use.tentative
            row = written.setdefault(right_id, _Written())
            events += row.take(right, manifests[right.terms_hash], takes, use.ref, may_end=may_end)
        facts.append(events)
    columns = [(right_id, row.locked, row.used, row.epoch_at, row.epoch_used, row.is_over) for right_id, row in sorted(written.items())]
    if columns:
        ids, locks, used, epochs, counts, ends = zip(*columns, strict=True)
        parameters = [rows.array(ids), rows.array(locks), rows.array(used), rows.text_array(epochs), rows.array(counts), list(ends)]
        rows.write(_USE, [rfc3339(now_us), *parameters])
    return facts


def _by_right(takes: Sequence[Take]) -> dict[str, list[Take]]:
    found: dict[str, list[Take]] = {}
    for take in takes:
        found.setdefault(take.right_id, []).append(take)
    return found


class _Written(msgspec.Struct):
    """What is written to a right: units let go and used, and usage of its epoch."""

    locked: int = 0
    used: int = 0
    epoch_at: str | None = None
    epoch_used: int = 0
    is_over: bool = False

    def take(self, right: Held, manifest: Manifest, takes: Sequence[Take], ref: str, *, may_end: bool) -> list[NewEvent]:
        """Add the takes of one use; the facts."""
        used = sum(take.used for take in takes)
        locked = sum(take.units for take in takes)
        self.locked += locked
        right.reserved -= locked
        if not used:
            return []
        self.used += used
        usage = _usage(right, manifest, used, min(take.locked_us for take in takes))
        self.epoch_at, self.epoch_used = rfc3339(usage.epoch_us) if usage.epoch_us else None, usage.used_units
        told = right_events.partially_consumed(
            right=right.id, units=used, epoch_at=self.epoch_at, epoch_used_units=self.epoch_used, ref=ref
        )
        events = [NewEvent(right_events.PARTIALLY_CONSUMED, "right", f"rgt_{right.id}", told)]
        right.remaining -= used
        right.epoch_us, right.used = usage.epoch_us, usage.used_units
        if may_end and not right.remaining and right.status == "active":
            self.is_over, right.status = True, "fully_consumed"
            events.append(_used_up(right.id))
        return events


def close_used_up(*, right_ids: Sequence[str], now_us: int) -> list[NewEvent]:
    """Those of the rights (under lock) that have nothing left become `fully_consumed`, for no use of them can be undone any more."""
    if not right_ids:
        return []
    return [_used_up(right_id) for (right_id,) in sorted(rows.fetch_all(_CLOSE, [rfc3339(now_us), rows.array(right_ids)]))]


def give_back(*, units: Mapping[str, int], holder_id: int, held: Mapping[str, Held], now_us: int) -> tuple[list[Returned], list[NewEvent]]:
    """Undo uses: units go back to rights (under lock) that live on in the holder's hands; of others they are only told of."""
    returned = []
    for right_id, count in sorted(units.items()):
        right = held[right_id]
        kept = right.holder_id == holder_id and right.status in ("issued", "active", "frozen")
        returned.append(Returned(right_id, count, right.holder_id, right.root_id, kept))
    keep = [each for each in returned if each.kept]
    if not keep:
        return returned, []
    found = rows.fetch_all(
        _GIVE_BACK, [rfc3339(now_us), rows.array(each.right_id for each in keep), rows.array(each.units for each in keep)]
    )
    events = [
        NewEvent(
            right_events.BALANCE_CHANGED,
            "right",
            f"rgt_{right_id}",
            right_events.balance_changed(right=right_id, max_units=most, remaining_units=remaining),
        )
        for right_id, most, remaining in sorted(found)
    ]
    return returned, events


def _usage(right: Held, manifest: Manifest, used: int, locked_us: int) -> epoch.Usage:
    """Usage counts in the epoch in which it was locked; of an earlier one than the right counts, no more is kept."""
    current = epoch.epoch_of(manifest, locked_us)
    if current == 0:
        return epoch.Usage(0, 0)
    if current < right.epoch_us:
        return epoch.Usage(right.epoch_us, right.used)
    return epoch.Usage(current, used + (right.used if current == right.epoch_us else 0))


def _used_up(right_id: str) -> NewEvent:
    return NewEvent(right_events.FULLY_CONSUMED, "right", f"rgt_{right_id}", right_events.fully_consumed(right=right_id))
