"""RFC 8785 (JCS) for what this house writes: texts, whole numbers, truth values, null, lists and objects. No floats."""

import hashlib
import json
from typing import cast

import orjson

# Beyond these a reader in another language may lose digits; larger amounts are texts.
_EXACT = 2**53 - 1


class NotCanonicalError(ValueError):
    """The value has no canonical form here."""


def canonical_json(value: object) -> bytes:
    """The one UTF-8 form of `value`. Raises NotCanonicalError for floats, huge integers and lone surrogates."""
    if _is_plain(value):
        try:
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        except TypeError:  # a lone surrogate, or deeper than it goes
            pass
    try:
        return json.dumps(_ordered(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except UnicodeEncodeError as error:
        raise NotCanonicalError("text with a lone surrogate") from error


def sha256_of(value: object) -> str:
    """SHA-256 of the canonical form, hexadecimal."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def _is_plain(value: object) -> bool:
    """Whether there are only ASCII names, whose orders are all the same, and nothing that has no form: then the quick writer writes it."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is dict:
        return all(type(name) is str and name.isascii() and _is_plain(part) for name, part in cast("dict[object, object]", value).items())
    if kind is list or kind is tuple:
        return all(map(_is_plain, cast("list[object]", value)))
    return kind is int and -_EXACT <= cast("int", value) <= _EXACT


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-be", "surrogatepass")


def _ordered(value: object) -> object:
    if isinstance(value, dict):
        if not all(isinstance(name, str) for name in value):
            raise NotCanonicalError("an object's names are texts")
        # RFC 8785 orders names by their UTF-16 code units, which is not the order of code points.
        return {name: _ordered(value[name]) for name in sorted(value, key=_utf16)}
    if isinstance(value, list | tuple):
        return [_ordered(item) for item in value]
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int) and -_EXACT <= value <= _EXACT:
        return value
    raise NotCanonicalError(f"{type(value).__name__} {value!r} has no canonical form here")
