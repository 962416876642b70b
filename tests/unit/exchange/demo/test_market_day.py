"""The parts of a market day that need no venue: requests from files, the spreading, forecasts, the day without a market, the report."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from exchange.demo.bots.trace import Call, generate
from exchange.demo.day.demand import SECOND_US, Ask, Day, Setting, day_of, expected_units
from exchange.demo.day.figures import DayFigures, Floor, WindowFigures, floor_of
from exchange.demo.day.live import PaperShop, live
from exchange.demo.day.report import Told, document, page, shares, text
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
    assert list(day.windows) == [1, 2, 3]


def test_what_is_expected_gives_way_to_what_was_seen() -> None:
    expected = [
        expected_units(forecast=600, seen=seen, gone_us=gone, window_us=60) for gone, seen in ((0, 0), (30, 0), (30, 600), (60, 900))
    ]
    assert expected == [600, 150, 450, 0]


def test_without_a_market_everybody_has_what_it_was_given() -> None:
    day = Day(
        asks=((), (Ask(60 * SECOND_US, 0, 70), Ask(61 * SECOND_US, 0, 40), Ask(62 * SECOND_US, 0, 30), Ask(63 * SECOND_US, 1, 10))),
        forecasts=((0, 0, 0), (100, 50, 5)),
    )
    figures = live(day, SMALL, PaperShop())
    (window,) = figures.windows
    assert (window.issued, window.asked, window.served, window.unserved, window.stranded) == (155, 150, 110, 40, 45)
    assert figures.tenants == [(140, 100), (10, 10), (0, 0)]
    floor = floor_of(day)
    assert (floor.stranded_bps, floor.unserved_bps) == (5 * 10_000 // 155, 0)


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
    return Told(SMALL, "a <file>.csv", before, after, floor_of(Day((), ())), (1_200, 900), Floor(1_000, 700))


def test_the_report_says_both_days_and_draws_them_itself() -> None:
    found = page(told())
    for part in ("40.00 %", "10.00 %", "What stops the shares from falling further", "a &lt;file&gt;.csv"):
        assert part in found
    assert "http" not in found.replace("http://www.w3.org", "")
    drawings = [part.split("</svg>")[0] + "</svg>" for part in found.split("<figure>")[1:]]
    assert len(drawings) == 5
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
