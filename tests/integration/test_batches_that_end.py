"""A batch ends, and a venue goes on, whatever rests in a book: many asks that turn a taker away, many rights in one fill, a spoilt command."""

import pytest

from exchange.audit.run import audit
from exchange.domain.command import Phase, Reason
from exchange.models import Order, Trade
from exchange.models.book import CommandKind
from exchange.services import intake, participants
from exchange.services.lane import LaneMemory
from exchange.services.listing import TradingRules, list_instrument
from exchange.services.payload import PhasePayload, encode
from exchange.services.sweeping import DRAIN_AFTER_US, sweep_once
from rights.models import Right
from settlement.models import Posting
from tests.honest_market import HonestMarket

pytestmark = pytest.mark.django_db
LOT = 1_000_000
MANY = 12  # more asks than a batch makes attempts


def opened() -> HonestMarket:
    market = HonestMarket()
    market.phase(Phase.CONTINUOUS)
    market.match()
    return market


def issue(market: HonestMarket, lots: int, holder: str = "holder", **policy: object) -> str:
    return str(market.desk.issue(lots * LOT, holder=holder, transfer_policy=policy).pk)


def reason_of(order_id: str) -> Reason:
    return Reason(Order.objects.get(pk=order_id).reason)


@pytest.mark.parametrize("policy", [{"max_holders": 1}, {"max_units_per_holder": "3000000"}], ids=["holders", "units"])
def test_asks_that_turn_a_taker_away_one_after_the_other(policy: dict[str, object]) -> None:
    market = opened()
    sellers = [market.desk.open(f"seller-{n}") for n in range(MANY)] if "max_units_per_holder" in policy else []
    for n, seller in enumerate(sellers):
        market.accounts[seller.name] = seller
        market.keys[seller.name] = market._key(seller)
        market.place(seller.name, "sell", 3, 100 + n, rights=[issue(market, 3, seller.name, **policy)])
        market.place(seller.name, "sell", 3, 100 + n, rights=[issue(market, 3, seller.name, **policy)])
    if not sellers:
        for n in range(MANY):
            market.place("holder", "sell", 10, 100 + n, rights=[issue(market, 10, **policy)])
    last = market.place("holder", "sell", 50, 150, rights=[market.right_id])
    market.match()
    refused = market.place("other", "buy", 4, 120)
    willing = market.place("third", "buy", 4, 150)
    market.match()
    if sellers:  # three lots of each lineage are allowed: what was bought was never more
        held = Right.objects.filter(holder=market.accounts["other"]).values_list("root_id", "remaining_units")
        assert all(units <= 3 * LOT for _, units in held)
    else:
        assert reason_of(refused) == Reason.GATE_REFUSED
        assert list(Trade.objects.values_list("price_ticks", "quantity_lots")) == [(150, 4)]
    assert not Order.objects.get(pk=willing).is_open
    market.cancel("holder", last)
    market.match()
    assert not Order.objects.get(pk=last).is_open
    assert audit(now_us=market.now_us).broken == []


def test_a_suspended_bidder_beside_a_trade_that_is_looked_up() -> None:
    market = opened()
    market.desk.accounts["holder"].refresh_from_db()
    bid = market.place("other", "buy", 1, 100)
    market.match()
    market.place("holder", "sell", 1, 100, rights=[market.right_id])
    market.place("holder", "sell", 1, 110, rights=[issue(market, 1, max_holders=5)])
    market.place("third", "buy", 1, 110)
    participants.suspend(participant=market.accounts["other"].participant, reason="test", actor="command:test", now_us=market.now_us)
    market.match()
    assert reason_of(bid) == Reason.HOLDER_SUSPENDED
    assert list(Trade.objects.values_list("buyer__name", "price_ticks")) == [("third", 100)]
    assert audit(now_us=market.now_us).broken == []


def test_more_rights_in_one_fill_than_fit_a_byte() -> None:
    """Each gives a part, so each makes a child; the next trade of the batch makes one too, under an id of its own."""
    market = opened()
    many = 300
    policy = {"min_transfer_units": "2", "max_holders": 2}
    rights = [str(market.desk.issue(LOT + LOT // 2, transfer_policy=policy).pk) for _ in range(many)]
    market.place("holder", "sell", many, 100, rights=rights)
    market.place("holder", "sell", 1, 101, rights=[market.right_id])
    market.match()
    market.place("other", "buy", many + 1, 101)
    market.match()
    assert list(Trade.objects.order_by("trade_no").values_list("quantity_lots", flat=True)) == [many, 1]
    assert Posting.objects.filter(kind="units", credit=market.accounts["other"]).count() == many + 1
    assert Right.objects.filter(holder=market.accounts["other"]).count() == many + 1
    assert audit(now_us=market.now_us).broken == []


@pytest.mark.django_db(transaction=True)
def test_a_command_that_can_not_be_read_stops_its_book_alone(caplog: pytest.LogCaptureFixture) -> None:
    market = opened()
    window = {"start": "2026-12-01T06:00:00Z", "end": "2026-12-01T18:00:00Z"}
    patch = {"window": window}
    market.desk.assure(gross_units=10**8, patch=patch)
    series = market.desk.issue(LOT, **patch).series
    rules = TradingRules(tick_minor=10_000, collar_low_ticks=1, collar_high_ticks=1000, opens_us=market.now_us)
    sound = list_instrument(series=series, rules=rules, actor="command:test", now_us=market.now_us).pk
    spoilt = dict.fromkeys(("order_id", "client_order_id"))
    for book, text in ((market.book_id, "{"), (sound, encode(PhasePayload(phase=int(Phase.CONTINUOUS), reason="test")))):
        command = intake.NewCommand(book, None, int(CommandKind.SET_PHASE), text, f"key:{market.operator.uuid}", **spoilt)
        intake.submit(commands=[command], now_us=market.now_us)
    assert sweep_once(LaneMemory(), now_us=market.now_us + DRAIN_AFTER_US) == 2
    assert f"book {market.book_id} can't be drained" in caplog.text
    opened_book = type(market.instrument.book).objects.get(pk=sound)
    assert opened_book.phase == Phase.CONTINUOUS
