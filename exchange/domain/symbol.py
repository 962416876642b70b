"""An instrument's readable name: `<CLASS>-<windowstart>-<length>` (API.md, public REST).

What a window's mode adds stands behind it: `-R` and the length of a rolling window, `-E` and that of an epoch, so that the books of one
class and span that differ in nothing else have names of their own.
"""

from datetime import datetime

# The registry's object ids are this long; API.md allows 64.
LONGEST = 48


def length_text(seconds: int) -> str:
    """An ISO 8601 duration of whole seconds: 86400 is P1D, 5400 is PT1H30M."""
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    date = f"{days}D" if days else ""
    time = "".join(f"{n}{unit}" for n, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if n)
    return f"P{date}{'T' + time if time else ''}"


def start_text(start: datetime) -> str:
    """The window's start to the hour, with minutes and seconds only when they are not zero."""
    if start.second:
        return start.strftime("%Y%m%dT%H%M%S")
    return start.strftime("%Y%m%dT%H%M" if start.minute else "%Y%m%dT%H")


_BY_MODE = {"rolling": "R", "epoch": "E"}


def symbol_of(class_key: str, start: datetime, end: datetime, mode: str = "fixed", period_s: int = 0) -> str:
    """The symbol of a class in the window [start, end), whole seconds. `period_s`: of a rolling window its length, of epochs their size."""
    symbol = f"{class_key}-{start_text(start)}-{length_text(int((end - start).total_seconds()))}"
    return f"{symbol}-{_BY_MODE[mode]}{length_text(period_s)[1:]}" if mode in _BY_MODE else symbol
