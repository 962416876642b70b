"""One value of a request at a time: text in, integer or refusal out. No framework, so every entry room can use them.

Amounts arrive as strings (API.md, conventions). What a lenient reader would repair is refused with the field's name.
"""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, TypeVar

from exchange.api.json_place import is_clean
from rights.kernel import clock, ids

T = TypeVar("T")
MAX_BIGINT = 2**63 - 1
_WHOLE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,18})(?:\.([0-9]{1,18}))?", re.ASCII)
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(?:Z|\+00:00)", re.ASCII)
_YEARS = ("2000", "2199")


class FieldError(Exception):
    """`rule` is what the field has to be, as a sentence's end: "must be a string of digits"."""

    def __init__(self, field: str, rule: str, code: str = "invalid") -> None:
        super().__init__(f"{field} {rule}")
        self.field, self.rule, self.code = field, rule, code


def whole(value: object, field: str, low: int = 0, high: int = MAX_BIGINT) -> int:
    """A whole number written as a string: no sign, no leading zero, ASCII digits only."""
    if not isinstance(value, str) or not _WHOLE.fullmatch(value):
        raise FieldError(field, "must be a string of digits")
    return _between(int(value), field, low, high)


def decimal_scaled(value: object, field: str, decimals: int, low: int = 0, high: int = MAX_BIGINT) -> int:
    """A decimal written as a string, times 10^`decimals`, exactly."""
    match = _DECIMAL.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise FieldError(field, "must be a decimal written as a string")
    part = (match[2] or "").rstrip("0")
    if len(part) > decimals:
        raise FieldError(field, f"may have at most {decimals} decimals")
    return _between(int(match[1] + part.ljust(decimals, "0")), field, low, high)


def decimal_ticks(value: object, field: str, decimals: int, multiple: int, low: int = 1) -> int:
    """A price in ticks: `decimals` is the currency's scale, `multiple` the tick's worth in its minor units."""
    ticks, rest = divmod(decimal_scaled(value, field, decimals), multiple)
    if rest:
        raise FieldError(field, "must be a multiple of the tick size", "off_tick")
    if ticks < low:
        raise FieldError(field, f"must be at least {low} tick" + "s" * (low != 1), "out_of_range")
    return ticks


def integer(value: object, field: str, low: int, high: int) -> int:
    """A JSON number, where the API has one: seconds, basis points."""
    if type(value) is not int:
        raise FieldError(field, "must be a whole number")
    return _between(value, field, low, high)


def boolean(value: object, field: str) -> bool:
    if not isinstance(value, bool):
        raise FieldError(field, "must be true or false")
    return value


def text(value: object, field: str, low: int = 1, high: int = 200, pattern: re.Pattern[str] | None = None) -> str:
    """Some text of `low` to `high` characters without control characters; `pattern` has to match all of it."""
    if not isinstance(value, str) or not low <= len(value) <= high:
        raise FieldError(field, f"must be a text of {low} to {high} characters")
    if not is_clean(value) or not all(c.isprintable() for c in value):
        raise FieldError(field, "holds characters that can't be taken")
    if pattern is not None and not pattern.fullmatch(value):
        raise FieldError(field, f"must match {pattern.pattern}")
    return value


def public_id(value: object, field: str, prefix: str) -> str:
    """The UUID inside a public id of the kind `prefix`."""
    uuid = ids.bare(prefix, value) if isinstance(value, str) else None
    if uuid is None:
        raise FieldError(field, f"must be an id that begins with {prefix}_")
    return uuid


def choice(value: object, field: str, choices: Mapping[str, T]) -> T:
    """One of a few names; the answer is what it stands for."""
    if not isinstance(value, str) or value not in choices:
        raise FieldError(field, "must be one of " + ", ".join(choices), "unknown_value")
    return choices[value]


def moment_us(value: object, field: str) -> int:
    """RFC 3339 in UTC, up to microseconds, years 2000 to 2199; microseconds since the epoch."""
    match = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if match is None or not _YEARS[0] <= match[1][:4] <= _YEARS[1]:
        raise FieldError(field, "must be a time in UTC such as 2026-12-01T00:00:00.000000Z")
    try:
        parsed = datetime.fromisoformat(f"{match[1]}T{match[2]}.{(match[3] or '').ljust(6, '0')}+00:00")
    except ValueError:
        raise FieldError(field, "is no moment of the calendar") from None
    return clock.to_us(parsed)


def items(value: object, field: str, low: int, high: int, one: Callable[[object, str], T]) -> list[T]:
    """A list of `low` to `high` values, each read by `one(value, field)`."""
    if not isinstance(value, list) or not low <= len(value) <= high:
        raise FieldError(field, f"must be a list of {low} to {high} values")
    return [one(item, f"{field}.{position}") for position, item in enumerate(value)]


def members(value: object, field: str, allowed: Collection[str], required: Collection[str] = ()) -> dict[str, Any]:
    """An object that has all of `required` and nothing outside `allowed`."""
    if not isinstance(value, dict):
        raise FieldError(field or "body", "must be an object")
    prefix = f"{field}." if field else ""
    for name in value:
        if name not in allowed:
            raise FieldError(f"{prefix}{name}"[:200], "is not known here", "unknown_field")
    for name in required:
        if name not in value:
            raise FieldError(f"{prefix}{name}", "is required", "required")
    return value


def _between(number: int, field: str, low: int, high: int) -> int:
    if not low <= number <= high:
        raise FieldError(field, f"must be from {low} to {high}", "out_of_range")
    return number
