"""The state of a book and the few steps by which it changes; the rules are elsewhere."""

from collections.abc import Set as AbstractSet
from heapq import heapify, heappop, heappush

from exchange.domain.command import Phase, Place
from exchange.domain.ladder import ASK_SIGN, BID_SIGN, Ladder, RestingOrder

# Below this many entries a heap with stale entries is not worth rebuilding.
_EXPIRIES_KEPT = 64


class BookState:
    """Two ladders, every resting order by its id, the expiries, the phase, whether takers are kept out, and the blocked pairs."""

    __slots__ = ("blocked", "by_id", "expiries", "joins", "ladders", "phase", "post_only")

    def __init__(
        self,
        phase: int = Phase.CONTINUOUS,
        blocked: AbstractSet[tuple[int, int]] = frozenset(),
        post_only: int = 0,
    ) -> None:
        """Start with nothing resting."""
        self.phase = int(phase)
        self.blocked = blocked
        self.post_only = post_only
        self.ladders = (Ladder(BID_SIGN), Ladder(ASK_SIGN))
        self.by_id: dict[str, RestingOrder] = {}
        self.joins = 0
        # (expire_at, joined, order_id). An entry whose order has left or changed is stale and ignored.
        self.expiries: list[tuple[int, int, str]] = []

    def join(self, order: RestingOrder) -> None:
        """Let the order rest at the end of its level."""
        self.joins = order.joined = self.joins + 1
        self.ladders[order.side].append(order)
        self.by_id[order.order_id] = order
        if order.expire_at:
            self.watch(order)

    def leave(self, order: RestingOrder) -> None:
        """Take the order out of the book and forget it."""
        self.ladders[order.side].remove(order)
        del self.by_id[order.order_id]

    def watch(self, order: RestingOrder) -> None:
        """Remember when the order expires."""
        expiries = self.expiries
        # Asks of expiring rights are often replaced long before the right ends: without this the heap only grows.
        if len(expiries) > _EXPIRIES_KEPT + 2 * len(self.by_id):
            expiries[:] = [entry for entry in expiries if self._is_current(entry)]
            heapify(expiries)
        heappush(expiries, (order.expire_at, order.joined, order.order_id))

    def pop_expired(self, now: int) -> RestingOrder | None:
        """Take the next order that has expired by `now` out of the book."""
        expiries = self.expiries
        while expiries and expiries[0][0] <= now:
            entry = heappop(expiries)
            if self._is_current(entry):
                order = self.by_id[entry[2]]
                self.leave(order)
                return order
        return None

    def next_expiry(self) -> int:
        """Tell the moment of the next expiry (0: none), forgetting entries that are stale."""
        expiries = self.expiries
        while expiries and not self._is_current(expiries[0]):
            heappop(expiries)
        return expiries[0][0] if expiries else 0

    def _is_current(self, entry: tuple[int, int, str]) -> bool:
        expire_at, joined, order_id = entry
        order = self.by_id.get(order_id)
        return order is not None and order.expire_at == expire_at and order.joined == joined


def is_blocked(
    blocked: AbstractSet[tuple[int, int]],
    ask: RestingOrder | Place,
    bid: RestingOrder | Place,
) -> bool:
    """Tell whether the ask's rights may not be delivered to the bid's holder."""
    policy = ask.policy
    holder = bid.holder
    return policy != 0 and holder != 0 and (policy, holder) in blocked
