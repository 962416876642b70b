"""Delivery versus payment of a batch's trades, in the caller's transaction (SPEC §5; TRUST D1).

Units, cash and fees of every trade become ledger moves under the trade's id; rights move netted; events are chained.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from rights.kernel.trip import Answer, Trip
from rights.selectors.streams import streams_of
from rights.services.deliveries import (
    Pair,
    Plan,
    Siblings,
    StaleRights,
    TermsSeen,
    absorbers_of,
    ask_rights,
    check_rights,
    deliver_units,
    read_rights,
    remember_absorbers,
    roots_of,
    touched_by,
)
from rights.services.journal import Appended, NewEvent, append, append_each, ask_head
from rights.services.reception import check_reception, counted_roots
from settlement.models import Asset
from settlement.services.ledger import Key, Move, NewBalance, ask_post


class Sale(msgspec.Struct, gc=False):
    """One trade to deliver. Amounts in minor units; `parts` are (right, units) in order."""

    trade_id: str
    buyer: int
    seller: int
    notional: int
    buy_fee: int
    sell_fee: int
    parts: list[tuple[str, int]]
    payload: dict[str, Any]


class Venue(msgspec.Struct, frozen=True, gc=False):
    """Where the sales happened. `one_series`: every right delivered there is of the series whose stream this is.

    `proceeds_account_id`: where what sellers get waits until their units are final; None: they get it at once.
    """

    currency_id: int
    fee_account_id: int
    stream_id: int
    actor: str
    one_series: bool = True
    proceeds_account_id: int | None = None


class Delivered(msgspec.Struct, gc=False):
    plan: Plan
    balances: list[NewBalance]
    trade_events: list[Appended]


class Memory(msgspec.Struct, gc=False):
    """What a caller remembers from one delivery to the next: balances that exist, and rights that may absorb.

    To be thrown away when a transaction fails, or when somebody else has delivered out of the same book.
    """

    balances: set[Key] = msgspec.field(default_factory=set)
    siblings: Siblings = msgspec.field(default_factory=dict)


_assets: dict[str, int] = {}  # root right -> its asset; never changes


def asset_ids(roots: set[str]) -> dict[str, int]:
    """The unit asset of each root right."""
    missing = [r for r in roots if r not in _assets]
    if missing:
        _assets.update({str(root): pk for root, pk in Asset.objects.filter(root_right__in=missing).values_list("root_right", "pk")})
    return _assets


def forget_assets() -> None:
    """For tests, which replace databases under a running process."""
    _assets.clear()


def deliver(
    *,
    sales: Sequence[Sale],
    reserved_delta: Mapping[str, int],
    held_delta: Mapping[int, int],
    owner_of: Mapping[str, int],
    terms_seen: TermsSeen,
    venue: Venue,
    new_id: Callable[[Pair], str],
    mergeable: Callable[[str], bool],
    account_uuid: Callable[[int], str],
    more_events: Sequence[NewEvent],
    memory: Memory,
    then: Callable[[Trip, Sequence[Key]], None],
    now_us: int,
    careful: bool = False,
) -> Delivered:
    """Deliver all sales and apply all holds. Locks rights, then balances, then streams, in one trip where it can.

    `then` is called with that trip and the balances it changes, to lock what comes last. `careful`: receivers' rules depend on consents,
    credentials or counts, which are looked at again under the locks: ShutPairs. Raises StaleRights or LedgerRefusal when what the caller
    read has changed; the transaction must then be rolled back.
    """
    net: dict[Pair, int] = {}
    for sale in sales:
        for right, units in sale.parts:
            pair = (right, sale.buyer)
            net[pair] = net.get(pair, 0) + units
    touched = touched_by(net, reserved_delta)
    assets = _assets_of(touched)
    trip = Trip()
    locked = None
    if touched:
        roots = counted_roots([right for right, _ in net]) if careful else ()
        locked = ask_rights(trip, [*touched, *absorbers_of(net, memory.siblings), *roots])
    if careful and locked:
        trip.go()  # what is looked at again is locked behind the rights and before all else
        check_rights(net, reserved_delta, owner_of, rights := read_rights(locked), terms_seen)
        check_reception(net, rights, now_us=now_us)
    moves = [move for sale in sales for move in _moves_of(sale, venue, assets)]
    holds = _holds(held_delta, reserved_delta, owner_of, venue, assets)
    posting = ask_post(trip, moves=moves, holds=holds, known=memory.balances, now_us=now_us)
    head = None
    if venue.one_series:
        # Of several series the streams are known only when it is known what moves: what comes after them is locked then.
        head = ask_head(trip, venue.stream_id) if sales or more_events else None
        then(trip, posting.keys)
    trip.go()
    plan = deliver_units(
        net=net,
        reserved_delta=reserved_delta,
        owner_of=owner_of,
        new_id=new_id,
        mergeable=mergeable,
        account_uuid=account_uuid,
        now_us=now_us,
        rights=read_rights(locked) if locked else {},
        terms_seen=terms_seen,
    )
    remember_absorbers(memory.siblings, plan)
    balances = posting.balances()
    memory.balances.update(posting.keys)
    trades = [_trade_event(sale, plan) for sale in sales]
    appended = _remember(venue, more_events, plan, trades, now_us, head)
    if not venue.one_series:
        then(trip, posting.keys)
        trip.go()
    return Delivered(plan, balances, appended[len(appended) - len(trades) :])


def _remember(
    venue: Venue, more_events: Sequence[NewEvent], plan: Plan, trades: Sequence[NewEvent], now_us: int, head: Answer | None
) -> list[Appended]:
    """The venue's facts and the trades to its stream, what happened to each right to that of the right's series."""
    if venue.one_series:
        return append(stream_id=venue.stream_id, events=[*more_events, *plan.events, *trades], actor=venue.actor, now_us=now_us, head=head)
    stream_of = streams_of(plan.rights) if plan.events else {}
    moves = [(stream_of[event.object_id.removeprefix("rgt_")], event) for event in plan.events]
    here = venue.stream_id
    events = [*((here, event) for event in more_events), *moves, *((here, event) for event in trades)]
    return append_each(events=events, actor=venue.actor, now_us=now_us)


def _assets_of(rights: Sequence[str]) -> dict[str, int]:
    """The unit asset of each right's lineage. Raises StaleRights for a right that is not there."""
    roots = roots_of(rights)
    missing = [right for right in rights if right not in roots]
    if missing:
        raise StaleRights(dict.fromkeys(missing, "missing"))
    assets = asset_ids(set(roots.values()))
    return {right: assets[root] for right, root in roots.items()}


def _holds(
    held_delta: Mapping[int, int], reserved_delta: Mapping[str, int], owner_of: Mapping[str, int], venue: Venue, assets: Mapping[str, int]
) -> dict[Key, int]:
    holds: dict[Key, int] = {(account, venue.currency_id): delta for account, delta in held_delta.items() if delta}
    for right, delta in reserved_delta.items():
        key = (owner_of[right], assets[right])
        holds[key] = holds.get(key, 0) + delta
    return holds


def _moves_of(sale: Sale, venue: Venue, assets: Mapping[str, int]) -> list[Move]:
    moves: list[Move] = []
    leg = 0
    for right, units in sale.parts:
        moves.append(Move(sale.trade_id, leg, "units", assets[right], sale.seller, sale.buyer, units))
        leg += 1
    cash = venue.currency_id
    paid = sale.seller if venue.proceeds_account_id is None else venue.proceeds_account_id
    moves.append(Move(sale.trade_id, leg, "cash", cash, sale.buyer, paid, sale.notional))
    for fee, payer in ((sale.buy_fee, sale.buyer), (sale.sell_fee, paid)):
        leg += 1
        if fee:
            moves.append(Move(sale.trade_id, leg, "fee", cash, payer, venue.fee_account_id, fee))
    return moves


def _trade_event(sale: Sale, plan: Plan) -> NewEvent:
    payload = sale.payload
    payload["deliveries"] = [
        {"parent": f"rgt_{right}", "right": f"rgt_{plan.receives[(right, sale.buyer)]}", "units": str(units)} for right, units in sale.parts
    ]
    return NewEvent(type="trade.executed", object_type="trade", object_id=f"trd_{sale.trade_id}", payload=payload)
