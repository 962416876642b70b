"""What a book answers: one flat list of facts per command, in the order they happened."""

import msgspec


class Rested(msgspec.Struct, frozen=True, gc=False):
    """The order (or what is left of it) now rests at `price_ticks`, at the end of its level's queue."""

    order_id: str
    price_ticks: int
    remaining_lots: int


class Traded(msgspec.Struct, frozen=True, gc=False):
    """One trade. `auction` is true when both orders met in the opening uncross; then the taker is the buyer."""

    maker_id: str
    taker_id: str
    price_ticks: int
    quantity_lots: int
    auction: bool = False


class Cancelled(msgspec.Struct, frozen=True, gc=False):
    """The order left with `remaining_lots` unfilled; also for taker remainders and expiries."""

    order_id: str
    remaining_lots: int
    reason: int


class Reduced(msgspec.Struct, frozen=True, gc=False):
    """Self-trade prevention by decrement took `by_lots` from the order; `remaining_lots` is left (never 0)."""

    order_id: str
    by_lots: int
    remaining_lots: int


class Amended(msgspec.Struct, frozen=True, gc=False):
    """The order now has this total and price; `kept` tells whether it kept its place in the queue."""

    order_id: str
    price_ticks: int
    quantity_lots: int
    expire_at: int
    kept: bool


class Refused(msgspec.Struct, frozen=True, gc=False):
    """The command changed nothing. For a place, the order is rejected."""

    order_id: str
    reason: int


class PhaseSet(msgspec.Struct, frozen=True, gc=False):
    phase: int


class PostOnlySet(msgspec.Struct, frozen=True, gc=False):
    """Whether only orders that rest may enter (1) from here on."""

    on: int


Outcome = Rested | Traded | Cancelled | Reduced | Amended | Refused | PhaseSet | PostOnlySet
