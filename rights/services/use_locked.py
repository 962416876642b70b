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


def use_locked(
    *, takes: Sequence[Take], held: Mapping[str, Held], ref: str, tentative: frozenset[str] | None, now_us: int
) -> list[NewEvent]:
    """Write what the takes do to the rights, which are under lock, their locks let go; the facts. `ref` (a public id) is what used them.

    `tentative`: rights of which some use may yet be undone; one of them that has nothing left is not `fully_consumed` yet. None: all.
    """
    sums: dict[str, list[int]] = {}
    since: dict[str, int] = {}
    for take in takes:
        total = sums.setdefault(take.right_id, [0, 0])
        total[0] += take.units
        total[1] += take.used
        since[take.right_id] = min(since.get(take.right_id, take.locked_us), take.locked_us)
    manifests = manifests_of(held[right_id].terms_hash for right_id in sums)
    events: list[NewEvent] = []
    columns: list[tuple[str, int, int, str | None, int, bool]] = []
    for right_id, (locked, used) in sorted(sums.items()):
        right = held[right_id]
        usage = _usage(right, manifests[right.terms_hash], used, since[right_id])
        begun = rfc3339(usage.epoch_us) if usage.epoch_us else None
        over = used > 0 and right.remaining == used and right.status == "active" and tentative is not None and right_id not in tentative
        columns.append((right_id, locked, used, begun, usage.used_units, over))
        if used:
            told = right_events.partially_consumed(right=right_id, units=used, epoch_at=begun, epoch_used_units=usage.used_units, ref=ref)
            events.append(NewEvent(right_events.PARTIALLY_CONSUMED, "right", f"rgt_{right_id}", told))
        if over:
            events.append(_used_up(right_id))
    ids, locks, uses, epochs, counts, ends = (list(column) for column in zip(*columns, strict=True))
    parameters = [rows.array(ids), rows.array(locks), rows.array(uses), rows.text_array(epochs), rows.array(counts), ends]
    rows.write(_USE, [rfc3339(now_us), *parameters])
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
