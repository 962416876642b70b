"""Which windows of a ware should be listed at a moment, and when they open. Pure; moments in microseconds."""

import msgspec

from exchange.demo.catalog import DAY_US, HOUR_US, Ware

# A window whose gate is nearer than this is no longer worth listing.
LEAST_LIFE_US = 10 * 60 * 1_000_000
GATE_BEFORE_END_US = 15 * 60 * 1_000_000


class Window(msgspec.Struct, frozen=True, order=True):
    start_us: int
    end_us: int
    opens_us: int


def windows_at(*, ware: Ware, now_us: int) -> list[Window]:
    """The hour that is running (while it is worth it), the next `hours`, and today and tomorrow as a whole: what is bought of today can be used at once.

    The farthest hour opens only when the next one comes into sight, so that one book always waits in `pre_open`.
    """
    hour = now_us // HOUR_US * HOUR_US
    ahead_us = (ware.hours - 1) * HOUR_US
    hourly = [
        Window(start, start + HOUR_US, min(start, max(hour, start - ahead_us)))
        for start in range(hour, hour + (ware.hours + 1) * HOUR_US, HOUR_US)
    ]
    today = now_us // DAY_US * DAY_US
    daily = [Window(start, start + DAY_US, start - DAY_US) for start in (today, today + DAY_US)]
    wanted = [*hourly, *daily]
    return [window for window in wanted if window.end_us - GATE_BEFORE_END_US - now_us >= LEAST_LIFE_US]
