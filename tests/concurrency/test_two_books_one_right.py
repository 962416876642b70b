"""One right that two books deliver, both at the same moment: neither loses, doubles or stalls."""

from typing import Any

import pytest

from exchange.audit.run import audit
from exchange.domain.command import Phase, Reason
from exchange.models import Order
from exchange.models.order import OrderStatus
from exchange.replay.run import replay
from exchange.services import batch, freeze
from exchange.services.batch import match_once
from exchange.services.deliverable import register_deliverable
from exchange.services.lane import LaneMemory
from exchange.services.listing import TradingRules, list_instrument
from rights.models import Right
from rights.services import deliveries
from rights.services.split import split_right
from tests.honest_market import MINT, HonestMarket
from tests.seam import elsewhere, once_after

pytestmark = pytest.mark.django_db(transaction=True)
LOT = 1_000_000
BETTER: dict[str, Any] = {"service": {"quality_band": "high"}}


class TwoBooks(HonestMarket):
    """`better` is delivered into its own exact book and, by dominance, into the plain one. Each book has its own lane."""

    def __init__(self) -> None:
        super().__init__(delivery_rule="dominance")
        self.desk.assure(patch=BETTER, gross_units=10**12)
        self.better = self.desk.issue(10 * LOT, holder="third", **BETTER)
        rules = TradingRules(tick_minor=10_000, collar_low_ticks=1, collar_high_ticks=1000, opens_us=self.now_us)
        self.own = list_instrument(series=self.better.series, rules=rules, actor="command:test", now_us=self.now_us).pk
        self.plain = self.book_id
        register_deliverable(actor="timetable", now_us=self.now_us)
        self.lanes = {self.own: LaneMemory(), self.plain: LaneMemory()}
        for book in (self.own, self.plain):
            self.book_id = book
            self.phase(Phase.CONTINUOUS)
            self.work(book)

    def order(self, book: int, slug: str, side: str, lots: int, **more: Any) -> str:
        self.book_id = book
        return self.place(slug, side, lots, 200, **more)

    def work(self, book: int) -> None:
        self.now_us += 1000
        match_once(self.lanes[book], book_id=book, now_us=self.now_us)

    def elsewhere(self, book: int) -> None:
        """The other book's batch, on a connection of its own, up to its commit."""
        elsewhere(lambda: self.work(book))


def sound(market: TwoBooks) -> None:
    assert audit(now_us=market.now_us).broken == []
    assert replay().differences == {}


def test_both_make_the_first_child_of_one_buyer(monkeypatch: pytest.MonkeyPatch) -> None:
    market = TwoBooks()
    for book in (market.own, market.plain):
        market.order(book, "third", "sell", 4)
        market.work(book)
        market.order(book, "other", "buy", 3)
    looked = once_after(deliveries.rows.fetch_all, lambda: market.elsewhere(market.own))

    class Rows:
        """The registry's SQL, interrupted between looking for a child and locking it."""

        def __getattr__(self, name: str) -> Any:
            return getattr(deliveries_rows, name)

        @staticmethod
        def fetch_all(sql: str, params: Any = ()) -> Any:
            return looked(sql, params) if sql == deliveries._ABSORBERS else deliveries_rows.fetch_all(sql, params)

    deliveries_rows = deliveries.rows
    monkeypatch.setattr(deliveries, "rows", Rows())
    market.work(market.plain)
    monkeypatch.undo()
    assert list(Right.objects.filter(parent=market.better).values_list("remaining_units", "netted")) == [(6 * LOT, True)]
    sound(market)


def test_both_reserve_the_same_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """The seller holds two parts of one root, so the ledger alone would let both books reserve the same part."""
    market = TwoBooks()
    _, part = split_right(
        right_id=str(market.better.pk),
        holder_id=market.better.holder_id,
        units=5 * LOT,
        child_id=MINT.uuid(market.now_us),
        actor="command:test",
        now_us=market.now_us,
    )
    named = [str(part.pk)]
    first = market.order(market.own, "third", "sell", 5, rights=named)
    second = market.order(market.plain, "third", "sell", 5, rights=named)
    monkeypatch.setattr(batch, "read_parcels", once_after(batch.read_parcels, lambda: market.elsewhere(market.own)))
    market.work(market.plain)
    monkeypatch.undo()
    found = [Order.objects.values_list("status", "reason").get(pk=order) for order in (first, second)]
    assert found == [(OrderStatus.OPEN, Reason.NONE), (OrderStatus.REJECTED, Reason.INSUFFICIENT_RIGHTS)]
    sound(market)


def test_a_freeze_pulls_from_both_books() -> None:
    market = TwoBooks()
    orders = [market.order(book, "third", "sell", 4) for book in (market.own, market.plain)]
    for book in (market.own, market.plain):
        market.work(book)
    pulled = freeze.freeze_right(
        right_id=str(market.better.pk),
        freeze_reason="custom",
        reason="test",
        actor=f"key:{market.operator.uuid}",
        now_us=market.now_us,
    )
    assert pulled == 2
    for book in (market.own, market.plain):
        market.order(book, "other", "buy", 1)
        market.work(book)
    assert {Order.objects.get(pk=order).reason for order in orders} == {Reason.RIGHT_FROZEN}
    sound(market)
