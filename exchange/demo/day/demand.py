"""Who asks for how much when, and what everybody expected. Pure: the same requests and seed give the same day.

A traced call stands for `scale` alike, since a lot is a million tokens. Calls of one service that come within a session are one tenant's;
tenants' shares follow Zipf's law. Forecasts know only what has been: each window's is smoothed from the windows before it.
"""

from collections.abc import Iterable, Sequence
from random import Random
from statistics import NormalDist

import msgspec

from exchange.demo.bots.trace import Call

SECOND_US = 1_000_000
RESALE_PERCENT = 20  # of what a right costs: the least at which a tenant sells what would perish
PERMILLE = 1000


class Setting(msgspec.Struct, frozen=True):
    """One day's numbers. `session_s` 0: every call by itself. `smoothing` in percent of the newest window.

    `value_percent`: what being served is worth to a tenant, in percent of what the rights for it cost; so much it pays at most.
    """

    tenants: int = 20
    seed: int = 1
    window_s: int = 300
    session_s: int = 4
    scale: int = 1000
    smoothing: int = 70
    value_percent: int = 180
    windows: int = 0  # of the day, behind the one that teaches the forecast; 0: as many as the requests last

    @property
    def window_us(self) -> int:
        return self.window_s * SECOND_US

    @property
    def critical_permille(self) -> int:
        """How often a buyer wants to have bought enough: what a unit too few loses it, out of that and what a unit too many does."""
        return (self.value_percent - 100) * PERMILLE // (self.value_percent - RESALE_PERCENT)


class Ask(msgspec.Struct, frozen=True, order=True):
    """A tenant's call: when after the start, and the units it takes."""

    at_us: int
    tenant: int
    units: int


class Day(msgspec.Struct, frozen=True):
    """`asks` by window, the first of which only teaches. Units by window and tenant, none for the first: what it expects, what it buys."""

    asks: tuple[tuple[Ask, ...], ...]
    forecasts: tuple[tuple[int, ...], ...]
    bought: tuple[tuple[int, ...], ...]

    @property
    def windows(self) -> range:
        """Those that are lived through."""
        return range(1, len(self.asks))


def day_of(calls: Sequence[Call], setting: Setting) -> Day:
    """The day that these calls make."""
    asks = list(_spread(calls, setting))
    count = asks[-1].at_us // setting.window_us + 1 if asks else 1
    if setting.windows:
        count = min(count, setting.windows + 1)
    windows: list[list[Ask]] = [[] for _ in range(count)]
    for ask in asks:
        number = ask.at_us // setting.window_us
        if number < count:
            windows[number].append(ask)
    forecasts, bought = zip(*_expected_and_bought(windows, setting), strict=True)
    return Day(tuple(map(tuple, windows)), forecasts, bought)


def _spread(calls: Sequence[Call], setting: Setting) -> Iterable[Ask]:
    chance = Random(f"{setting.seed}:tenants")
    shares = [1 / (rank + 1) for rank in range(setting.tenants)]
    sessions: dict[str, tuple[int, int]] = {}  # service → (tenant, when its session ends)
    for call in sorted(calls):
        tenant, until = sessions.get(call.service, (0, -1))
        if call.at_us >= until:
            tenant = chance.choices(range(setting.tenants), shares)[0]
            sessions[call.service] = (tenant, call.at_us + round(chance.expovariate(1) * setting.session_s * SECOND_US))
        yield Ask(call.at_us, tenant, (call.context + call.generated) * setting.scale)


def _expected_and_bought(windows: Sequence[Sequence[Ask]], setting: Setting) -> Iterable[tuple[tuple[int, ...], tuple[int, ...]]]:
    yield (0,) * setting.tenants, (0,) * setting.tenants
    pasts = [Past() for _ in range(setting.tenants)]
    for window in windows[:-1]:
        seen = [0] * setting.tenants
        for ask in window:
            seen[ask.tenant] += ask.units
        for past, units in zip(pasts, seen, strict=True):
            past.learn(units, setting.smoothing)
        yield tuple(past.expected_units for past in pasts), tuple(past.wanted_units(setting.critical_permille) for past in pasts)


class Past(msgspec.Struct):
    """What one tenant knows: what it expects of a window, and how far it was out in each of those before."""

    expected_units: int = 0
    missed_units: int = 0
    windows: int = 0

    def learn(self, units: int, smoothing: int) -> None:
        """A window is over, in which it asked for so many units."""
        self.windows += 1
        if self.windows == 1:
            self.expected_units = units
            return
        self.missed_units += abs(units - self.expected_units)
        self.expected_units = (units * smoothing + self.expected_units * (100 - smoothing)) // 100

    def wanted_units(self, critical_permille: int) -> int:
        """What it buys: enough so often. Its errors are taken for normal ones, whose deviation is five quarters of their mean size."""
        deviation_units = self.missed_units * 5 // (4 * max(1, self.windows - 1))
        above_permille = round(NormalDist().inv_cdf(critical_permille / PERMILLE) * PERMILLE)
        return max(0, self.expected_units + above_permille * deviation_units // PERMILLE)


def expected_units(*, forecast: int, seen: int, gone_us: int, window_us: int) -> int:
    """What is still to come of the window: the forecast, giving way to what was seen as the window goes by."""
    left_us = window_us - gone_us
    return left_us * (left_us * forecast + window_us * seen) // (window_us * window_us)
