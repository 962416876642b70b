"""One object read field by field, so that everything wrong with it is told at once. The readers are those of `fields`."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from exchange.api.fields import BadFields, FieldError, unknown

T = TypeVar("T")


class Form:
    """`null` is as good as leaving a field out."""

    def __init__(self, source: Mapping[str, Any], allowed: Collection[str]) -> None:
        self._source = source
        self._errors = [unknown(name) for name in source if name not in allowed]

    def given(self, field: str) -> bool:
        return self._source.get(field) is not None

    def read(self, field: str, default: T, reader: Callable[..., T], *arguments: Any) -> T:
        """What `reader(value, field, *arguments)` makes of the field; `default` when it is not given or wrong."""
        value = self._source.get(field)
        if value is None:
            return default
        try:
            return reader(value, field, *arguments)
        except FieldError as error:
            self._errors.append(error)
            return default

    def need(self, field: str, default: T, reader: Callable[..., T], *arguments: Any) -> T:
        """`read`, for a field that has to be given."""
        value = self._source.get(field)
        if value is None:
            self.wrong(field, "is required", "required")
            return default
        try:
            return reader(value, field, *arguments)
        except FieldError as error:
            self._errors.append(error)
            return default

    def wrong(self, field: str, rule: str, code: str = "conflict") -> None:
        """Note what is wrong beyond a single value."""
        self._errors.append(FieldError(field, rule, code))

    def close(self) -> None:
        """Raise BadFields when anything was wrong."""
        if self._errors:
            raise BadFields(self._errors)
