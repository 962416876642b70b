"""A second matching engine, for the audit only (TRUST B3): written from docs/matching.md, sharing nothing with the core but its types.

Where the core keeps linked queues by price level, this one keeps one sorted list of priorities per side and looks at its front.
Rule numbers are those of the page.
"""

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet

import msgspec
from sortedcontainers import SortedDict

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
from exchange.domain.outcome import Amended, Cancelled, Outcome, PhaseSet, PostOnlySet, Reduced, Refused, Rested, Traded

SLID_NOWHERE = 0


class Entry(msgspec.Struct, gc=False, eq=False):
    """An order as this engine keeps it; its total is what it has traded and what remains."""

    order_id: str
    account: int
    participant: int
    side: int
    price_ticks: int
    remaining_lots: int
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
    def priority(self) -> tuple[int, int]:
        """Rule 1: better price first, then the earlier."""
        return (-self.price_ticks if self.side == Side.BUY else self.price_ticks, self.joined)


def _crosses(side: int, price_ticks: int, other_ticks: int) -> bool:
    return price_ticks >= other_ticks if side == Side.BUY else price_ticks <= other_ticks


class ReferenceBook:
    """Answers as `exchange.domain.book.Book` must."""

    def __init__(self) -> None:
        self.phase = int(Phase.PRE_OPEN)
        self.post_only = 0
        self.blocked: AbstractSet[tuple[int, int]] = frozenset()
        self._sides: tuple[SortedDict[tuple[int, int], Entry], SortedDict[tuple[int, int], Entry]] = (SortedDict(), SortedDict())
        self._by_id: dict[str, Entry] = {}
        self._expiring: SortedDict[tuple[int, int], Entry] = SortedDict()
        self._joins = 0

    def orders(self, side: int) -> list[Entry]:
        return list(self._sides[side].values())

    def apply(self, command: Command, now: int) -> list[Outcome]:
        if isinstance(command, Place):
            return self._place(command, now)
        if isinstance(command, Amend):
            return self._amend(command, now)
        if isinstance(command, Cancel):
            found = self._by_id.get(command.order_id)
            return [self._pull(found, command.reason)] if found else [Refused(command.order_id, int(Reason.ORDER_UNKNOWN))]
        if isinstance(command, CancelMany):
            many = command
            return self._pull_all(
                lambda o: many.account in (0, o.account) and many.side in (None, o.side) and many.group in (None, o.group), many.reason
            )
        if isinstance(command, SetPostOnly):
            return self._set_post_only(command)
        return self._set_phase(command)

    def expire(self, now: int) -> list[Outcome]:
        """Rule 11."""
        out: list[Outcome] = []
        while self._expiring and self._expiring.keys()[0][0] <= now:
            due = self._expiring.values()[0]
            out.append(self._pull(due, due.expire_reason))
        return out

    # ---- keeping

    def _rest(self, order: Entry) -> Outcome:
        self._joins += 1
        order.joined = self._joins
        self._sides[order.side][order.priority] = order
        self._by_id[order.order_id] = order
        if order.expire_at:
            self._expiring[(order.expire_at, order.joined)] = order
        return Rested(order.order_id, order.price_ticks, order.remaining_lots)

    def _remove(self, order: Entry) -> None:
        del self._sides[order.side][order.priority]
        del self._by_id[order.order_id]
        if order.expire_at:
            del self._expiring[(order.expire_at, order.joined)]

    def _pull(self, order: Entry, reason: int) -> Outcome:
        self._remove(order)
        return Cancelled(order.order_id, order.remaining_lots, int(reason))

    def _pull_all(self, wanted: Callable[[Entry], bool], reason: int) -> list[Outcome]:
        found = [order for side in (Side.BUY, Side.SELL) for order in self.orders(side) if wanted(order)]
        return [self._pull(order, reason) for order in found]

    def _best(self, side: int) -> Entry | None:
        return self._sides[side].values()[0] if self._sides[side] else None

    def _crossed(self, order: Entry, price_ticks: int) -> Iterator[Entry]:
        """Makers this order would meet at this price, in priority order."""
        for maker in self._sides[1 - order.side].values():
            if not _crosses(order.side, price_ticks, maker.price_ticks):
                return
            yield maker

    def _is_blocked(self, one: Entry, two: Entry) -> bool:
        ask, bid = (one, two) if one.side == Side.SELL else (two, one)
        return bool(ask.policy and bid.holder) and (ask.policy, bid.holder) in self.blocked

    # ---- rules 2, 3, 6, 7

    def _closed_to_orders(self, order_id: str) -> list[Outcome]:
        if self.phase == Phase.HALTED:
            return [Refused(order_id, int(Reason.PHASE_HALTED))]
        return [Refused(order_id, int(Reason.PHASE_CLOSED))] if self.phase == Phase.CLOSED else []

    def _closed_to_takers(self, order_id: str) -> list[Outcome]:
        """Rules 7 and 13, for an order that may not rest."""
        if self.phase == Phase.PRE_OPEN:
            return [Refused(order_id, int(Reason.PHASE_PRE_OPEN))]
        return [Refused(order_id, int(Reason.POST_ONLY_BOOK))] if self.post_only else []

    def _may_not_take(self, order: Entry, price_ticks: int) -> list[Outcome]:
        """Rules 3 and 13, at the price that rule 3 left it."""
        if price_ticks == SLID_NOWHERE:
            return [Refused(order.order_id, int(Reason.POST_ONLY_WOULD_TAKE))]
        kept_out = self.post_only and self.phase != Phase.PRE_OPEN and next(self._crossed(order, price_ticks), None) is not None
        return [Refused(order.order_id, int(Reason.POST_ONLY_BOOK))] if kept_out else []

    def _place(self, place: Place, now: int) -> list[Outcome]:
        at_once = place.type == OrderType.MARKET or place.tif in (TimeInForce.IOC, TimeInForce.FOK)
        refused = self._closed_to_orders(place.order_id) or (self._closed_to_takers(place.order_id) if at_once else [])
        if refused:
            return refused
        if 0 < place.expire_at <= now:
            return [Cancelled(place.order_id, place.quantity_lots, place.expire_reason)]
        order = Entry(
            place.order_id,
            place.account,
            place.participant,
            place.side,
            place.price_ticks,
            place.quantity_lots,
            0,
            place.stp,
            place.tif,
            place.post_only,
            place.expire_at,
            place.expire_reason,
            place.policy,
            place.holder,
            place.group,
        )
        order.price_ticks = self._post_only_price(order, place.price_ticks)
        if refused := self._may_not_take(order, order.price_ticks):
            return refused
        if place.tif == TimeInForce.FOK and not self._is_fillable(order):
            return [Cancelled(order.order_id, order.remaining_lots, int(Reason.FOK_UNFILLABLE))]
        return self._enter(order, at_once=at_once)

    def _post_only_price(self, order: Entry, price_ticks: int) -> int:
        """Rule 3: the price the order may have, or SLID_NOWHERE."""
        best = self._best(1 - order.side)
        if order.post_only == PostOnly.OFF or self.phase == Phase.PRE_OPEN or best is None:
            return price_ticks
        if not _crosses(order.side, price_ticks, best.price_ticks):
            return price_ticks
        if order.post_only == PostOnly.REJECT:
            return SLID_NOWHERE
        return best.price_ticks + (-1 if order.side == Side.BUY else 1)

    def _is_fillable(self, order: Entry) -> bool:
        """Rule 6."""
        available = 0
        for maker in self._crossed(order, order.price_ticks):
            if maker.participant == order.participant:
                if order.stp == SelfTrade.CANCEL_OLDEST:
                    continue
                break
            if not self._is_blocked(maker, order):
                available += maker.remaining_lots
        return available >= order.remaining_lots

    def _enter(self, order: Entry, *, at_once: bool) -> list[Outcome]:
        """A placed order, or what is left of a moved one, meets the book."""
        if self.phase == Phase.PRE_OPEN:
            return [self._rest(order)]
        out, ended = self._take(order)
        if ended or not order.remaining_lots:
            return out
        if at_once:
            out.append(Cancelled(order.order_id, order.remaining_lots, int(Reason.IOC_REMAINDER)))
        elif next(self._crossed(order, order.price_ticks), None) is not None:
            out.append(Cancelled(order.order_id, order.remaining_lots, int(Reason.GATE_REFUSED)))
        else:
            out.append(self._rest(order))
        return out

    def _take(self, taker: Entry) -> tuple[list[Outcome], bool]:
        """Trade in priority order; the second value tells whether self-trade prevention ended the taker."""
        out: list[Outcome] = []
        makers = self._sides[1 - taker.side].values()
        passed = 0  # makers it may not meet, and that stay in front
        while taker.remaining_lots and passed < len(makers):
            maker = makers[passed]
            if not _crosses(taker.side, taker.price_ticks, maker.price_ticks):
                break
            if maker.participant == taker.participant:
                if self._prevent(maker, taker, out):
                    return out, True
            elif self._is_blocked(maker, taker):
                passed += 1
            else:
                lots = min(maker.remaining_lots, taker.remaining_lots)
                out.append(Traded(maker.order_id, taker.order_id, maker.price_ticks, lots))
                self._fill(maker, lots)
                taker.remaining_lots -= lots
                taker.filled_lots += lots
        return out, False

    def _fill(self, order: Entry, lots: int) -> None:
        if lots == order.remaining_lots:
            self._remove(order)
        order.remaining_lots -= lots
        order.filled_lots += lots

    def _prevent(self, maker: Entry, taker: Entry, out: list[Outcome]) -> bool:
        """Rule 4; whether the taker is over."""
        reason = int(Reason.SELF_TRADE)
        if taker.stp in (SelfTrade.CANCEL_OLDEST, SelfTrade.CANCEL_BOTH):
            out.append(self._pull(maker, reason))
        if taker.stp == SelfTrade.CANCEL_OLDEST:
            return False
        if taker.stp in (SelfTrade.CANCEL_NEWEST, SelfTrade.CANCEL_BOTH):
            out.append(Cancelled(taker.order_id, taker.remaining_lots, reason))
            return True
        lots = min(maker.remaining_lots, taker.remaining_lots)
        if maker.remaining_lots == lots:
            out.append(self._pull(maker, reason))
        else:
            maker.remaining_lots -= lots
            out.append(Reduced(maker.order_id, lots, maker.remaining_lots))
        if taker.remaining_lots == lots:
            out.append(Cancelled(taker.order_id, lots, reason))
            return True
        taker.remaining_lots -= lots
        out.append(Reduced(taker.order_id, lots, taker.remaining_lots))
        return False

    # ---- rules 7, 8 and 13

    def _set_post_only(self, command: SetPostOnly) -> list[Outcome]:
        if self.phase == Phase.CLOSED:
            return [Refused("", int(Reason.PHASE_CLOSED))]
        self.post_only = command.on
        return [PostOnlySet(command.on)]

    def _set_phase(self, command: SetPhase) -> list[Outcome]:
        if self.phase == Phase.CLOSED:
            return [Refused("", int(Reason.PHASE_CLOSED))]
        if command.phase == Phase.CONTINUOUS and self.post_only and self._auction_price() is not None:
            return [Refused("", int(Reason.POST_ONLY_BOOK))]
        self.phase = command.phase
        pulled = self._pull_all(lambda _: True, int(Reason.GATE_CLOSED)) if command.phase == Phase.CLOSED else []
        return [*pulled, PhaseSet(command.phase), *(self._uncross() if command.phase == Phase.CONTINUOUS else ())]

    def _uncross(self) -> list[Outcome]:
        out: list[Outcome] = []
        while (price := self._auction_price()) is not None:
            while True:
                bid, ask = self._best(Side.BUY), self._best(Side.SELL)
                if bid is None or ask is None or bid.price_ticks < price or ask.price_ticks > price:
                    break
                later = max(bid, ask, key=lambda order: order.joined)
                if bid.participant == ask.participant:
                    out.append(self._pull(later, int(Reason.SELF_TRADE)))
                elif self._is_blocked(bid, ask):
                    out.append(self._pull(later, int(Reason.GATE_REFUSED)))
                else:
                    lots = min(bid.remaining_lots, ask.remaining_lots)
                    out.append(Traded(ask.order_id, bid.order_id, price, lots, auction=True))
                    self._fill(ask, lots)
                    self._fill(bid, lots)
        return out

    def _auction_price(self) -> int | None:
        best_bid, best_ask = self._best(Side.BUY), self._best(Side.SELL)
        if best_bid is None or best_ask is None or best_bid.price_ticks < best_ask.price_ticks:
            return None
        bids = [(o.price_ticks, o.remaining_lots) for o in self.orders(Side.BUY) if o.price_ticks >= best_ask.price_ticks]
        asks = [(o.price_ticks, o.remaining_lots) for o in self.orders(Side.SELL) if o.price_ticks <= best_bid.price_ticks]

        def rank(price: int) -> tuple[int, int, int]:
            demand = sum(lots for ticks, lots in bids if ticks >= price)
            supply = sum(lots for ticks, lots in asks if ticks <= price)
            return (-min(demand, supply), abs(demand - supply), price)

        return min({ticks for ticks, _ in (*bids, *asks)}, key=rank)

    # ---- rule 9

    def _amend(self, amend: Amend, now: int) -> list[Outcome]:
        if refused := self._closed_to_orders(amend.order_id):
            return refused
        order = self._by_id.get(amend.order_id)
        if order is None:
            return [Refused(amend.order_id, int(Reason.ORDER_UNKNOWN))]
        total = order.filled_lots + order.remaining_lots
        price = order.price_ticks if amend.price_ticks is None else amend.price_ticks
        lots = total if amend.quantity_lots is None else amend.quantity_lots
        expire_at = order.expire_at if amend.expire_at is None else amend.expire_at
        if (price, lots, expire_at) == (order.price_ticks, total, order.expire_at):
            return [Refused(order.order_id, int(Reason.NOTHING_TO_AMEND))]
        if lots <= order.filled_lots:
            return [Refused(order.order_id, int(Reason.QUANTITY_BELOW_FILLED))]
        over = expire_at != order.expire_at and 0 < expire_at <= now
        kept = over or (price == order.price_ticks and lots <= total)
        resting_price = price if kept else self._post_only_price(order, price)
        if not kept and (refused := self._may_not_take(order, resting_price)):
            return refused
        out: list[Outcome] = [Amended(order.order_id, price, lots, expire_at, kept)]
        self._remove(order)
        order.remaining_lots = lots - order.filled_lots
        order.expire_at = expire_at
        if amend.expire_reason is not None:
            order.expire_reason = amend.expire_reason
        if over:
            out.append(Cancelled(order.order_id, order.remaining_lots, order.expire_reason))
        elif kept:
            self._rest_again(order)
        else:
            order.price_ticks = resting_price
            out += self._enter(order, at_once=False)
        return out

    def _rest_again(self, order: Entry) -> None:
        """Back to the place it had."""
        self._sides[order.side][order.priority] = order
        self._by_id[order.order_id] = order
        if order.expire_at:
            self._expiring[(order.expire_at, order.joined)] = order
