"""Units change hands: the registry's half of a delivery (SPEC §5), for a whole batch at once.

A holder keeps one right of a root that grows: what a sale brings it joins there, whichever right of the same root it came from
(docs/adr/0014). Otherwise a child is made; or, when everything that is left of a right is sold, the right itself moves. The right
made or moved is then the one that grows.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

import msgspec

from rights.domain import epoch, right_events
from rights.kernel import rows
from rights.kernel.clock import rfc3339
from rights.kernel.trip import Answer, Trip
from rights.services.journal import NewEvent

Pair = tuple[str, int]  # (right, receiving account)
Family = tuple[str, int]  # (root right, holder)
TermsSeen = Mapping[str, tuple[int, str]]  # by right: the series and the terms hash that a caller judged it by
Siblings = dict[Family, tuple[str, ...]]  # the rights that absorb, one for each moment of activation
MOVABLE = ("issued", "active")


class StaleRights(Exception):
    """Rights that no longer are what the caller decided on; nothing was written. Right ids by present status."""

    def __init__(self, statuses: dict[str, str]) -> None:
        super().__init__(f"{len(statuses)} rights have changed")
        self.statuses = statuses


class UnitsGone(Exception):
    """Units of rights that were free when the caller looked are reserved elsewhere by now; nothing was written."""


class Held(msgspec.Struct, gc=False):
    """A right under lock. `activated_us` is None until it is; `used`: units, in the epoch that began at `epoch_us`."""

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
    activated_us: int | None
    series_id: int
    most: int
    epoch_us: int
    used: int

    def place(self, holder_id: int) -> tuple[str, int, int | None]:
        """Where units of it go in those hands: rights of one place differ in nothing but their history."""
        return self.root_id, holder_id, self.activated_us


class Plan(msgspec.Struct, gc=False):
    """What a set of deliveries does: the right each pair receives, the rights as they are then, and the facts for the journal.

    `left`: the families that a right which changed hands was of.
    """

    receives: dict[Pair, str]
    rights: dict[str, Held]
    events: list[NewEvent]
    left: set[Family]


_ROOTS = "SELECT id::text, root_id::text FROM rights_right WHERE id = ANY(%s::uuid[])"
MOST_ROOTS = 200_000
_roots: dict[str, str] = {}  # by right; a lineage never changes, so memory is safe

# Looked up before it is locked: a lock that has to wait judges its row anew, and only a plain list of ids is judged alike both times.
# Another right of this kind can come meanwhile only from a second book that delivers of the same root; then `right_netted_once` refuses
# the batch, which runs again and finds it.
_ABSORBERS = """
SELECT r.root_id::text, r.holder_id, array_agg(r.id::text ORDER BY r.id) FROM rights_right r
JOIN unnest(%s::uuid[], %s::bigint[]) AS w(root, holder) ON r.root_id = w.root AND r.holder_id = w.holder
WHERE r.netted AND r.status IN ('issued', 'active') GROUP BY 1, 2
"""
_LOCK = """
SELECT r.id::text, r.holder_id, r.status, r.remaining_units, r.reserved_units, r.root_id::text, r.parent_id::text, r.netted,
       r.terms_hash, i.slug, a.uuid::text, (extract(epoch from r.activated_at) * 1000000)::bigint, r.series_id,
       r.max_units, coalesce((extract(epoch from r.epoch_at) * 1000000)::bigint, 0), r.epoch_used_units
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
       max_units = r.max_units + w.d, reserved_units = r.reserved_units + w.res, netted = w.netted, acquired_at = %s, updated_at = %s
FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[], %s::boolean[]) AS w(id, holder, d, res, netted) WHERE r.id = w.id
"""

_BRANCH = """
INSERT INTO rights_right (id, series_id, terms_hash, issuer_id, assurance_id, holder_id, controller_id, status, prior_status, freeze_reason,
    max_units, remaining_units, reserved_units, parent_id, root_id, netted, activated_at, ends_at, acquired_at, created_at,
    updated_at)
SELECT w.id, p.series_id, p.terms_hash, p.issuer_id, p.assurance_id, w.holder, w.holder, p.status, '', '',
    w.units, w.units, 0, p.id, p.root_id, w.netted, p.activated_at, p.ends_at, %s, %s, %s
FROM unnest(%s::uuid[], %s::uuid[], %s::bigint[], %s::bigint[], %s::boolean[]) AS w(id, parent, holder, units, netted)
JOIN rights_right p ON p.id = w.parent
"""

# Few rights have epochs, and fewer have been used in the running one: their usage is written by itself.
_USAGE = """
UPDATE rights_right r SET epoch_at = w.epoch_at, epoch_used_units = w.used
FROM unnest(%s::uuid[], %s::timestamptz[], %s::bigint[]) AS w(id, epoch_at, used) WHERE r.id = w.id
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


def absorbers_of(pairs: Iterable[Pair], known: Siblings) -> list[str]:
    """The rights that may absorb deliveries of these pairs. `known` is the caller's memory, for as long as nobody else makes such rights."""
    asked = list(pairs)
    roots = roots_of(right for right, _ in asked)
    families = {(roots[right], holder) for right, holder in asked if right in roots}
    missing = sorted(families - known.keys())
    if missing:
        known.update(dict.fromkeys(missing, ()))
        found = rows.fetch_all(_ABSORBERS, [rows.array(root for root, _ in missing), rows.array(holder for _, holder in missing)])
        known.update({(root, holder): tuple(ids) for root, holder, ids in found})
    return [right for family in families for right in known[family]]


def remember_absorbers(known: Siblings, plan: Plan) -> None:
    """Keep the caller's memory with what was delivered."""
    for family in plan.left:
        known.pop(family, None)
    for right_id in plan.receives.values():
        right = plan.rights[right_id]
        family = (right.root_id, right.holder_id)
        if right.netted and right_id not in known.get(family, (right_id,)):
            known[family] = (*known[family], right_id)


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
    terms_seen: TermsSeen = MappingProxyType({}),
) -> Plan:
    """Move `net[(right, buyer)]` units and change reservations, in the caller's transaction, which has `rights` under lock.

    `owner_of` is who the caller believes holds each right; `mergeable(terms_hash)` tells whether deliveries under those terms may
    join what the receiver has. Raises StaleRights before writing when a right froze, ended, changed hands or got other terms than
    `terms_seen` meanwhile, UnitsGone when another book or a lock took what was free.
    """
    check_rights(net, reserved_delta, owner_of, rights, terms_seen)
    return _write(_plan(net, rights, new_id, mergeable, account_uuid), rights, reserved_delta, now_us)


def check_rights(
    net: Mapping[Pair, int],
    reserved_delta: Mapping[str, int],
    owner_of: Mapping[str, int],
    rights: Mapping[str, Held],
    terms_seen: TermsSeen = MappingProxyType({}),
) -> None:
    """Raise StaleRights when a right under lock froze, ended, changed hands or was amended since the caller decided on it.

    Raises UnitsGone when units left.
    """
    touched = touched_by(net, reserved_delta)
    stale = {
        r: (rights[r].status if r in rights else "missing")
        for r in touched
        if r not in rights
        or rights[r].holder_id != owner_of[r]
        or (r in terms_seen and terms_seen[r] != (rights[r].series_id, rights[r].terms_hash))
        or (rights[r].status not in MOVABLE and (reserved_delta.get(r, 0) > 0 or any(right == r for right, _ in net)))
    }
    if stale:
        raise StaleRights(stale)
    leaving: dict[str, int] = {}
    for (right, _), units in net.items():
        leaving[right] = leaving.get(right, 0) + units
    if any(rights[r].reserved + reserved_delta.get(r, 0) > rights[r].remaining - leaving.get(r, 0) for r in touched):
        raise UnitsGone


class _Born(msgspec.Struct, gc=False):
    parent: str
    holder: int
    units: int
    netted: bool


class _Draft(msgspec.Struct, gc=False):
    receives: dict[Pair, str]
    moved: dict[str, tuple[int, bool]]  # whole rights: right -> (new holder, netted)
    born: dict[str, _Born]
    added: dict[str, int]  # right -> units (negative: left it)
    joined: set[str]  # rights that took in a delivery, however much left them in the same batch
    usage: dict[str, tuple[int, int]]  # of rights whose usage changes: the epoch's beginning and what was used in it
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
    absorbers = {right.place(right.holder_id): right.id for right in rights.values() if right.netted and right.status in MOVABLE}
    asked = {rights[right].place(holder) for right, holder in net if mergeable(rights[right].terms_hash)}
    growing = {right for place, right in absorbers.items() if place in asked}  # these stay, whatever leaves them
    draft = _Draft({}, {}, {}, {}, set(), {}, [])
    for pair, units in net.items():
        right, buyer = rights[pair[0]], account_uuid(pair[1])
        netted, place = mergeable(right.terms_hash), right.place(pair[1])
        target = absorbers.get(place) if netted else None
        if target is not None:
            _carry(draft, right, target, rights.get(target), units)
            _join(draft, right, target, units)
        elif taken[right.id] == right.remaining and last[right.id] == pair and right.id not in growing:
            target = right.id
            draft.moved[target] = pair[1], netted
            fact = right_events.transferred(right=target, giver=account_uuid(right.holder_id), taker=buyer, units=units, netted=netted)
            draft.events.append(_event(right_events.TRANSFERRED, target, fact))
        else:
            target = new_id(pair)
            _carry(draft, right, target, None, units)
            draft.added[right.id] = draft.added.get(right.id, 0) - units
            draft.born[target] = _Born(right.id, pair[1], units, netted)
            fact = right_events.split(parent=right.id, child=target, units=units, to_account=buyer, netted=netted)
            draft.events.append(_event(right_events.SPLIT, right.id, fact))
        if netted:
            absorbers[place] = target
        draft.receives[pair] = target
    return draft


def _join(draft: _Draft, right: Held, target: str, units: int) -> None:
    draft.added[right.id] = draft.added.get(right.id, 0) - units
    if target in draft.born:
        draft.born[target].units += units
    else:
        draft.added[target] = draft.added.get(target, 0) + units
        draft.joined.add(target)
    fact = right_events.merged(source=right.id, target=target, units=units, source_status=right.status)
    draft.events.append(_event(right_events.MERGED, target, fact))


def _carry(draft: _Draft, right: Held, target: str, present: Held | None, units: int) -> None:
    """What was used of the units in their epoch goes with them; asked before they are counted."""
    epoch_us, used = draft.usage.get(right.id, (right.epoch_us, right.used))
    if not used:
        return
    kept, gone = epoch.divided(used, units=units, max_units=right.most + draft.added.get(right.id, 0))
    draft.usage[right.id] = epoch_us, kept
    there = draft.usage.get(target, (0, 0) if present is None else (present.epoch_us, present.used))
    draft.usage[target] = epoch.together(there, (epoch_us, gone))


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
        # What other buyers took in the same batch leaves, and what else the same buyer took joins; the rest moves with the right.
        holders, deltas = (draft.moved[r][0] for r in moved), (draft.added.get(r, 0) for r in moved)
        released, netted = (reserved_delta.get(r, 0) for r in moved), ("t" if draft.moved[r][1] else "f" for r in moved)
        rows.write(_MOVE, [at, at, rows.array(moved), rows.array(holders), rows.array(deltas), rows.array(released), rows.array(netted)])
    if draft.born:
        born = sorted(draft.born.items())
        rows.write(
            _BRANCH,
            [
                at,
                at,
                at,
                rows.array(c for c, _ in born),
                rows.array(b.parent for _, b in born),
                rows.array(b.holder for _, b in born),
                rows.array(b.units for _, b in born),
                rows.array("t" if b.netted else "f" for _, b in born),
            ],
        )
    if draft.usage:
        used = sorted(draft.usage.items())
        moments = rows.text_array(rfc3339(epoch_us) for _, (epoch_us, _) in used)
        rows.write(_USAGE, [rows.array(r for r, _ in used), moments, rows.array(units for _, (_, units) in used)])
    return _done(draft, rights)


def _done(draft: _Draft, rights: dict[str, Held]) -> Plan:
    left: set[Family] = set()
    for right_id, (holder, netted) in draft.moved.items():
        right = rights[right_id]
        left.add((right.root_id, right.holder_id))
        right.holder_id, right.netted = holder, netted
    for right_id, delta in draft.added.items():
        rights[right_id].remaining += delta
        rights[right_id].most += delta
    for child, born in draft.born.items():
        rights[child] = msgspec.structs.replace(
            rights[born.parent],
            id=child,
            holder_id=born.holder,
            remaining=born.units,
            most=born.units,
            epoch_us=0,
            used=0,
            reserved=0,
            parent_id=born.parent,
            netted=born.netted,
        )
    for right_id, (epoch_us, used) in draft.usage.items():
        rights[right_id].epoch_us, rights[right_id].used = epoch_us, used
    return Plan(draft.receives, rights, draft.events, left)
