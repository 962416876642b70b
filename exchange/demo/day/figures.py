"""What a day came to. Units and minor units; shares in hundredths of a percent."""

import msgspec

from exchange.demo.day.demand import Day

BPS = 10_000


class WindowFigures(msgspec.Struct):
    """One window: what was there, what was asked, what came of it; `waited_us`: over all who were served."""

    issued: int = 0
    asked: int = 0
    served: int = 0
    unserved: int = 0
    stranded: int = 0
    requests: int = 0
    requests_served: int = 0
    waited_us: int = 0
    trades: int = 0
    traded_units: int = 0
    turnover_minor: int = 0
    fees_minor: int = 0


class DayFigures(msgspec.Struct):
    """A day by window and by tenant: (asked, served) units."""

    windows: list[WindowFigures]
    tenants: list[tuple[int, int]]
    outcomes: dict[str, int] = {}
    actions: dict[str, int] = {}
    refused: dict[str, int] = {}

    def total(self, name: str) -> int:
        return sum(getattr(window, name) for window in self.windows)

    @property
    def stranded_bps(self) -> int:
        """Of what was issued."""
        return self.total("stranded") * BPS // max(1, self.total("issued"))

    @property
    def unserved_bps(self) -> int:
        """Of what was asked for."""
        return self.total("unserved") * BPS // max(1, self.total("asked"))


class Floor(msgspec.Struct, frozen=True):
    """What no market can mend: windows in which all tenants together had too much, or too little."""

    stranded_bps: int
    unserved_bps: int


def floor_of(day: Day) -> Floor:
    """With all rights in one hand."""
    issued = asked = stranded = unserved = 0
    for number in day.windows:
        have, want = sum(day.bought[number]), sum(ask.units for ask in day.asks[number])
        issued, asked = issued + have, asked + want
        stranded, unserved = stranded + max(0, have - want), unserved + max(0, want - have)
    return Floor(stranded * BPS // max(1, issued), unserved * BPS // max(1, asked))
