"""What a batch has done so far, in memory: holds, reservations, trades, changed orders. Written once at the end."""

import msgspec

from exchange.services.facts import Parcel, Party
from exchange.services.lane import BookMemory
from exchange.services.lessons import Lessons
from exchange.services.live import Live


class TradeFacts(msgspec.Struct, gc=False):
    """One trade as matched; rights by the seller's slices, in order of delivery."""

    trade_no: int
    price: int
    lots: int
    notional: int
    buy: Live
    sell: Live
    buy_fee: int
    sell_fee: int
    aggressor: int  # 0 buy, 1 sell, 2 auction
    parts: list[tuple[str, int]]  # (right, units)


class Working:
    """The batch's own copy of what it may change."""

    def __init__(
        self,
        memory: BookMemory,
        parties: dict[int, Party],
        parcels: dict[int, list[Parcel]],
        holdings: dict[int, int],
        trade_count: int,
        now_us: int,
    ) -> None:
        self.now_us = now_us
        self.memory = memory
        self.rules = memory.rules
        self.parties = parties
        self.parcels = parcels
        self.holdings = holdings
        self.worst_bps = max(memory.rules.maker_bps, memory.rules.taker_bps)
        self.held_delta: dict[int, int] = {}  # account -> cash minor units
        self.reserved_delta: dict[str, int] = {}  # right -> units
        self.owner_of: dict[str, int] = {}  # right -> the account that holds it
        self.terms_seen: dict[str, tuple[int, str]] = {}  # right -> its series and terms when this batch judged it
        self.changed: dict[str, Live] = {}
        self.trades: list[TradeFacts] = []
        self.trade_count = trade_count
        self.lessons = Lessons()
        self.judged: set[int] = set()  # policy keys whose blocked pairs are known
        self.bidders: dict[int, Party] = {}  # owners of resting bids, when a policy had to be judged
        self._by_right = {p.right_id: p for owned in parcels.values() for p in owned}

    def set_held(self, order: Live, need: int) -> None:
        """Hold `need` for the order instead of what it holds."""
        delta = need - order.held
        if delta:
            order.held = need
            self.held_delta[order.account] = self.held_delta.get(order.account, 0) + delta
            self.earn(order.account, -delta)

    def earn(self, account: int, minor: int) -> None:
        """Cash that is free to spend by later commands of this batch."""
        party = self.parties.get(account)
        if party is not None:
            party.cash += minor

    def position(self, order: Live) -> int:
        """Lots the order's participant holds here or is bidding for with other orders; only asked when there is a limit."""
        bids = self.memory.bids_of.get(order.participant, {})
        return self.holdings.get(order.participant, 0) + sum(bid.remaining for bid in bids.values() if bid is not order)

    def passed(self, seller: Live, buyer: Live, lots: int) -> None:
        """Lots changed hands."""
        if self.rules.position_limit_lots is not None:
            self.holdings[seller.participant] = self.holdings.get(seller.participant, 0) - lots
            self.holdings[buyer.participant] = self.holdings.get(buyer.participant, 0) + lots

    def reserve(self, order: Live, parcel: Parcel, units: int) -> None:
        """Lock units of one right for an ask, behind what it has locked already."""
        parcel.units -= units
        right = parcel.right_id
        self.terms_seen[right] = (parcel.series_id, parcel.receiver.terms_hash)
        self._reserved(order, right, units)
        if order.slices and order.slices[-1][0] == right:
            order.slices[-1] = (right, order.slices[-1][1] + units)
        else:
            order.slices.append((right, units))

    def release(self, order: Live, units: int) -> None:
        """Give back the last `units` an ask has locked."""
        while units:
            right, have = order.slices.pop()
            part = min(have, units)
            if have > part:
                order.slices.append((right, have - part))
            units -= part
            self._reserved(order, right, -part)
            parcel = self._by_right.get(right)
            if parcel is not None:
                parcel.units += part

    def take(self, order: Live, units: int) -> list[tuple[str, int]]:
        """Take the first `units` an ask has locked, for delivery: (right, units)."""
        parts: list[tuple[str, int]] = []
        slices = order.slices
        while units:
            right, have = slices[0]
            part = min(have, units)
            if have > part:
                slices[0] = (right, have - part)
            else:
                del slices[0]
            units -= part
            parts.append((right, part))
            self._reserved(order, right, -part)
        return parts

    def _reserved(self, order: Live, right: str, units: int) -> None:
        self.owner_of[right] = order.account
        self.reserved_delta[right] = self.reserved_delta.get(right, 0) + units
