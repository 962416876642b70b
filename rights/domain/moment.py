"""RFC 3339 UTC texts and microseconds, exactly; no clock."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@lru_cache(maxsize=4096)
def parse_us(text: str) -> int:
    """Microseconds since the epoch of a UTC moment ending in `Z`; ValueError when malformed or before 1970."""
    if not _RFC3339.fullmatch(text):
        raise ValueError("a UTC moment looks like 2026-12-01T00:00:00Z")
    moment = datetime.fromisoformat(text)
    if moment < _EPOCH:
        raise ValueError("moments before 1970 have no place here")
    return (moment - _EPOCH) // _MICROSECOND


def text_of(moment_us: int) -> str:
    """UTC with as few decimals as it takes: whole seconds are written without."""
    moment = _EPOCH + timedelta(microseconds=moment_us)
    return moment.isoformat().replace("+00:00", "Z")
