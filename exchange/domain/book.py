"""The book of one instrument: told commands, it answers what happened (docs/matching.md)."""

from collections.abc import Iterator

from exchange.domain.amend import amend
from exchange.domain.command import (
    Amend,
    Cancel,
    CancelMany,
    Command,
    Phase,
    Place,
    Reason,
    SetPhase,
    SetPostOnly,
    Side,
)
from exchange.domain.ladder import RestingOrder
from exchange.domain.matching import place
from exchange.domain.outcome import Cancelled, Outcome, PhaseSet, PostOnlySet, Refused
from exchange.domain.state import BookState
from exchange.domain.uncross import uncross

__all__ = ["Book", "RestingOrder"]


class Book(BookState):
    """A limit order book. `apply` and `expire` change it; everything else reads it.

    `blocked` holds the (policy, holder) pairs that may not trade, and may be set between commands.
    """

    __slots__ = ()

    def apply(self, command: Command, now: int) -> list[Outcome]:
        """Do one command as of `now` and say what happened, in order."""
        if isinstance(command, Place):
            return place(self, command, now)
        if isinstance(command, Cancel):
            return self._cancel(command)
        if isinstance(command, Amend):
            return amend(self, command, now)
        if isinstance(command, CancelMany):
            return self._cancel_many(command)
        if isinstance(command, SetPostOnly):
            return self._set_post_only(command)
        return self._set_phase(command)

    def expire(self, now: int) -> list[Outcome]:
        """Cancel every resting order whose time is over; the batch calls it before each command."""
        out: list[Outcome] = []
        if self.expiries and self.expiries[0][0] <= now:
            while (order := self.pop_expired(now)) is not None:
                out.append(Cancelled(order.order_id, order.remaining_lots, order.expire_reason))
        return out

    def load(self, order: RestingOrder) -> None:
        """Put an order back at the end of its level; a book is rebuilt by loading its orders as they joined.

        A `joined` other than 0 is kept, and later orders are numbered after it.
        """
        self.joins = max(self.joins, order.joined - 1)
        self.join(order)

    def best_bid(self) -> int | None:
        """Return the highest price bid, in ticks."""
        return self.ladders[Side.BUY].best()

    def best_ask(self) -> int | None:
        """Return the lowest price asked, in ticks."""
        return self.ladders[Side.SELL].best()

    def resting(self, order_id: str) -> RestingOrder | None:
        """Return the order if it rests here."""
        return self.by_id.get(order_id)

    def orders(self, side: int) -> list[RestingOrder]:
        """Return a side's orders in priority order."""
        return self.ladders[side].in_priority()

    def asks(self) -> Iterator[RestingOrder]:
        """Yield the sells in priority order; nothing may change meanwhile."""
        return self.ladders[Side.SELL].walk()

    def levels(self, side: int, depth: int | None = None) -> list[tuple[int, int, int]]:
        """Return a side's levels, best first: price in ticks, lots, number of orders."""
        ladder = self.ladders[side]
        keys = ladder.keys[::-1] if depth is None else ladder.keys[: -depth - 1 : -1]
        found = (ladder.levels[key] for key in keys)
        return [(level.price_ticks, level.lots, level.orders) for level in found]

    def take_touched(self) -> list[tuple[int, int, int, int]]:
        """Return (side, price in ticks, lots, orders) of the levels touched since the last call."""
        found = []
        for side, ladder in enumerate(self.ladders):
            for key in ladder.touched:
                level = ladder.levels.get(key)
                lots, orders = (level.lots, level.orders) if level else (0, 0)
                found.append((side, key * ladder.sign, lots, orders))
            ladder.touched.clear()
        found.sort()
        return found

    def _cancel(self, command: Cancel) -> list[Outcome]:
        order = self.by_id.get(command.order_id)
        if order is None:
            return [Refused(command.order_id, int(Reason.ORDER_UNKNOWN))]
        self.leave(order)
        return [Cancelled(order.order_id, order.remaining_lots, command.reason)]

    def _cancel_many(self, command: CancelMany) -> list[Outcome]:
        out: list[Outcome] = []
        for ladder in self.ladders:
            for order in ladder.in_priority():
                if command.account in {0, order.account} and command.side in {None, order.side} and command.group in {None, order.group}:
                    self.leave(order)
                    out.append(Cancelled(order.order_id, order.remaining_lots, command.reason))
        return out

    def _set_phase(self, command: SetPhase) -> list[Outcome]:
        if self.phase == Phase.CLOSED:
            return [Refused("", int(Reason.PHASE_CLOSED))]
        if command.phase == Phase.CONTINUOUS and self.post_only and self._is_crossed():
            return [Refused("", int(Reason.POST_ONLY_BOOK))]
        before, self.phase = self.phase, int(command.phase)
        out: list[Outcome] = []
        if self.phase == Phase.CLOSED:
            out = self._cancel_many(CancelMany(account=0, reason=int(Reason.GATE_CLOSED)))
        out.append(PhaseSet(self.phase))
        if self.phase == Phase.CONTINUOUS != before:
            uncross(self, out)
        return out

    def _set_post_only(self, command: SetPostOnly) -> list[Outcome]:
        if self.phase == Phase.CLOSED:
            return [Refused("", int(Reason.PHASE_CLOSED))]
        self.post_only = command.on
        return [PostOnlySet(command.on)]

    def _is_crossed(self) -> bool:
        bid, ask = self.best_bid(), self.best_ask()
        return bid is not None and ask is not None and bid >= ask
