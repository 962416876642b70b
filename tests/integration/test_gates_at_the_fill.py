"""What a right's terms allow holds at every fill, also after a lane forgot, a freeze, the gate's closing (SPEC §4)."""

from typing import Any

import pytest

from exchange.audit.run import audit
from exchange.domain.command import Phase, Reason
from exchange.models import Order, Trade
from exchange.services import freeze
from exchange.services.lane import LaneMemory
from rights.kernel.clock import to_us
from rights.kernel.ids import public
from rights.models import Right
from tests.honest_market import HonestMarket

pytestmark = pytest.mark.django_db


def opened(**policy: Any) -> HonestMarket:
    market = HonestMarket(policy=policy)
    market.phase(Phase.CONTINUOUS)
    market.match()
    return market


def reason_of(order_id: str) -> Reason:
    return Reason(Order.objects.get(pk=order_id).reason)


def clean(market: HonestMarket) -> bool:
    report = audit(now_us=market.now_us)
    return not report.broken


@pytest.mark.parametrize("forgets", [False, True])
def test_a_denied_holder_is_passed_over(forgets: bool) -> None:
    market = HonestMarket()
    market.phase(Phase.CONTINUOUS)
    denied = public("acc", str(market.accounts["other"].uuid))
    market.desk.issue(5_000_000, holder="third", transfer_policy={"denied_holders": [denied]})
    market.place("third", "sell", 2, 90)
    market.place("holder", "sell", 2, 100)
    market.match()
    if forgets:
        market.lane = LaneMemory()
    market.place("other", "buy", 2, 100)
    market.match()
    assert Trade.objects.get().price_ticks == 100
    assert clean(market)


def test_the_second_ask_of_a_key_brings_its_own_terms() -> None:
    """Two rights with the same combined receiver rules from different terms, behind asks of one key."""
    market = HonestMarket()
    market.phase(Phase.CONTINUOUS)
    denied = public("acc", str(market.accounts["other"].uuid))
    for limit in ("1", "2"):
        market.desk.issue(2_000_000, holder="third", transfer_policy={"denied_holders": [denied], "min_transfer_units": limit})
    market.place("third", "sell", 4, 90)
    market.match()
    market.lane = LaneMemory()
    market.place("other", "buy", 4, 90)
    market.match()
    assert not Trade.objects.exists()
    assert clean(market)


@pytest.mark.parametrize("policy", [{"min_transfer_units": "2000000"}, {"splittable": False}])
def test_terms_that_one_lot_would_break_keep_a_right_off_the_book(policy: dict[str, Any]) -> None:
    market = opened(**policy)
    ask = market.place("holder", "sell", 50, 100)
    market.match()
    assert reason_of(ask) == Reason.INSUFFICIENT_RIGHTS


def test_rights_of_odd_sizes_trade_in_whole_lots_where_their_terms_ask_for_it() -> None:
    market = opened(min_transfer_units="1000000")
    market.desk.issue(1_300_000, holder="third")
    market.desk.issue(2_700_000, holder="third", transfer_policy={"min_transfer_units": "900000"})
    refused = market.place("third", "sell", 4, 100)
    market.match()
    assert reason_of(refused) == Reason.INSUFFICIENT_RIGHTS
    market.place("third", "sell", 1, 100)
    for _ in range(3):
        market.place("other", "buy", 1, 100)
    market.match()
    assert Trade.objects.count() == 1
    assert clean(market)


def test_a_child_frozen_while_its_buyer_goes_on_can_be_unfrozen() -> None:
    market = opened()
    market.place("holder", "sell", 6, 100)
    market.place("other", "buy", 2, 100)
    market.match()
    child = Right.objects.get(parent__isnull=False)
    actor = f"key:{market.operator.uuid}"
    freeze.freeze_right(right_id=str(child.pk), freeze_reason="custom", reason="look", actor=actor, now_us=market.now_us)
    for _ in range(2):
        market.place("other", "buy", 2, 100)
        market.match()
    freeze.unfreeze_right(right_id=str(child.pk), reason="fine", actor="command:test", now_us=market.now_us)
    assert sorted(Right.objects.filter(parent__isnull=False).values_list("remaining_units", "netted")) == [
        (2_000_000, False),
        (4_000_000, True),
    ]
    assert clean(market)


def test_a_child_that_buys_and_sells_in_one_batch_is_held_since_then() -> None:
    market = opened()
    market.place("holder", "sell", 6, 100)
    market.place("other", "buy", 2, 100)
    market.match()
    market.place("other", "sell", 2, 90)
    market.match()
    market.place("third", "buy", 1, 90)
    market.place("other", "buy", 1, 100, stp=1)
    market.match()
    assert clean(market)


def test_nothing_trades_once_the_gate_has_come() -> None:
    market = opened()
    ask = market.place("holder", "sell", 2, 100)
    bid = market.place("other", "buy", 2, 90)
    market.match()
    market.phase(Phase.HALTED)
    market.match()
    market.now_us = to_us(market.instrument.gate_closes_at)
    market.phase(Phase.CONTINUOUS)
    market.amend("other", bid, price_ticks=100)
    market.place("third", "buy", 2, 100)
    market.match()
    assert not Trade.objects.exists()
    market.phase(Phase.CLOSED)
    market.match()
    assert [reason_of(order) for order in (ask, bid)] == [Reason.GATE_CLOSED, Reason.GATE_CLOSED]
    assert clean(market)
