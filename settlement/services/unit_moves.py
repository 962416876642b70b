"""Units of a settlement in the registry and the ledger at once: used, given back, let go; with the cash of the same entry.

Locks: a package, a delegation, rights, balances. The request's row is locked already, streams come behind.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from rights.domain import package_events
from rights.kernel import rows
from rights.kernel.ids import public
from rights.kernel.trip import Trip
from rights.services.delegations import count_use
from rights.services.deliveries import Held, lock_rights
from rights.services.journal import NewEvent, stream_for
from rights.services.locks import Lock
from rights.services.use_locked import Returned, Take, Use, ask_take, close_used_up, give_back, use_locked
from rights.services.venue import venue_account
from settlement.domain.settlement_states import ENDED, SettlementState
from settlement.models import Settlement
from settlement.services.case import Case
from settlement.services.deliver import asset_ids
from settlement.services.ledger import Key, Move, ask_post
from settlement.services.package_use import OpenPackage, open_package, settle_locks
from settlement.services.packages import REGISTRY

CONSUMED, EXPIRED = "units:consumed", "units:expired"
_NOT_FINAL = ", ".join(f"'{state}'" for state in SettlementState if state not in ENDED)
# Other requests that used units of the right and are not final: some of that may come back to it. The states are named, for there is an
# index of them, and nearly all settlements are final; a right's routes are found by when they were locked.
_TENTATIVE = f"""
SELECT DISTINCT t.right_id::text FROM settlement_route t JOIN settlement_settlement s ON s.request_id = t.request_id
WHERE t.right_id = ANY(%s::uuid[]) AND t.locked_at IS NOT NULL AND t.state = 'completed' AND s.state IN ({_NOT_FINAL}) AND t.request_id <> ALL(%s::uuid[])
"""

Fact = tuple[int, NewEvent]  # an event and the stream it goes to
NOTHING: Mapping[str, int] = MappingProxyType({})


class UnitMove(msgspec.Struct, frozen=True):
    """What a settlement does to units: lets go of the takes' locks and uses what they used, gives `back` units by right; `closing` rights
    are used up if nothing is left. With the cash of the same entry.

    `is_final`: no use by this settlement can be undone any more.
    """

    case: Case
    settlement: Settlement
    is_final: bool
    takes: Sequence[Take] = ()
    back: Mapping[str, int] = NOTHING
    cash: Sequence[Move] = ()
    closing: Sequence[str] = ()
    first_leg: int = 0

    @property
    def right_ids(self) -> list[str]:
        return sorted({take.right_id for take in self.takes} | self.back.keys() | set(self.closing))

    @property
    def streams(self) -> dict[str, int]:
        """Of each right of the request."""
        return {route.right_id: route.stream_id for route in self.case.routes}

    @property
    def is_plain(self) -> bool:
        """Whether it may go together with others: it locks nothing but rights, and gives nothing back."""
        return self.case.package_id is None and self.case.delegation_id is None and not self.back and not self.closing


def move_units(moves: Sequence[UnitMove], now_us: int, behind: Callable[[Trip], None]) -> list[list[Fact]]:
    """Make the moves, one or several plain ones, as one after the other; the facts of each, for whoever remembers everything at the end.

    `behind` asks for what is locked behind balances, in the same trip.
    """
    if len(moves) > 1 and not all(move.is_plain for move in moves):
        raise ValueError("what is not plain moves by itself")
    right_ids = sorted({right_id for move in moves for right_id in move.right_ids})
    facts: list[list[Fact]] = [[] for _ in moves]
    if right_ids and len(moves) == 1:
        moves, facts = _prepared(moves[0], now_us)
    held = _taken(moves, right_ids, now_us) if right_ids else {}
    entries = [_entry(move, held, now_us) for move in moves]
    _post(entries, now_us, behind)
    uses = _uses(moves, right_ids, held)
    used = iter(use_locked(uses=[use for use in uses if use.takes], held=held, now_us=now_us))
    for move, entry, use, told in zip(moves, entries, uses, facts, strict=True):
        events = [*entry.events, *(next(used) if use.takes else ())]
        if use.tentative is not None:
            events += close_used_up(right_ids=sorted(set(move.closing) - use.tentative), now_us=now_us)
        told += [(move.streams[event.object_id.removeprefix("rgt_")], event) for event in events]
    return facts


def _prepared(move: UnitMove, now_us: int) -> tuple[list[UnitMove], list[list[Fact]]]:
    """The move without what its package takes back, and what its delegation and its package have to tell."""
    package = open_package(move.case.package_id) if move.case.package_id is not None and move.takes else None
    facts = _delegated(move)
    if package is not None:
        takes, told = _kept_back(move.case, package, move.takes, move.right_ids, now_us)
        move = msgspec.structs.replace(move, takes=takes)
        facts += [(stream_for(REGISTRY), event) for event in told]
    return [move], [facts]


def _taken(moves: Sequence[UnitMove], right_ids: Sequence[str], now_us: int) -> dict[str, Held]:
    """The rights under lock, and the takes' locks let go."""
    takes = [take for move in moves for take in move.takes]
    trip = Trip()
    taken = ask_take(trip, right_ids=right_ids, refs=[take.ref for take in takes], now_us=now_us)
    trip.go()
    _check(taken.units(), takes)
    return taken.held()


def _kept_back(
    case: Case, package: OpenPackage, takes: Sequence[Take], right_ids: Sequence[str], now_us: int
) -> tuple[list[Take], list[NewEvent]]:
    """What the takes still let go of when the package has taken back what they did not use, and the facts."""
    lock_rights(right_ids)
    locks = [(Lock(take.right_id, "", take.ref, take.units), take.used) for take in takes]
    rests, events = settle_locks(package=package, locks=locks, holder_id=case.holder_id, request_id=case.id, now_us=now_us)
    left = [msgspec.structs.replace(take, units=take.units - rest) for take, rest in zip(takes, rests, strict=True)]
    return [take for take in left if take.units], events


class _Entry(msgspec.Struct, frozen=True):
    """The ledger's half of a move: its legs, how holds change, and what giving back has to tell."""

    legs: list[Move]
    holds: dict[Key, int]
    events: list[NewEvent]


def _entry(move: UnitMove, held: Mapping[str, Held], now_us: int) -> _Entry:
    """What is used goes to the consumed, what is given back comes from there; locks hold no more."""
    case, returned, events = move.case, list[Returned](), list[NewEvent]()
    if move.back:
        returned, events = give_back(units=move.back, holder_id=case.holder_id, held=held, now_us=now_us)
    assets = asset_ids({held[right_id].root_id for right_id in move.right_ids})
    is_moved = returned or any(take.used for take in move.takes)
    consumed = (case.consumed_id or venue_account(code=CONSUMED, now_us=now_us).pk) if is_moved else 0
    entry, first, legs = str(move.settlement.id), move.first_leg, list[Move]()
    holds: dict[Key, int] = {}
    for take in move.takes:
        right = held[take.right_id]
        key = (right.holder_id, assets[right.root_id])
        holds[key] = holds.get(key, 0) - take.units
        if take.used:
            legs.append(Move(entry, first + len(legs), "consumed", key[1], right.holder_id, consumed, take.used))
    for each in returned:
        taker = each.holder_id if each.kept else venue_account(code=EXPIRED, now_us=now_us).pk
        legs.append(Move(entry, first + len(legs), "reversed", assets[each.root_id], consumed, taker, each.units))
    return _Entry([*legs, *move.cash], holds, events)


def _post(entries: Sequence[_Entry], now_us: int, behind: Callable[[Trip], None]) -> None:
    holds: dict[Key, int] = {}
    for entry in entries:
        for key, units in entry.holds.items():
            holds[key] = holds.get(key, 0) + units
    trip = Trip()
    posting = ask_post(trip, moves=[leg for entry in entries for leg in entry.legs], holds=holds, now_us=now_us)
    behind(trip)
    trip.go()
    posting.balances()


def _check(found: Mapping[tuple[str, str], int], takes: Sequence[Take]) -> None:
    """Every lock was there, whole."""
    for take in takes:
        if found.get((take.right_id, take.ref)) != take.units:
            raise AssertionError(f"{take.ref} should lock {take.units} of rgt_{take.right_id}")


def _uses(moves: Sequence[UnitMove], right_ids: Sequence[str], held: Mapping[str, Held]) -> list[Use]:
    """What each move uses, and to which rights something of what was used before it may yet come back."""
    tentative = _tentative(moves, right_ids, held) if any(move.is_final for move in moves) else set()
    found = []
    for move in moves:
        ref = public("stl", str(move.settlement.id))
        found.append(Use(move.takes, ref, frozenset(tentative) if move.is_final else None))
        if not move.is_final:
            tentative |= {take.right_id for take in move.takes}
    return found


def _tentative(moves: Sequence[UnitMove], right_ids: Sequence[str], held: Mapping[str, Held]) -> set[str]:
    """Those of the rights that are left empty to which something may yet come back of what others have used."""
    used = dict.fromkeys(right_ids, 0)
    for move in moves:
        for take in move.takes:
            used[take.right_id] += take.used
    closing = {right_id for move in moves for right_id in move.closing}
    emptied = [right_id for right_id in right_ids if right_id in closing or held[right_id].remaining == used[right_id]]
    if not emptied:
        return set()
    return {row[0] for row in rows.fetch_all(_TENTATIVE, [rows.array(emptied), rows.array(move.case.id for move in moves)])}


def _delegated(move: UnitMove) -> list[Fact]:
    """What a delegate used counts against the delegation, also when that has ended meanwhile, and what is given back does no more."""
    delegation = move.case.delegation_id
    if delegation is None:
        return []
    ref, facts = public("stl", str(move.settlement.id)), list[Fact]()
    changes = [(take.right_id, take.used) for take in move.takes if take.used] + [
        (right, -units) for right, units in sorted(move.back.items())
    ]
    for right_id, units in changes:
        counted = count_use(delegation_id=delegation, units=units)
        if counted.units:
            fact = package_events.used(right=right_id, units=counted.units, ref=ref, taken_from=counted.taken_from)
            facts.append((move.streams[right_id], NewEvent(package_events.USED, "delegation", public("dlg", delegation), fact)))
    return facts
