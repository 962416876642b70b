"""What the core said, done to orders, holds and reservations. Every fill releases exactly what it no longer needs."""

from exchange.domain.command import Reason, Side
from exchange.domain.outcome import Amended, Cancelled, Outcome, PhaseSet, PostOnlySet, Reduced, Refused, Rested, Traded
from exchange.models.order import OrderStatus
from exchange.services.live import Live, cash_need
from exchange.services.working import TradeFacts, Working
from settlement.domain.fees import fee_minor

_EXPIRED = frozenset({int(Reason.ORDER_EXPIRED)})


def settle_outcomes(work: Working, outcomes: list[Outcome], now_us: int) -> None:
    """Apply a command's outcomes in order. `Amended` and phase changes are the caller's."""
    for outcome in outcomes:
        if isinstance(outcome, Traded):
            _traded(work, outcome, now_us)
        elif isinstance(outcome, Rested):
            order = work.memory.live[outcome.order_id]
            order.joined = work.memory.core.by_id[order.id].joined
            if order.price != outcome.price_ticks:  # post-only slid it
                order.price = outcome.price_ticks
                rehold(work, order)
            touch(work, order, now_us)
        elif isinstance(outcome, Cancelled):
            cancel_rest(work, work.memory.live[outcome.order_id], outcome.remaining_lots, outcome.reason, now_us)
        elif isinstance(outcome, Reduced):
            order = work.memory.live[outcome.order_id]
            _shrink(work, order, outcome.by_lots)
            touch(work, order, now_us)
        elif isinstance(outcome, Amended):
            _amended(work, outcome, now_us)
        elif isinstance(outcome, Refused | PhaseSet | PostOnlySet):
            continue


def touch(work: Working, order: Live, now_us: int) -> None:
    """The order has changed; it is written and told once, as it stands after the batch."""
    order.updated_us = now_us
    work.changed[order.id] = order


def rehold(work: Working, order: Live) -> None:
    """Make a buy hold exactly what its rest needs."""
    if order.is_buy and order.price is not None:
        work.set_held(order, cash_need(order.remaining, order.price, work.rules.tick_minor, work.worst_bps))


def _shrink(work: Working, order: Live, lots: int) -> None:
    """Lots that will not trade: cancelled quantity, and what they held goes back."""
    order.remaining -= lots
    order.cancelled += lots
    if order.is_buy:
        rehold(work, order)
    else:
        work.release(order, lots * work.rules.lot_size)


def cancel_rest(work: Working, order: Live, lots: int, reason: int, now_us: int) -> None:
    """The order leaves the market with `lots` unfilled."""
    _shrink(work, order, lots)
    order.status = int(OrderStatus.EXPIRED if reason in _EXPIRED else OrderStatus.CANCELLED)
    order.reason = reason
    work.memory.forget(order)
    touch(work, order, now_us)


def reject(work: Working, order: Live, reason: int, now_us: int) -> None:
    """The order never entered; whatever admission held for it goes back."""
    work.set_held(order, 0)
    work.release(order, sum(units for _, units in order.slices))
    order.cancelled += order.remaining
    order.remaining = 0
    order.status, order.reason = int(OrderStatus.REJECTED), reason
    work.memory.forget(order)
    touch(work, order, now_us)


def _amended(work: Working, outcome: Amended, now_us: int) -> None:
    """Terms the core has taken over; holds were made at admission, a smaller order gives some back."""
    order = work.memory.live[outcome.order_id]
    order.quantity = outcome.quantity_lots + order.cancelled
    shrunk = order.remaining - (outcome.quantity_lots - order.filled)
    order.remaining = outcome.quantity_lots - order.filled
    order.price = outcome.price_ticks
    order.valid_us = outcome.expire_at
    if order.is_buy:
        rehold(work, order)
    elif shrunk > 0:
        work.release(order, shrunk * work.rules.lot_size)
    touch(work, order, now_us)


def _traded(work: Working, outcome: Traded, now_us: int) -> None:
    rules, live = work.rules, work.memory.live
    maker, taker = live[outcome.maker_id], live[outcome.taker_id]
    lots = outcome.quantity_lots
    notional = outcome.price_ticks * rules.tick_minor * lots
    maker_fee = fee_minor(notional, rules.taker_bps if outcome.auction else rules.maker_bps)
    taker_fee = fee_minor(notional, rules.taker_bps)
    buy, sell, buy_fee, sell_fee = (maker, taker, maker_fee, taker_fee) if maker.side == Side.BUY else (taker, maker, taker_fee, maker_fee)
    parts = work.take(sell, lots * rules.lot_size)
    for order, fee in ((buy, buy_fee), (sell, sell_fee)):
        order.filled += lots
        order.remaining -= lots
        order.notional += notional
        order.fee += fee
        order.status = int(OrderStatus.PARTIALLY_FILLED if order.remaining else OrderStatus.FILLED)
        touch(work, order, now_us)
        if not order.remaining:
            work.memory.forget(order)
    rehold(work, buy)
    work.passed(sell, buy, lots)
    work.earn(buy.account, -notional - buy_fee)
    if rules.pays_at_once:
        work.earn(sell.account, notional - sell_fee)
    work.trade_count += 1
    aggressor = 2 if outcome.auction else taker.side
    work.trades.append(TradeFacts(work.trade_count, outcome.price_ticks, lots, notional, buy, sell, buy_fee, sell_fee, aggressor, parts))
