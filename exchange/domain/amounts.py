"""Integers to and from the decimal texts of the wire (API.md, conventions)."""

from functools import lru_cache


def decimal_text(value: int, scale: int, keep: int = 2) -> str:
    """`value` / 10^scale, trailing zeros trimmed down to `keep` decimals: 1234567 at 6 is "1.234567"; 5000000 is "5.00"."""
    sign = "-" if value < 0 else ""
    if scale == 0:
        return str(value)
    whole, part = divmod(abs(value), 10**scale)
    digits = f"{part:0{scale}d}"
    trimmed = digits.rstrip("0")
    if len(trimmed) < keep:
        trimmed = digits[:keep]
    return f"{sign}{whole}.{trimmed}" if trimmed else f"{sign}{whole}"


@lru_cache(maxsize=65_536)
def fixed_text(value: int, scale: int, decimals: int) -> str:
    """`value` / 10^scale with exactly `decimals` decimals; the value must be exact at that many."""
    if decimals == 0:
        return str(value // 10**scale)
    scaled = value * 10**decimals // 10**scale if decimals < scale else value * 10 ** (decimals - scale)
    whole, part = divmod(scaled, 10**decimals)
    return f"{whole}.{part:0{decimals}d}"
