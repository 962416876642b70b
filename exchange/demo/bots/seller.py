"""A vault that sells capacity before it perishes: patient at first, in a hurry at the gate. Pure."""

from random import Random
from typing import Any

from exchange.demo.bots.fair_value import BPS, PERISH_US
from exchange.demo.bots.market import Market

PREMIUM_BPS = 90
HURRY_US = 10 * 60 * 1_000_000
LIFE_US = 60 * 1_000_000


def urgency_bps(*, market: Market, now_us: int) -> int:
    """0 while there is time, 10,000 at the gate."""
    left = market.gate_us - now_us
    return BPS if left <= 0 else max(0, (PERISH_US - left) * BPS // PERISH_US)


def choose_market(*, markets: list[Market], now_us: int, chance: Random) -> Market | None:
    """What perishes first is offered most."""
    if not markets:
        return None
    weights = [1 + 6 * urgency_bps(market=m, now_us=now_us) // BPS for m in markets]
    return chance.choices(markets, weights)[0]


def offer(*, market: Market, fair: int, now_us: int, chance: Random) -> dict[str, Any]:
    """One ask: above the fair price while there is time, down to the bid when there is none."""
    urgency = urgency_bps(market=market, now_us=now_us)
    lots = 1 + chance.randrange(4) + 6 * urgency // BPS
    ask = {"op": "place", "instrument": market.symbol, "side": "sell", "quantity": str(lots), "group": "stock"}
    hurried = market.gate_us - now_us < HURRY_US and chance.randrange(3) == 0
    if hurried and market.bid_ticks is not None and market.bid_ticks * 10 >= fair * 9:
        return {**ask, "type": "limit", "price": market.text(market.bid_ticks), "time_in_force": "ioc"}
    premium = PREMIUM_BPS - 150 * urgency // BPS + chance.randrange(-30, 31)
    price = market.inside(fair * (BPS + premium) // BPS)
    life = LIFE_US * (BPS - urgency // 2) // BPS
    expire_us = min(now_us + life, market.gate_us)
    return {**ask, "type": "limit", "price": market.text(price), "time_in_force": "gtd", "expire_us": expire_us}
