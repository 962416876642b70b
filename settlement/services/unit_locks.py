"""Lock and release units of rights: reserved on the right and held in the ledger, in the caller's transaction (TRUST L3)."""

from collections.abc import Iterable, Mapping, Sequence

from rights.services.deliveries import Held
from rights.services.locks import Lock, add_locks, drop_locks
from settlement.services.deliver import asset_ids
from settlement.services.ledger import Key, post


def lock_units(*, locks: Sequence[Lock], holder_id: int, now_us: int) -> None:
    """Reserve every lock or none. Raises LifecycleRefusedError `right_not_held`, `units_unavailable`, `lifecycle_refused`."""
    if locks:
        _hold(add_locks(locks=locks, holder_id=holder_id, now_us=now_us), locks, 1, now_us)


def release_units(*, refs: Sequence[str], now_us: int, only: Iterable[str] | None = None) -> list[Lock]:
    """Give back what `refs` (public ids) hold; `only` of these rights. What is released already is left alone."""
    if not refs:
        return []
    locks, rights = drop_locks(refs=refs, now_us=now_us, only=only)
    _hold(rights, locks, -1, now_us)
    return locks


def _hold(rights: Mapping[str, Held], locks: Iterable[Lock], sign: int, now_us: int) -> None:
    assets = asset_ids({right.root_id for right in rights.values()})
    holds: dict[Key, int] = {}
    for lock in locks:
        right = rights[lock.right_id]
        key = (right.holder_id, assets[right.root_id])
        holds[key] = holds.get(key, 0) + sign * lock.units
    if holds:
        post(moves=[], holds=holds, now_us=now_us)
