"""Decimal texts of people and programs into minor units, strictly, and back (API.md, conventions)."""

import re

_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,15})(?:\.([0-9]{1,18}))?", re.ASCII)


class NotAnAmount(ValueError):
    """The text is not a plain decimal that the asset can hold exactly."""


def minor_of(text: str, scale: int) -> int:
    """Minor units of a plain unsigned decimal: "12.5" at scale 6 is 12500000. No sign, blank, exponent or leading zero."""
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise NotAnAmount("an amount is a plain decimal such as 250.00")
    part: str = match[2] or ""
    whole: str = match[1]
    if len(part) > scale:
        raise NotAnAmount(f"an amount has at most {scale} decimals")
    return int(whole + part.ljust(scale, "0"))


def money_text(minor: int, scale: int) -> str:
    """The decimal of an amount that is not below zero, with two decimals or more: 12500000 at scale 6 is "12.50", 7 is "0.000007"."""
    whole, part = divmod(minor, 10**scale)
    digits = f"{part:0{scale}d}".rstrip("0").ljust(min(scale, 2), "0")
    return f"{whole}.{digits}" if digits else str(whole)
