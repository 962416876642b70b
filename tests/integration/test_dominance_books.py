"""A book that delivers by dominance: rights of several series, each in its own stream, and everything that reads them agrees."""

from typing import Any

import pytest

from exchange.api import render
from exchange.audit.run import audit
from exchange.domain.command import Phase, Reason
from exchange.models import Deliverable, Instrument, Order, Trade
from exchange.models.order import OrderStatus
from exchange.replay.run import replay
from exchange.selectors import accounts, fills, instruments, registry
from exchange.services import freeze
from exchange.services.deliverable import register_deliverable
from exchange.services.lane import LaneMemory
from exchange.services.listing import TradingRules, list_instrument
from exchange.services.operator_refusal import OperatorRefusal
from exchange.services.timetable import run_due
from rights.models import Event, Right, Series
from tests.honest_market import HonestMarket, tamper

pytestmark = pytest.mark.django_db
LOT = 1_000_000
BETTER: dict[str, Any] = {"service": {"quality_band": "high", "latency_class": "realtime"}}
LONGER: dict[str, Any] = {"window": {"end": "2026-12-03T00:00:00Z"}}
WORSE: dict[str, Any] = {"service": {"quality_band": "high", "privacy_class": "public"}}
SHORTER: dict[str, Any] = {"window": {"end": "2026-12-01T12:00:00Z"}}


class Market(HonestMarket):
    """The plain example's book, by dominance unless told otherwise."""

    def __init__(self, delivery_rule: str = "dominance", **trading: Any) -> None:
        super().__init__(delivery_rule=delivery_rule, **trading)
        self.phase(Phase.CONTINUOUS)
        self.match()

    def issue(self, lots: int, patch: dict[str, Any], holder: str = "holder") -> Right:
        """A right of another class or window, with an assurance of its own."""
        self.desk.assure(patch=patch, gross_units=10**12)
        return self.desk.issue(lots * LOT, holder=holder, **patch)

    def register(self) -> int:
        return register_deliverable(actor="timetable", now_us=self.now_us)

    def shown(self) -> dict[str, Any]:
        row = instruments.instrument(symbol=self.instrument.symbol, now_us=self.now_us)
        assert row is not None
        return render.instrument(row)


def sound(market: HonestMarket) -> None:
    assert audit(now_us=market.now_us).broken == []
    assert replay().differences == {}


def outcome(order_id: str) -> tuple[OrderStatus, Reason]:
    order = Order.objects.get(pk=order_id)
    return OrderStatus(order.status), Reason(order.reason)


def stream_types(series: Series) -> list[str]:
    return list(Event.objects.filter(stream=series.stream_id).order_by("seq").values_list("type", flat=True))


@pytest.fixture
def market() -> Market:
    return Market()


def test_what_is_at_least_as_good_is_registered_when_listing_and_later() -> None:
    market = Market("exact")
    better, worse, shorter = (market.issue(n, patch).series for n, patch in ((2, BETTER), (3, WORSE), (4, SHORTER)))
    market.register()
    assert not Deliverable.objects.exists()  # nothing of it concerns an exact book
    rules = TradingRules(tick_minor=10_000, collar_low_ticks=1, collar_high_ticks=1000, opens_us=market.now_us)
    listed = list_instrument(series=shorter, rules=rules, actor="command:test", now_us=market.now_us, delivery_rule="dominance")
    assert set(Deliverable.objects.filter(instrument=listed).values_list("series", flat=True)) == {market.series.pk, better.pk}
    later = market.issue(5, LONGER).series
    assert run_due(now_us=market.now_us).series_delivered == 1
    assert run_due(now_us=market.now_us).series_delivered == 0
    assert set(Deliverable.objects.filter(instrument=listed).values_list("series", flat=True)) == {market.series.pk, better.pk, later.pk}
    assert registry.symbols([worse.pk, better.pk, market.series.pk]) == {
        better.pk: [listed.symbol],
        market.series.pk: [market.instrument.symbol, listed.symbol],
    }
    sound(market)


def test_an_unknown_rule_is_refused() -> None:
    market = Market("exact")
    series = market.issue(2, BETTER).series
    rules = TradingRules(tick_minor=10_000, collar_low_ticks=1, collar_high_ticks=1000, opens_us=market.now_us)
    with pytest.raises(OperatorRefusal, match="delivery rule"):
        list_instrument(series=series, rules=rules, actor="command:test", now_us=market.now_us, delivery_rule="whatever")
    assert Instrument.objects.count() == 1


@pytest.mark.parametrize("forgets", [False, True])
def test_rights_of_three_series_trade_in_one_book(market: Market, forgets: bool) -> None:
    """Earliest window end first, then the oldest right; each right's facts in its own series' stream."""
    longer, better = market.issue(3, LONGER), market.issue(2, BETTER)
    assert market.register() == 2
    own = Right.objects.get(pk=market.right_id)
    ask = market.place("holder", "sell", 54, 200)
    market.match()
    assert Order.objects.get(pk=ask).slice_rights == [own.pk, better.pk, longer.pk]
    if forgets:
        market.lane = LaneMemory()
    for lots in (49, 2, 2, 1):
        market.place("other", "buy", lots, 200)
        market.match()
    parts = [tuple(zip(t.slice_parents, t.slice_units, strict=True)) for t in Trade.objects.order_by("trade_no")]
    assert parts == [
        ((own.pk, 49 * LOT),),
        ((own.pk, LOT), (better.pk, LOT)),
        ((better.pk, LOT), (longer.pk, LOT)),
        ((longer.pk, LOT),),
    ]
    assert {"right.split", "right.merged"} <= set(stream_types(better.series)) & set(stream_types(market.series))
    assert stream_types(longer.series)[2:] == ["right.split", "right.merged"]  # one netted child takes in both
    assert stream_types(market.series).count("trade.executed") == 4
    assert "trade.executed" not in stream_types(longer.series) + stream_types(better.series)
    told = fills.fills(account_id=market.accounts["other"].pk, limit=10)
    assert [(d.parent_id, d.terms_hash) for d in told[1].deliveries] == [
        (str(better.pk), better.terms_id),
        (str(longer.pk), longer.terms_id),
    ]
    sound(market)


def test_what_is_worse_or_ends_too_soon_is_not_deliverable(market: Market) -> None:
    for lots, patch in ((60, WORSE), (70, SHORTER)):
        market.issue(lots, patch)
    assert market.register() == 0
    ask = market.place("holder", "sell", 51, 200)
    market.match()
    assert outcome(ask) == (OrderStatus.REJECTED, Reason.INSUFFICIENT_RIGHTS)


def test_an_exact_book_takes_no_better_right() -> None:
    market = Market("exact")
    better = market.issue(60, BETTER)
    market.register()
    by_name = market.place("holder", "sell", 1, 200, rights=[str(better.pk)])
    too_many = market.place("holder", "sell", 51, 200)
    market.match()
    assert outcome(by_name) == outcome(too_many) == (OrderStatus.REJECTED, Reason.INSUFFICIENT_RIGHTS)
    assert market.shown()["delivery_rule"] == "exact"


def test_a_named_right_is_delivered_whatever_its_series(market: Market) -> None:
    better = market.issue(5, BETTER, holder="third")
    market.register()
    ask = market.place("third", "sell", 5, 200, rights=[str(better.pk)])
    market.place("other", "buy", 5, 200)
    market.match()
    assert outcome(ask) == (OrderStatus.FILLED, Reason.NONE)
    better.refresh_from_db()
    assert better.holder == market.accounts["other"]
    sound(market)


def test_positions_supply_and_limits_count_what_the_book_delivers() -> None:
    market = Market(position_limit_lots=10)
    market.issue(7, BETTER, holder="other")
    assert market.shown()["deliverable_quantity"] == "50"
    market.register()
    other = market.accounts["other"]
    (position,) = accounts.positions(account_id=other.pk, now_us=market.now_us, limit=10)
    assert (position.symbol, position.units, position.free) == (market.instrument.symbol, 7 * LOT, 7 * LOT)
    (limit,) = accounts.limits(participant_id=other.participant_id)
    assert (limit.limit_lots, limit.held_lots) == (10, 7)
    assert (market.shown()["deliverable_quantity"], market.shown()["delivery_rule"]) == ("57", "dominance")
    over, just = market.place("other", "buy", 4, 150), market.place("other", "buy", 3, 150)
    market.match()
    assert (outcome(over), outcome(just)) == (
        (OrderStatus.REJECTED, Reason.POSITION_LIMIT),
        (OrderStatus.OPEN, Reason.NONE),
    )


def test_what_backs_a_better_series_counts_too(market: Market) -> None:
    better = market.issue(2, BETTER)
    market.register()
    assert market.shown()["backing"] == "sound"
    better.assurance.status = "degraded"
    better.assurance.save()
    assert market.shown()["backing"] == "degraded"


def test_freezing_a_better_right_pulls_its_asks(market: Market) -> None:
    better = market.issue(5, BETTER, holder="third")
    market.register()
    ask = market.place("third", "sell", 2, 200)
    market.match()
    actor = f"key:{market.operator.uuid}"
    assert freeze.freeze_right(right_id=str(better.pk), freeze_reason="custom", reason="test", actor=actor, now_us=market.now_us) == 1
    market.place("other", "buy", 2, 200)
    market.match()
    assert outcome(ask) == (OrderStatus.CANCELLED, Reason.RIGHT_FROZEN)
    sound(market)


def test_one_right_offered_in_two_books(market: Market) -> None:
    """Its own exact book and the dominance book share its units; what one reserves the other can't."""
    better = market.issue(5, BETTER, holder="third")
    rules = TradingRules(tick_minor=10_000, collar_low_ticks=1, collar_high_ticks=1000, opens_us=market.now_us)
    own_book = list_instrument(series=better.series, rules=rules, actor="command:test", now_us=market.now_us).pk
    market.register()
    here = market.book_id

    market.place("third", "sell", 3, 200)
    market.match()
    market.book_id = own_book
    market.phase(Phase.CONTINUOUS)
    over, rest = market.place("third", "sell", 3, 200), market.place("third", "sell", 2, 200)
    market.match()
    assert (outcome(over)[1], outcome(rest)[1]) == (Reason.INSUFFICIENT_RIGHTS, Reason.NONE)
    for book in (own_book, here, own_book, here):
        market.book_id = book
        market.place("other", "buy", 1, 200)
        market.match()
    # Deliveries of one right to one buyer join one child, whichever book made it.
    assert sorted(Right.objects.filter(parent=better).values_list("remaining_units", flat=True)) == [4 * LOT]
    sound(market)


def test_the_audit_sees_what_the_book_does_not_deliver(market: Market) -> None:
    better = market.issue(2, BETTER, holder="third")
    market.register()
    market.place("third", "sell", 2, 200)
    market.place("other", "buy", 1, 200)
    market.match()
    sound(market)
    tamper("UPDATE exchange_deliverable SET since = since + interval '1 day'")
    assert {b.check for b in audit(now_us=market.now_us).broken} == {"trade_slices", "objects"}
    tamper("DELETE FROM exchange_deliverable WHERE series_id = %s", params=(better.series_id,))
    assert {b.check for b in audit(now_us=market.now_us).broken} == {"trade_slices", "asks_backed", "objects"}
