"""Locks on units of a right (SPEC §2, `reserved_amount`): the registry's half; the ledger's is settlement/services/unit_locks.py."""

from collections.abc import Iterable, Sequence

import msgspec

from rights.kernel import rows
from rights.kernel.clock import rfc3339
from rights.services.deliveries import Held, lock_rights
from rights.services.refusals import lifecycle_refused


class Lock(msgspec.Struct, frozen=True, gc=False):
    """`units` of a right for `ref` (a public id); `kind` one of rights.models.package.LOCK_KINDS. `right_id` is a UUID text."""

    right_id: str
    kind: str
    ref: str
    units: int


class Shift(msgspec.Struct, frozen=True, gc=False):
    """A lock goes over from `giver` (a public id), as far as `taken` says; what is reserved of the right stays the same."""

    giver: str
    taken: Lock


_INSERT = """
INSERT INTO rights_unitlock (right_id, kind, ref, units, created_at)
SELECT w.right_id, w.kind, w.ref, w.units, %s FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::bigint[]) AS w(right_id, kind, ref, units)
"""
_RESERVE = """
UPDATE rights_right r SET reserved_units = r.reserved_units + w.units, updated_at = %s
FROM unnest(%s::uuid[], %s::bigint[]) AS w(id, units) WHERE r.id = w.id
"""
_LIVE = """
SELECT right_id::text, kind, ref, units FROM rights_unitlock
WHERE ref = ANY(%s) AND released_at IS NULL ORDER BY right_id, ref
"""
_RELEASE = """
UPDATE rights_unitlock SET released_at = %s WHERE ref = ANY(%s) AND released_at IS NULL AND right_id = ANY(%s::uuid[])
"""


_GIVE = """
UPDATE rights_unitlock l SET units = CASE WHEN l.units > w.units THEN l.units - w.units ELSE l.units END,
       released_at = CASE WHEN l.units > w.units THEN NULL ELSE %s::timestamptz END
FROM unnest(%s::uuid[], %s::text[], %s::bigint[]) AS w(right_id, ref, units)
WHERE l.right_id = w.right_id AND l.ref = w.ref AND l.released_at IS NULL AND l.units >= w.units
"""
_TAKE = """
INSERT INTO rights_unitlock (right_id, kind, ref, units, created_at)
SELECT w.right_id, w.kind, w.ref, w.units, %s FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::bigint[]) AS w(right_id, kind, ref, units)
ON CONFLICT (right_id, ref) WHERE released_at IS NULL DO UPDATE SET units = rights_unitlock.units + EXCLUDED.units
"""


def live_locks(refs: Iterable[str]) -> list[Lock]:
    """The locks these references hold now."""
    return [Lock(*row) for row in rows.fetch_all(_LIVE, [list(refs)])]


def add_locks(*, locks: Sequence[Lock], holder_id: int | None, now_us: int, held: dict[str, Held] | None = None) -> dict[str, Held]:
    """Lock the rights in id order (unless the caller has: `held`, as they are) and reserve; the rights as they were.

    `holder_id` None: the caller has seen under their locks that each is in the hands of who uses it.

    Raises LifecycleRefusedError, nothing written: `right_not_held`, `lifecycle_refused` when a right is neither issued nor active,
    `units_unavailable`.
    """
    wanted = _sums(locks)
    held = lock_rights(wanted) if held is None else held
    for right_id, units in wanted.items():
        right = held.get(right_id)
        if right is None or holder_id not in (None, right.holder_id):
            raise lifecycle_refused("right_not_held", f"rgt_{right_id} is not in the holder's hands")
        if right.status not in ("issued", "active"):
            raise lifecycle_refused("lifecycle_refused", f"rgt_{right_id} is {right.status}; only an issued or active right may be locked")
        if units > right.remaining - right.reserved:
            raise lifecycle_refused(
                "units_unavailable", f"{units} units asked of rgt_{right_id}, {right.remaining - right.reserved} are free"
            )
    at = rfc3339(now_us)
    rows.write(
        _INSERT,
        [
            at,
            rows.array(lock.right_id for lock in locks),
            [lock.kind for lock in locks],
            [lock.ref for lock in locks],
            rows.array(lock.units for lock in locks),
        ],
    )
    rows.write(_RESERVE, [at, rows.array(wanted), rows.array(wanted.values())])
    return held


def drop_locks(*, refs: Sequence[str], now_us: int, only: Iterable[str] | None = None) -> tuple[list[Lock], dict[str, Held]]:
    """Release what `refs` hold (of the rights `only`, where given); the locks, and their rights as they were under lock."""
    kept = None if only is None else frozenset(only)
    lock_rights({lock.right_id for lock in live_locks(refs)})
    # Read anew under the rights' locks: whoever released first has won.
    locks = [lock for lock in live_locks(refs) if kept is None or lock.right_id in kept]
    if not locks:
        return [], {}
    sums, at = _sums(locks), rfc3339(now_us)
    held = lock_rights(sums)
    rows.execute(_RELEASE, [at, list(refs), rows.array(sums)])
    rows.execute(_RESERVE, [at, rows.array(sums), rows.array(-units for units in sums.values())])
    return locks, held


def shift_locks(*, shifts: Sequence[Shift], now_us: int) -> None:
    """Units that one reference has locked are locked for another from now on. The rights are under lock, and the givers have so much."""
    given: dict[tuple[str, str], int] = {}
    taken: dict[tuple[str, str, str], int] = {}
    for shift in shifts:
        lock = shift.taken
        given[lock.right_id, shift.giver] = given.get((lock.right_id, shift.giver), 0) + lock.units
        taken[lock.right_id, lock.kind, lock.ref] = taken.get((lock.right_id, lock.kind, lock.ref), 0) + lock.units
    at = rfc3339(now_us)
    rights, refs = zip(*given, strict=True)
    found = rows.execute(_GIVE, [at, rows.array(rights), list(refs), rows.array(given.values())])
    if found != len(given):
        raise AssertionError(f"{len(given) - found} locks are not there, or have fewer units")
    rights, kinds, refs = zip(*taken, strict=True)
    rows.execute(_TAKE, [at, rows.array(rights), list(kinds), list(refs), rows.array(taken.values())])


def _sums(locks: Iterable[Lock]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for lock in locks:
        sums[lock.right_id] = sums.get(lock.right_id, 0) + lock.units
    return dict(sorted(sums.items()))
