"""A right gets other terms between the look of a batch and its locks: what was judged is not what would be delivered."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from exchange.audit.run import audit
from exchange.domain.command import Phase, Reason
from exchange.models import Order, Trade
from exchange.models.order import OrderStatus
from exchange.replay.run import replay
from exchange.services import batch
from rights.domain.amendment import Amendment
from rights.kernel.ids import public
from rights.models import Right
from rights.services.amend import Change, amend_right
from tests.concurrency.test_two_books_one_right import once_after
from tests.honest_market import HonestMarket
from tests.unit.rights.domain.manifests import chat_day, merged

pytestmark = pytest.mark.django_db(transaction=True)
LATER: dict[str, Any] = {"window": {"start": "2026-12-02T00:00:00Z", "end": "2026-12-03T00:00:00Z"}}


@pytest.fixture
def market() -> HonestMarket:
    market = HonestMarket()
    market.desk.assure(patch=LATER, gross_units=10**12)
    market.right_id = str(market.desk.issue(50_000_000, holder="issuer").pk)
    market.phase(Phase.CONTINUOUS)
    market.match()
    return market


def amended(market: HonestMarket, amendment: Amendment, patch: dict[str, Any]) -> None:
    """The issuer's own right gets other terms, on a connection of its own, up to its commit."""
    document = merged(chat_day(resource={"amount": "50000000"}), patch)

    def run() -> None:
        try:
            amend_right(right_id=market.right_id, change=Change(amendment, document, "test"), actor="command:test", now_us=market.now_us)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(run).result(20)


def match_while(market: HonestMarket, monkeypatch: pytest.MonkeyPatch, amendment: Amendment, patch: dict[str, Any]) -> None:
    """A batch whose rights are amended once it has looked."""
    monkeypatch.setattr(batch, "read_parcels", once_after(batch.read_parcels, lambda: amended(market, amendment, patch)))
    market.match()
    monkeypatch.undo()


def sound(market: HonestMarket) -> bool:
    return audit(now_us=market.now_us).broken == [] and replay().differences == {}


def test_a_right_that_left_the_series_is_not_offered_there(market: HonestMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = market.place("issuer", "sell", 4, 200)
    match_while(market, monkeypatch, Amendment.WINDOW, LATER)
    assert Right.objects.get(pk=market.right_id).series_id != market.series.pk
    order = Order.objects.get(pk=ask)
    assert (order.status, order.reason) == (OrderStatus.REJECTED, Reason.INSUFFICIENT_RIGHTS)
    assert sound(market)


def test_stricter_terms_hold_at_once(market: HonestMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    market.place("other", "buy", 2, 200)
    market.match()
    ask = market.place("issuer", "sell", 4, 200)
    denied = {"transfer_policy": {"denied_holders": [public("acc", str(market.accounts["other"].uuid))]}}
    match_while(market, monkeypatch, Amendment.CORRECTION, denied)
    assert not Trade.objects.exists()
    assert Order.objects.get(pk=ask).reason == Reason.GATE_REFUSED
    assert sound(market)
