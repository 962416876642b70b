"""At the venue: a frozen right's asks leave the book, and an ended right's too; matching goes on."""

import pytest

from exchange.domain.command import Reason
from exchange.models.order import OrderStatus
from exchange.services.expiry import WAIT_US, expire_due
from exchange.services.freeze import freeze_right, unfreeze_right
from exchange.services.operator_refusal import OperatorRefusal
from rights.kernel.clock import to_us
from rights.models import Right
from settlement.models import Balance
from tests.trading_floor import LOT, MINT, Floor

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def floor():
    market = Floor()
    market.open("seller")
    market.open("buyer", 1000)
    return market


def freeze(floor, right_id):
    return freeze_right(right_id=right_id, freeze_reason="dispute", reason="a complaint", actor="user:1", now_us=floor.now_us)


def test_freezing_pulls_the_asks_of_that_right_only(floor):
    frozen, sound = floor.right("seller", 5), floor.right("seller", 5)
    first = floor.place("seller", "sell", 5, 200)
    second = floor.place("seller", "sell", 5, 201)
    floor.match()
    assert freeze(floor, frozen) == 1
    floor.match()
    assert (floor.order(first).status, floor.order(first).reason) == (OrderStatus.CANCELLED, Reason.RIGHT_FROZEN)
    assert floor.order(second).status == OrderStatus.OPEN
    assert Right.objects.get(pk=frozen).reserved_units == 0
    floor.place("buyer", "buy", 5, 300)
    floor.match()
    assert Right.objects.get(pk=sound).holder == floor.accounts["buyer"]
    assert Right.objects.get(pk=frozen).holder == floor.accounts["seller"]


def test_a_frozen_right_backs_no_new_ask_until_it_is_thawed(floor):
    right = floor.right("seller", 5)
    freeze(floor, right)
    refused = floor.place("seller", "sell", 5, 200)
    floor.match()
    assert floor.order(refused).status == OrderStatus.REJECTED
    unfreeze_right(right_id=right, reason="settled", actor="user:1", now_us=floor.now_us)
    taken = floor.place("seller", "sell", 5, 200)
    floor.match()
    assert floor.order(taken).status == OrderStatus.OPEN


def test_refusals_reach_the_operator(floor):
    right = floor.right("seller", 5)
    with pytest.raises(OperatorRefusal, match="not frozen"):
        unfreeze_right(right_id=right, reason="x", actor="user:1", now_us=floor.now_us)
    freeze(floor, right)
    with pytest.raises(OperatorRefusal) as caught:
        freeze(floor, right)
    assert caught.value.code == "lifecycle_refused"


def test_what_ended_expires_once_its_asks_are_gone(floor):
    offered, idle = floor.right("seller", 5), floor.right("seller", 3)
    floor.place("seller", "sell", 5, 200)
    floor.match()
    floor.now_us = to_us(floor.series.window_end)
    assert expire_due(mint=MINT, now_us=floor.now_us - 1) == 0
    assert expire_due(mint=MINT, now_us=floor.now_us) == 1
    floor.match()
    assert expire_due(mint=MINT, now_us=floor.now_us) == 1
    assert expire_due(mint=MINT, now_us=floor.now_us) == 0
    assert set(Right.objects.values_list("status", "remaining_units")) == {("expired", 0)}
    expired = Balance.objects.filter(account__code="units:expired", asset__root_right__in=[offered, idle])
    assert sorted(expired.values_list("amount", flat=True)) == [3 * LOT, 5 * LOT]


def test_what_waited_long_for_its_book_expires_soon_after_it(floor):
    floor.right("seller", 5)
    floor.place("seller", "sell", 5, 200)
    floor.match()
    floor.now_us = to_us(floor.series.window_end)
    for _ in range(60):
        assert expire_due(mint=MINT, now_us=floor.now_us) == 0
        floor.now_us += 1_000_000
    floor.match()
    assert expire_due(mint=MINT, now_us=floor.now_us + WAIT_US) == 1
