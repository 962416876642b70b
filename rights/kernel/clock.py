"""The one place that reads the wall clock. Only entry rooms call it; everything below takes `now`."""

import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now_us() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


def to_datetime(moment_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=moment_us)


def to_us(moment: datetime) -> int:
    """Exact microseconds of an aware datetime."""
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def rfc3339(moment_us: int) -> str:
    """UTC with microseconds, as the API writes every time."""
    return f"{_second(moment_us // 1_000_000)}{moment_us % 1_000_000:06d}Z"


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    """A batch writes thousands of moments of the same few seconds."""
    return to_datetime(seconds * 1_000_000).strftime("%Y-%m-%dT%H:%M:%S.")
