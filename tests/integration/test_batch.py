"""One batch at a time on real PostgreSQL: orders in, money and rights out."""

import pytest

from exchange.domain.command import Phase, Reason, TimeInForce
from exchange.models import Batch, Instrument, Trade
from exchange.models.book import CommandKind
from exchange.models.order import OrderStatus
from exchange.services import rules
from exchange.services.payload import CancelManyPayload
from rights.models import Event, Right
from settlement.models import Posting
from tests.trading_floor import LOT, Floor

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def floor() -> Floor:
    market = Floor()
    market.open("seller")
    market.open("buyer", 1000)
    return market


def test_a_bid_meets_an_ask(floor):
    floor.right("seller", 10)
    ask = floor.place("seller", "sell", 5, 200)
    bid = floor.place("buyer", "buy", 3, 250)
    floor.match()
    assert (floor.order(ask).status, floor.order(ask).filled_lots, floor.order(ask).remaining_lots) == (OrderStatus.PARTIALLY_FILLED, 3, 2)
    assert floor.order(bid).status == OrderStatus.FILLED
    trade = Trade.objects.get()
    assert (trade.price_ticks, trade.quantity_lots, trade.notional_minor) == (200, 3, 6_000_000)
    assert (trade.sell_fee_minor, trade.buy_fee_minor) == (6_000, 12_000)
    assert floor.cash("buyer") == (1000_000_000 - 6_012_000, 0)
    assert floor.cash("seller") == (6_000_000 - 6_000, 0)
    assert (floor.lots("seller"), floor.lots("buyer")) == (7, 3)
    child = Right.objects.get(holder=floor.accounts["buyer"])
    assert (str(trade.slice_children[0]), child.netted, child.parent_id == trade.slice_parents[0]) == (str(child.pk), True, True)
    assert Posting.objects.filter(entry_id=trade.pk).count() == 4
    assert list(Event.objects.filter(stream__code="series:1").order_by("seq").values_list("type", flat=True)) == [
        "instrument.phase_changed",
        "right.split",
        "trade.executed",
    ]


def test_later_deliveries_join_the_same_child(floor):
    floor.right("seller", 10)
    for _ in range(3):
        floor.place("seller", "sell", 2, 200)
        floor.place("buyer", "buy", 2, 200)
        floor.match()
    assert Right.objects.filter(holder=floor.accounts["buyer"]).count() == 1
    assert floor.lots("buyer") == 6
    assert Trade.objects.count() == 3


def test_all_of_a_right_moves_itself(floor):
    right = floor.right("seller", 4)
    floor.place("seller", "sell", 4, 200)
    floor.place("buyer", "buy", 1, 200)
    floor.place("buyer", "buy", 3, 200)
    floor.match()
    moved = Right.objects.get()
    assert (str(moved.pk), moved.holder.participant.slug, moved.remaining_units, moved.reserved_units) == (right, "buyer", 4 * LOT, 0)


def test_two_buyers_share_the_last_of_a_right(floor):
    right = floor.right("seller", 4)
    floor.open("other", 1000)
    floor.place("seller", "sell", 4, 200)
    floor.place("buyer", "buy", 1, 200)
    floor.place("other", "buy", 3, 200)
    floor.match()
    assert Right.objects.get(pk=right).holder.participant.slug == "other"
    assert (floor.lots("seller"), floor.lots("buyer"), floor.lots("other")) == (0, 1, 3)


def test_holds_follow_the_order(floor):
    bid = floor.place("buyer", "buy", 10, 100)
    floor.match()
    assert floor.cash("buyer")[1] == 10_000_000 + 20_000
    floor.amend("buyer", bid, quantity_lots=4)
    floor.match()
    assert floor.cash("buyer")[1] == 4_000_000 + 8_000
    floor.cancel("buyer", bid)
    floor.match()
    assert floor.cash("buyer")[1] == 0
    assert (floor.order(bid).status, floor.order(bid).reason) == (OrderStatus.CANCELLED, Reason.USER)


@pytest.mark.parametrize(
    ("side", "quantity", "price", "reason"),
    [
        ("buy", 1_000, 100_000, Reason.INSUFFICIENT_FUNDS),
        ("sell", 11, 100, Reason.INSUFFICIENT_RIGHTS),
        ("buy", 1, 100_001, Reason.PRICE_OUTSIDE_COLLAR),
        ("buy", 2_000_000, 1, Reason.QUANTITY_LIMIT),
    ],
)
def test_refusals_leave_everything_as_it_was(floor, side, quantity, price, reason):
    floor.right("seller", 10)
    order = floor.place("seller" if side == "sell" else "buyer", side, quantity, price)
    floor.match()
    found = floor.order(order)
    assert (found.status, found.reason, found.cancelled_lots) == (OrderStatus.REJECTED, reason, quantity)
    assert floor.cash("buyer") == (1000_000_000, 0)
    assert Right.objects.get().reserved_units == 0


def test_a_frozen_right_is_pulled_and_matching_goes_on(floor):
    bad, _ = floor.right("seller", 5), floor.open("other")
    floor.right("other", 5)
    first = floor.place("seller", "sell", 5, 100)
    second = floor.place("other", "sell", 5, 100)
    floor.match()
    Right.objects.filter(pk=bad).update(status="frozen", prior_status="active", freeze_reason="compliance")
    bid = floor.place("buyer", "buy", 5, 100)
    floor.match()
    assert (floor.order(first).status, floor.order(first).reason) == (OrderStatus.CANCELLED, Reason.RIGHT_FROZEN)
    assert floor.order(second).status == OrderStatus.FILLED
    assert floor.order(bid).status == OrderStatus.FILLED
    assert Right.objects.get(pk=bid and bad).reserved_units == 0


def test_a_market_order_and_a_lonely_one(floor):
    floor.right("seller", 5)
    floor.place("seller", "sell", 2, 100)
    floor.match()
    taken = floor.place("buyer", "buy", 5, None, tif=int(TimeInForce.IOC))
    floor.match()
    found = floor.order(taken)
    assert (found.filled_lots, found.cancelled_lots, found.reason, found.price_ticks) == (2, 3, Reason.IOC_REMAINDER, None)
    lonely = floor.place("buyer", "buy", 5, None, tif=int(TimeInForce.IOC))
    floor.match()
    assert floor.order(lonely).reason == Reason.IOC_REMAINDER
    assert floor.cash("buyer")[1] == 0


def test_a_denied_buyer_is_passed_over(floor):
    denied = f"acc_{floor.accounts['buyer'].uuid}"
    floor.right("seller", 5, policy={"denied_holders": [denied]})
    floor.open("other")
    floor.right("other", 5)
    floor.place("seller", "sell", 5, 100)
    second = floor.place("other", "sell", 5, 110)
    bid = floor.place("buyer", "buy", 2, 110)
    floor.match()
    assert floor.order(second).filled_lots == 2
    assert floor.order(bid).status == OrderStatus.FILLED


def test_the_gate_closes_and_releases(floor):
    floor.right("seller", 5)
    floor.place("seller", "sell", 5, 100)
    bid = floor.place("buyer", "buy", 2, 50)
    floor.match()
    floor.phase(Phase.CLOSED)
    floor.match()
    assert (floor.order(bid).status, floor.order(bid).reason) == (OrderStatus.CANCELLED, Reason.GATE_CLOSED)
    assert floor.cash("buyer")[1] == 0
    assert Right.objects.get().reserved_units == 0


def test_mass_cancel_and_a_stale_memory(floor):
    orders = [floor.place("buyer", "buy", 1, 10 + i) for i in range(5)]
    floor.match()
    floor.lane.drop(floor.book_id)
    floor.command(CommandKind.CANCEL_MANY, CancelManyPayload(), "buyer")
    floor.match()
    assert {floor.order(o).status for o in orders} == {OrderStatus.CANCELLED}
    assert floor.cash("buyer")[1] == 0


def test_nothing_is_applied_twice(floor):
    floor.place("buyer", "buy", 1, 10)
    assert floor.match().commands == 1
    before = Batch.objects.count()
    floor.match()
    assert Batch.objects.count() == before


def test_the_position_limit_counts_what_is_held_and_what_is_bid(floor):
    Instrument.objects.filter(pk=floor.book_id).update(position_limit_lots=5)
    rules.forget()
    floor.lane.drop(floor.book_id)
    floor.right("seller", 10)
    floor.place("seller", "sell", 3, 100)
    floor.place("buyer", "buy", 3, 100)
    floor.match()
    floor.place("buyer", "buy", 2, 50)
    over = floor.place("buyer", "buy", 1, 50)
    floor.match()
    assert (floor.order(over).status, floor.order(over).reason) == (OrderStatus.REJECTED, Reason.POSITION_LIMIT)
