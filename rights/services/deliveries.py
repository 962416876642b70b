"""Units change hands: the registry's half of a delivery (SPEC §5), for a whole batch at once.

Several deliveries from one parent to one buyer make one child; a child that an earlier batch made the same way absorbs
them (siblings of the same terms and holder). When everything that is left of a right is sold, the right itself moves.
"""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from rights.domain import right_events
from rights.kernel import rows
from rights.kernel.clock import rfc3339
from rights.kernel.trip import Answer, Trip
from rights.services.journal import NewEvent

Pair = tuple[str, int]  # (right, receiving account)
MOVABLE = ("issued", "active")


class StaleRights(Exception):
    """Rights that no longer are what the caller decided on; nothing was written. Right ids by present status."""

    def __init__(self, statuses: dict[str, str]) -> None:
        super().__init__(f"{len(statuses)} rights have changed")
        self.statuses = statuses


class UnitsGone(Exception):
    """Units of rights that were free when the caller looked are reserved elsewhere by now; nothing was written."""


class Held(msgspec.Struct, gc=False):
    """A right under lock."""

    id: str
    holder_id: int
    status: str
    remaining: int
    reserved: int
    root_id: str
    parent_id: str | None
    netted: bool
    terms_hash: str
    issuer: str
    assurance_id: str


class Plan(msgspec.Struct, gc=False):
    """What a set of deliveries does: the right each pair receives, and the facts for the journal."""

    receives: dict[Pair, str]
    rights: dict[str, Held]
    events: list[NewEvent]


_ROOTS = "SELECT id::text, root_id::text FROM rights_right WHERE id = ANY(%s::uuid[])"
MOST_ROOTS = 200_000
_roots: dict[str, str] = {}  # by right; a lineage never changes, so memory is safe

# Looked up before it is locked: a lock that has to wait judges its row anew, and only a plain list of ids is judged alike both times.
# Another child of this kind can come meanwhile only from a second book that delivers the same right; then `right_netted_once` refuses the
# batch, which runs again and finds it.
_ABSORBERS = """
SELECT c.parent_id::text, c.holder_id, c.id::text FROM rights_right c JOIN unnest(%s::uuid[], %s::bigint[]) AS w(parent, holder)
  ON c.parent_id = w.parent AND c.holder_id = w.holder WHERE c.netted AND c.status = 'active'
"""
_LOCK = """
SELECT r.id::text, r.holder_id, r.status, r.remaining_units, r.reserved_units, r.root_id::text, r.parent_id::text, r.netted,
       r.terms_hash, i.slug, a.uuid::text
FROM rights_right r JOIN rights_issuer i ON i.id = r.issuer_id JOIN rights_assurance a ON a.id = r.assurance_id
WHERE r.id = ANY(%s::uuid[]) ORDER BY r.id FOR NO KEY UPDATE OF r
"""

_ADD = """
UPDATE rights_right r SET remaining_units = r.remaining_units + w.d, max_units = r.max_units + w.d, reserved_units = r.reserved_units + w.res,
       acquired_at = CASE WHEN w.joined THEN %s ELSE r.acquired_at END, updated_at = %s
FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::boolean[]) AS w(id, d, res, joined) WHERE r.id = w.id
"""

_MOVE = """
UPDATE rights_right r SET holder_id = w.holder, controller_id = w.holder, remaining_units = r.remaining_units + w.d,
       max_units = r.max_units + w.d, reserved_units = r.reserved_units + w.res, netted = false, acquired_at = %s, updated_at = %s
FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[]) AS w(id, holder, d, res) WHERE r.id = w.id
"""

_BRANCH = """
INSERT INTO rights_right (id, series_id, terms_hash, issuer_id, assurance_id, holder_id, controller_id, status, prior_status, freeze_reason,
    max_units, remaining_units, reserved_units, parent_id, root_id, netted, activated_at, acquired_at, created_at, updated_at)
SELECT w.id, p.series_id, p.terms_hash, p.issuer_id, p.assurance_id, w.holder, w.holder, p.status, '', '',
    w.units, w.units, 0, p.id, p.root_id, w.netted, p.activated_at, %s, %s, %s
FROM unnest(%s::uuid[], %s::uuid[], %s::bigint[], %s::bigint[], %s::boolean[]) AS w(id, parent, holder, units, netted)
JOIN rights_right p ON p.id = w.parent
"""


def roots_of(right_ids: Iterable[str]) -> dict[str, str]:
    """The root of each of these rights; one that is not there is left out."""
    wanted = set(right_ids)
    missing = wanted - _roots.keys()
    known = {right: _roots[right] for right in wanted - missing}
    if missing:
        found = rows.fetch_all(_ROOTS, [rows.array(missing)])
        known.update(found)
        remember_roots(found)
    return known


def remember_roots(found: Iterable[tuple[str, ...]]) -> None:
    """(right, root) pairs that somebody has read anyhow."""
    if len(_roots) > MOST_ROOTS:
        _roots.clear()
    _roots.update((right, root) for right, root in found)


Siblings = dict[Pair, str | None]


def absorbers_of(pairs: Iterable[Pair], known: Siblings) -> list[str]:
    """The children that may absorb deliveries of these pairs. `known` is the caller's memory, for as long as nobody else makes such children."""
    missing = [pair for pair in pairs if pair not in known]
    if missing:
        known.update(dict.fromkeys(missing))
        found = rows.fetch_all(_ABSORBERS, [rows.array(p for p, _ in missing), rows.array(h for _, h in missing)])
        known.update(((parent, holder), child) for parent, holder, child in found)
    return [child for pair in pairs if (child := known[pair]) is not None]


def ask_rights(trip: Trip, right_ids: Iterable[str]) -> Answer:
    """Lock these rights in id order; `read_rights` reads the answer."""
    return trip.ask(_LOCK, [rows.array(set(right_ids))])


def read_rights(answer: Answer) -> dict[str, Held]:
    return {row[0]: Held(*row) for row in answer.rows()}


def lock_rights(right_ids: Iterable[str]) -> dict[str, Held]:
    """Lock these rights in id order."""
    trip = Trip()
    answer = ask_rights(trip, right_ids)
    trip.go()
    return read_rights(answer)


def touched_by(net: Mapping[Pair, int], reserved_delta: Mapping[str, int]) -> list[str]:
    """The rights that a set of deliveries and reservations changes."""
    return sorted(reserved_delta.keys() | {right for right, _ in net})


def deliver_units(
    *,
    net: Mapping[Pair, int],
    reserved_delta: Mapping[str, int],
    owner_of: Mapping[str, int],
    new_id: Callable[[Pair], str],
    mergeable: Callable[[str], bool],
    account_uuid: Callable[[int], str],
    now_us: int,
    rights: dict[str, Held],
) -> Plan:
    """Move `net[(right, buyer)]` units and change reservations, in the caller's transaction, which has `rights` under lock.

    `owner_of` is who the caller believes holds each right; `mergeable(terms_hash)` tells whether deliveries under those terms may
    join an earlier child. Raises StaleRights before writing when a right froze, ended or changed hands meanwhile, UnitsGone when another
    book or a lock took what was free.
    """
    check_rights(net, reserved_delta, owner_of, rights)
    return _write(_plan(net, rights, new_id, mergeable, account_uuid), rights, reserved_delta, now_us)


def check_rights(
    net: Mapping[Pair, int], reserved_delta: Mapping[str, int], owner_of: Mapping[str, int], rights: Mapping[str, Held]
) -> None:
    """Raise StaleRights when a right under lock froze, ended or changed hands since the caller decided on it, UnitsGone when units left."""
    touched = touched_by(net, reserved_delta)
    stale = {
        r: (rights[r].status if r in rights else "missing")
        for r in touched
        if r not in rights
        or rights[r].holder_id != owner_of[r]
        or (rights[r].status not in MOVABLE and (reserved_delta.get(r, 0) > 0 or any(right == r for right, _ in net)))
    }
    if stale:
        raise StaleRights(stale)
    leaving: dict[str, int] = {}
    for (right, _), units in net.items():
        leaving[right] = leaving.get(right, 0) + units
    if any(rights[r].reserved + reserved_delta.get(r, 0) > rights[r].remaining - leaving.get(r, 0) for r in touched):
        raise UnitsGone


class _Draft(msgspec.Struct, gc=False):
    receives: dict[Pair, str]
    moved: dict[str, int]  # whole rights: right -> new holder
    born: dict[str, tuple[str, int, int, bool]]  # child -> (parent, holder, units, netted)
    added: dict[str, int]  # right -> units (negative: left it)
    joined: set[str]  # children that took in a delivery, however much left them in the same batch
    events: list[NewEvent]


def _plan(
    net: Mapping[Pair, int],
    rights: Mapping[str, Held],
    new_id: Callable[[Pair], str],
    mergeable: Callable[[str], bool],
    account_uuid: Callable[[int], str],
) -> _Draft:
    taken: dict[str, int] = {}
    last: dict[str, Pair] = {}
    for pair, units in net.items():
        taken[pair[0]] = taken.get(pair[0], 0) + units
        last[pair[0]] = pair
    absorbers = {
        (r.parent_id, r.holder_id): r.id for r in rights.values() if r.netted and r.status == "active" and taken.get(r.id) != r.remaining
    }
    draft = _Draft({}, {}, {}, {}, set(), [])
    for pair, units in net.items():
        right = rights[pair[0]]
        buyer = account_uuid(pair[1])
        if taken[right.id] == right.remaining and last[right.id] == pair:
            draft.receives[pair] = right.id
            draft.moved[right.id] = pair[1]
            fact = right_events.transferred(right=right.id, giver=account_uuid(right.holder_id), taker=buyer, units=units)
            draft.events.append(_event(right_events.TRANSFERRED, right.id, fact))
            continue
        draft.added[right.id] = draft.added.get(right.id, 0) - units
        child = absorbers.get(pair) if mergeable(right.terms_hash) else None
        if child is not None:
            draft.added[child] = draft.added.get(child, 0) + units
            draft.joined.add(child)
            fact = right_events.merged_delivery(parent=right.id, child=child, units=units)
            draft.events.append(_event(right_events.MERGED, child, fact))
        else:
            child = new_id(pair)
            draft.born[child] = (right.id, pair[1], units, mergeable(right.terms_hash) and right.status == "active")
            fact = right_events.split(parent=right.id, child=child, units=units, to_account=buyer, netted=draft.born[child][3])
            draft.events.append(_event(right_events.SPLIT, right.id, fact))
        draft.receives[pair] = child
    return draft


def _event(kind: str, right_id: str, fact: right_events.Payload) -> NewEvent:
    return NewEvent(kind, "right", f"rgt_{right_id}", fact, right_events.refs(kind, fact))


def _write(draft: _Draft, rights: dict[str, Held], reserved_delta: Mapping[str, int], now_us: int) -> Plan:
    at = rfc3339(now_us)
    changed = sorted((draft.added.keys() | reserved_delta.keys()) - draft.moved.keys())
    changed = [r for r in changed if draft.added.get(r, 0) or reserved_delta.get(r, 0) or r in draft.joined]
    if changed:
        added, reserved = (draft.added.get(r, 0) for r in changed), (reserved_delta.get(r, 0) for r in changed)
        joined = ("t" if r in draft.joined else "f" for r in changed)
        rows.write(_ADD, [at, at, rows.array(changed), rows.array(added), rows.array(reserved), rows.array(joined)])
    if draft.moved:
        moved = sorted(draft.moved)
        # What other buyers took in the same batch leaves; the rest moves with the right.
        holders, leaving = (draft.moved[r] for r in moved), (draft.added.get(r, 0) for r in moved)
        released = (reserved_delta.get(r, 0) for r in moved)
        rows.write(_MOVE, [at, at, rows.array(moved), rows.array(holders), rows.array(leaving), rows.array(released)])
    if draft.born:
        born = sorted(draft.born.items())
        rows.write(
            _BRANCH,
            [
                at,
                at,
                at,
                rows.array(c for c, _ in born),
                rows.array(b[0] for _, b in born),
                rows.array(b[1] for _, b in born),
                rows.array(b[2] for _, b in born),
                rows.array("t" if b[3] else "f" for _, b in born),
            ],
        )
    for child, (parent, holder, units, netted) in draft.born.items():
        p = rights[parent]
        rights[child] = Held(child, holder, p.status, units, 0, p.root_id, parent, netted, p.terms_hash, p.issuer, p.assurance_id)
    return Plan(draft.receives, rights, draft.events)
