"""Amending a resting order: in place where nobody behind it loses by that, else as if newly placed."""

from msgspec.structs import replace as replaced

from exchange.domain.command import Amend, Phase, Reason
from exchange.domain.ladder import RestingOrder
from exchange.domain.matching import outside_price, phase_refusal, replace
from exchange.domain.outcome import Amended, Cancelled, Outcome, Refused
from exchange.domain.state import BookState


def amend(state: BookState, command: Amend, now: int) -> list[Outcome]:
    """Give a resting order new terms, or refuse and leave it as it was."""
    order = state.by_id.get(command.order_id)
    reason = phase_refusal(state)
    if reason or order is None:
        return [Refused(command.order_id, reason or int(Reason.ORDER_UNKNOWN))]
    price_ticks = order.price_ticks if command.price_ticks is None else command.price_ticks
    lots = order.quantity_lots if command.quantity_lots is None else command.quantity_lots
    expire_at = order.expire_at if command.expire_at is None else command.expire_at
    same_price = price_ticks == order.price_ticks
    same_expiry = expire_at == order.expire_at
    expired = not same_expiry and 0 < expire_at <= now
    kept = expired or (same_price and lots <= order.quantity_lots)
    resting_ticks = price_ticks if kept else _resting_price(state, order, price_ticks)

    if same_price and same_expiry and lots == order.quantity_lots:
        reason = int(Reason.NOTHING_TO_AMEND)
    elif lots <= order.filled_lots:
        reason = int(Reason.QUANTITY_BELOW_FILLED)
    elif not resting_ticks:
        reason = int(Reason.POST_ONLY_WOULD_TAKE)
    elif not kept and _takes_from_post_only(state, order, resting_ticks):
        reason = int(Reason.POST_ONLY_BOOK)
    if reason:
        return [Refused(order.order_id, reason)]

    if command.expire_reason is not None and command.expire_reason != order.expire_reason:
        order.terms = replaced(order.terms, expire_reason=command.expire_reason)
    out: list[Outcome] = [Amended(order.order_id, price_ticks, lots, expire_at, kept)]
    if expired:
        state.leave(order)
        out.append(Cancelled(order.order_id, lots - order.filled_lots, order.expire_reason))
    elif kept:
        _change_in_place(state, order, lots, expire_at)
    else:
        state.leave(order)
        order.remaining_lots += lots - order.quantity_lots
        order.quantity_lots = lots
        order.expire_at = expire_at
        replace(state, order, resting_ticks, out)
    return out


def _change_in_place(state: BookState, order: RestingOrder, lots: int, expire_at: int) -> None:
    by_lots = order.quantity_lots - lots
    if by_lots:
        order.quantity_lots = lots
        state.ladders[order.side].shrink(order, by_lots)
    if expire_at != order.expire_at:
        order.expire_at = expire_at
        if expire_at:
            state.watch(order)


def _resting_price(state: BookState, order: RestingOrder, price_ticks: int) -> int:
    """Return the price the order is to be placed at: slid if it must be, 0 if it may not be."""
    if not order.post_only or state.phase != Phase.CONTINUOUS:
        return price_ticks
    opposite = state.ladders[1 - order.side]
    if not opposite.keys or opposite.keys[-1] < price_ticks * opposite.sign:
        return price_ticks
    return outside_price(opposite, order.post_only)


def _takes_from_post_only(state: BookState, order: RestingOrder, price_ticks: int) -> bool:
    """Tell whether the order would take at this price from a book that keeps takers out."""
    if not state.post_only or state.phase != Phase.CONTINUOUS:
        return False
    opposite = state.ladders[1 - order.side]
    return bool(opposite.keys) and opposite.keys[-1] >= price_ticks * opposite.sign
