"""Which values a field may take, said once more and apart from the code that reads them: everything else has to be refused by its name."""

import json
import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

Good = Callable[[Any], bool]
_NOTHING = object()
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


def read(raw: bytes) -> Any:
    """The JSON value, or something that no field may take."""
    try:
        return json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        return _NOTHING


def never(_value: Any) -> bool:
    return False


def or_null(good: Good) -> Good:
    return lambda value: value is None or good(value)


def one_of(*names: str) -> Good:
    return lambda value: isinstance(value, str) and value in names


def flag(value: Any) -> bool:
    return value is True or value is False


def digits(most: int = 2**63 - 1) -> Good:
    """A whole number above zero as it is written by hand."""
    return lambda value: isinstance(value, str) and re.fullmatch("[1-9][0-9]{0,18}", value) is not None and int(value) <= most


def price(tick: str, most_ticks: int) -> Good:
    """A decimal that is 1 to `most_ticks` ticks."""

    def good(value: Any) -> bool:
        if not isinstance(value, str) or re.fullmatch(r"(0|[1-9][0-9]*)(\.[0-9]+)?", value, re.ASCII) is None or len(value) > 40:
            return False
        try:
            ticks = Decimal(value) / Decimal(tick)
        except InvalidOperation:
            return False
        return ticks == ticks.to_integral_value() and 1 <= ticks <= most_ticks

    return good


def text(most: int, least: int = 1) -> Good:
    """Letters, marks, numbers, punctuation, symbols and the plain blank; nothing that steers a screen or is not assigned."""
    return lambda value: (
        isinstance(value, str) and least <= len(value) <= most and all(c == " " or unicodedata.category(c)[0] not in "CZ" for c in value)
    )


def client_name(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch("[A-Za-z0-9_:+=/.-]{1,64}", value) is not None


def public(prefix: str) -> Good:
    return lambda value: isinstance(value, str) and re.fullmatch(f"{prefix}_{_UUID}", value) is not None


def nothing_in_it(value: Any) -> bool:
    return value == {}
