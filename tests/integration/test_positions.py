"""What a position calls available is what an ask may offer, lot by lot, whatever the rights' terms say."""

from typing import Any

import pytest

from exchange.domain.command import Phase
from exchange.models import Order
from exchange.models.order import OrderStatus
from exchange.selectors import accounts
from exchange.selectors.accounts import PositionRow
from rights.kernel.clock import to_us
from tests.honest_market import HonestMarket

pytestmark = pytest.mark.django_db
LOT = 1_000_000
OPEN, REJECTED = int(OrderStatus.OPEN), int(OrderStatus.REJECTED)


def position(market: HonestMarket) -> PositionRow:
    return accounts.positions(account_id=market.accounts["third"].pk, now_us=market.now_us, limit=10)[0]


@pytest.mark.parametrize(
    ("policy", "lots"),
    [
        ({}, 5),
        ({"transferable": False}, 0),
        ({"lockup_until": "2026-11-30T00:00:00Z"}, 0),
        ({"min_hold_seconds": 86_400}, 0),
        ({"venue_deny": ["synthference"]}, 0),
        ({"requires_issuer_consent": True}, 0),
        ({"splittable": False}, 0),
        ({"min_transfer_units": "2000000"}, 0),
        ({"min_transfer_units": "1000000"}, 4),
    ],
)
def test_available_is_what_an_ask_may_offer(policy: dict[str, Any], lots: int) -> None:
    market = HonestMarket()
    market.phase(Phase.CONTINUOUS)
    for units in (2_300_000, 2_700_000):
        market.desk.issue(units, holder="third", transfer_policy=policy)
    held = position(market)
    assert (held.units, held.sellable, held.free, held.rights) == (5 * LOT, lots * LOT, lots * LOT, 2)
    over = market.place("third", "sell", lots + 1, 100)
    just = market.place("third", "sell", lots, 100) if lots else None
    market.match()
    assert Order.objects.get(pk=over).status == REJECTED
    if just is not None:
        assert Order.objects.get(pk=just).status == OPEN
        assert (position(market).sellable, position(market).free) == (lots * LOT, 0)


def test_nothing_can_be_sold_behind_the_gate_or_by_the_suspended() -> None:
    market = HonestMarket()
    market.desk.issue(2 * LOT, holder="third")
    assert position(market).free == 2 * LOT
    participant = market.accounts["third"].participant
    participant.status = "suspended"
    participant.save()
    assert (position(market).sellable, position(market).free) == (0, 0)
    participant.status = "active"
    participant.save()
    market.desk.issue(LOT, holder="third", transfer_policy={"transfer_cutoff_seconds": 40_000})
    assert position(market).free == 3 * LOT
    market.now_us = to_us(market.series.window_end) - 40_000_000_000
    assert (position(market).free, position(market).units) == (2 * LOT, 3 * LOT)
    market.now_us = to_us(market.instrument.gate_closes_at)
    assert (position(market).sellable, position(market).units) == (0, 3 * LOT)
