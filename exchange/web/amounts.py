"""Amounts and spans as the pages write them."""

from rights.kernel.clock import to_datetime

_SPANS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def units_text(amount: int, unit: str) -> str:
    """An amount with its unit: "3,000,000 tokens", "1 token"."""
    return f"{amount:,} {unit.removesuffix('s') if amount == 1 else unit}"


def span_text(seconds: int) -> str:
    """Exact, in the largest part that fits whole: "2 hours", "90 seconds"; nothing is "none"."""
    for size, name in _SPANS:
        if seconds and seconds % size == 0:
            count = seconds // size
            return f"{count:,} {name}{'' if count == 1 else 's'}"
    return "none"


def share_text(bps: int) -> str:
    """Basis points as per cent: 250 is "2.5 %"."""
    whole, part = divmod(bps, 100)
    return f"{whole}.{part:02d}".rstrip("0").rstrip(".") + " %"


def moment_text(moment_us: int) -> str:
    """A moment to the minute, "1 Dec 2026 00:00 UTC", with seconds where there are any."""
    at = to_datetime(moment_us)
    return f"{at.day} {at:%b %Y %H:%M}{f':{at:%S}' if at.second or at.microsecond else ''} UTC"
