"""What becomes of orders, from the journal's steps and the core's outcomes alone. Pure; says again what the lane wrote."""

import msgspec

from exchange.domain.command import OrderType, Place, Reason, Side
from exchange.domain.outcome import Amended, Cancelled, Outcome, Reduced, Rested, Traded
from exchange.models.order import OrderStatus
from settlement.domain.fees import fee_minor


class Fees(msgspec.Struct, frozen=True):
    """A book's tick worth (minor units per lot) and its rates."""

    tick_minor: int
    maker_bps: int
    taker_bps: int


class OrderStory(msgspec.Struct):
    """An order as rebuilt; lots and minor units. `price_ticks` is None for a market order."""

    id: str
    side: int
    price_ticks: int | None
    quantity_lots: int
    filled_lots: int = 0
    remaining_lots: int = 0
    cancelled_lots: int = 0
    notional_minor: int = 0
    fee_minor: int = 0
    status: int = int(OrderStatus.OPEN)
    reason: int = int(Reason.NONE)


class Fill(msgspec.Struct, frozen=True):
    """One trade as the engine made it."""

    price_ticks: int
    quantity_lots: int
    notional_minor: int
    aggressor: int
    buy_order: str
    sell_order: str
    buy_fee_minor: int
    sell_fee_minor: int


class Stories:
    """Open orders, and those that ended since `take_ended` was last called."""

    def __init__(self, fees: Fees) -> None:
        self._fees = fees
        self.open: dict[str, OrderStory] = {}
        self._ended: list[OrderStory] = []

    def placed(self, command: Place) -> None:
        """A place that was fed to the engine."""
        price = None if command.type == OrderType.MARKET else command.price_ticks
        self.open[command.order_id] = OrderStory(
            command.order_id, command.side, price, command.quantity_lots, remaining_lots=command.quantity_lots
        )

    def refused(self, order_id: str, side: int, price_ticks: int | None, quantity_lots: int, reason: int) -> None:
        """A place that admission or the engine refused."""
        self.open.pop(order_id, None)
        self._ended.append(
            OrderStory(
                order_id,
                side,
                price_ticks,
                quantity_lots,
                cancelled_lots=quantity_lots,
                status=int(OrderStatus.REJECTED),
                reason=reason,
            )
        )

    def take_ended(self) -> list[OrderStory]:
        """The orders that left since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def apply(self, outcomes: list[Outcome]) -> list[Fill]:
        """Tell the outcomes of one step; its fills, in order."""
        fills = []
        for outcome in outcomes:
            if isinstance(outcome, Traded):
                fills.append(self._traded(outcome))
            elif isinstance(outcome, Rested):
                self.open[outcome.order_id].price_ticks = outcome.price_ticks
            elif isinstance(outcome, Cancelled):
                self._cancelled(self.open[outcome.order_id], outcome.reason)
            elif isinstance(outcome, Reduced):
                order = self.open[outcome.order_id]
                order.remaining_lots -= outcome.by_lots
                order.cancelled_lots += outcome.by_lots
            elif isinstance(outcome, Amended):
                order = self.open[outcome.order_id]
                order.price_ticks = outcome.price_ticks
                order.quantity_lots = outcome.quantity_lots + order.cancelled_lots
                order.remaining_lots = outcome.quantity_lots - order.filled_lots
        return fills

    def _cancelled(self, order: OrderStory, reason: int) -> None:
        order.cancelled_lots += order.remaining_lots
        order.remaining_lots = 0
        order.status = int(OrderStatus.EXPIRED if reason == Reason.ORDER_EXPIRED else OrderStatus.CANCELLED)
        order.reason = reason
        self._end(order)

    def _end(self, order: OrderStory) -> None:
        del self.open[order.id]
        self._ended.append(order)

    def _traded(self, outcome: Traded) -> Fill:
        fees, lots = self._fees, outcome.quantity_lots
        maker, taker = self.open[outcome.maker_id], self.open[outcome.taker_id]
        notional = outcome.price_ticks * fees.tick_minor * lots
        maker_fee = fee_minor(notional, fees.taker_bps if outcome.auction else fees.maker_bps)
        taker_fee = fee_minor(notional, fees.taker_bps)
        for order, fee in ((maker, maker_fee), (taker, taker_fee)):
            order.filled_lots += lots
            order.remaining_lots -= lots
            order.notional_minor += notional
            order.fee_minor += fee
            order.status = int(OrderStatus.PARTIALLY_FILLED if order.remaining_lots else OrderStatus.FILLED)
            if not order.remaining_lots:
                self._end(order)
        aggressor = 2 if outcome.auction else taker.side
        if maker.side == Side.BUY:
            return Fill(outcome.price_ticks, lots, notional, aggressor, maker.id, taker.id, maker_fee, taker_fee)
        return Fill(outcome.price_ticks, lots, notional, aggressor, taker.id, maker.id, taker_fee, maker_fee)
