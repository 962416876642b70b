"""Units of a settlement in the registry and the ledger at once: used, given back, let go; with the cash of the same entry.

Locks: a package, a delegation, rights, balances. The request's row is locked already, streams come behind.
"""

from collections.abc import Mapping, Sequence
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
from rights.services.use_locked import Returned, Take, ask_take, close_used_up, give_back, use_locked
from rights.services.venue import venue_account
from settlement.models import Settlement
from settlement.services.case import Case
from settlement.services.deliver import asset_ids
from settlement.services.ledger import Key, Move, ask_post
from settlement.services.package_use import OpenPackage, open_package, settle_locks
from settlement.services.packages import REGISTRY

CONSUMED, EXPIRED = "units:consumed", "units:expired"
# Other requests that used units of the right and are not final: some of that may come back to it.
_TENTATIVE = """
SELECT DISTINCT t.right_id::text FROM settlement_route t JOIN settlement_settlement s ON s.request_id = t.request_id
WHERE t.right_id = ANY(%s::uuid[]) AND t.state = 'completed' AND s.state <> 'finalized' AND t.request_id <> %s
"""

Fact = tuple[int, NewEvent]  # an event and the stream it goes to
NOTHING: Mapping[str, int] = MappingProxyType({})


def move_units(
    *,
    case: Case,
    settlement: Settlement,
    takes: Sequence[Take] = (),
    back: Mapping[str, int] = NOTHING,
    cash: Sequence[Move] = (),
    closing: Sequence[str] = (),
    first_leg: int = 0,
    is_final: bool,
    now_us: int,
) -> list[Fact]:
    """Let go of the takes' locks and use what they used; give `back` units by right; `closing` rights are used up if nothing is left.

    `is_final`: no use by this settlement can be undone any more. The facts, for whoever remembers everything at the end.
    """
    right_ids = sorted({take.right_id for take in takes} | back.keys() | set(closing))
    if not right_ids:
        _post_cash(cash, now_us)
        return []
    streams = {route.right_id: route.stream_id for route in case.routes}
    package = open_package(case.package_id) if case.package_id is not None and takes else None
    facts = _delegated(case, settlement, takes, back, streams)
    if package is not None:
        takes, told = _kept_back(case, package, takes, right_ids, now_us)
        facts += [(stream_for(REGISTRY), event) for event in told]
    trip = Trip()
    taken = ask_take(trip, right_ids=right_ids, refs=[take.ref for take in takes], now_us=now_us)
    trip.go()
    held = taken.held()
    _check(taken.units(), takes)
    returned, events = give_back(units=back, holder_id=case.holder_id, held=held, now_us=now_us) if back else ([], [])
    legs, holds = _legs(case, settlement, takes, returned, held, first_leg, now_us)
    ask_post(trip, moves=[*legs, *cash], holds=holds, now_us=now_us)
    trip.do()
    tentative = _tentative(case, right_ids, held, takes, closing) if is_final else None
    if takes:
        ref = public("stl", str(settlement.id))
        events += use_locked(takes=takes, held=held, ref=ref, tentative=tentative, now_us=now_us)
    if tentative is not None:
        events += close_used_up(right_ids=sorted(set(closing) - tentative), now_us=now_us)
    return facts + [(streams[event.object_id.removeprefix("rgt_")], event) for event in events]


def _kept_back(
    case: Case, package: OpenPackage, takes: Sequence[Take], right_ids: Sequence[str], now_us: int
) -> tuple[list[Take], list[NewEvent]]:
    """What the takes still let go of when the package has taken back what they did not use, and the facts."""
    lock_rights(right_ids)
    locks = [(Lock(take.right_id, "", take.ref, take.units), take.used) for take in takes]
    rests, events = settle_locks(package=package, locks=locks, holder_id=case.holder_id, request_id=case.id, now_us=now_us)
    left = [msgspec.structs.replace(take, units=take.units - rest) for take, rest in zip(takes, rests, strict=True)]
    return [take for take in left if take.units], events


def _post_cash(cash: Sequence[Move], now_us: int) -> None:
    if cash:
        trip = Trip()
        ask_post(trip, moves=cash, now_us=now_us)
        trip.do()


def _legs(
    case: Case,
    settlement: Settlement,
    takes: Sequence[Take],
    returned: Sequence[Returned],
    held: Mapping[str, Held],
    first: int,
    now_us: int,
) -> tuple[list[Move], dict[Key, int]]:
    """The ledger's half: what is used goes to the consumed, what is given back comes from there; locks hold no more."""
    assets = asset_ids({right.root_id for right in held.values()})
    is_moved = returned or any(take.used for take in takes)
    consumed = (case.consumed_id or venue_account(code=CONSUMED, now_us=now_us).pk) if is_moved else 0
    entry, legs = str(settlement.id), list[Move]()
    holds: dict[Key, int] = {}
    for take in takes:
        right = held[take.right_id]
        key = (right.holder_id, assets[right.root_id])
        holds[key] = holds.get(key, 0) - take.units
        if take.used:
            legs.append(Move(entry, first + len(legs), "consumed", key[1], right.holder_id, consumed, take.used))
    for each in returned:
        taker = each.holder_id if each.kept else venue_account(code=EXPIRED, now_us=now_us).pk
        legs.append(Move(entry, first + len(legs), "reversed", assets[each.root_id], consumed, taker, each.units))
    return legs, holds


def _check(found: Mapping[tuple[str, str], int], takes: Sequence[Take]) -> None:
    """Every lock was there, whole."""
    for take in takes:
        if found.get((take.right_id, take.ref)) != take.units:
            raise AssertionError(f"{take.ref} should lock {take.units} of rgt_{take.right_id}")


def _tentative(
    case: Case, right_ids: Sequence[str], held: Mapping[str, Held], takes: Sequence[Take], closing: Sequence[str]
) -> frozenset[str]:
    """Those of the rights that are left empty to which something may yet come back."""
    emptied = [r for r in right_ids if r in closing or held[r].remaining == sum(take.used for take in takes if take.right_id == r)]
    return frozenset(row[0] for row in rows.fetch_all(_TENTATIVE, [rows.array(emptied), case.id])) if emptied else frozenset()


def _delegated(
    case: Case, settlement: Settlement, takes: Sequence[Take], back: Mapping[str, int], streams: Mapping[str, int]
) -> list[Fact]:
    """What a delegate used counts against the delegation, also when that has ended meanwhile, and what is given back does no more."""
    delegation = case.delegation_id
    if delegation is None:
        return []
    ref, facts = public("stl", str(settlement.id)), list[Fact]()
    changes = [(take.right_id, take.used) for take in takes if take.used] + [(right, -units) for right, units in sorted(back.items())]
    for right_id, units in changes:
        counted = count_use(delegation_id=delegation, units=units)
        if counted.units:
            fact = package_events.used(right=right_id, units=counted.units, ref=ref, taken_from=counted.taken_from)
            facts.append((streams[right_id], NewEvent(package_events.USED, "delegation", public("dlg", delegation), fact)))
    return facts
