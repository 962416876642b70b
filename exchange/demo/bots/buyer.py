"""A tenant that buys what its requests will need. Pure."""

from random import Random
from typing import Any

import msgspec

from exchange.demo.bots.fair_value import BPS
from exchange.demo.bots.market import Market

LIMIT_BPS = 120  # over the fair price, and no more
PATIENCE_US = 30 * 1_000_000
MOST_LOTS = 200


class Need(msgspec.Struct):
    """Units of one ware that are not bought yet."""

    units: int = 0

    def lots(self, lot_units: int) -> int:
        """Whole lots of it, as many as one order may ask for."""
        return min(self.units // lot_units, MOST_LOTS)

    def bought(self, lots: int, lot_units: int) -> None:
        self.units = max(0, self.units - lots * lot_units)


def choose_market(*, markets: list[Market], chance: Random) -> Market | None:
    """The soonest window most of the time, the next ones now and then."""
    if not markets:
        return None
    ordered = sorted(markets, key=lambda m: (m.gate_us, m.symbol))
    return chance.choices(ordered, [2 ** max(0, 6 - n) for n in range(len(ordered))])[0]


def bid(*, market: Market, fair: int, lots: int, now_us: int, chance: Random) -> dict[str, Any]:
    """Take the best ask while it is worth it, else wait at a price of one's own for a while."""
    order = {"op": "place", "instrument": market.symbol, "side": "buy", "type": "limit", "quantity": str(lots), "group": "demand"}
    limit = market.inside(fair * (BPS + LIMIT_BPS) // BPS)
    ask = market.ask_ticks
    if ask is not None and ask <= limit and chance.randrange(8):
        return {**order, "price": market.text(min(limit, ask + 2)), "time_in_force": "ioc"}
    price = market.inside(fair * (BPS - chance.randrange(5, 60)) // BPS)
    return {**order, "price": market.text(price), "time_in_force": "gtd", "expire_us": min(now_us + PATIENCE_US, market.gate_us)}
