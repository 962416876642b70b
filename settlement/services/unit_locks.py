"""Lock and release units of rights: reserved on the right and held in the ledger, in the caller's transaction (TRUST L3)."""

from collections.abc import Iterable, Mapping, Sequence

from rights.services.deliveries import Held
from rights.services.locks import Lock, add_locks, drop_locks
from settlement.services.deliver import asset_ids
from settlement.services.ledger import Key, Move, post


def lock_units(
    *, locks: Sequence[Lock], holder_id: int | None, now_us: int, moves: Sequence[Move] = (), held: dict[str, Held] | None = None
) -> None:
    """Reserve every lock or none, with `moves` of cash in the same step; `held` and `holder_id` as `add_locks` takes them.

    Raises LedgerRefusal, and LifecycleRefusedError `right_not_held`, `units_unavailable`, `lifecycle_refused`.
    """
    if locks:
        _hold(add_locks(locks=locks, holder_id=holder_id, now_us=now_us, held=held), locks, 1, now_us, moves)


def release_units(*, refs: Sequence[str], now_us: int, only: Iterable[str] | None = None, moves: Sequence[Move] = ()) -> list[Lock]:
    """Give back what `refs` (public ids) hold; `only` of these rights; `moves` as above. What is released already is left alone."""
    if not refs and not moves:
        return []
    locks, rights = drop_locks(refs=refs, now_us=now_us, only=only)
    _hold(rights, locks, -1, now_us, moves)
    return locks


def _hold(rights: Mapping[str, Held], locks: Iterable[Lock], sign: int, now_us: int, moves: Sequence[Move]) -> None:
    assets = asset_ids({right.root_id for right in rights.values()})
    holds: dict[Key, int] = {}
    for lock in locks:
        right = rights[lock.right_id]
        key = (right.holder_id, assets[right.root_id])
        holds[key] = holds.get(key, 0) + sign * lock.units
    if holds or moves:
        post(moves=moves, holds=holds, now_us=now_us)
