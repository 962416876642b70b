"""The demo's decisions: deterministic, inside the rules, never crossing themselves."""

from collections import Counter
from itertools import pairwise
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.demo.bots import buyer, claimant, maker, seller, trace
from exchange.demo.bots.crowd import _remember
from exchange.demo.bots.demand import COMPRESSION, Demand, units_of
from exchange.demo.bots.fair_value import PERISH_BPS, PERISH_US, fair_ticks, perish_bps, wander_bps
from exchange.demo.bots.market import Market, market_of, with_prices
from exchange.demo.catalog import DAY_US, HOUR_US, WARES, manifest
from exchange.demo.windows import GATE_BEFORE_END_US, LEAST_LIFE_US, windows_at
from rights.domain.manifest import read_manifest

GATE_US = 10 * HOUR_US
MARKET = Market("TXT.X-1-PT1H", "TXT.X", 1_000_000, 3, 180, 18_000, 1_800, 9 * HOUR_US, GATE_US)
moments = st.integers(0, 4 * 10**15)


def instrument(**changes):
    return {
        "symbol": "TXT.X-1-PT1H",
        "class": {"key": "TXT.X"},
        "tick_size": "0.001",
        "collar": {"low": "0.180", "high": "18.000"},
        "reference_price": "1.800",
        "window": {"start": "1970-01-01T09:00:00.000000Z", "end": "1970-01-01T10:15:00.000000Z"},
        "gate_closes_at": "1970-01-01T10:00:00.000000Z",
        **changes,
    }


def test_a_market_is_read_from_the_wire():
    assert market_of(instrument()) == MARKET
    assert market_of(instrument(reference_price=None)) is None
    priced = with_prices(MARKET, "1.799", None)
    assert (priced.bid_ticks, priced.ask_ticks) == (1799, None)


@given(st.integers(1, 10**9))
def test_prices_go_there_and_back(ticks):
    assert MARKET.ticks(MARKET.text(ticks)) == ticks


@pytest.mark.parametrize(
    ("tick", "decimals", "ticks", "text"), [("0.0001", 4, 1219, "0.1219"), ("0.001", 3, 12_345, "12.345"), ("1", 0, 7, "7")]
)
def test_prices_have_the_tick_sizes_decimals(tick, decimals, ticks, text):
    market = market_of(instrument(tick_size=tick))
    assert market.decimals == decimals
    assert market.text(ticks) == text


@given(moments)
def test_the_fair_price_repeats_itself_and_stays_in_the_collar(now):
    fair = fair_ticks(market=MARKET, seed=7, now_us=now)
    assert fair == fair_ticks(market=MARKET, seed=7, now_us=now)
    assert MARKET.low_ticks <= fair <= MARKET.high_ticks


def test_the_price_wanders_without_jumps():
    path = [wander_bps(seed=1, name="a", now_us=s * 1_000_000) for s in range(3600)]
    assert max(abs(a - b) for a, b in pairwise(path)) < 30
    assert max(path) - min(path) > 300
    assert path != [wander_bps(seed=2, name="a", now_us=s * 1_000_000) for s in range(3600)]


def test_capacity_perishes():
    assert perish_bps(gate_us=GATE_US, now_us=GATE_US - PERISH_US) == 0
    assert perish_bps(gate_us=GATE_US, now_us=GATE_US) == PERISH_BPS
    falling = [perish_bps(gate_us=GATE_US, now_us=GATE_US - left) for left in range(PERISH_US, 0, -60_000_000)]
    assert falling == sorted(falling)


@given(st.integers(180, 18_000), st.integers(0, 10**6))
def test_quotes_never_cross_and_respect_the_collar(fair, seed):
    wanted = maker.wanted_quotes(market=MARKET, fair=fair, chance=Random(seed))
    bids = [wanted["buy", n].price_ticks for n in range(maker.LEVELS) if ("buy", n) in wanted]
    asks = [wanted["sell", n].price_ticks for n in range(maker.LEVELS) if ("sell", n) in wanted]
    assert bids == sorted(set(bids), reverse=True)
    assert asks == sorted(set(asks))
    assert not bids or bids[0] < fair
    assert not asks or asks[0] > fair
    assert all(MARKET.low_ticks <= p <= MARKET.high_ticks for p in bids + asks)
    assert all(quote.lots > 0 for quote in wanted.values())


def test_quotes_are_moved_not_replaced():
    chance = Random(1)
    before = maker.wanted_quotes(market=MARKET, fair=1800, chance=chance)
    resting = {slot: maker.Quote(q.price_ticks, q.lots, f"ord_{slot}") for slot, q in before.items()}
    after = maker.wanted_quotes(market=MARKET, fair=1810, chance=chance)
    changes = maker.quote_changes(market=MARKET, wanted=after, resting=resting, client_ids={})
    assert [operation["op"] for _, operation in changes] == ["amend"] * 8
    assert [slot[0] for slot, _ in changes][:4] == ["sell"] * 4, "rising prices: asks make way first"
    del resting["buy", 0]
    changes = maker.quote_changes(market=MARKET, wanted=before, resting=resting, client_ids={("buy", 0): "n1"})
    assert [(slot, operation["op"]) for slot, operation in changes] == [(("buy", 0), "place")]
    assert changes[0][1]["post_only"] is True
    assert maker.quote_changes(market=MARKET, wanted={}, resting={("buy", 1): maker.Quote(1, 1, "ord_x")}, client_ids={}) == [
        (("buy", 1), {"op": "cancel", "id": "ord_x"})
    ]


def test_what_the_venue_says_is_remembered():
    known = {("buy", 0): maker.Quote(1799, 5, "ord_a")}
    wanted = maker.Quote(1801, 5)
    _remember(known, ("buy", 0), {"error": {"code": "busy"}}, wanted, MARKET)
    assert known["buy", 0].price_ticks == 1799, "a refused amend leaves the order where it was"
    _remember(known, ("buy", 0), {"order": {"id": "ord_a", "status": "pending"}}, wanted, MARKET)
    assert known["buy", 0] == maker.Quote(1801, 5, "ord_a")
    _remember(known, ("buy", 0), {"order": {"id": "ord_a", "status": "open", "price": "1.802", "remaining_quantity": "3"}}, wanted, MARKET)
    assert known["buy", 0] == maker.Quote(1802, 3, "ord_a")
    _remember(known, ("buy", 0), {"error": {"code": "order_terminal"}}, wanted, MARKET)
    assert not known


@given(moments, st.integers(180, 18_000), st.integers(0, 1000))
def test_offers_are_within_the_rules(now, fair, seed):
    ask = seller.offer(market=MARKET, fair=fair, now_us=now, chance=Random(seed))
    assert int(ask["quantity"]) > 0
    assert MARKET.low_ticks <= MARKET.ticks(ask["price"]) <= MARKET.high_ticks
    assert ask.get("expire_us", 0) <= GATE_US


def test_offers_get_cheaper_and_soon_gates_come_first():
    def average(left_us):
        chance = Random(3)
        asks = [seller.offer(market=MARKET, fair=1800, now_us=GATE_US - left_us, chance=chance) for _ in range(200)]
        return sum(MARKET.ticks(a["price"]) for a in asks)

    assert average(60_000_000) < average(20 * 60_000_000) < average(PERISH_US)
    later = msgspec.structs.replace(MARKET, symbol="later", gate_us=GATE_US + 5 * HOUR_US)
    chosen = Counter(
        seller.choose_market(markets=[MARKET, later], now_us=GATE_US - 60_000_000, chance=Random(n)).symbol for n in range(200)
    )
    assert chosen[MARKET.symbol] > 3 * chosen["later"]
    assert seller.choose_market(markets=[], now_us=0, chance=Random(1)) is None


@given(moments, st.integers(180, 18_000), st.integers(1, 200), st.integers(0, 1000), st.none() | st.integers(180, 18_000))
def test_bids_never_pay_more_than_they_said(now, fair, lots, seed, ask):
    market = msgspec.structs.replace(MARKET, ask_ticks=ask)
    bid = buyer.bid(market=market, fair=fair, lots=lots, now_us=now, chance=Random(seed))
    assert MARKET.low_ticks <= MARKET.ticks(bid["price"]) <= MARKET.inside(fair * (10_000 + buyer.LIMIT_BPS) // 10_000)
    assert bid["quantity"] == str(lots)


def test_a_need_is_met_lot_by_lot():
    need = buyer.Need(2_500_000)
    assert need.lots(1_000_000) == 2
    need.bought(2, 1_000_000)
    assert need.units == 500_000


class TestClaimant:
    def test_it_uses_what_can_be_used_now_and_ends_first(self):
        def right(name, start, end, kind="embeddings", left=9, reserved=0):
            window = {"start": f"1970-01-01T{start}:00.000000Z", "end": f"1970-01-01T{end}:00.000000Z"}
            return {
                "id": name,
                "window": window,
                "resource": {"type": kind},
                "remaining_amount": str(left),
                "reserved_amount": str(reserved),
            }

        now = 10 * HOUR_US
        unfit = [
            right("later", "10:01", "11:00"),
            right("over", "09:00", "10:01"),
            right("words", "10:00", "10:30", "text_inference"),
            right("asked for", "10:00", "10:30", reserved=7),
        ]
        assert claimant.usable(unfit, now_us=now) is None
        assert claimant.usable([*unfit, right("long", "00:00", "12:00"), right("hour", "10:00", "11:00")], now_us=now) == "hour"

    def test_its_newest_dispute_waits_and_other_peoples_are_left_alone(self):
        def dispute(number, state="open", side="holder", **more):
            return {"id": number, "state": state, "side": side, **claimant.challenge(number=number), **more}

        ripe = claimant.ripe(
            [dispute(5), dispute(4), dispute(3, side="supplier"), dispute(2, "upheld"), dispute(1, claim="my own words"), dispute(0)]
        )
        assert [row["id"] for row in ripe] == [4, 0]
        said = [claimant.decision(dispute(number))["decision"] for number in range(len(claimant.GRIEVANCES))]
        assert set(said) == {"reject", "uphold"}
        few, many = [dispute(1)], [dispute(n, "rejected") for n in range(claimant.ENOUGH)]
        assert claimant.pause_s(few, chance=Random(1)) < 60 < claimant.pause_s(many, chance=Random(1))


class TestDemand:
    def test_a_trace_is_shared_out_whole(self):
        calls = trace.generate(1)[:600]
        span_us = max(c.at_us for c in calls)
        tenants = [Demand(calls, tenant=n, of=4) for n in range(4)]
        for tenant in tenants:
            tenant.until(0)
        got = sum(tenant.until(span_us // COMPRESSION + 1).get("chat", 0) for tenant in tenants)
        first = sum(units_of(c)["chat"] for c in calls if c.at_us == 0)
        assert got == sum(units_of(c)["chat"] for c in calls) - first

    def test_it_begins_again_after_the_end(self):
        calls = trace.generate(1)[:100]
        demand = Demand(calls, tenant=0, of=1)
        demand.until(10**9)
        span_us = max(c.at_us for c in calls) // COMPRESSION + 1
        once, twice = demand.until(10**9 + span_us), demand.until(10**9 + 2 * span_us)
        assert abs(once["chat"] - twice["chat"]) < once["chat"] // 5

    def test_the_same_seed_is_the_same_trace(self):
        assert trace.generate(5) == trace.generate(5)
        assert trace.generate(5) != trace.generate(6)

    def test_the_generator_has_the_real_shape(self):
        check_shape(trace.generate(3))

    @pytest.mark.skipif(trace.trace_folder() is None, reason="the real trace is not on this machine")
    def test_the_real_trace_has_the_measured_shape(self):
        check_shape(trace.read_trace(trace.trace_folder()))

    def test_a_folder_without_the_trace_is_not_one(self, tmp_path: Path, monkeypatch):
        monkeypatch.setenv("SHARED_DATA", str(tmp_path))
        found = trace.trace_folder()
        assert found is None or tmp_path not in found.parents


def check_shape(calls):
    """Rates, mean tokens and order of what the demo is driven by, within a fifth of what was measured."""
    assert calls == sorted(calls)
    for service, count, context, generated in (("conv", 19_366, 1_155, 211), ("code", 8_819, 2_048, 28)):
        mine = [c for c in calls if c.service == service]
        assert len(mine) == pytest.approx(count, rel=0.2)
        assert sum(c.generated for c in mine) / len(mine) == pytest.approx(generated, rel=0.2)
        assert sum(c.context for c in mine) / len(mine) == pytest.approx(context, rel=0.3)


class TestWindows:
    @given(st.integers(1_700_000_000, 1_900_000_000))
    def test_something_trades_at_every_moment(self, second):
        now = second * 1_000_000
        for ware in WARES:
            windows = windows_at(ware=ware, now_us=now)
            assert len(set(windows)) == len(windows)
            trading = [w for w in windows if w.opens_us <= now < w.end_us - GATE_BEFORE_END_US]
            assert len(trading) >= ware.hours
            assert all(w.opens_us < w.end_us - GATE_BEFORE_END_US for w in windows)
            assert any(w.opens_us > now for w in windows), "one book waits in pre_open"
            usable = [w for w in trading if w.start_us <= now]
            assert usable or now % DAY_US >= DAY_US - GATE_BEFORE_END_US - LEAST_LIFE_US, "what is bought can be used at once"

    @given(st.integers(1_700_000_000, 1_900_000_000))
    def test_a_window_keeps_its_opening(self, second):
        now = second * 1_000_000
        for ware in WARES:
            before = {(w.start_us, w.end_us): w for w in windows_at(ware=ware, now_us=now)}
            for later in windows_at(ware=ware, now_us=now + 60_000_000):
                known = before.get((later.start_us, later.end_us))
                assert known is None or max(known.opens_us, now) <= max(later.opens_us, now + 60_000_000)

    @pytest.mark.parametrize("ware", WARES, ids=lambda w: w.name)
    def test_every_manifest_is_one(self, ware):
        document = manifest(ware=ware, units=ware.lot_units, start="2027-01-01T00:00:00Z", end="2027-01-01T01:00:00Z", reference="demo:x")
        assert read_manifest(document).units == ware.lot_units
