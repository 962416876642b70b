"""Listing, phases and the timetable: what may be listed, and what happens by itself as time passes."""

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.audit.run import audit
from exchange.domain.command import Phase
from exchange.domain.symbol import length_text, symbol_of
from exchange.models import Book, Command, Instrument
from exchange.selectors.instruments import instruments
from exchange.services import phases, timetable
from exchange.services.batch import match_once
from exchange.services.lane import LaneMemory
from exchange.services.listing import gate_of, lane_of, list_instrument, listing_refusals, price_decimals
from exchange.services.operator_refusal import OperatorRefusal
from rights.domain.reason import ReasonMissing
from rights.kernel.clock import now_us, to_datetime, to_us
from rights.models import Account, Event
from settlement.services.ledger import cash_asset
from tests.integration.console_market import RULES, a_market, a_series, next_hour
from tests.registry_desk import Desk

HOUR_US = 3_600_000_000
MINUTE_US = 60_000_000


def refusals(**changes):
    rules = msgspec.structs.replace(RULES, **changes)
    return listing_refusals(rules=rules, lot_size=1_000_000, window_end_us=10 * HOUR_US, now_us=HOUR_US)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"tick_minor": 0}, "tick"),
        ({"collar_low_ticks": 0}, "collar"),
        ({"collar_low_ticks": 200_000}, "collar"),
        ({"min_quantity_lots": 0}, "quantity"),
        ({"min_quantity_lots": 5, "max_quantity_lots": 4}, "quantity"),
        ({"taker_bps": 1001}, "fees"),
        ({"maker_bps": -1}, "fees"),
        ({"opens_us": 10 * HOUR_US - 15 * MINUTE_US}, "opens"),
        ({"gate_us": 10 * HOUR_US + 1}, "no later"),
        ({"gate_us": HOUR_US}, "still to come"),
        ({"position_limit_lots": 0}, "position"),
        ({"reference_price_ticks": 100_001}, "reference"),
        ({"proceeds_escrow": "until_never"}, "proceeds"),
        ({"max_quantity_lots": 10**14}, "fits"),
    ],
)
def test_what_may_not_be_listed(changes, word):
    assert any(word in text for text in refusals(**changes))


def test_what_may_be_listed():
    assert refusals() == []
    assert refusals(gate_us=10 * HOUR_US) == []


def test_the_gate_is_a_quarter_of_an_hour_before_the_end():
    assert gate_of(RULES, 10 * HOUR_US) == 10 * HOUR_US - 15 * MINUTE_US


@pytest.mark.parametrize(("tick", "decimals"), [(1, 6), (10, 5), (100, 4), (1000, 3), (10_000, 2), (1_000_000, 2), (2500, 4), (1500, 4)])
def test_prices_have_the_decimals_the_tick_needs(tick, decimals):
    assert price_decimals(tick, 6) == decimals


@given(st.integers(1, 10**9))
def test_every_tick_is_written_exactly(tick):
    assert tick % 10 ** (6 - price_decimals(tick, 6)) == 0


@pytest.mark.parametrize(
    ("seconds", "text"), [(86_400, "P1D"), (3600, "PT1H"), (1800, "PT30M"), (90_000, "P1DT1H"), (3661, "PT1H1M1S"), (7 * 86_400, "P7D")]
)
def test_lengths(seconds, text):
    assert length_text(seconds) == text


def test_symbols_read_like_the_documents():
    start = to_datetime(to_us(to_datetime(0)))
    assert symbol_of("TXT.CHAT.STD.INT.PRV", start, to_datetime(24 * HOUR_US)) == "TXT.CHAT.STD.INT.PRV-19700101T00-P1D"
    assert symbol_of("A", to_datetime(30 * MINUTE_US), to_datetime(HOUR_US)) == "A-19700101T0030-PT30M"
    assert symbol_of("A", start, to_datetime(24 * HOUR_US), "rolling", 7200) == "A-19700101T00-P1D-RT2H"
    assert symbol_of("A", start, to_datetime(24 * HOUR_US), "epoch", 86_400) == "A-19700101T00-P1D-E1D"


@pytest.mark.django_db
def test_books_of_one_class_and_span_have_names_of_their_own():
    desk = Desk(units=10**9)
    modes = ({}, *({"mode": "rolling", "rolling_length_seconds": s} for s in (3600, 7200)), {"mode": "epoch", "epoch_size_seconds": 3600})
    cash_asset()
    named = []
    for mode in modes:
        patch = {"window": mode} if mode else {}
        series = desk.issue(1_000_000, **patch).series
        named.append(list_instrument(series=series, rules=RULES, actor="test", now_us=desk.now_us).symbol)
    plain = "TXT.CHAT.STD.INT.PRV-20261201T00-P1D"
    assert named == [plain, f"{plain}-RT1H", f"{plain}-RT2H", f"{plain}-ET1H"]


def test_a_lane_is_the_same_for_ever():
    assert lane_of("TXT.CHAT.STD.INT.PRV-20261201T00-P1D", 16) == 3
    assert {lane_of(f"S{n}", 16) for n in range(400)} == set(range(16))


@pytest.mark.django_db
class TestBooks:
    def test_a_listing_makes_book_fee_account_and_event(self):
        market = a_market()
        book = market.instrument.book
        assert (book.phase, book.seq, book.lane) == (Phase.PRE_OPEN, 0, lane_of(market.instrument.symbol, 16))
        assert book.fee_account == Account.objects.get(code=f"venue:fees:{market.instrument.symbol}")
        event = orjson.loads(Event.objects.get(type="instrument.listed").body)
        assert event["object"]["id"] == market.instrument.symbol
        assert event["payload"]["tick_minor"] == "1000"
        assert event["actor"] == "test"

    def test_nothing_is_listed_twice(self):
        market = a_market()
        with pytest.raises(OperatorRefusal, match="is listed"):
            list_instrument(series=market.instrument.series, rules=RULES, actor="test", now_us=now_us())

    def test_no_other_currency(self):
        cash_asset()
        with pytest.raises(OperatorRefusal, match="no currency"):
            list_instrument(series=a_series(next_hour()), rules=RULES, actor="test", now_us=now_us(), currency="XTS")
        assert not Instrument.objects.exists()

    def test_a_phase_needs_a_reason(self):
        market = a_market()
        with pytest.raises(ReasonMissing):
            phases.halt(book_id=market.instrument.pk, reason=" ", actor="user:1", now_us=now_us())
        assert not Command.objects.exists()

    def test_a_closed_book_stays_closed(self):
        market = a_market()
        Book.objects.update(phase=Phase.CLOSED)
        with pytest.raises(OperatorRefusal, match="can't go"):
            phases.resume(book_id=market.instrument.pk, reason="again", actor="user:1", now_us=now_us())

    def test_nothing_trades_after_the_gate(self):
        market = a_market()
        Book.objects.update(phase=Phase.HALTED)
        with pytest.raises(OperatorRefusal, match="gate"):
            phases.resume(book_id=market.instrument.pk, reason="late", actor="user:1", now_us=to_us(market.instrument.gate_closes_at))


@pytest.mark.django_db(transaction=True)
class TestTimetable:
    def test_a_day(self):
        market = a_market()
        book_id, lane = market.instrument.pk, LaneMemory()
        moment = now_us()
        assert timetable.run_due(now_us=moment).opened == 1
        assert timetable.run_due(now_us=moment + 1).opened == 0, "one change under way is enough"
        match_once(lane, book_id=book_id, now_us=moment + 2)
        assert Book.objects.get().phase == Phase.CONTINUOUS
        assert timetable.run_due(now_us=moment + 3) == timetable.Run()

        phases.halt(book_id=book_id, reason="a look at the order flow", actor="user:1", now_us=moment + 4)
        match_once(lane, book_id=book_id, now_us=moment + 5)
        assert Book.objects.get().phase == Phase.HALTED
        assert timetable.run_due(now_us=moment + 6) == timetable.Run(), "a halted book is not opened by the clock"

        gate = to_us(market.instrument.gate_closes_at)
        assert timetable.run_due(now_us=gate).closed == 1
        match_once(lane, book_id=book_id, now_us=gate + 1)
        assert Book.objects.get().phase == Phase.CLOSED
        assert timetable.run_due(now_us=gate + 2) == timetable.Run()
        changes = [orjson.loads(e.body) for e in Event.objects.filter(type="instrument.phase_changed").order_by("stream_id", "seq")]
        assert [c["payload"]["by"] for c in changes] == ["timetable", "user:1", "timetable"]

        end, symbol = to_us(market.instrument.series.window_end), market.instrument.symbol
        for at, listed in ((end - 1, [symbol]), (end, []), (end + 1, [])):
            timetable.run_due(now_us=at)
            assert [row.symbol for row in instruments(now_us=at, limit=9)] == listed
            assert not {broken.check for broken in audit(now_us=at).broken} & {"objects", "events_apply", "books"}
        assert [row.symbol for row in instruments(now_us=end, limit=9, phase=int(Phase.CLOSED))] == [symbol]
        assert to_us(Instrument.objects.get(pk=book_id).delisted_at) == end
        (told,) = Event.objects.filter(type="instrument.delisted")
        assert orjson.loads(told.body)["payload"] == {"instrument": symbol, "reason": "its window is over"}

    def test_a_lane_that_does_not_answer_is_told_again(self):
        a_market()
        moment = now_us()
        assert timetable.run_due(now_us=moment).opened == 1
        assert timetable.run_due(now_us=moment + phases.PATIENCE_US + 1).opened == 1
