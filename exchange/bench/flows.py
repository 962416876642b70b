"""Seeded order flows: what a trader sends, as the API's operations. Made before the clock starts."""

import random
from typing import Any

from exchange.bench.market import Market

MIXES = ("cross", "rest", "cancel")
BAND = 10  # ticks around the middle in which the crossing flow quotes


class Flow:
    """One trader's stream of operations of one mix."""

    def __init__(self, market: Market, mix: str, seed: int, tag: str) -> None:
        self._market, self._mix, self._tag = market, mix, tag
        self._chance = random.Random(seed)
        self._count = 0
        self._resting: list[str] = []

    def take(self, count: int) -> list[dict[str, Any]]:
        return [self._next() for _ in range(count)]

    def one(self) -> tuple[str, dict[str, Any]]:
        """The next operation's name and its fields, for doors that take one at a time."""
        fields = self._next()
        return fields.pop("op"), fields

    def _next(self) -> dict[str, Any]:
        self._count += 1
        cid = f"{self._tag}-{self._count}"
        if self._mix == "cancel" and self._resting and self._chance.random() < 0.5:
            return {"op": "cancel", "client_order_id": self._resting.pop(self._chance.randrange(len(self._resting)))}
        return {"op": "place", **self._place(cid)}

    def _place(self, cid: str) -> dict[str, Any]:
        """`cross`: half the orders quote, half take with a price that crosses. Otherwise: far from each other, nothing trades."""
        buy = self._chance.random() < 0.5
        mid = self._market.mid_ticks
        if self._mix == "cross":
            takes = self._chance.random() < 0.5
            away = self._chance.randrange(1, BAND)
            ticks = mid + away if buy == takes else mid - away
        else:
            ticks = mid - self._chance.randrange(5, 105) if buy else mid + self._chance.randrange(5, 105)
            if self._mix == "cancel":
                self._resting.append(cid)
        return {
            "instrument": self._market.symbol,
            "side": "buy" if buy else "sell",
            "quantity": str(self._chance.randrange(1, 10)),
            "price": self._market.price(ticks),
            "client_order_id": cid,
        }
