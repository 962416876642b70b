"""Placing an order: phases, post-only, fill-or-kill, taking from the other side, resting what remains."""

from typing import Final

from exchange.domain.command import OrderType, Phase, Place, PostOnly, Reason, SelfTrade, TimeInForce
from exchange.domain.ladder import Ladder, RestingOrder
from exchange.domain.outcome import Cancelled, Outcome, Reduced, Refused, Rested, Traded
from exchange.domain.state import BookState, is_blocked

# Plain integers: reading a member of an enum costs more than the comparison it is for.
_BUY: Final = 0
_LIMIT: Final = int(OrderType.LIMIT)
_IOC: Final = int(TimeInForce.IOC)
_FOK: Final = int(TimeInForce.FOK)
_CONTINUOUS: Final = int(Phase.CONTINUOUS)
_SLIDE: Final = int(PostOnly.SLIDE)
_CANCEL_NEWEST: Final = int(SelfTrade.CANCEL_NEWEST)
_CANCEL_OLDEST: Final = int(SelfTrade.CANCEL_OLDEST)
_DECREMENT: Final = int(SelfTrade.DECREMENT)
_SELF_TRADE: Final = int(Reason.SELF_TRADE)
_GATE_REFUSED: Final = int(Reason.GATE_REFUSED)
_IOC_REMAINDER: Final = int(Reason.IOC_REMAINDER)
_FOK_UNFILLABLE: Final = int(Reason.FOK_UNFILLABLE)
_PHASE_PRE_OPEN: Final = int(Reason.PHASE_PRE_OPEN)
_POST_ONLY_WOULD_TAKE: Final = int(Reason.POST_ONLY_WOULD_TAKE)
_POST_ONLY_BOOK: Final = int(Reason.POST_ONLY_BOOK)

_PHASE_REFUSALS: Final = {
    int(Phase.HALTED): int(Reason.PHASE_HALTED),
    int(Phase.CLOSED): int(Reason.PHASE_CLOSED),
}


def phase_refusal(state: BookState) -> int:
    """Return why neither a place nor an amend is taken in this phase, or 0."""
    return _PHASE_REFUSALS.get(state.phase, 0)


def place(state: BookState, order: Place, now: int) -> list[Outcome]:
    """Match a new order as far as the phase lets it, and let the rest of it rest or go."""
    passing = order.tif >= _IOC or order.type != _LIMIT
    phase = state.phase
    if phase != _CONTINUOUS:
        reason = phase_refusal(state) or (_PHASE_PRE_OPEN if passing else 0)
        if reason:
            return [Refused(order.order_id, reason)]
    elif passing and state.post_only:
        return [Refused(order.order_id, _POST_ONLY_BOOK)]
    lots = order.quantity_lots
    if order.expire_at and order.expire_at <= now:
        return [Cancelled(order.order_id, lots, order.expire_reason)]
    if phase == _CONTINUOUS:
        opposite = state.ladders[1 - order.side]
        keys = opposite.keys
        if keys and keys[-1] >= order.price_ticks * opposite.sign:
            return _place_crossing(state, order, opposite, passing=passing)
        if passing:
            return [Cancelled(order.order_id, lots, _FOK_UNFILLABLE if order.tif == _FOK else _IOC_REMAINDER)]
    state.join(RestingOrder(order, order.price_ticks, lots, lots))
    return [Rested(order.order_id, order.price_ticks, lots)]


def _place_crossing(state: BookState, order: Place, opposite: Ladder, *, passing: bool) -> list[Outcome]:
    """Place an order that crosses the best opposite price; `passing` means that it may not rest."""
    order_id = order.order_id
    price_ticks = order.price_ticks
    lots = order.quantity_lots
    bound = price_ticks * opposite.sign
    if order.post_only:
        price_ticks = outside_price(opposite, order.post_only)
        if not price_ticks:
            return [Refused(order_id, _POST_ONLY_WOULD_TAKE)]
        state.join(RestingOrder(order, price_ticks, lots, lots))
        return [Rested(order_id, price_ticks, lots)]
    if state.post_only:
        return [Refused(order_id, _POST_ONLY_BOOK)]
    if order.tif == _FOK and not _is_fillable(state, order, opposite, bound):
        return [Cancelled(order_id, lots, _FOK_UNFILLABLE)]
    out: list[Outcome] = []
    left, gone = take(state, order, lots, out)
    if left:
        if passing:
            out.append(Cancelled(order_id, left, _IOC_REMAINDER))
        elif opposite.keys and opposite.keys[-1] >= bound:  # a maker it was not allowed to meet
            out.append(Cancelled(order_id, left, _GATE_REFUSED))
        else:
            state.join(RestingOrder(order, price_ticks, lots - gone, left))
            out.append(Rested(order_id, price_ticks, left))
    return out


def replace(state: BookState, order: RestingOrder, price_ticks: int, out: list[Outcome]) -> None:
    """Treat what remains of an amended order, which has left its level, as a new order at `price_ticks`.

    The caller has made sure that a post-only order will not take.
    """
    order.price_ticks = price_ticks
    if state.phase == _CONTINUOUS:
        opposite = state.ladders[1 - order.side]
        left, gone = take(state, order, order.remaining_lots, out)
        order.quantity_lots -= gone
        order.remaining_lots = left
        if not left:
            return
        if opposite.keys and opposite.keys[-1] >= price_ticks * opposite.sign:
            out.append(Cancelled(order.order_id, left, _GATE_REFUSED))
            return
    state.join(order)
    out.append(Rested(order.order_id, price_ticks, order.remaining_lots))


def outside_price(opposite: Ladder, post_only: int) -> int:
    """Return where a post-only order that would cross may rest; 0: nowhere."""
    if post_only != _SLIDE:
        return 0
    # A signed price one better than the best there is one tick short of it, seen from here.
    return (opposite.keys[-1] + 1) * opposite.sign


def take(state: BookState, taker: Place | RestingOrder, left: int, out: list[Outcome]) -> tuple[int, int]:
    """Trade up to `left` lots against the makers the taker crosses, in priority order.

    Return what is left to it (0 also when self-trade prevention cancelled it), and the lots decremented.
    """
    buying = taker.side == _BUY
    makers = state.ladders[1 - taker.side]
    keys = makers.keys
    by_id = state.by_id
    blocked = state.blocked
    bound = taker.price_ticks * makers.sign
    participant = taker.participant
    taker_id = taker.order_id
    gone = 0
    position = len(keys)
    # By position, because a level of skipped makers stays while matching goes on behind it.
    while left and position:
        position -= 1
        key = keys[position]
        if key < bound:
            break
        level = makers.levels[key]
        price_ticks = level.price_ticks
        maker = level.head
        while left and maker is not None:
            behind = maker.behind
            if maker.participant == participant:
                left, lost = _prevent_self_trade(state, maker, taker, left, out)
                gone += lost
            elif blocked and is_blocked(blocked, *((maker, taker) if buying else (taker, maker))):
                pass
            else:
                lots = maker.remaining_lots
                if lots > left:
                    maker.remaining_lots = lots - left
                    level.lots -= left
                    out.append(Traded(maker.order_id, taker_id, price_ticks, left))
                    makers.touched.add(key)
                    return 0, gone
                out.append(Traded(maker.order_id, taker_id, price_ticks, lots))
                left -= lots
                makers.remove(maker)
                maker.remaining_lots = 0
                del by_id[maker.order_id]
            maker = behind
    return left, gone


def _prevent_self_trade(
    state: BookState, maker: RestingOrder, taker: Place | RestingOrder, left: int, out: list[Outcome]
) -> tuple[int, int]:
    """Do what the taker's mode says; return what is left to the taker and the lots decremented."""
    mode = taker.stp
    by_lots = min(maker.remaining_lots, left)
    if mode != _CANCEL_NEWEST:
        if mode != _DECREMENT or maker.remaining_lots == by_lots:
            state.leave(maker)
            out.append(Cancelled(maker.order_id, maker.remaining_lots, _SELF_TRADE))
        else:
            maker.quantity_lots -= by_lots
            state.ladders[maker.side].shrink(maker, by_lots)
            out.append(Reduced(maker.order_id, by_lots, maker.remaining_lots))
    if mode == _CANCEL_OLDEST:
        return left, 0
    if mode == _DECREMENT and left > by_lots:
        out.append(Reduced(taker.order_id, by_lots, left - by_lots))
        return left - by_lots, by_lots
    out.append(Cancelled(taker.order_id, left, _SELF_TRADE))
    return 0, 0


def _is_fillable(state: BookState, taker: Place, makers: Ladder, bound: int) -> bool:
    """Tell whether the whole quantity can be had at once; changes nothing."""
    blocked = state.blocked
    buying = taker.side == _BUY
    wanted = taker.quantity_lots
    for key in reversed(makers.keys):
        if key < bound:
            break
        maker = makers.levels[key].head
        while maker is not None:
            if maker.participant == taker.participant:
                if taker.stp != _CANCEL_OLDEST:
                    return False
            elif not (blocked and is_blocked(blocked, *((maker, taker) if buying else (taker, maker)))):
                wanted -= maker.remaining_lots
                if wanted <= 0:
                    return True
            maker = maker.behind
    return False
