"""The auction that opens continuous trading: bring a crossed book back to an uncrossed one."""

from exchange.domain.command import Reason
from exchange.domain.ladder import Ladder, RestingOrder
from exchange.domain.outcome import Cancelled, Outcome, Traded
from exchange.domain.state import BookState, is_blocked


def uncross(state: BookState, out: list[Outcome]) -> None:
    """Trade at auction prices until the best bid is below the best ask."""
    bids, asks = state.ladders
    while True:
        price_ticks = auction_price(bids, asks)
        if price_ticks is None:
            return
        _match_at(state, price_ticks, out)


def auction_price(bids: Ladder, asks: Ladder) -> int | None:
    """Return the price that trades most, then leaves least over, then is lowest; None if nothing crosses."""
    best_bid, best_ask = bids.best(), asks.best()
    if best_bid is None or best_ask is None or best_bid < best_ask:
        return None
    demand = _lots_to(bids, best_ask)
    supply = _lots_to(asks, best_bid)
    prices = sorted(demand.keys() | supply.keys())
    bid_lots = sum(demand.values())
    ask_lots = 0
    best_rank: tuple[int, int] | None = None
    chosen = best_ask
    for price_ticks in prices:
        ask_lots += supply.get(price_ticks, 0)
        rank = (min(bid_lots, ask_lots), -abs(bid_lots - ask_lots))
        if best_rank is None or rank > best_rank:
            best_rank, chosen = rank, price_ticks
        bid_lots -= demand.get(price_ticks, 0)
    return chosen


def _lots_to(ladder: Ladder, worst_ticks: int) -> dict[int, int]:
    """Return the lots at each price from the best one to `worst_ticks`."""
    found = {}
    for key in reversed(ladder.keys):
        if key < worst_ticks * ladder.sign:
            break
        level = ladder.levels[key]
        found[level.price_ticks] = level.lots
    return found


def _match_at(state: BookState, price_ticks: int, out: list[Outcome]) -> None:
    """Match best against best at one price while both accept it."""
    bids, asks = state.ladders
    bid_bound, ask_bound = price_ticks * bids.sign, price_ticks * asks.sign
    while bids.keys and asks.keys and bids.keys[-1] >= bid_bound and asks.keys[-1] >= ask_bound:
        bid = bids.levels[bids.keys[-1]].head
        ask = asks.levels[asks.keys[-1]].head
        if bid is None or ask is None:
            msg = "a level without orders is still in its ladder"
            raise AssertionError(msg)
        if bid.participant == ask.participant:
            _pull_later(state, bid, ask, Reason.SELF_TRADE, out)
        elif is_blocked(state.blocked, ask, bid):
            _pull_later(state, bid, ask, Reason.GATE_REFUSED, out)
        else:
            lots = min(bid.remaining_lots, ask.remaining_lots)
            out.append(Traded(ask.order_id, bid.order_id, price_ticks, lots, auction=True))
            _fill(state, ask, lots)
            _fill(state, bid, lots)


def _pull_later(state: BookState, bid: RestingOrder, ask: RestingOrder, reason: Reason, out: list[Outcome]) -> None:
    later = bid if bid.joined > ask.joined else ask
    state.leave(later)
    out.append(Cancelled(later.order_id, later.remaining_lots, int(reason)))


def _fill(state: BookState, order: RestingOrder, lots: int) -> None:
    if order.remaining_lots == lots:
        state.leave(order)
        order.remaining_lots = 0
    else:
        state.ladders[order.side].shrink(order, lots)
