"""In a book of rolling windows each right ends by itself, counted from its activation, however long the series' window lasts (SPEC §2)."""

from typing import Any

import pytest

from exchange.audit.run import audit
from exchange.domain.command import Phase, Reason
from exchange.models import Order, Trade
from exchange.replay.run import replay
from exchange.services.expiry import expire_due
from exchange.services.listing import TradingRules, list_instrument
from rights.kernel.clock import to_us
from rights.models import Right
from tests.honest_market import HonestMarket
from tests.registry_desk import MINT

pytestmark = pytest.mark.django_db
LOT = 1_000_000
LENGTH_S = 7200
ROLLING: dict[str, Any] = {"service": {"quality_band": "high"}, "window": {"mode": "rolling", "rolling_length_seconds": LENGTH_S}}
HOUR_US = 3_600_000_000


class RollingMarket(HonestMarket):
    """`third` holds a right that was activated an hour before `holder`'s; one book delivers both."""

    def __init__(self) -> None:
        super().__init__()
        self.desk.assure(patch=ROLLING, gross_units=10**12)
        self.early = self.desk.issue(5 * LOT, holder="third", **ROLLING)
        self.early_ends_us = self.now_us + LENGTH_S * 1_000_000
        self.now_us += HOUR_US
        self.desk.now_us = self.now_us
        self.late = self.desk.issue(5 * LOT, holder="holder", **ROLLING)
        rules = TradingRules(tick_minor=10_000, collar_low_ticks=1, collar_high_ticks=1000, opens_us=self.now_us)
        self.instrument = list_instrument(series=self.early.series, rules=rules, actor="command:test", now_us=self.now_us)
        self.book_id = self.instrument.pk
        self.phase(Phase.CONTINUOUS)
        self.match()

    def at(self, now_us: int) -> None:
        self.now_us = now_us - 1000  # a match takes a millisecond
        self.match()


def test_the_batch_judges_a_right_by_its_own_end() -> None:
    market = RollingMarket()
    assert market.early_ends_us < to_us(market.instrument.gate_closes_at)
    first = market.place("third", "sell", 1, 90)
    second = market.place("holder", "sell", 1, 100)
    market.match()
    market.place("other", "buy", 1, 90)
    market.at(market.early_ends_us - 1)
    assert Trade.objects.get().price_ticks == 90  # it moves up to its last moment
    first = market.place("third", "sell", 1, 90)
    market.match()
    market.place("other", "buy", 1, 100)
    market.at(market.early_ends_us)
    assert [trade.price_ticks for trade in Trade.objects.order_by("trade_no")] == [90, 100]
    assert [Order.objects.get(pk=order).is_open for order in (first, second)] == [False, False]
    late_ask = market.place("third", "sell", 1, 90)
    market.match()
    assert Reason(Order.objects.get(pk=late_ask).reason) in (Reason.GATE_REFUSED, Reason.INSUFFICIENT_RIGHTS)
    assert audit(now_us=market.now_us).broken == []
    assert replay().differences == {}


def test_it_expires_by_its_own_end_and_the_other_goes_on() -> None:
    market = RollingMarket()
    market.at(market.early_ends_us)
    while expire_due(mint=MINT, now_us=market.now_us):
        market.match()
    statuses = dict(Right.objects.filter(pk__in=(market.early.pk, market.late.pk)).values_list("pk", "status"))
    assert statuses == {market.early.pk: "expired", market.late.pk: "active"}
    market.place("holder", "sell", 1, 100)
    market.place("other", "buy", 1, 100)
    market.match()
    assert Trade.objects.count() == 1
    assert audit(now_us=market.now_us).broken == []
    assert replay().differences == {}
