"""The window of a series, and when a right really ends."""

import msgspec


class WindowFacts(msgspec.Struct, frozen=True):
    """The window of a series; `start` and `end` RFC 3339 as manifests write them, `period_s` of epoch and rolling."""

    start: str
    end: str
    mode: str
    period_s: int


def ends_us(*, mode: str, window_end_us: int, period_s: int, activated_us: int | None) -> int:
    """The window's end, or earlier for a rolling window: `period_s` seconds after activation."""
    if mode != "rolling" or activated_us is None:
        return window_end_us
    return min(window_end_us, activated_us + period_s * 1_000_000)
