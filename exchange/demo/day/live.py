"""A day is lived through: requests in the order of time, each served from its tenant's free units or waiting for some until the window ends.

What units there are and how they are used is the `Shop`'s: the real venue, or for the day without a market a mere account of units.
"""

from collections import deque
from collections.abc import Callable
from typing import Protocol

import msgspec

from exchange.demo.day.demand import SECOND_US, Ask, Day, Setting, expected_units
from exchange.demo.day.figures import DayFigures, WindowFigures


class Looks(msgspec.Struct, frozen=True):
    """When policies look: each `tick_us`, as they do unless told otherwise, and closer together as the window ends.

    Twice in pairs then: what one look takes back because it rests beside a better price, the next second's sells or buys at that price.
    """

    tick_us: int = 30 * SECOND_US
    closing_us: tuple[int, ...] = (7 * SECOND_US, 6 * SECOND_US, 2 * SECOND_US, SECOND_US)  # before the end

    def moments_us(self, window_us: int) -> list[int]:
        """After the window's start."""
        closing = [window_us - before_us for before_us in self.closing_us]
        return [*range(self.tick_us, closing[0], self.tick_us), *closing]


LOOKS = Looks()
AT_THE_END = Looks(closing_us=(0,))  # when every request of the window has come


class Shop(Protocol):
    """Where tenants' rights are. Moments after the day's start."""

    def open(self, number: int, units: tuple[int, ...]) -> None:
        """A window begins with these rights."""

    def free(self, tenant: int) -> int:
        """Units the tenant could use now."""

    def use(self, ask: Ask, at_us: int) -> bool:
        """Redeem a request."""

    def trade(self, needs: tuple[int, ...], at_us: int) -> None:
        """Let policies act on what each tenant needs from now on."""

    def close(self, figures: WindowFigures) -> None:
        """The window is over; what was left has perished."""


class Tenant(msgspec.Struct):
    """In one window: who waits, and what was asked so far."""

    waiting: deque[Ask] = msgspec.field(default_factory=deque)
    seen: int = 0

    @property
    def waiting_units(self) -> int:
        return sum(ask.units for ask in self.waiting)


class PaperShop:
    """Rights that stay where they were issued: nothing is bought or sold."""

    def __init__(self) -> None:
        self._free: list[int] = []

    def open(self, number: int, units: tuple[int, ...]) -> None:  # noqa: ARG002 - one shape for both shops
        self._free = list(units)

    def free(self, tenant: int) -> int:
        return self._free[tenant]

    def use(self, ask: Ask, at_us: int) -> bool:  # noqa: ARG002
        self._free[ask.tenant] -= ask.units
        return True

    def trade(self, needs: tuple[int, ...], at_us: int) -> None:
        """Nobody does."""

    def close(self, figures: WindowFigures) -> None:
        figures.stranded = sum(self._free)


class OneHandShop(PaperShop):
    """Rights that one hand moves at every look from who has too many to who has too few: no prices, no orders, no book.

    What policies on a book don't reach of it is the book's; `lot_units` 1 shows what lots cost.
    """

    def __init__(self, lot_units: int) -> None:
        super().__init__()
        self._lot_units = lot_units

    def trade(self, needs: tuple[int, ...], at_us: int) -> None:  # noqa: ARG002
        lot, free = self._lot_units, self._free
        over_lots = [max(0, have - need) // lot for have, need in zip(free, needs, strict=True)]
        for tenant, need in enumerate(needs):
            missing = need - free[tenant]
            short_lots = -(-missing // lot) if missing > lot // 2 else 0
            for other, spare in enumerate(over_lots):
                lots = min(short_lots, spare)
                short_lots, over_lots[other] = short_lots - lots, spare - lots
                free[tenant], free[other] = free[tenant] + lots * lot, free[other] - lots * lot


def live(
    day: Day,
    setting: Setting,
    shop: Shop,
    tell: Callable[[int, WindowFigures], object] = lambda *_: None,
    looks: Looks = LOOKS,
) -> DayFigures:
    """What the day came to in that shop. `tell` hears of each window when it is over."""
    figures = DayFigures([], [(0, 0)] * setting.tenants)
    for number in day.windows:
        figures.windows.append(_window(day, number, setting, shop, figures, looks))
        tell(number, figures.windows[-1])
    return figures


def _window(day: Day, number: int, setting: Setting, shop: Shop, figures: DayFigures, looks: Looks) -> WindowFigures:
    found = WindowFigures(issued=sum(day.bought[number]))
    tenants = [Tenant() for _ in range(setting.tenants)]
    shop.open(number, day.bought[number])
    start_us = number * setting.window_us
    moments = deque(looks.moments_us(setting.window_us))
    for ask in day.asks[number]:
        while moments and start_us + moments[0] <= ask.at_us:
            _look(day.forecasts[number], tenants, start_us, moments.popleft(), setting, shop, found, figures)
        tenants[ask.tenant].waiting.append(ask)
        tenants[ask.tenant].seen += ask.units
        found.asked, found.requests = found.asked + ask.units, found.requests + 1
        _count(figures, ask.tenant, asked=ask.units)
        _serve(tenants[ask.tenant], ask.tenant, ask.at_us, shop, found, figures)
    while moments:
        _look(day.forecasts[number], tenants, start_us, moments.popleft(), setting, shop, found, figures)
    found.unserved = sum(tenant.waiting_units for tenant in tenants)
    shop.close(found)
    return found


def _look(
    forecast: tuple[int, ...],
    tenants: list[Tenant],
    start_us: int,
    gone_us: int,
    setting: Setting,
    shop: Shop,
    found: WindowFigures,
    figures: DayFigures,
) -> None:
    """Tell each tenant's policy what is needed, let it trade, and serve who waits with what came."""
    needs = tuple(
        tenant.waiting_units + expected_units(forecast=units, seen=tenant.seen, gone_us=gone_us, window_us=setting.window_us)
        for tenant, units in zip(tenants, forecast, strict=True)
    )
    shop.trade(needs, start_us + gone_us)
    for number, tenant in enumerate(tenants):
        _serve(tenant, number, start_us + gone_us, shop, found, figures)


def _serve(tenant: Tenant, number: int, at_us: int, shop: Shop, found: WindowFigures, figures: DayFigures) -> None:
    """Whoever waits and fits into the free units, the oldest first."""
    still: deque[Ask] = deque()
    while tenant.waiting:
        ask = tenant.waiting.popleft()
        if ask.units <= shop.free(number) and shop.use(ask, at_us):
            found.served, found.requests_served = found.served + ask.units, found.requests_served + 1
            found.waited_us += at_us - ask.at_us
            _count(figures, number, served=ask.units)
        else:
            still.append(ask)
    tenant.waiting = still


def _count(figures: DayFigures, tenant: int, asked: int = 0, served: int = 0) -> None:
    before = figures.tenants[tenant]
    figures.tenants[tenant] = (before[0] + asked, before[1] + served)
