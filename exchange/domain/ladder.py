"""One side of a book: price levels, each a queue of resting orders in time priority.

A level is keyed by its *signed* price, `price_ticks * sign` (bids +1, asks -1). With that, on both sides
a better price has a greater key, the best level is the last of the sorted `keys`, and "crosses" is one `>=`.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator

from exchange.domain.command import Place

BID_SIGN = 1
ASK_SIGN = -1


class RestingOrder:
    """What is left of a placed order while it rests: its terms, its quantities, its place in a queue.

    `quantity_lots` is the total, filled part included; `joined` numbers the joining of a level.
    """

    __slots__ = (
        "ahead",
        "behind",
        "expire_at",
        "joined",
        "level",
        "order_id",
        "participant",
        "price_ticks",
        "quantity_lots",
        "remaining_lots",
        "side",
        "terms",
    )

    # Its level, and its neighbours there; meaningful only while it rests.
    level: "Level"
    ahead: "RestingOrder | None"
    behind: "RestingOrder | None"

    def __init__(
        self,
        terms: Place,
        price_ticks: int,
        quantity_lots: int,
        remaining_lots: int,
        joined: int = 0,
    ) -> None:
        """Stand under the terms of the order as placed; what may differ by now is given.

        Only what matching looks at again and again is copied from the terms: most orders rest and leave without ever being looked at.
        """
        self.terms = terms
        self.order_id = terms.order_id
        self.participant = terms.participant
        self.side = terms.side
        self.price_ticks = price_ticks
        self.quantity_lots = quantity_lots
        self.remaining_lots = remaining_lots
        self.expire_at = terms.expire_at
        self.joined = joined

    @property
    def account(self) -> int:
        """The account it belongs to."""
        return self.terms.account

    @property
    def stp(self) -> int:
        """How it keeps from trading with its own participant."""
        return self.terms.stp

    @property
    def tif(self) -> int:
        """How long it is good for."""
        return self.terms.tif

    @property
    def post_only(self) -> int:
        """Whether it may take."""
        return self.terms.post_only

    @property
    def expire_reason(self) -> int:
        """Why it stops being valid at `expire_at`."""
        return self.terms.expire_reason

    @property
    def policy(self) -> int:
        """The transfer policy behind an ask."""
        return self.terms.policy

    @property
    def holder(self) -> int:
        """The holder profile behind a bid."""
        return self.terms.holder

    @property
    def group(self) -> str:
        """The name its owner gave to several orders."""
        return self.terms.group

    @property
    def filled_lots(self) -> int:
        """The lots it has traded; a decrement shrinks the total, so that it never counts as filled."""
        return self.quantity_lots - self.remaining_lots

    def __repr__(self) -> str:
        """Show the order as a line of a book."""
        side = "sell" if self.side else "buy"
        return f"<{self.order_id} {side} {self.remaining_lots}/{self.quantity_lots}@{self.price_ticks}>"


class Level:
    """The queue at one price; `lots` and `orders` are kept as running totals."""

    __slots__ = ("head", "key", "lots", "orders", "price_ticks", "tail")

    head: RestingOrder | None
    tail: RestingOrder | None

    def __init__(self, key: int, price_ticks: int) -> None:
        """Open an empty level."""
        self.key = key
        self.price_ticks = price_ticks
        self.lots = 0
        self.orders = 0
        self.head = self.tail = None

    def unlink(self, order: RestingOrder) -> None:
        """Take the order out of the queue, and its remaining lots out of the total."""
        ahead = order.ahead
        behind = order.behind
        if ahead is None:
            self.head = behind
        else:
            ahead.behind = behind
        if behind is None:
            self.tail = ahead
        else:
            behind.ahead = ahead
        order.ahead = order.behind = None
        self.lots -= order.remaining_lots
        self.orders -= 1


class Ladder:
    """All levels of one side, and which of them were touched since anybody asked."""

    __slots__ = ("keys", "levels", "sign", "touched")

    def __init__(self, sign: int) -> None:
        """Open an empty side; `sign` makes better prices greater keys."""
        self.sign = sign
        self.keys: list[int] = []
        self.levels: dict[int, Level] = {}
        self.touched: set[int] = set()

    def append(self, order: RestingOrder) -> None:
        """Put the order at the end of the queue at its price."""
        key = order.price_ticks * self.sign
        level = self.levels.get(key)
        if level is None:
            level = self.levels[key] = Level(key, order.price_ticks)
            insort(self.keys, key)
        tail = level.tail
        order.level = level
        order.ahead = tail
        order.behind = None
        if tail is None:
            level.head = order
        else:
            tail.behind = order
        level.tail = order
        level.lots += order.remaining_lots
        level.orders += 1
        self.touched.add(key)

    def remove(self, order: RestingOrder) -> None:
        """Take the order out of its level; an emptied level goes too."""
        level = order.level
        key = level.key
        level.unlink(order)
        self.touched.add(key)
        if level.head is None:
            del self.levels[key]
            keys = self.keys
            # The best level is the one that empties most often.
            if keys[-1] == key:
                keys.pop()
            else:
                del keys[bisect_left(keys, key)]

    def shrink(self, order: RestingOrder, by_lots: int) -> None:
        """Lower the remaining lots of the order, which keeps its place."""
        order.remaining_lots -= by_lots
        level = order.level
        level.lots -= by_lots
        self.touched.add(level.key)

    def best(self) -> int | None:
        """Return the best price, if anything rests."""
        return self.keys[-1] * self.sign if self.keys else None

    def in_priority(self) -> list[RestingOrder]:
        """Return every order, better prices first, earlier ones first within a price."""
        return list(self.walk())

    def walk(self) -> Iterator[RestingOrder]:
        """Yield the orders in priority order; nothing may change meanwhile."""
        for key in reversed(self.keys):
            order = self.levels[key].head
            while order is not None:
                yield order
                order = order.behind
