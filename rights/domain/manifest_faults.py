"""What the JSON Schema has against a document, in words, with the path of each field."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec
from jsonschema import Draft202012Validator, ValidationError, validators

_LONGEST_NAME = 64


class Fault(msgspec.Struct, frozen=True):
    """`field` as `window.end`, `code` stable, `detail` what the field has to be."""

    field: str
    code: str
    detail: str


def _is_integer(_checker: object, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


@lru_cache(maxsize=64)
def _whole(pattern: str) -> re.Pattern[str]:
    # Python's $ lets a newline follow; the schema's does not.
    return re.compile(pattern.removesuffix("$") + r"\Z" if pattern.endswith("$") else pattern, re.ASCII)


def _pattern(_validator: object, pattern: str, value: object, _schema: object) -> Iterator[ValidationError]:
    if isinstance(value, str) and not _whole(pattern).match(value):
        yield ValidationError("does not match")


_Validator: Any = validators.extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    validators={"pattern": _pattern},
    # JSON Schema calls 1.0 an integer; here no number with a point passes.
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)


def schema_faults(schema: Mapping[str, Any], document: object) -> list[Fault]:
    """Every fault the schema finds, by path; empty when the document fits."""
    found: dict[tuple[str, str], Fault] = {}
    for error in _Validator(schema).iter_errors(document):
        for fault in _faults(error):
            found.setdefault((fault.field, fault.code), fault)
    return sorted(found.values(), key=lambda fault: (fault.field, fault.code))


def _path(error: ValidationError, *more: str) -> str:
    return ".".join([*(str(part)[:_LONGEST_NAME] for part in error.absolute_path), *(name[:_LONGEST_NAME] for name in more)])


def _faults(error: ValidationError) -> Iterator[Fault]:
    rule, value = str(error.validator), error.instance
    wanted: Any = error.validator_value
    schema: Any = error.schema
    if rule == "required" and isinstance(value, dict):
        for name in wanted:
            if name not in value:
                yield Fault(_path(error, name), "required", "is missing")
    elif rule == "additionalProperties" and isinstance(value, dict):
        for name in sorted(map(str, set(value) - set(schema["properties"]))):
            if "privacy" in name and "fallback_policy" in error.absolute_path:
                yield Fault(_path(error, name), "privacy_kept", "does not exist: privacy is never downgraded")
            else:
                yield Fault(_path(error, name), "unknown_field", "is not a field of a manifest")
    elif rule == "anyOf":
        yield from _alternatives(error)
    else:
        yield Fault(_path(error), _CODES.get(rule, "invalid"), _words(rule, wanted, error))


def _alternatives(error: ValidationError) -> Iterator[Fault]:
    """`any` or a set, a value or null: tell of the alternative that was meant."""
    options: Any = error.validator_value
    meant = [inner for inner in error.context or () if inner.validator not in {"const", "type"} or len(inner.path)]
    if isinstance(error.instance, str) and "const" in options[0]:
        meant = []
    if meant:
        for inner in meant:
            yield from _faults(inner)
    else:
        yield Fault(_path(error), "invalid", f"must be {_options(options)}")


def _options(options: list[Mapping[str, Any]]) -> str:
    names = {"type": "null", "const": '"any"'}
    words = [names["const"] if "const" in o else "null" if o.get("type") == "null" else _named(o) for o in options]
    return " or ".join(words)


def _named(option: Mapping[str, Any]) -> str:
    if option.get("type") == "array":
        return "a list that is not empty"
    return {"units": "whole units as a string of digits", "count": "a whole number", "span": "whole seconds", "moment": "a UTC moment"}.get(
        str(option.get("$ref", "")).rsplit("/", 1)[-1], "a value"
    )


_CODES = {
    "type": "wrong_type",
    "enum": "unknown_value",
    "const": "unknown_value",
    "pattern": "malformed",
    "minimum": "out_of_range",
    "maximum": "out_of_range",
    "minItems": "out_of_range",
    "maxItems": "out_of_range",
    "maxLength": "out_of_range",
    "uniqueItems": "repeated",
}
_TYPES = {
    "object": "an object",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}


_LIMITS = {
    "const": "must be {}",
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "minItems": "must have at least {} entry",
    "maxItems": "may have at most {} entries",
    "maxLength": "may have at most {} characters",
}


def _words(rule: str, wanted: Any, error: ValidationError) -> str:
    said = str(error.schema.get("description", "")) if isinstance(error.schema, dict) else ""
    match rule:
        case "type":
            hint = f" ({said.rstrip('.')})" if wanted == "string" and said else ""
            return f"must be {_TYPES.get(str(wanted), str(wanted))}{hint}"
        case "pattern":
            return f"must match {wanted}" + (f" ({said.rstrip('.')})" if said else "")
        case "enum":
            return "must be one of " + ", ".join("null" if option is None else str(option) for option in wanted)
        case "uniqueItems":
            return "holds an entry twice"
        case _:
            return _LIMITS.get(rule, "breaks the rule " + rule).format(wanted)
