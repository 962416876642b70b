"""What keeps a day's shares where they are: the same day lived again with one hindrance fewer each time. Pure, by accounts of units.

What lies between two neighbours is what that hindrance costs. So is what tenants expect: the same calls for buyers who expect otherwise.
"""

from collections.abc import Sequence

import msgspec

from exchange.demo.bots.trace import Call
from exchange.demo.day.demand import Day, Setting, day_of
from exchange.demo.day.figures import BPS, DayFigures, Floor, floor_of
from exchange.demo.day.live import AT_THE_END, OneHandShop, PaperShop, live


class Shares(msgspec.Struct, frozen=True):
    """In basis points: of the units issued, of the demand."""

    stranded_bps: int
    unserved_bps: int

    def less(self, other: "Shares | Floor") -> "Shares":
        return Shares(self.stranded_bps - other.stranded_bps, self.unserved_bps - other.unserved_bps)


class Steps(msgspec.Struct, frozen=True):
    """The day with all of today's hindrances but the books; without lots, too; without seconds behind the last look, too; beyond any market."""

    one_hand: Shares
    units: Shares
    at_the_end: Shares
    floor: Floor


class Cut(msgspec.Struct, frozen=True):
    """The last window, when the requests end before it does: for how long they last, and its part of what nobody could use."""

    lasted_s: int
    stranded_bps: int


class Otherwise(msgspec.Struct, frozen=True):
    """The same calls had tenants expected, or come, otherwise; `one_hand` stands for the market."""

    name: str
    without: Shares
    one_hand: Shares
    floor: Floor


def shares_of(figures: DayFigures) -> Shares:
    return Shares(figures.stranded_bps, figures.unserved_bps)


def steps_of(day: Day, setting: Setting, lot_units: int) -> Steps:
    """The day in one hand, with lots of so many units and without."""
    return Steps(
        shares_of(live(day, setting, OneHandShop(lot_units))),
        shares_of(live(day, setting, OneHandShop(1))),
        shares_of(live(day, setting, OneHandShop(1), looks=AT_THE_END)),
        floor_of(day),
    )


def cut_of(day: Day, setting: Setting) -> Cut | None:
    """None when the last call comes in the last tenth of the window."""
    number = len(day.asks) - 1
    last = day.asks[number]
    lasted_us = last[-1].at_us - number * setting.window_us if last else 0
    if not number or setting.window_us - lasted_us <= setting.window_us // 10:
        return None
    issued = sum(sum(day.bought[window]) for window in day.windows)
    unusable = max(0, sum(day.bought[number]) - sum(ask.units for ask in last))
    return Cut(lasted_us // 1_000_000, unusable * BPS // max(1, issued))


def otherwise(calls: Sequence[Call], setting: Setting, lot_units: int) -> tuple[Otherwise, ...]:
    """Slower and faster forecasts, buyers who lose less and more by a unit too few, and calls that come each by itself."""
    found = []
    for name, change in (
        ("forecasts that follow the newest window by half", {"smoothing": 50}),
        ("forecasts that are the newest window", {"smoothing": 100}),
        ("being served is worth 1.5 times its price", {"value_percent": 150}),
        ("being served is worth 3 times its price", {"value_percent": 300}),
        ("each call by itself instead of in sessions", {"session_s": 0}),
    ):
        other = msgspec.structs.replace(setting, **change)
        day = day_of(calls, other)
        without, one_hand = live(day, other, PaperShop()), live(day, other, OneHandShop(lot_units))
        found.append(Otherwise(name, shares_of(without), shares_of(one_hand), floor_of(day)))
    return tuple(found)
