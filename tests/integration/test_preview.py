"""What the preview says of an order is what the batch then does with it."""

from collections.abc import Iterator
from typing import Any

import pytest

from exchange.api.order_entry import preview
from exchange.domain.command import Phase, Reason, SelfTrade
from exchange.models import Instrument, Order
from exchange.models.order import OrderStatus
from exchange.services.identity import Principal
from exchange.services.payload import PlacePayload
from exchange.services.rules import rules_of
from rights.models import Issuer
from settlement.models import OutcomeTally
from tests.honest_market import HonestMarket

pytestmark = pytest.mark.django_db
LIMIT = 10


@pytest.fixture
def market(monkeypatch: pytest.MonkeyPatch) -> Iterator[HonestMarket]:
    """`other` may hold ten lots here; it holds two and bids for three more. Asks: five at 220, five at 230."""
    market = HonestMarket(position_limit_lots=LIMIT)
    monkeypatch.setattr(preview, "now_us", lambda: market.now_us)
    market.phase(Phase.CONTINUOUS)
    market.match()
    market.place("holder", "sell", 2, 200)
    market.place("other", "buy", 2, 200)
    market.match()
    market.place("holder", "sell", 5, 220)
    market.place("holder", "sell", 5, 230)
    market.place("other", "buy", 3, 100)
    market.match()
    return market


def told(market: HonestMarket, slug: str, side: str, quantity: int, price: int | None, **more: Any) -> dict[str, Any]:
    account = market.accounts[slug]
    who = Principal(account.pk, str(account.uuid), account.participant_id, slug, "app", frozenset({"trade"}), "key:test", None, None)
    body = PlacePayload(side=int(side == "sell"), type=int(price is None), quantity_lots=quantity, price_ticks=price, **more)
    return preview._look(rules_of(market.book_id), body, who)


def done(market: HonestMarket, slug: str, side: str, quantity: int, price: int | None, **more: Any) -> Order:
    order_id = market.place(slug, side, quantity, price, **more)
    market.match()
    return Order.objects.get(pk=order_id)


@pytest.mark.parametrize(
    ("slug", "side", "quantity", "price", "refused"),
    [
        ("other", "buy", 5, 150, None),
        ("other", "buy", 6, 150, Reason.POSITION_LIMIT),
        ("other", "buy", 5, 220, None),
        ("other", "buy", 6, 220, Reason.POSITION_LIMIT),
        ("other", "buy", 5, None, None),
        ("other", "buy", 6, None, Reason.POSITION_LIMIT),
        ("third", "buy", 10, 230, None),
        ("third", "buy", 11, 230, Reason.POSITION_LIMIT),
        ("third", "buy", 400, None, None),  # a market order can take no more than the ten on offer
        ("other", "sell", 2, 300, None),
        ("other", "sell", 3, 300, Reason.INSUFFICIENT_RIGHTS),
    ],
)
def test_a_position_limit_binds_the_preview_as_it_binds_the_book(market, slug, side, quantity, price, refused):
    seen = told(market, slug, side, quantity, price)
    assert seen["reason"] == (refused and refused.name.lower())
    assert seen["accepted"] == (refused is None)
    order = done(market, slug, side, quantity, price)
    assert (order.status == OrderStatus.REJECTED) == (refused is not None)
    assert refused is None or order.reason == refused


def test_a_limit_counts_the_whole_participant_and_only_what_is_still_wanted(market):
    bid = Order.objects.get(account=market.accounts["other"], is_open=True)
    assert told(market, "other", "buy", 6, 150)["reason"] == "position_limit"
    market.cancel("other", str(bid.pk))
    market.match()
    assert told(market, "other", "buy", 6, 150)["reason"] is None
    assert told(market, "other", "buy", 9, 150)["reason"] == "position_limit"
    assert done(market, "other", "buy", 8, 150).status == OrderStatus.OPEN


def test_a_buy_is_told_what_a_lot_costs_by_what_may_be_expected(market):
    def said(side: str, quantity: int, price: int) -> tuple[Any, ...]:
        seen = told(market, "third" if side == "buy" else "holder", side, quantity, price)
        return seen["expected_delivery_bps"], seen["expected_delivery_sample"], seen["price_per_expected_lot"]

    assert said("buy", 6, 230) == (None, 0, None)
    series = Instrument.objects.get(pk=market.book_id).series
    of = {"issuer": Issuer.objects.get(), "compute_class": series.compute_class, "series": series}
    OutcomeTally.objects.create(**of, outcome="failed", requests=2, used_units=0, reserved_units=20)
    assert said("buy", 6, 230) == (0, 2, None)  # nothing to be expected has no price
    OutcomeTally.objects.create(**of, outcome="full", requests=8, used_units=80, reserved_units=80)
    assert said("buy", 6, 230) == (8_000, 10, "2.770834")  # five at 2.20 and one at 2.30, over eight tenths, rounded up
    assert said("buy", 1, 150) == (8_000, 10, "1.875")  # nothing trades: the limit, and who stands behind the asks
    assert said("sell", 1, 250) == (None, 0, None)


def test_a_book_without_a_limit_has_none(monkeypatch):
    free = HonestMarket()
    monkeypatch.setattr(preview, "now_us", lambda: free.now_us)
    assert told(free, "other", "buy", 1000, 100)["reason"] is None


@pytest.mark.parametrize(
    ("phase", "quantity", "price", "more", "refused"),
    [
        (Phase.HALTED, 1, 100, {}, Reason.PHASE_HALTED),
        (Phase.HALTED, 90, 100, {}, Reason.POSITION_LIMIT),
        (Phase.HALTED, 1, 200_000, {}, Reason.PRICE_OUTSIDE_COLLAR),
        (Phase.CLOSED, 1, 100, {}, Reason.PHASE_CLOSED),
        (Phase.CLOSED, 90, 100, {}, Reason.POSITION_LIMIT),
        (Phase.CONTINUOUS, 1, 220, {"post_only": 1}, Reason.POST_ONLY_WOULD_TAKE),
        (Phase.CONTINUOUS, 1, 219, {"deadline_us": 1}, Reason.DEADLINE_PASSED),
    ],
)
def test_of_several_reasons_the_preview_gives_the_one_the_book_gives(market, phase, quantity, price, more, refused):
    if phase is not Phase.CONTINUOUS:
        market.phase(phase)
        market.match()
    assert told(market, "other", "buy", quantity, price, **more)["reason"] == refused.name.lower()
    order = done(market, "other", "buy", quantity, price, **more)
    assert (order.status, order.reason) == (OrderStatus.REJECTED, refused)


@pytest.mark.parametrize("price", [None, 220])
@pytest.mark.parametrize(("mode", "fills"), [(SelfTrade.CANCEL_NEWEST, 0), (SelfTrade.CANCEL_OLDEST, 3), (SelfTrade.DECREMENT, 1)])
def test_an_order_that_meets_its_own_ask_fills_as_previewed(market, price, mode, fills):
    done(market, "other", "sell", 2, 210)
    seen = told(market, "other", "buy", 3, price, stp=int(mode))
    assert (seen["self_cross"], seen["would_fill"], seen["would_rest"]) == (True, str(fills), "0")
    if price is None:
        assert seen["hold"]["cash"] == ("0.00", "2.2044", "4.4088", "6.6132")[fills]  # lots at 220 ticks of a cent, and 20 bps
    order = done(market, "other", "buy", 3, price, stp=int(mode))
    assert (order.filled_lots, order.remaining_lots) == (fills, 0)


def restricted(monkeypatch: pytest.MonkeyPatch) -> tuple[HonestMarket, str]:
    """Five lots at 220 of a right that `other` may not have, and behind them five at 230 for anybody."""
    market = HonestMarket()
    monkeypatch.setattr(preview, "now_us", lambda: market.now_us)
    policy = {"denied_holders": [f"acc_{market.accounts['other'].uuid}"]}
    denied = str(market.desk.issue(20_000_000, holder="holder", transfer_policy=policy).pk)
    market.phase(Phase.CONTINUOUS)
    market.match()
    market.place("holder", "sell", 5, 220, rights=[denied])
    market.place("holder", "sell", 5, 230, rights=[market.right_id])
    market.match()
    return market, denied


@pytest.mark.parametrize(
    ("quantity", "price", "more", "fills"),
    [
        (5, 230, {}, 5),
        (7, 230, {}, 5),
        (3, None, {}, 3),
        (7, None, {}, 5),
        (5, 220, {}, 0),
        (6, 230, {"tif": 3}, 0),
        (5, 230, {"tif": 3}, 5),
    ],
)
def test_a_buy_counts_only_makers_that_it_may_meet(monkeypatch, quantity, price, more, fills):
    market, denied = restricted(monkeypatch)
    seen = told(market, "other", "buy", quantity, price, **more)
    shut = [gate for gate in seen["gates"] if not gate["passed"]]
    assert {(gate["right_id"], gate["code"]) for gate in shut} == {(f"rgt_{denied}", "holder_denied")}
    assert f"rgt_{denied}" not in {part["right_id"] for part in seen["rights"]}
    order = done(market, "other", "buy", quantity, price, **more)
    assert order.filled_lots == fills
    assert seen["reason"] == (None if fills or not more else "fok_unfillable")
    if seen["accepted"]:
        assert (seen["would_fill"], seen["would_rest"]) == (str(fills), str(order.remaining_lots))
        assert seen["worst_price"] == ("2.30" if fills else None)


def test_a_sell_counts_only_bidders_that_may_have_it(monkeypatch):
    market, denied = restricted(monkeypatch)
    market.place("other", "buy", 2, 210)
    market.place("third", "buy", 3, 205)
    market.match()
    for price, fills in ((205, 3), (210, 0), (None, 3)):
        seen = told(market, "holder", "sell", 4, price, rights=[denied])
        assert (price, seen["would_fill"]) == (price, str(fills))
    order = done(market, "holder", "sell", 4, None, rights=[denied])
    assert order.filled_lots == 3
