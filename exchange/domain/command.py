"""What a book can be told. Values only; `now` and ids arrive from outside (SPEC §3, §4).

Units: prices in ticks, quantities in lots, moments in microseconds since the epoch.
Order ids are opaque strings; accounts, participants, policies and holders are integers.
"""

from enum import IntEnum

import msgspec


class Side(IntEnum):
    BUY = 0
    SELL = 1


class OrderType(IntEnum):
    LIMIT = 0
    MARKET = 1


class TimeInForce(IntEnum):
    GTG = 0  # good till gate; `gtc` is the same
    GTD = 1
    IOC = 2
    FOK = 3


class PostOnly(IntEnum):
    OFF = 0
    REJECT = 1
    SLIDE = 2


class SelfTrade(IntEnum):
    CANCEL_NEWEST = 0
    CANCEL_OLDEST = 1
    CANCEL_BOTH = 2
    DECREMENT = 3


class Phase(IntEnum):
    PRE_OPEN = 0
    CONTINUOUS = 1
    HALTED = 2
    CLOSED = 3


class Reason(IntEnum):
    """Why an order or a command ended as it did; the public name is the lower-case member name."""

    NONE = 0
    USER = 1
    SELF_TRADE = 2
    GATE_CLOSED = 3
    RIGHT_FROZEN = 4
    ORDER_EXPIRED = 5
    IOC_REMAINDER = 6
    FOK_UNFILLABLE = 7
    POST_ONLY_WOULD_TAKE = 8
    GATE_REFUSED = 9
    PHASE_CLOSED = 10
    PHASE_HALTED = 11
    PHASE_PRE_OPEN = 12
    ORDER_UNKNOWN = 13
    ORDER_TERMINAL = 14
    QUANTITY_BELOW_FILLED = 15
    INSUFFICIENT_FUNDS = 16
    INSUFFICIENT_RIGHTS = 17
    PRICE_OUTSIDE_COLLAR = 18
    POSITION_LIMIT = 19
    DEADLINE_PASSED = 20
    RIGHT_EXPIRED = 21
    TRANSFER_CUTOFF = 22
    HOLDER_SUSPENDED = 23
    KILL_SWITCH = 24
    RIGHT_SPENT = 25
    NOTHING_TO_AMEND = 26
    QUANTITY_LIMIT = 27
    NO_MARKET = 28
    POST_ONLY_BOOK = 29
    BACKING_UNSOUND = 30


class Place(msgspec.Struct, frozen=True, gc=False):
    """A new order that has passed admission.

    `price_ticks` is the limit; for a market order it is the collar's bound.
    `expire_at` is the moment it stops being valid (0: never) and `expire_reason` why.
    `policy` names the transfer policy of the rights behind an ask, `holder` the holder
    profile behind a bid (0: unrestricted): see `BookState.blocked`.
    """

    order_id: str
    account: int
    participant: int
    side: int
    type: int
    price_ticks: int
    quantity_lots: int
    tif: int = 0
    post_only: int = 0
    stp: int = 0
    expire_at: int = 0
    expire_reason: int = int(Reason.ORDER_EXPIRED)
    policy: int = 0
    holder: int = 0
    group: str = ""


class Amend(msgspec.Struct, frozen=True, gc=False):
    """New absolute values for a resting order; None leaves a value as it is.

    `quantity_lots` is the order's new total (filled part included). `expire_reason` goes with `expire_at`.
    """

    order_id: str
    price_ticks: int | None = None
    quantity_lots: int | None = None
    expire_at: int | None = None
    expire_reason: int | None = None


class Cancel(msgspec.Struct, frozen=True, gc=False):
    order_id: str
    reason: int = int(Reason.USER)


class CancelMany(msgspec.Struct, frozen=True, gc=False):
    """Cancel every resting order of an account (0: of everybody), narrowed by side and group."""

    account: int
    side: int | None = None
    group: str | None = None
    reason: int = int(Reason.USER)


class SetPhase(msgspec.Struct, frozen=True, gc=False):
    phase: int


class SetPostOnly(msgspec.Struct, frozen=True, gc=False):
    """From now on only orders that rest may enter (1), or takers may again (0)."""

    on: int


Command = Place | Amend | Cancel | CancelMany | SetPhase | SetPostOnly
