"""An order as the lane remembers it: what the core does not need and the rows do."""

from exchange.domain.command import OrderType, Reason, Side
from exchange.feed.record import OrderRecord
from exchange.models.order import OrderStatus
from settlement.domain.fees import fee_minor


class Live:
    """A new or resting order, mutable through one batch; quantities in lots, money in minor units."""

    __slots__ = (
        "account",
        "cancelled",
        "client_order_id",
        "created_us",
        "deadline_us",
        "expire_us",
        "fee",
        "filled",
        "group",
        "held",
        "holder",
        "id",
        "is_new",
        "joined",
        "notional",
        "participant",
        "policy",
        "post_only",
        "price",
        "quantity",
        "reason",
        "remaining",
        "rights",
        "side",
        "slices",
        "status",
        "stp",
        "tif",
        "type",
        "updated_us",
        "valid_reason",
        "valid_us",
    )

    def __init__(self, order_id: str, account: int, participant: int, side: int, quantity: int, price: int | None) -> None:
        self.id = order_id
        self.account = account
        self.participant = participant
        self.side = side
        self.quantity = self.remaining = quantity
        self.price = price
        self.filled = self.cancelled = 0
        self.client_order_id: str | None = None
        self.group = ""
        self.type = int(OrderType.LIMIT)
        self.tif = self.post_only = self.stp = 0
        self.status = int(OrderStatus.OPEN)
        self.reason = int(Reason.NONE)
        self.notional = self.fee = self.held = 0
        self.rights: list[str] | None = None  # those its owner named
        self.slices: list[tuple[str, int]] = []
        self.expire_us = self.valid_us = self.deadline_us = 0
        self.valid_reason = int(Reason.ORDER_EXPIRED)
        self.policy = self.holder = 0
        self.joined = 0
        self.created_us = self.updated_us = 0
        self.is_new = True

    @property
    def is_open(self) -> bool:
        return self.remaining > 0

    @property
    def is_buy(self) -> bool:
        return self.side == Side.BUY

    def record(self, book_id: int, book_seq: int) -> OrderRecord:
        """This order as the private channels tell it."""
        return OrderRecord(
            self.id,
            book_id,
            self.client_order_id,
            self.group,
            self.side,
            self.type,
            self.tif,
            self.post_only,
            self.stp,
            None if self.type == OrderType.MARKET else self.price,
            self.quantity,
            self.filled,
            self.remaining,
            self.status,
            self.reason,
            self.notional,
            self.fee,
            self.expire_us,
            self.created_us,
            self.updated_us,
            book_seq,
            self.rights,
            self.deadline_us,
        )


def cash_need(lots: int, price_ticks: int, tick_minor: int, worst_bps: int) -> int:
    """What a buy of `lots` at `price_ticks` must hold: the notional and its worst fee, minor units (audit L3)."""
    notional = lots * price_ticks * tick_minor
    return notional + fee_minor(notional, worst_bps)
