"""The day told: as data, in a few lines, and as a page with plots of our own drawing."""

import html
from collections.abc import Sequence
from typing import Any

import msgspec

from exchange.demo.day.causes import Cut, Otherwise, Shares, Steps, shares_of
from exchange.demo.day.demand import RESALE_PERCENT, Setting
from exchange.demo.day.figures import BPS, DayFigures
from exchange.demo.day.live import LOOKS
from exchange.demo.day.stage import FLOOR_MINOR, WARE, WORTH_MINOR, cap_minor

_MILLION = 1_000_000
WIDTH, HEIGHT, LEFT, BOTTOM = 760, 240, 56, 34
_INK, _SOFT = "#1c3d5a", "#c9d6e2"


class Told(msgspec.Struct, frozen=True):
    """Both days, what keeps the market's where it is, and how others would have fared."""

    setting: Setting
    source: str
    without: DayFigures
    market: DayFigures
    steps: Steps
    cut: Cut | None
    otherwise: tuple[Otherwise, ...]


def document(told: Told) -> dict[str, Any]:
    """The figures as JSON; shares in basis points, amounts as strings."""
    return {
        "setting": msgspec.to_builtins(told.setting),
        "source": told.source,
        "without": _figures(told.without),
        "market": _figures(told.market),
        "floor": msgspec.to_builtins(told.steps.floor),
        "causes": [{"cause": cause.code, **msgspec.to_builtins(cause.cost)} for cause in causes(told)],
        "cut": msgspec.to_builtins(told.cut),
        "otherwise": msgspec.to_builtins(told.otherwise),
        "halved": {
            "stranded": halved(told.without.stranded_bps, told.market.stranded_bps),
            "unserved": halved(told.without.unserved_bps, told.market.unserved_bps),
        },
        "limits": limits(told),
    }


def halved(without_bps: int, market_bps: int) -> bool:
    return market_bps * 2 <= without_bps


def shares(told: Told) -> tuple[int, int]:
    """How much of the stranded and of the unserved share the market took away, in basis points of what it was without."""
    pairs = ((told.without.stranded_bps, told.market.stranded_bps), (told.without.unserved_bps, told.market.unserved_bps))
    stranded, unserved = (BPS - market * BPS // max(1, without) for without, market in pairs)
    return stranded, unserved


def _fallen(told: Told) -> str:
    stranded, unserved = shares(told)
    return f"With the market the share of units that perished fell by {_percent(stranded)}, the share of demand unserved by {_percent(unserved)}."


def _figures(figures: DayFigures) -> dict[str, Any]:
    names = ("issued", "asked", "served", "unserved", "stranded", "traded_units", "turnover_minor", "fees_minor")
    return {
        "stranded_bps": figures.stranded_bps,
        "unserved_bps": figures.unserved_bps,
        **{name: str(figures.total(name)) for name in names},
        "requests": figures.total("requests"),
        "requests_served": figures.total("requests_served"),
        "trades": figures.total("trades"),
        "mean_wait_ms": _mean_wait_ms(figures),
        "outcomes": figures.outcomes,
        "actions": figures.actions,
        "refused": figures.refused,
        "spend": _spend(figures),
        "windows": [{name: str(value) for name, value in msgspec.to_builtins(window).items()} for window in figures.windows],
    }


def _mean_wait_ms(figures: DayFigures) -> int:
    return figures.total("waited_us") // 1000 // max(1, figures.total("requests_served"))


def _spend(figures: DayFigures) -> dict[str, str]:
    """What all tenants together paid: for the rights they were given at their worth, and to the venue; and what a served lot cost them."""
    primary = figures.total("issued") * WORTH_MINOR // WARE.lot_units
    whole = primary + figures.total("fees_minor")
    per_lot = whole * WARE.lot_units // max(1, figures.total("served"))
    return {"rights": _dollars(primary), "fees": _dollars(figures.total("fees_minor")), "per_served_lot": _dollars(per_lot)}


def _dollars(minor: int) -> str:
    return f"{minor // _MILLION}.{minor % _MILLION // 10_000:02d}"


def _percent(bps: int) -> str:
    return f"{'-' if bps < 0 else ''}{abs(bps) // 100}.{abs(bps) % 100:02d} %"


class Cause(msgspec.Struct, frozen=True):
    """One hindrance, what it costs, and why it is there."""

    code: str
    title: str
    cost: Shares
    words: str


def causes(told: Told) -> list[Cause]:
    """What keeps the market's shares from falling further; the costs add up to them."""
    steps = told.steps
    floor = Shares(steps.floor.stranded_bps, steps.floor.unserved_bps)
    last_s = LOOKS.closing_us[-1] // 1_000_000
    return [
        Cause(
            "totals",
            "All tenants together bought too much or too little",
            floor,
            "In such a window the units could be used, or the demand served, by nobody, whoever held the rights. A right ends with its window, so "
            "no trade carries units into the next one; only better forecasts, or rights issued later, lower this." + _cut_words(told.cut),
        ),
        Cause(
            "books",
            "Policies and books instead of one hand",
            shares_of(told.market).less(steps.one_hand),
            "Each policy knows its own tenant's needs alone and meets the others in the book: an ask that rests for one turn too long, or a bid "
            "that waits for the next, is what this counts. Less than nothing means that the book moved units early that one hand kept.",
        ),
        Cause(
            "lots",
            "Whole lots",
            steps.one_hand.less(steps.units),
            f"The book trades lots of {WARE.lot_units:,} units; parts of one stay where they are.",
        ),
        Cause(
            "last_look",
            "Behind the last look",
            steps.units.less(steps.at_the_end),
            f"Policies look for the last time {last_s} s before the end. What is asked for afterwards has what its tenant kept for it, and what was "
            "kept for too much of it perishes.",
        ),
        Cause(
            "whole_requests",
            "Requests that are served whole",
            steps.at_the_end.less(floor),
            "One that is larger than what is left waits in vain, and so do the units.",
        ),
    ]


def _cut_words(cut: Cut | None) -> str:
    if cut is None:
        return ""
    return (
        f" {_percent(cut.stranded_bps)} of all units perish only because the requests end {cut.lasted_s} s into the last window, "
        "for the whole of which rights were bought."
    )


def limits(told: Told) -> list[str]:
    """The causes in words, with their figures, and what the router refused."""
    lines = [
        f"{one.title}: {_percent(one.cost.stranded_bps)} of units, {_percent(one.cost.unserved_bps)} of demand. {one.words}"
        for one in causes(told)
    ]
    if told.market.refused:
        refused = ", ".join(f"{code} {count}" for code, count in sorted(told.market.refused.items()))
        lines.append(f"The router refused some requests: {refused}.")
    return lines


def text(told: Told) -> str:
    """A few lines for a terminal."""
    lines = [
        f"{told.source}: {told.market.total('requests')} requests of {told.setting.tenants} tenants in {len(told.market.windows)} windows"
    ]
    for name, figures in (("without a market", told.without), ("with the market", told.market)):
        share = f"{_percent(figures.stranded_bps)} of units perished unused, {_percent(figures.unserved_bps)} of demand unserved"
        spend = _spend(figures)
        lines.append(f"{name}: {share}; spend {spend['rights']} + {spend['fees']} fees, {spend['per_served_lot']} per served lot")
    lines.append(_fallen(told))
    market = told.market
    lines.append(f"{market.total('trades')} trades of {market.total('traded_units') // WARE.lot_units} lots; outcomes {market.outcomes}")
    return "\n".join([*lines, *limits(told)])


def page(told: Told) -> str:
    """The report as one HTML page without anything from elsewhere."""
    numbers = [str(number) for number in range(1, len(told.market.windows) + 1)]
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'><title>A market day</title><style>",
        "body{font:16px/1.5 system-ui,sans-serif;max-width:820px;margin:2rem auto;padding:0 1rem;color:#1a1a1a}",
        "table{border-collapse:collapse;width:100%}td,th{text-align:right;padding:.3rem .5rem;border-bottom:1px solid #ddd}",
        "td:first-child,th:first-child{text-align:left}td+td{white-space:nowrap}.wide,figure{overflow-x:auto}.wide td:first-child{min-width:9rem}svg{width:100%;min-width:600px;height:auto}figure{margin:1.5rem 0}figcaption{font-size:.9rem}</style>",
        f"<h1>A market day</h1><p>{html.escape(_opening(told))}</p>",
        f"<p>{html.escape(_fallen(told))}</p>",
        _table(told),
        _bars("Rights bought (light) and demand (dark), in lots by window", numbers, _supply_and_demand(told)),
        _bars("Units that perished unused, in lots by window", numbers, _lots(told, "stranded")),
        _bars("Demand unserved, in lots by window", numbers, _lots(told, "unserved")),
        _bars("Demand served, in lots by window", numbers, _lots(told, "served")),
        _bars("Share of each tenant's demand that was served, in percent", _tenants(told), _served(told)),
        _bars("Lots traded by window", numbers, [[0] * len(numbers), [w.traded_units // WARE.lot_units for w in told.market.windows]]),
        "<h2>What stops the shares from falling further</h2>",
        _causes(told),
        "<ul>",
        *(f"<li>{html.escape(line)}</li>" for line in limits(told)),
        "</ul><h2>Had they bought or come otherwise</h2>",
        f"<p>{html.escape(_buying(told.setting))}</p>",
        _otherwise(told),
        f"<h2>What was done</h2><p>{html.escape(_closing(told.setting))}</p>",
        _counts("What policies did", told.market.actions),
        _counts("Outcomes of settlements", told.market.outcomes),
        "</html>",
    ]
    return "\n".join(parts)


def _opening(told: Told) -> str:
    setting = told.setting
    return (
        f"{told.market.total('requests')} requests ({told.source}), each standing for {setting.scale} alike, spread over {setting.tenants} tenants by Zipf's "
        f"law in sessions of {setting.session_s} s on average. The first {setting.window_s} s of the requests only teach the forecasts and are not lived "
        "through. For each window behind them every tenant was given a right for what its own past let it expect. The dark bars are the day on which standing policies traded surplus and deficit; the light ones the same day without."
    )


def _buying(setting: Setting) -> str:
    return (
        f"A lot of rights costs {_dollars(WORTH_MINOR)}; being served with it is worth {_dollars(cap_minor(setting))} to a tenant, and what is too much "
        f"of it brings {RESALE_PERCENT} percent of its price at worst. So a tenant buys what suffices in {setting.critical_permille / 10:.1f} of a hundred "
        "windows: what it expects, and more or less than that by its own errors so far. For the rows below the same calls were lived through in "
        "accounts of units, with one hand in the place of the market: who buys less leaves more demand unserved, who buys more lets more units "
        "perish, with a market as without."
    )


def _causes(told: Told) -> str:
    rows = [("With the market", shares_of(told.market)), *((one.title, one.cost) for one in causes(told))]
    cells = "".join(f"<tr><td>{html.escape(name)}<td>{_percent(cost.stranded_bps)}<td>{_percent(cost.unserved_bps)}" for name, cost in rows)
    return f"<table><tr><th>&nbsp;<th>of units<th>of demand{cells}</table>"


def _otherwise(told: Told) -> str:
    steps = told.steps
    now = Otherwise("as they did", shares_of(told.without), steps.one_hand, steps.floor)
    cells = "".join(
        f"<tr><td>{html.escape(row.name)}"
        + "".join(f"<td>{_percent(part.stranded_bps)}<td>{_percent(part.unserved_bps)}" for part in (row.without, row.one_hand, row.floor))
        for row in (now, *told.otherwise)
    )
    heads = "<tr><th>&nbsp;<th colspan=2>without a market<th colspan=2>one hand<th colspan=2>beyond any market"
    return f"<div class=wide><table>{heads}<tr><th>&nbsp;{'<th>of units<th>of demand' * 3}{cells}</table></div>"


def _closing(setting: Setting) -> str:
    return (
        f"A policy covers what is still needed of the running window at up to {_dollars(cap_minor(setting))} a lot and sells the rest at no less than "
        f"{_dollars(FLOOR_MINOR)}. Orders went through intake, batches and delivery against payment; each request "
        "was submitted, routed, executed by an instant supplier, receipted and settled. The day without a market needs no venue: it is an account of units."
    )


def _table(told: Told) -> str:
    rows = [
        ("Units that perished unused", *(_percent(f.stranded_bps) for f in (told.without, told.market))),
        ("Demand unserved", *(_percent(f.unserved_bps) for f in (told.without, told.market))),
        ("Requests served", *(str(f.total("requests_served")) for f in (told.without, told.market))),
        ("Mean wait of the served, ms", *(str(_mean_wait_ms(f)) for f in (told.without, told.market))),
        ("Paid for rights", *(_spend(f)["rights"] for f in (told.without, told.market))),
        ("Fees", *(_spend(f)["fees"] for f in (told.without, told.market))),
        ("Cost of a served lot", *(_spend(f)["per_served_lot"] for f in (told.without, told.market))),
        ("Changed hands", "0.00", _dollars(told.market.total("turnover_minor"))),
    ]
    cells = "".join(f"<tr><td>{name}<td>{without}<td>{market}" for name, without, market in rows)
    return f"<table><tr><th>&nbsp;<th>without a market<th>with the market{cells}</table>"


def _lots(told: Told, name: str) -> list[list[int]]:
    return [[getattr(window, name) // WARE.lot_units for window in figures.windows] for figures in (told.without, told.market)]


def _supply_and_demand(told: Told) -> list[list[int]]:
    return [[getattr(window, name) // WARE.lot_units for window in told.market.windows] for name in ("issued", "asked")]


def _tenants(told: Told) -> list[str]:
    return [str(number) for number in range(1, len(told.market.tenants) + 1)]


def _served(told: Told) -> list[list[int]]:
    return [[served * 100 // max(1, asked) for asked, served in figures.tenants] for figures in (told.without, told.market)]


def _bars(title: str, names: Sequence[str], pairs: Sequence[Sequence[int]]) -> str:
    """Two bars for each name: light without, dark with the market."""
    most = max((value for series in pairs for value in series), default=0) or 1
    step = (WIDTH - LEFT) * 1000 // max(1, len(names))
    drawn = []
    for place, name in enumerate(names):
        x = LEFT * 1000 + place * step
        for which, (series, colour) in enumerate(zip(pairs, (_SOFT, _INK), strict=True)):
            height = series[place] * (HEIGHT - BOTTOM - 16) // most
            at = x + step // 8 + which * step * 3 // 8
            drawn.append(
                f'<rect x="{at // 1000}" y="{HEIGHT - BOTTOM - height}" width="{max(1, step * 3 // 8000)}" height="{height}" fill="{colour}">'
                f"<title>{html.escape(name)}: {series[place]}</title></rect>"
            )
        drawn.append(
            f'<text x="{(x + step // 2) // 1000}" y="{HEIGHT - 14}" font-size="13" text-anchor="middle">{html.escape(name)}</text>'
        )
    drawn += [
        f'<text x="{LEFT - 6}" y="{y}" font-size="13" text-anchor="end">{value}</text>' for y, value in ((HEIGHT - BOTTOM, 0), (24, most))
    ]
    line = f'<line x1="{LEFT}" x2="{WIDTH}" y1="{HEIGHT - BOTTOM}" y2="{HEIGHT - BOTTOM}" stroke="#888"/>'
    alt = html.escape(title)
    svg = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{alt}">{line}{"".join(drawn)}</svg>'
    return f"<figure>{svg}<figcaption>{alt}</figcaption></figure>"


def _counts(title: str, counts: dict[str, int]) -> str:
    cells = "".join(f"<tr><td>{html.escape(name)}<td>{count}" for name, count in counts.items())
    return f"<table><tr><th>{html.escape(title)}<th>&nbsp;{cells}</table>"
