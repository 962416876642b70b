"""Opaque cursors: the key of the last row shown. Strict: only what `encode` wrote is taken back."""

import base64
import binascii
import re

import orjson

from exchange.api.fields import FieldError
from rights.kernel.ids import bare

Key = tuple[str | int, ...]
_TEXT = re.compile(r"[A-Za-z0-9_-]{1,400}", re.ASCII)


def encode(kind: str, key: Key) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([kind, *key])).rstrip(b"=").decode("ascii")


def decode(kind: str, text: str, shape: str) -> Key:
    """The key inside; `shape` has one letter per part: u(uid), i(nteger), s(ymbol). Raises FieldError for `cursor`."""
    error = FieldError("cursor", "is not a cursor of this list")
    if not _TEXT.fullmatch(text):
        raise error
    try:
        parts = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError):
        raise error from None
    if not isinstance(parts, list) or len(parts) != len(shape) + 1 or parts[0] != kind:
        raise error
    key = tuple(parts[1:])
    if not all(_fits(part, letter) for part, letter in zip(key, shape, strict=True)) or encode(kind, key) != text:
        raise error
    return key


def _fits(part: object, letter: str) -> bool:
    if letter == "i":
        return type(part) is int and -(2**63) <= part < 2**63
    if not isinstance(part, str) or "\0" in part:
        return False
    return letter == "s" or bare("xxx", f"xxx_{part}") is not None
