"""Delivery versus payment of a batch's trades, in the caller's transaction (SPEC §5; TRUST D1).

Units, cash and fees of every trade become ledger moves under the trade's id; rights move netted; events are chained.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from rights.selectors.streams import streams_of
from rights.services.deliveries import Held, Pair, Plan, deliver_units
from rights.services.journal import Appended, NewEvent, append, append_each
from rights.services.reception import check_reception, counted_roots
from settlement.models import Asset
from settlement.services.ledger import Key, Move, NewBalance, post


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
    """Where the sales happened. `one_series`: every right delivered there is of the series whose stream this is."""

    currency_id: int
    fee_account_id: int
    stream_id: int
    actor: str
    one_series: bool = True


class Delivered(msgspec.Struct, gc=False):
    plan: Plan
    balances: list[NewBalance]
    trade_events: list[Appended]


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
    venue: Venue,
    new_id: Callable[[Pair], str],
    mergeable: Callable[[str], bool],
    account_uuid: Callable[[int], str],
    more_events: Sequence[NewEvent],
    known_balances: set[Key],
    now_us: int,
    careful: bool = False,
) -> Delivered:
    """Deliver all sales and apply all holds. Locks rights, then balances, then streams.

    `careful`: receivers' rules depend on consents, credentials or counts, which are looked at again under the locks: ShutPairs.
    Raises StaleRights or LedgerRefusal when what the caller read has changed; the transaction must then be rolled back.
    """
    net: dict[Pair, int] = {}
    for sale in sales:
        for right, units in sale.parts:
            pair = (right, sale.buyer)
            net[pair] = net.get(pair, 0) + units
    plan = deliver_units(
        net=net,
        reserved_delta=reserved_delta,
        owner_of=owner_of,
        new_id=new_id,
        mergeable=mergeable,
        account_uuid=account_uuid,
        now_us=now_us,
        also_lock=counted_roots([right for right, _ in net]) if careful else (),
        check=partial(check_reception, net, now_us=now_us) if careful else None,
    )
    assets = asset_ids({r.root_id for r in plan.rights.values()})
    holds: dict[Key, int] = {(account, venue.currency_id): delta for account, delta in held_delta.items() if delta}
    for right, delta in reserved_delta.items():
        key = (owner_of[right], assets[plan.rights[right].root_id])
        holds[key] = holds.get(key, 0) + delta
    moves: list[Move] = []
    for sale in sales:
        _moves_of(sale, venue, plan.rights, assets, moves)
    balances = post(moves=moves, holds=holds, known=known_balances, now_us=now_us)
    known_balances.update((b.account_id, b.asset_id) for b in balances)
    trades = [_trade_event(sale, plan) for sale in sales]
    appended = _remember(venue, more_events, plan, trades, now_us)
    return Delivered(plan, balances, appended[len(appended) - len(trades) :])


def _remember(venue: Venue, more_events: Sequence[NewEvent], plan: Plan, trades: Sequence[NewEvent], now_us: int) -> list[Appended]:
    """The venue's facts and the trades to its stream, what happened to each right to that of the right's series."""
    if venue.one_series:
        return append(stream_id=venue.stream_id, events=[*more_events, *plan.events, *trades], actor=venue.actor, now_us=now_us)
    stream_of = streams_of(plan.rights) if plan.events else {}
    moves = [(stream_of[event.object_id.removeprefix("rgt_")], event) for event in plan.events]
    here = venue.stream_id
    events = [*((here, event) for event in more_events), *moves, *((here, event) for event in trades)]
    return append_each(events=events, actor=venue.actor, now_us=now_us)


def _moves_of(sale: Sale, venue: Venue, rights: Mapping[str, Held], assets: Mapping[str, int], moves: list[Move]) -> None:
    leg = 0
    for right, units in sale.parts:
        moves.append(Move(sale.trade_id, leg, "units", assets[rights[right].root_id], sale.seller, sale.buyer, units))
        leg += 1
    cash = venue.currency_id
    moves.append(Move(sale.trade_id, leg, "cash", cash, sale.buyer, sale.seller, sale.notional))
    for fee, payer in ((sale.buy_fee, sale.buyer), (sale.sell_fee, sale.seller)):
        leg += 1
        if fee:
            moves.append(Move(sale.trade_id, leg, "fee", cash, payer, venue.fee_account_id, fee))


def _trade_event(sale: Sale, plan: Plan) -> NewEvent:
    payload = sale.payload
    payload["deliveries"] = [
        {"parent": f"rgt_{right}", "right": f"rgt_{plan.receives[(right, sale.buyer)]}", "units": str(units)} for right, units in sale.parts
    ]
    return NewEvent(type="trade.executed", object_type="trade", object_id=f"trd_{sale.trade_id}", payload=payload)
