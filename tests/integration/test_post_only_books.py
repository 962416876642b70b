"""A book that keeps takers out: by a command in its own log, seen by readers, replayed exactly, lifted again."""

from typing import Any

import pytest

from exchange.api import render
from exchange.api.order_entry import preview
from exchange.audit.run import audit
from exchange.domain.command import Phase, Reason
from exchange.feed.record import decode_public
from exchange.models import Batch, Book, Order
from exchange.models.order import OrderStatus
from exchange.replay.run import replay
from exchange.selectors import instruments, market_data
from exchange.services.identity import Principal
from exchange.services.lane import LaneMemory
from exchange.services.payload import PlacePayload
from exchange.services.rules import rules_of
from rights.models import Event
from tests.honest_market import HonestMarket

pytestmark = pytest.mark.django_db

TAKERS: tuple[dict[str, Any], ...] = (
    {"price": 210},
    {"price": 200},
    {"price": None},
    {"price": 210, "tif": 2},
    {"price": 210, "tif": 3},
    {"price": 150, "tif": 2},
    {"price": 150, "tif": 3},
)


@pytest.fixture
def market() -> HonestMarket:
    """An ask at 200, a bid at 100, and takers kept out."""
    market = HonestMarket()
    market.phase(Phase.CONTINUOUS)
    market.place("holder", "sell", 5, 200)
    market.bid = market.place("third", "buy", 2, 100)
    market.post_only(1)
    market.match()
    return market


def outcome(market: HonestMarket, order_id: str) -> tuple[OrderStatus, Reason]:
    order = Order.objects.get(pk=order_id)
    return OrderStatus(order.status), Reason(order.reason)


def sound(market: HonestMarket) -> None:
    assert audit(now_us=market.now_us).broken == []
    assert replay().differences == {}


def previewed(market: HonestMarket, monkeypatch: pytest.MonkeyPatch, quantity: int, price: int | None, **more: int) -> str | None:
    monkeypatch.setattr(preview, "now_us", lambda: market.now_us)
    account = market.accounts["other"]
    who = Principal(account.pk, str(account.uuid), account.participant_id, "other", "app", frozenset({"trade"}), "key:test", None, None)
    body = PlacePayload(side=0, type=int(price is None), quantity_lots=quantity, price_ticks=price, **more)
    found: str | None = preview._look(rules_of(market.book_id), body, who)["reason"]
    return found


@pytest.mark.parametrize("taker", TAKERS, ids=str)
@pytest.mark.parametrize("forgets", [False, True])
def test_takers_are_refused_and_what_they_held_goes_back(
    market: HonestMarket, monkeypatch: pytest.MonkeyPatch, taker: dict[str, Any], forgets: bool
) -> None:
    assert previewed(market, monkeypatch, 2, **taker) == "post_only_book"
    if forgets:
        market.lane = LaneMemory()
    order = market.place("other", "buy", 2, **taker)
    market.match()
    assert outcome(market, order) == (OrderStatus.REJECTED, Reason.POST_ONLY_BOOK)
    sound(market)


def test_what_rests_enters_and_leaves_as_ever(market: HonestMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    assert previewed(market, monkeypatch, 2, 199) is None
    rests = market.place("other", "buy", 2, 199)
    slides = market.place("other", "buy", 2, 210, post_only=2)
    rejected = market.place("other", "buy", 2, 210, post_only=1)
    market.cancel("third", market.bid)
    market.match()
    assert outcome(market, rests) == outcome(market, slides) == (OrderStatus.OPEN, Reason.NONE)
    assert outcome(market, rejected) == (OrderStatus.REJECTED, Reason.POST_ONLY_WOULD_TAKE)
    assert outcome(market, market.bid) == (OrderStatus.CANCELLED, Reason.USER)
    market.amend("other", rests, price_ticks=205)
    market.amend("other", slides, quantity_lots=1)
    market.match()
    assert [Order.objects.get(pk=order).price_ticks for order in (rests, slides)] == [199, 199]
    assert Order.objects.get(pk=slides).quantity_lots == 1
    sound(market)


def test_lifted_it_trades_again(market: HonestMarket) -> None:
    market.post_only(0)
    order = market.place("other", "buy", 2, 200)
    market.match()
    assert outcome(market, order) == (OrderStatus.FILLED, Reason.NONE)
    sound(market)


def test_readers_are_told_and_why(market: HonestMarket) -> None:
    def shown() -> tuple[Any, ...]:
        row = instruments.instrument(symbol=market.instrument.symbol, now_us=market.now_us)
        assert row is not None
        document = render.instrument(row)
        ticker = market_data.ticker(book_id=market.book_id, now_us=market.now_us)
        public = decode_public(bytes(Batch.objects.filter(book=market.book_id).latest("seq").public))
        book = Book.objects.get(pk=market.book_id)
        return document["post_only"], document["post_only_reason"], ticker.post_only, public.post_only, book.post_only

    assert shown() == (True, "test", True, 1, True)
    market.post_only(1)  # told again what it is: no event
    market.post_only(0)
    market.match()
    assert shown() == (False, None, False, 0, False)
    assert Event.objects.filter(type="instrument.post_only_changed").count() == 2


def test_a_crossed_book_does_not_open(market: HonestMarket) -> None:
    market.phase(Phase.PRE_OPEN)
    early = market.place("other", "buy", 2, 210)
    at_once = market.place("other", "buy", 2, 210, tif=2)
    market.phase(Phase.CONTINUOUS)
    market.match()
    assert Book.objects.get(pk=market.book_id).phase == Phase.PRE_OPEN
    assert outcome(market, early) == (OrderStatus.OPEN, Reason.NONE)
    assert outcome(market, at_once) == (OrderStatus.REJECTED, Reason.PHASE_PRE_OPEN)
    market.post_only(0)
    market.phase(Phase.CONTINUOUS)
    market.match()
    assert outcome(market, early) == (OrderStatus.FILLED, Reason.NONE)
    sound(market)


def test_a_closed_book_takes_no_change(market: HonestMarket) -> None:
    market.phase(Phase.CLOSED)
    market.post_only(0)
    market.match()
    assert Book.objects.get(pk=market.book_id).post_only
    sound(market)
