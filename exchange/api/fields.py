"""One value of a request at a time: text in, integer or refusal out. No framework, so every entry room can use them.

Amounts arrive as strings (API.md, conventions). What a lenient reader would repair is refused with the field's name.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from exchange.api.json_place import is_clean
from exchange.domain.amounts import decimal_text
from rights.kernel import clock, ids

T = TypeVar("T")
MAX_BIGINT = 2**63 - 1
_WHOLE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,14})(?:\.([0-9]{1,18}))?", re.ASCII)
CLIENT_ID = re.compile(r"[A-Za-z0-9_:+=/.-]{1,64}", re.ASCII)
SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9.-]{0,63}", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|\+00:00)", re.ASCII)
_YEARS = ("2000", "2199")


class FieldError(Exception):
    """`rule` is what the field has to be, as a sentence's end: "must be a string of digits"."""

    def __init__(self, field: str, rule: str, code: str = "invalid") -> None:
        super().__init__(field, rule, code)
        self.field, self.rule, self.code = field, rule, code

    def __str__(self) -> str:
        return f"{self.field} {self.rule}"


class BadFields(Exception):
    """Everything that is wrong with one object, each field named."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__(errors)
        self.errors = errors

    def __str__(self) -> str:
        return "; ".join(str(error) for error in self.errors)


def whole(value: object, field: str, low: int = 0, high: int = MAX_BIGINT) -> int:
    """A whole number written as a string: no sign, no leading zero, ASCII digits only."""
    if not isinstance(value, str) or not _WHOLE.fullmatch(value):
        raise FieldError(field, "must be a string of digits")
    number = int(value)
    if not low <= number <= high:
        raise FieldError(field, f"must be from {low} to {high}", "out_of_range")
    return number


def decimal_scaled(value: object, field: str, decimals: int, low: int = 0, high: int = MAX_BIGINT) -> int:
    """A decimal written as a string, times 10^`decimals`, exactly."""
    number = _scaled(value, field, decimals)
    if not low <= number <= high:
        raise FieldError(field, _range(low, high, decimals), "out_of_range")
    return number


def decimal_ticks(value: object, field: str, decimals: int, multiple: int, low: int = 1, high: int = MAX_BIGINT) -> int:
    """A price in ticks: `decimals` is the currency's scale, `multiple` the tick's worth in its minor units."""
    ticks, rest = divmod(_scaled(value, field, decimals), multiple)
    if rest:
        raise FieldError(field, f"must be a multiple of the tick size {decimal_text(multiple, decimals)}", "off_tick")
    if not low <= ticks <= high:
        raise FieldError(field, _range(low * multiple, high * multiple, decimals), "out_of_range")
    return ticks


def _scaled(value: object, field: str, decimals: int) -> int:
    match = _DECIMAL.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise FieldError(field, "must be a decimal written as a string")
    part = (match[2] or "").rstrip("0")
    if len(part) > decimals:
        raise FieldError(field, f"may have at most {decimals} decimals")
    return int(match[1] + part.ljust(decimals, "0"))


def integer(value: object, field: str, low: int, high: int) -> int:
    """A JSON number, where the API has one: seconds, basis points."""
    if type(value) is not int:
        raise FieldError(field, "must be a whole number")
    if not low <= value <= high:
        raise FieldError(field, f"must be from {low} to {high}", "out_of_range")
    return value


def boolean(value: object, field: str) -> bool:
    if not isinstance(value, bool):
        raise FieldError(field, "must be true or false")
    return value


def text(value: object, field: str, low: int = 1, high: int = 200) -> str:
    """Some text of `low` to `high` characters without control characters."""
    if not isinstance(value, str) or not low <= len(value) <= high:
        raise FieldError(field, f"must be a text of {low} to {high} characters")
    if not is_clean(value) or not all(c.isprintable() for c in value):
        raise FieldError(field, "holds characters that can't be taken")
    return value


def matching(value: object, field: str, pattern: re.Pattern[str], rule: str) -> str:
    """A text all of which `pattern` matches; `rule` says so in words."""
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise FieldError(field, rule)
    return value


def client_id(value: object, field: str) -> str:
    """A name that a client gives: of an order, or of a group of them."""
    return matching(value, field, CLIENT_ID, "must be 1 to 64 of A-Z a-z 0-9 _ : + = / . -")


def symbol(value: object, field: str) -> str:
    """What can be the symbol of an instrument or the key of a class."""
    return matching(value, field, SYMBOL, "must be 1 to 64 of A-Z 0-9 . - and begin with a letter or a digit")


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
    if not isinstance(value, str) or not _MOMENT.fullmatch(value) or not _YEARS[0] <= value[:4] <= _YEARS[1]:
        raise FieldError(field, "must be a time in UTC such as 2026-12-01T00:00:00.000000Z")
    try:
        return clock.to_us(datetime.fromisoformat(value))
    except ValueError:
        raise FieldError(field, "is no moment of the calendar") from None


def several(value: object, field: str, low: int, high: int) -> list[Any]:
    """A list of `low` to `high` values of any kind."""
    if not isinstance(value, list) or not low <= len(value) <= high:
        raise FieldError(field, f"must be a list of {low} to {high} values")
    return value


def items(value: object, field: str, low: int, high: int, one: Callable[[object, str], T]) -> list[T]:
    """A list of `low` to `high` values, each read by `one(value, field)`."""
    return [one(item, f"{field}.{position}") for position, item in enumerate(several(value, field, low, high))]


def mapping(value: object, field: str) -> dict[str, Any]:
    """An object, whatever its members."""
    if not isinstance(value, dict):
        raise FieldError(field or "body", "must be an object")
    return value


def members(value: object, field: str, allowed: Collection[str], required: Collection[str] = ()) -> dict[str, Any]:
    """An object that has all of `required` and nothing outside `allowed`."""
    found = mapping(value, field)
    prefix = f"{field}." if field else ""
    for name in found:
        if name not in allowed:
            raise unknown(f"{prefix}{name}")
    for name in required:
        if name not in found:
            raise FieldError(f"{prefix}{name}", "is required", "required")
    return found


def unknown(field: str) -> FieldError:
    """A field that has no meaning where it stands."""
    return FieldError(field[:200], "is not known here", "unknown_field")


def _range(low: int, high: int, decimals: int) -> str:
    return f"must be from {decimal_text(low, decimals)} to {decimal_text(high, decimals)}"
