"""Query parameters, read as strictly as bodies: known names only, once each, clean text."""

from collections.abc import Collection, Mapping
from typing import TypeVar
from urllib.parse import parse_qsl

from exchange.api import cursors, fields
from exchange.api.fields import FieldError
from exchange.api.json_place import is_clean

T = TypeVar("T")
DEFAULT_LIMIT, MAX_LIMIT = 100, 1000
_MANY = 50


class Query:
    """The parameters of one request, by name; the readers answer None for what was not given."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    @classmethod
    def read(cls, query_string: str, allowed: Collection[str]) -> "Query":
        """Take a raw query string apart. Raises FieldError."""
        try:
            pairs = parse_qsl(query_string, keep_blank_values=True, errors="strict", max_num_fields=_MANY)
        except ValueError:
            raise FieldError("query", "can't be read") from None
        values: dict[str, str] = {}
        for name, value in pairs:
            shown = name[:200].replace("\0", "\N{REPLACEMENT CHARACTER}")
            if name not in allowed:
                known = f"; known are {', '.join(sorted(allowed))}" if allowed else ""
                raise FieldError(shown, f"is not a parameter of this resource{known}", "unknown_parameter")
            if name in values:
                raise FieldError(shown, "is given twice")
            if not is_clean(value):
                raise FieldError(shown, "holds characters that can't be taken")
            values[name] = value
        return cls(values)

    @property
    def given(self) -> Mapping[str, str]:
        """All of them, for readers of a whole form."""
        return self._values

    def raw(self, name: str) -> str | None:
        return self._values.get(name)

    def whole(self, name: str, low: int, high: int) -> int | None:
        value = self._values.get(name)
        return None if value is None else fields.whole(value, name, low, high)

    def choice(self, name: str, choices: Mapping[str, T]) -> T | None:
        value = self._values.get(name)
        return None if value is None else fields.choice(value, name, choices)

    def moment_us(self, name: str) -> int | None:
        value = self._values.get(name)
        return None if value is None else fields.moment_us(value, name)

    def text(self, name: str, high: int = 64) -> str | None:
        value = self._values.get(name)
        return None if value is None else fields.text(value, name, high=high)

    def symbol(self, name: str) -> str | None:
        value = self._values.get(name)
        return None if value is None else fields.symbol(value, name)

    def limit(self) -> int:
        found = self.whole("limit", 1, MAX_LIMIT)
        return DEFAULT_LIMIT if found is None else found

    def cursor(self, kind: str, shape: str) -> cursors.Key | None:
        value = self._values.get("cursor")
        return None if value is None else cursors.decode(kind, value, shape)

    def required_symbol(self, name: str) -> str:
        found = self.symbol(name)
        if found is None:
            raise FieldError(name, "is required", "required")
        return found

    def public_id(self, name: str, prefix: str) -> str | None:
        value = self._values.get(name)
        return None if value is None else fields.public_id(value, name, prefix)
