"""What admission makes of market orders and amends: the makers passed over, the rights named, both bounds, the reason of an end."""

from typing import Any

import pytest

from exchange.audit.run import audit
from exchange.domain.command import OrderType, Phase, Reason, SelfTrade
from exchange.models import Order, Trade
from exchange.models.order import OrderStatus
from exchange.replay.run import replay
from exchange.services.lane import LaneMemory
from rights.domain.gates import transferable_until_us
from rights.domain.transfer_policy import TransferPolicy
from rights.kernel.clock import to_us
from rights.kernel.ids import public
from tests.honest_market import HonestMarket

pytestmark = pytest.mark.django_db
MARKET: dict[str, Any] = {"price": None, "tif": 2}


def opened(**more: Any) -> HonestMarket:
    market = HonestMarket(**more)
    market.phase(Phase.CONTINUOUS)
    market.match()
    return market


def told(order_id: str) -> tuple[OrderStatus, Reason, int]:
    status, reason, filled = Order.objects.values_list("status", "reason", "filled_lots").get(pk=order_id)
    return OrderStatus(status), Reason(reason), filled


def sound(market: HonestMarket) -> bool:
    return audit(now_us=market.now_us).broken == [] and replay().differences == {}


@pytest.mark.parametrize(
    ("mode", "ended"),
    [
        (SelfTrade.CANCEL_OLDEST, (OrderStatus.FILLED, Reason.NONE, 5)),
        (SelfTrade.DECREMENT, (OrderStatus.FILLED, Reason.NONE, 2)),
        (SelfTrade.CANCEL_NEWEST, (OrderStatus.CANCELLED, Reason.SELF_TRADE, 1)),
    ],
)
def test_a_market_order_goes_on_behind_its_owners_own(mode: SelfTrade, ended: tuple[OrderStatus, Reason, int]) -> None:
    market = opened()
    market.desk.issue(3_000_000, holder="third")
    market.place("holder", "sell", 1, 99)
    market.place("third", "sell", 3, 100)
    market.place("holder", "sell", 10, 101)
    market.match()
    order = market.place("third", "buy", 5, **MARKET, stp=int(mode))
    market.match()
    status, reason, filled = told(order)
    assert (reason, filled) == ended[1:]
    assert status == ended[0]
    assert sound(market)


def test_a_market_order_goes_on_behind_a_maker_it_may_not_meet() -> None:
    market = opened()
    denied = public("acc", str(market.accounts["other"].uuid))
    market.desk.issue(5_000_000, holder="third", transfer_policy={"denied_holders": [denied]})
    market.place("third", "sell", 5, 90)
    market.place("holder", "sell", 2, 100)
    market.match()
    order = market.place("other", "buy", 2, **MARKET)
    market.match()
    assert told(order) == (OrderStatus.FILLED, Reason.NONE, 2)
    assert Trade.objects.get().price_ticks == 100
    assert Order.objects.get(pk=order).type == OrderType.MARKET
    assert sound(market)


@pytest.mark.parametrize("forgets", [False, True])
def test_an_ask_grows_out_of_the_rights_it_named_only(forgets: bool) -> None:
    market = opened()
    first, second = (str(market.desk.issue(4_000_000, holder="third").pk) for _ in range(2))
    ask = market.place("third", "sell", 2, 100, rights=[second])
    plain = market.place("third", "sell", 1, 110)
    market.match()
    if forgets:
        market.lane = LaneMemory()
    market.amend("third", ask, quantity_lots=5)
    market.match()
    assert Order.objects.get(pk=ask).quantity_lots == 2
    market.amend("third", ask, quantity_lots=4)
    market.amend("third", plain, quantity_lots=4)
    market.match()
    rows = [Order.objects.get(pk=order) for order in (ask, plain)]
    assert [([str(r) for r in row.slice_rights], row.slice_units, row.named_rights) for row in rows] == [
        ([second], [4_000_000], [rows[0].slice_rights[0]]),
        ([first], [4_000_000], None),
    ]
    assert sound(market)


def test_an_amend_keeps_to_both_bounds() -> None:
    market = opened(min_quantity_lots=2, max_quantity_lots=9)
    bid = market.place("other", "buy", 5, 100)
    market.match()
    for wrong in (1, 10):
        market.amend("other", bid, quantity_lots=wrong)
        market.match()
        assert Order.objects.get(pk=bid).quantity_lots == 5
    for right in (9, 2):
        market.amend("other", bid, quantity_lots=right)
        market.match()
        assert Order.objects.get(pk=bid).quantity_lots == right
    assert sound(market)


@pytest.mark.parametrize("forgets", [False, True])
def test_an_amended_expiry_ends_for_its_own_reason(forgets: bool) -> None:
    market = opened(policy={"transfer_cutoff_seconds": 40_000})
    cut_off = transferable_until_us(TransferPolicy(transfer_cutoff_s=40_000), to_us(market.series.window_end))
    soon, later = cut_off - 10_000_000, cut_off + 10_000_000
    asks = [market.place("holder", "sell", 1, price) for price in (100, 101, 102)]
    market.match()
    market.amend("holder", asks[0], expire_us=soon)
    market.amend("holder", asks[1], expire_us=soon)
    market.match()
    market.amend("holder", asks[1], expire_us=later)
    market.match()
    if forgets:
        market.lane = LaneMemory()
    assert sound(market)
    market.now_us = cut_off
    market.match()
    assert [told(ask)[:2] for ask in asks] == [
        (OrderStatus.EXPIRED, Reason.ORDER_EXPIRED),
        *[(OrderStatus.CANCELLED, Reason.TRANSFER_CUTOFF)] * 2,
    ]
    assert sound(market)
