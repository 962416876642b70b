"""The parts of a market day that need no venue: requests from files, the spreading, forecasts, the day without a market, the report."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from django.core.management import CommandError, call_command

from exchange.demo.bots.trace import Call, generate
from exchange.demo.day.causes import Cut, Otherwise, Shares, Steps, cut_of, otherwise, shares_of, steps_of
from exchange.demo.day.demand import SECOND_US, Ask, Day, Past, Setting, day_of, expected_units
from exchange.demo.day.figures import DayFigures, Floor, WindowFigures, floor_of
from exchange.demo.day.live import AT_THE_END, Looks, OneHandShop, PaperShop, live
from exchange.demo.day.report import Told, causes, document, page, shares, text
from exchange.demo.day.requests import Unreadable, read_requests

SMALL = Setting(tenants=3, window_s=60, scale=1)


@pytest.mark.parametrize(
    "lines",
    [
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9951690,396,109\n",
        "generated,at,context\n44,2026-01-01T00:00:00Z,374\n109,2026-01-01T00:00:04.314579Z,396\n",
        "100.5,374,44\n104.814579,396,109\n",
    ],
)
def test_any_table_of_times_and_tokens_is_read(tmp_path: Path, lines: str) -> None:
    file = tmp_path / "mine.csv"
    file.write_text(lines)
    assert read_requests(file) == [Call(0, 374, 44, "mine"), Call(4_314_579, 396, 109, "mine")]
    assert read_requests(tmp_path) == read_requests(file)


@pytest.mark.parametrize("lines", ["", "time,context,generated\n", "time,context,generated\n1,2\n", "now,1,2\nlater,1,2\n", "1,2,many\n"])
def test_what_is_no_such_table_is_said(tmp_path: Path, lines: str) -> None:
    (tmp_path / "bad.csv").write_text(lines)
    with pytest.raises(Unreadable):
        read_requests(tmp_path / "bad.csv")


@pytest.mark.parametrize(
    ("name", "value"), [("--window-s", 19), ("--value-percent", 100), ("--smoothing", 0), ("--tenants", 0), ("--every", 0)]
)
def test_a_day_that_cannot_be_is_refused_before_anything_is_started(name: str, value: int) -> None:
    with pytest.raises(CommandError, match=f"{name} is a number from {value + 1} to"):
        call_command("simulate", f"{name}={value}")


def test_requests_that_are_not_there_are_told_before_anything_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exchange.management.commands.simulate.servers", lambda: pytest.fail("started servers"))
    with pytest.raises(CommandError, match=r"^no such file or folder: \S+/nowhere\.csv; leave --requests away and requests are made up$"):
        call_command("simulate", "--requests", str(tmp_path / "nowhere.csv"))


def test_a_day_is_the_same_for_the_same_seed_and_spread_by_zipf() -> None:
    calls, setting = generate(1), Setting(tenants=20, session_s=0, scale=1)
    day = day_of(calls, setting)
    assert day == day_of(list(reversed(calls)), setting)
    assert day != day_of(calls, Setting(tenants=20, session_s=0, scale=1, seed=2))
    asked = [0] * 20
    for window in day.asks:
        for ask in window:
            asked[ask.tenant] += 1
    assert sum(asked) == len(calls)
    # The first tenant asks about twice as often as the second, and twenty times as often as the last.
    assert 160 <= asked[0] * 100 // asked[1] <= 240
    assert 14 <= asked[0] // asked[19] <= 28


def test_sessions_are_one_tenant_s() -> None:
    calls = [Call(second * SECOND_US, 1, 0, "one") for second in range(200)]
    spread = [ask.tenant for window in day_of(calls, Setting(session_s=10, scale=1)).asks for ask in window]
    changes = sum(now != before for before, now in zip(spread, spread[1:], strict=False))
    assert 5 <= changes <= 60


def test_forecasts_know_only_what_has_been() -> None:
    calls = [Call(number * 60 * SECOND_US, 100 * (number + 1), 0, "one") for number in range(4)]
    day = day_of(calls, Setting(tenants=1, window_s=60, scale=1, smoothing=50))
    assert day.forecasts == ((0,), (100,), (150,), (225,))
    assert day.bought == day.forecasts
    assert list(day.windows) == [1, 2, 3]


def test_who_loses_more_by_a_unit_too_few_buys_more_than_it_expects_by_its_own_errors() -> None:
    assert Setting().critical_permille == 500
    past = Past()
    past.learn(1_000, 50)
    assert past.wanted_units(750) == 1_000  # no error is known yet
    past.learn(1_400, 50)
    past.learn(1_000, 50)
    assert (past.expected_units, past.missed_units, past.windows) == (1_100, 600, 3)
    # An error of 300 on average is a deviation of 375; three quarters of a normal one's outcomes lie below 0.674 deviations above.
    assert [past.wanted_units(permille) for permille in (500, 750, 250)] == [1_100, 1_352, 847]
    calls = [Call(number * 60 * SECOND_US, 100 * (number % 2 + 1), 0, "one") for number in range(6)]
    bought = [sum(map(sum, day_of(calls, Setting(tenants=1, window_s=60, scale=1, value_percent=v)).bought)) for v in (130, 180, 400)]
    assert bought == sorted(set(bought))


def test_what_is_expected_gives_way_to_what_was_seen() -> None:
    expected = [
        expected_units(forecast=600, seen=seen, gone_us=gone, window_us=60) for gone, seen in ((0, 0), (30, 0), (30, 600), (60, 900))
    ]
    assert expected == [600, 150, 450, 0]


def test_without_a_market_everybody_has_what_it_was_given() -> None:
    day = Day(
        asks=((), (Ask(60 * SECOND_US, 0, 70), Ask(61 * SECOND_US, 0, 40), Ask(62 * SECOND_US, 0, 30), Ask(63 * SECOND_US, 1, 10))),
        forecasts=((0, 0, 0), (100, 50, 5)),
        bought=((0, 0, 0), (100, 50, 5)),
    )
    figures = live(day, SMALL, PaperShop())
    (window,) = figures.windows
    assert (window.issued, window.asked, window.served, window.unserved, window.stranded) == (155, 150, 110, 40, 45)
    assert figures.tenants == [(140, 100), (10, 10), (0, 0)]
    floor = floor_of(day)
    assert (floor.stranded_bps, floor.unserved_bps) == (5 * 10_000 // 155, 0)


def test_looks_come_closer_together_as_the_window_ends() -> None:
    assert Looks(tick_us=20 * SECOND_US).moments_us(60 * SECOND_US) == [s * SECOND_US for s in (20, 40, 53, 54, 58, 59)]
    assert Looks().moments_us(37 * SECOND_US) == [s * SECOND_US for s in (30, 31, 35, 36)]
    assert AT_THE_END.moments_us(60 * SECOND_US) == [30 * SECOND_US, 60 * SECOND_US]


def test_one_hand_moves_whole_lots_from_who_has_too_many() -> None:
    shop = OneHandShop(100)
    shop.open(1, (1_000, 20, 399, 0))
    shop.trade((450, 70, 100, 651), 0)
    # The last lacks seven lots, the first can spare five and the third two; the second lacks half a lot, which is left alone.
    assert [shop.free(tenant) for tenant in range(4)] == [500, 20, 199, 700]
    units = OneHandShop(1)
    units.open(1, (1_000, 20, 399, 0))
    units.trade((450, 70, 100, 651), 0)
    assert [units.free(tenant) for tenant in range(4)] == [450, 70, 248, 651]


def test_each_hindrance_fewer_leaves_less_and_the_last_step_is_beyond_any_market() -> None:
    calls, setting = generate(1), Setting(tenants=8, window_s=120)
    day = day_of(calls, setting)
    without, steps = shares_of(live(day, setting, PaperShop())), steps_of(day, setting, 1_000_000)
    ladder = [without, steps.one_hand, steps.units, steps.at_the_end, Shares(steps.floor.stranded_bps, steps.floor.unserved_bps)]
    for more, less in zip(ladder, ladder[1:], strict=False):
        assert more.stranded_bps >= less.stranded_bps
        assert more.unserved_bps >= less.unserved_bps
    others = {other.name: other for other in otherwise(calls, setting, 1_000_000)}
    assert len(others) == 5
    assert others["being served is worth 1.5 times its price"].without.unserved_bps > without.unserved_bps
    assert others["being served is worth 3 times its price"].without.stranded_bps > without.stranded_bps
    assert others["each call by itself instead of in sessions"].floor == steps.floor


def test_what_perishes_because_the_requests_end_is_said() -> None:
    calls = [Call(second * SECOND_US, 10, 0, "one") for second in range(150)]
    setting = Setting(tenants=1, window_s=60, scale=1)
    assert cut_of(day_of(calls, setting), setting) == Cut(29, 300 * 10_000 // 1200)
    assert cut_of(day_of(calls[:120], setting), setting) is None


def told() -> Told:
    before = DayFigures(
        [WindowFigures(issued=10**8, asked=10**8, served=6 * 10**7, unserved=4 * 10**7, stranded=4 * 10**7, requests=9)], [(5, 2)]
    )
    after = DayFigures(
        [WindowFigures(issued=10**8, asked=10**8, served=9 * 10**7, unserved=10**7, stranded=10**7, requests=9, trades=3)],
        [(5, 4)],
        {"full": 8},
        {"coverage place placed": 3},
    )
    steps = Steps(Shares(950, 960), Shares(900, 910), Shares(500, 510), Floor(480, 470))
    other = Otherwise("a <rule>", Shares(1_200, 900), Shares(1_000, 700), Floor(800, 600))
    return Told(SMALL, "a <file>.csv", before, after, steps, Cut(213, 150), (other,))


def test_the_causes_add_up_to_what_is_left() -> None:
    found = causes(told())
    assert [(one.code, one.cost.stranded_bps, one.cost.unserved_bps) for one in found] == [
        ("totals", 480, 470),
        ("books", 50, 40),
        ("lots", 50, 50),
        ("last_look", 400, 400),
        ("whole_requests", 20, 40),
    ]
    assert sum(one.cost.stranded_bps for one in found) == told().market.stranded_bps
    assert "1.50 % of all units perish only because the requests end 213 s into the last window" in found[0].words


def test_the_report_says_both_days_and_draws_them_itself() -> None:
    found = page(told())
    for part in ("40.00 %", "10.00 %", "What stops the shares from falling further", "a &lt;file&gt;.csv", "a &lt;rule&gt;"):
        assert part in found
    assert "http" not in found.replace("http://www.w3.org", "")
    drawings = [part.split("</svg>")[0] + "</svg>" for part in found.split("<figure>")[1:]]
    assert len(drawings) == 6
    for drawing in drawings:
        bars = [bar for bar in ET.fromstring(drawing) if bar.tag == "rect"]
        assert len(bars) == 2
        assert all(int(bar.get("height", "-1")) >= 0 for bar in bars)


def test_the_figures_as_data_and_in_lines() -> None:
    data = document(told())
    assert (data["without"]["stranded_bps"], data["market"]["stranded_bps"]) == (4_000, 1_000)
    assert data["halved"] == {"stranded": True, "unserved": True}
    assert shares(told()) == (7_500, 7_500)
    assert "with the market: 10.00 % of units perished unused, 10.00 % of demand unserved" in text(told())
