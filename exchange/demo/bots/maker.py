"""The desk that quotes both sides. Which quotes it wants, and what has to change for that: pure."""

from collections.abc import Mapping
from random import Random
from typing import Any

import msgspec

from exchange.demo.bots.fair_value import BPS
from exchange.demo.bots.market import Market

LEVELS = 4
HALF_SPREAD_BPS = 35
STEP_BPS = 30

Slot = tuple[str, int]  # side, level from the inside


class Quote(msgspec.Struct, frozen=True):
    """A resting order as it is known, or a wanted one (without id)."""

    price_ticks: int
    lots: int
    order_id: str = ""


def wanted_quotes(*, market: Market, fair: int, chance: Random) -> dict[Slot, Quote]:
    """Levels around the fair price, a tick apart at least, never crossed, inside the collar; sizes grow outwards."""
    wanted: dict[Slot, Quote] = {}
    bid, ask = market.high_ticks + 1, market.low_ticks - 1
    for level in range(LEVELS):
        distance = max(1 + level, fair * (HALF_SPREAD_BPS + STEP_BPS * level) // BPS)
        lots = (5 + 5 * level) + chance.randrange(6)
        bid, ask = min(bid - 1, fair - distance), max(ask + 1, fair + distance)
        if bid >= market.low_ticks:
            wanted["buy", level] = Quote(bid, lots)
        if ask <= market.high_ticks:
            wanted["sell", level] = Quote(ask, lots)
    return wanted


def quote_changes(
    *, market: Market, wanted: Mapping[Slot, Quote], resting: Mapping[Slot, Quote], client_ids: Mapping[Slot, str]
) -> list[tuple[Slot, dict[str, Any]]]:
    """Operations that lead from the resting quotes to the wanted ones: move what is off, place what is missing.

    The side that backs away goes first, so that a moved quote finds no old one of its own in its way.
    """
    rising = sum(wanted[s].price_ticks - resting[s].price_ticks for s in wanted.keys() & resting.keys()) > 0
    order = sorted(wanted, key=lambda slot: ((slot[0] == "sell") != rising, slot[1]))
    changes: list[tuple[Slot, dict[str, Any]]] = []
    for slot in order:
        target, present = wanted[slot], resting.get(slot)
        if present is None:
            changes.append((slot, _place(market, slot, target, client_ids[slot])))
        elif present.price_ticks != target.price_ticks:
            changes.append((slot, {"op": "amend", "id": present.order_id, "price": market.text(target.price_ticks)}))
    changes += [(slot, {"op": "cancel", "id": present.order_id}) for slot, present in resting.items() if slot not in wanted]
    return changes


def _place(market: Market, slot: Slot, quote: Quote, client_id: str) -> dict[str, Any]:
    return {
        "op": "place",
        "instrument": market.symbol,
        "side": slot[0],
        "type": "limit",
        "price": market.text(quote.price_ticks),
        "quantity": str(quote.lots),
        "post_only": True,
        "post_only_action": "slide",
        "client_order_id": client_id,
        "group": "quotes",
    }
