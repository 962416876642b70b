"""A second engine, written from docs/matching.md alone: one plain list of orders, sorted anew at every step.

It shares nothing with the core but the command and outcome types. It is slow on purpose: every rule of
the document should be recognisable in one place here, with its number.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from exchange.domain.command import (
    Amend,
    Cancel,
    CancelMany,
    Command,
    OrderType,
    Phase,
    Place,
    PostOnly,
    Reason,
    SelfTrade,
    SetPhase,
    SetPostOnly,
    Side,
    TimeInForce,
)
from exchange.domain.outcome import (
    Amended,
    Cancelled,
    Outcome,
    PhaseSet,
    PostOnlySet,
    Reduced,
    Refused,
    Rested,
    Traded,
)


@dataclass(slots=True, eq=False)
class NaiveOrder:
    order_id: str
    account: int
    participant: int
    side: int
    price_ticks: int
    quantity_lots: int
    filled_lots: int
    stp: int
    tif: int
    post_only: int
    expire_at: int
    expire_reason: int
    policy: int
    holder: int
    group: str
    joined: int = 0

    @property
    def remaining_lots(self) -> int:
        return self.quantity_lots - self.filled_lots


def other(side: int) -> int:
    return Side.SELL if side == Side.BUY else Side.BUY


def crosses(side: int, price: int, opposite_price: int) -> bool:
    return price >= opposite_price if side == Side.BUY else price <= opposite_price


class NaiveBook:
    def __init__(self, phase: int, blocked: Iterable[tuple[int, int]] = ()) -> None:
        self.phase: int = phase
        self.post_only: int = 0
        self.blocked: set[tuple[int, int]] = set(blocked)
        self._resting: list[NaiveOrder] = []
        self._joins = 0
        self._touched: set[tuple[int, int]] = set()

    # Reading

    def orders(self, side: int) -> list[NaiveOrder]:
        """Rule 1: better price first, then the moment of joining the level."""
        sign = -1 if side == Side.BUY else 1
        return sorted(
            (order for order in self._resting if order.side == side),
            key=lambda order: (sign * order.price_ticks, order.joined),
        )

    def levels(self, side: int, depth: int | None = None) -> list[tuple[int, int, int]]:
        prices = sorted(
            {order.price_ticks for order in self._resting if order.side == side},
            reverse=side == Side.BUY,
        )
        found = []
        for price in prices:
            at_price = [o for o in self._resting if o.side == side and o.price_ticks == price]
            found.append((price, sum(o.remaining_lots for o in at_price), len(at_price)))
        return found if depth is None else found[:depth]

    def best(self, side: int) -> int | None:
        prices = [order.price_ticks for order in self._resting if order.side == side]
        if not prices:
            return None
        return max(prices) if side == Side.BUY else min(prices)

    def best_bid(self) -> int | None:
        return self.best(Side.BUY)

    def best_ask(self) -> int | None:
        return self.best(Side.SELL)

    def resting(self, order_id: str) -> NaiveOrder | None:
        for order in self._resting:
            if order.order_id == order_id:
                return order
        return None

    def take_touched(self) -> list[tuple[int, int, int, int]]:
        touched, self._touched = sorted(self._touched), set()
        found = []
        for side, price in touched:
            at_price = [o for o in self._resting if o.side == side and o.price_ticks == price]
            found.append((side, price, sum(o.remaining_lots for o in at_price), len(at_price)))
        return found

    # Telling

    def apply(self, command: Command, now: int) -> list[Outcome]:
        match command:
            case Place():
                return self._place(command, now)
            case Amend():
                return self._amend(command, now)
            case Cancel():
                return self._cancel(command)
            case CancelMany():
                return self._cancel_many(command)
            case SetPhase():
                return self._set_phase(command)
            case SetPostOnly():
                return self._set_post_only(command)

    def expire(self, now: int) -> list[Outcome]:
        """Rule 11."""
        due = [o for o in self._resting if o.expire_at != 0 and o.expire_at <= now]
        due.sort(key=lambda order: (order.expire_at, order.joined))
        return [self._take_out(order, order.expire_reason) for order in due]

    # Rule 2

    def _place(self, place: Place, now: int) -> list[Outcome]:
        refusal = self._refused_by_phase(place.order_id)
        if refusal:
            return refusal
        at_once = place.type == OrderType.MARKET or place.tif in (TimeInForce.IOC, TimeInForce.FOK)
        if self.phase == Phase.PRE_OPEN and at_once:
            return [Refused(place.order_id, Reason.PHASE_PRE_OPEN)]
        if self.post_only and at_once:
            return [Refused(place.order_id, Reason.POST_ONLY_BOOK)]  # Rule 13
        if place.expire_at != 0 and place.expire_at <= now:
            return [Cancelled(place.order_id, place.quantity_lots, place.expire_reason)]
        order = NaiveOrder(
            order_id=place.order_id,
            account=place.account,
            participant=place.participant,
            side=place.side,
            price_ticks=place.price_ticks,
            quantity_lots=place.quantity_lots,
            filled_lots=0,
            stp=place.stp,
            tif=place.tif,
            post_only=place.post_only,
            expire_at=place.expire_at,
            expire_reason=place.expire_reason,
            policy=place.policy,
            holder=place.holder,
            group=place.group,
        )
        if self._post_only_refuses(order, order.price_ticks):
            return [Refused(order.order_id, Reason.POST_ONLY_WOULD_TAKE)]
        if self._keeps_out(order, order.price_ticks):
            return [Refused(order.order_id, Reason.POST_ONLY_BOOK)]
        if place.tif == TimeInForce.FOK and not self._fillable(order):
            return [Cancelled(order.order_id, order.remaining_lots, Reason.FOK_UNFILLABLE)]
        return self._enter(order, may_rest=not at_once)

    def _enter(self, order: NaiveOrder, *, may_rest: bool) -> list[Outcome]:
        """What a placed order does, and what a moved one does after its `Amended`."""
        if self.phase == Phase.PRE_OPEN:
            return [self._join(order)]
        if order.post_only != PostOnly.OFF:
            order.price_ticks = self._post_only_price(order, order.price_ticks)
            return [self._join(order)]
        said, gone = self._take(order)
        if gone or order.remaining_lots == 0:
            return said
        if not may_rest:
            return [*said, self._left(order, Reason.IOC_REMAINDER)]
        opposite = self.best(other(order.side))
        if opposite is not None and crosses(order.side, order.price_ticks, opposite):
            return [*said, self._left(order, Reason.GATE_REFUSED)]  # Rule 5
        return [*said, self._join(order)]

    def _take(self, taker: NaiveOrder) -> tuple[list[Outcome], bool]:
        """Trade while prices cross; the second value: self-trade prevention ended the taker."""
        said: list[Outcome] = []
        while taker.remaining_lots > 0:
            maker = self._next_maker(taker)
            if maker is None:
                break
            if maker.participant == taker.participant:
                prevented, gone = self._prevent(maker, taker)
                said += prevented
                if gone:
                    return said, True
            else:
                said.append(self._trade(maker, taker, maker.price_ticks, auction=False))
        return said, False

    def _next_maker(self, taker: NaiveOrder) -> NaiveOrder | None:
        for maker in self.orders(other(taker.side)):
            if not crosses(taker.side, taker.price_ticks, maker.price_ticks):
                return None
            if maker.participant == taker.participant or not self._may_not_meet(maker, taker):
                return maker
        return None

    def _trade(self, maker: NaiveOrder, taker: NaiveOrder, price: int, *, auction: bool) -> Outcome:
        lots = min(maker.remaining_lots, taker.remaining_lots)
        maker.filled_lots += lots
        taker.filled_lots += lots
        self._touch(maker)
        self._touch(taker)
        self._resting = [order for order in self._resting if order.remaining_lots > 0]
        return Traded(maker.order_id, taker.order_id, price, lots, auction)

    # Rule 3

    def _post_only_price(self, order: NaiveOrder, price: int) -> int:
        opposite = self.best(other(order.side))
        if opposite is None or not crosses(order.side, price, opposite):
            return price
        return opposite - 1 if order.side == Side.BUY else opposite + 1

    def _post_only_refuses(self, order: NaiveOrder, price: int) -> bool:
        if self.phase == Phase.PRE_OPEN or order.post_only == PostOnly.OFF:
            return False
        slid = self._post_only_price(order, price)
        return slid != price and (order.post_only == PostOnly.REJECT or slid < 1)

    # Rule 4

    def _prevent(self, maker: NaiveOrder, taker: NaiveOrder) -> tuple[list[Outcome], bool]:
        if taker.stp == SelfTrade.CANCEL_NEWEST:
            return [self._left(taker, Reason.SELF_TRADE)], True
        if taker.stp == SelfTrade.CANCEL_OLDEST:
            return [self._take_out(maker, Reason.SELF_TRADE)], False
        if taker.stp == SelfTrade.CANCEL_BOTH:
            return [
                self._take_out(maker, Reason.SELF_TRADE),
                self._left(taker, Reason.SELF_TRADE),
            ], True
        by = min(maker.remaining_lots, taker.remaining_lots)
        taker_ends = taker.remaining_lots == by
        said: list[Outcome] = []
        for order in (maker, taker):
            if order.remaining_lots == by:
                said.append(self._take_out(order, Reason.SELF_TRADE))
            else:
                order.quantity_lots -= by
                self._touch(order)
                said.append(Reduced(order.order_id, by, order.remaining_lots))
        return said, taker_ends

    # Rule 5

    def _may_not_meet(self, one: NaiveOrder, two: NaiveOrder) -> bool:
        ask, bid = (one, two) if one.side == Side.SELL else (two, one)
        if ask.policy == 0 or bid.holder == 0:
            return False
        return (ask.policy, bid.holder) in self.blocked

    # Rule 6

    def _fillable(self, taker: NaiveOrder) -> bool:
        count = 0
        for maker in self.orders(other(taker.side)):
            if not crosses(taker.side, taker.price_ticks, maker.price_ticks):
                break
            if maker.participant == taker.participant:
                if taker.stp == SelfTrade.CANCEL_OLDEST:
                    continue
                break
            if not self._may_not_meet(maker, taker):
                count += maker.remaining_lots
        return count >= taker.remaining_lots

    # Rule 7

    def _refused_by_phase(self, order_id: str) -> list[Outcome]:
        if self.phase == Phase.HALTED:
            return [Refused(order_id, Reason.PHASE_HALTED)]
        if self.phase == Phase.CLOSED:
            return [Refused(order_id, Reason.PHASE_CLOSED)]
        return []

    def _set_phase(self, command: SetPhase) -> list[Outcome]:
        if self.phase == Phase.CLOSED:
            return [Refused("", Reason.PHASE_CLOSED)]
        if self.post_only and command.phase == Phase.CONTINUOUS and self._crossed():
            return [Refused("", Reason.POST_ONLY_BOOK)]
        self.phase = command.phase
        if command.phase == Phase.CLOSED:
            said = self._take_out_all(lambda order: True, Reason.GATE_CLOSED)
            return [*said, PhaseSet(command.phase)]
        if command.phase == Phase.CONTINUOUS:
            return [PhaseSet(command.phase), *self._uncross()]
        return [PhaseSet(command.phase)]

    # Rule 8

    def _uncross(self) -> list[Outcome]:
        said: list[Outcome] = []
        while self._crossed():
            price = self._auction_price()
            while True:
                bids = [o for o in self.orders(Side.BUY) if o.price_ticks >= price]
                asks = [o for o in self.orders(Side.SELL) if o.price_ticks <= price]
                if not bids or not asks:
                    break
                bid, ask = bids[0], asks[0]
                later = bid if bid.joined > ask.joined else ask
                if bid.participant == ask.participant:
                    said.append(self._take_out(later, Reason.SELF_TRADE))
                elif self._may_not_meet(bid, ask):
                    said.append(self._take_out(later, Reason.GATE_REFUSED))
                else:
                    said.append(self._trade(ask, bid, price, auction=True))
        return said

    def _crossed(self) -> bool:
        bid, ask = self.best_bid(), self.best_ask()
        return bid is not None and ask is not None and bid >= ask

    def _auction_price(self) -> int:
        bid, ask = self.best_bid(), self.best_ask()
        assert bid is not None and ask is not None

        def rank(price: int) -> tuple[int, int, int]:
            bids = sum(o.remaining_lots for o in self.orders(Side.BUY) if o.price_ticks >= price)
            asks = sum(o.remaining_lots for o in self.orders(Side.SELL) if o.price_ticks <= price)
            return (-min(bids, asks), abs(bids - asks), price)

        return min({o.price_ticks for o in self._resting if ask <= o.price_ticks <= bid}, key=rank)

    # Rule 9

    def _amend(self, amend: Amend, now: int) -> list[Outcome]:
        refusal = self._refused_by_phase(amend.order_id)
        if refusal:
            return refusal
        order = self.resting(amend.order_id)
        if order is None:
            return [Refused(amend.order_id, Reason.ORDER_UNKNOWN)]
        price = order.price_ticks if amend.price_ticks is None else amend.price_ticks
        quantity = order.quantity_lots if amend.quantity_lots is None else amend.quantity_lots
        expire_at = order.expire_at if amend.expire_at is None else amend.expire_at
        present = (order.price_ticks, order.quantity_lots, order.expire_at)
        if (price, quantity, expire_at) == present:
            return [Refused(order.order_id, Reason.NOTHING_TO_AMEND)]
        if quantity <= order.filled_lots:
            return [Refused(order.order_id, Reason.QUANTITY_BELOW_FILLED)]
        over = expire_at != 0 and expire_at <= now
        kept = over or (price == order.price_ticks and quantity <= order.quantity_lots)
        if not kept and self._post_only_refuses(order, price):
            return [Refused(order.order_id, Reason.POST_ONLY_WOULD_TAKE)]
        if not kept and self._keeps_out(order, price):
            return [Refused(order.order_id, Reason.POST_ONLY_BOOK)]
        if over or not kept or quantity != order.quantity_lots:
            self._touch(order)
        order.price_ticks = price
        order.quantity_lots = quantity
        order.expire_at = expire_at
        order.expire_reason = order.expire_reason if amend.expire_reason is None else amend.expire_reason
        amended = Amended(order.order_id, price, quantity, expire_at, kept)
        if kept and not over:
            return [amended]
        self._resting.remove(order)
        if over:
            return [amended, self._left(order, order.expire_reason)]
        return [amended, *self._enter(order, may_rest=True)]

    # Rule 10

    def _cancel(self, cancel: Cancel) -> list[Outcome]:
        order = self.resting(cancel.order_id)
        if order is None:
            return [Refused(cancel.order_id, Reason.ORDER_UNKNOWN)]
        return [self._take_out(order, cancel.reason)]

    def _cancel_many(self, many: CancelMany) -> list[Outcome]:
        def matches(order: NaiveOrder) -> bool:
            return (
                many.account in (0, order.account)
                and (many.side is None or many.side == order.side)
                and (many.group is None or many.group == order.group)
            )

        return self._take_out_all(matches, many.reason)

    # Rule 13

    def _keeps_out(self, order: NaiveOrder, price: int) -> bool:
        """An order that is post-only itself has rule 3: it never takes."""
        if not self.post_only or self.phase != Phase.CONTINUOUS or order.post_only != PostOnly.OFF:
            return False
        opposite = self.best(other(order.side))
        return opposite is not None and crosses(order.side, price, opposite)

    def _set_post_only(self, command: SetPostOnly) -> list[Outcome]:
        if self.phase == Phase.CLOSED:
            return [Refused("", Reason.PHASE_CLOSED)]
        self.post_only = command.on
        return [PostOnlySet(command.on)]

    # Joining and leaving

    def _join(self, order: NaiveOrder) -> Outcome:
        self._joins += 1
        order.joined = self._joins
        self._resting.append(order)
        self._touch(order)
        return Rested(order.order_id, order.price_ticks, order.remaining_lots)

    def _touch(self, order: NaiveOrder) -> None:
        """Its level changes, if it is in one: an incoming order is not."""
        if order in self._resting:
            self._touched.add((order.side, order.price_ticks))

    def _left(self, order: NaiveOrder, reason: int) -> Outcome:
        return Cancelled(order.order_id, order.remaining_lots, reason)

    def _take_out(self, order: NaiveOrder, reason: int) -> Outcome:
        self._touch(order)
        self._resting = [other_one for other_one in self._resting if other_one is not order]
        return self._left(order, reason)

    def _take_out_all(self, wanted: Callable[[NaiveOrder], bool], reason: int) -> list[Outcome]:
        found = [o for side in (Side.BUY, Side.SELL) for o in self.orders(side) if wanted(o)]
        return [self._take_out(order, reason) for order in found]
