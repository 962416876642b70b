"""The only way JSON enters: REST, order entry and sockets (TRUST.md, known traps).

The standard C scanner does the work; what it would let through is refused: duplicate keys, numbers that are not
plain integers, deep nesting, NUL, lone surrogates, other encodings. A refusal names the field.
"""

import json
import re
from collections.abc import Mapping
from itertools import accumulate
from typing import IO, Any, NoReturn

import orjson
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from exchange.api import json_place

MAX_BYTES = 256 * 1024
MAX_DEPTH = 16
MAX_INTEGER = 2**53 - 1  # beyond it other languages round

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_SUSPECT = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_MARKS = b'"[]{}\\'
_NOT_MARKS = bytes(set(range(256)) - set(_MARKS))
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_BOM = b"\xef\xbb\xbf"


class Malformed(Exception):
    """The body can't be taken as it is. `field` is the dotted path, empty when the body as a whole is meant."""

    def __init__(self, detail: str, field: str = "") -> None:
        super().__init__(detail)
        self.detail, self.field = detail, field


class _Number(Exception):
    """A number the scanner met that must not enter."""


class _Twice(Exception):
    """An object with two equal keys."""


def parse(body: bytes) -> Any:
    """The value of a JSON text in UTF-8 of at most 256 KiB and 16 levels; raises `Malformed`."""
    text = _text(body)
    if _depth(body) > MAX_DEPTH:
        raise Malformed(f"nested deeper than {MAX_DEPTH} levels", json_place.path_below(text, MAX_DEPTH))
    try:
        value = _DECODER.decode(text)
    except _Twice:
        field = json_place.path_of_duplicate(text)
        raise Malformed(f"{field} stands twice", field) from None
    except _Number as refused:
        literal = str(refused)
        raise Malformed(f"the number {literal[:40]} can't be taken", json_place.path_of_literal(text, literal)) from None
    except json.JSONDecodeError as error:
        raise Malformed(f"not JSON: {error.msg} at character {error.pos}", json_place.path_at(text, error.pos)) from None
    except RecursionError:
        raise Malformed(f"nested deeper than {MAX_DEPTH} levels") from None
    if _SUSPECT.search(text):
        field_or_none = json_place.path_of_unclean(text)
        if field_or_none is not None:
            raise Malformed("a text holds NUL or half a surrogate pair", field_or_none)
    return value


def parse_object(body: bytes) -> dict[str, Any]:
    """Like `parse`, for a body that has to be an object."""
    value = parse(body)
    if not isinstance(value, dict):
        raise Malformed("the body must be a JSON object")
    return value


def _text(body: bytes) -> str:
    if len(body) > MAX_BYTES:
        raise Malformed(f"larger than {MAX_BYTES} bytes")
    if body.startswith(_BOM):
        raise Malformed("begins with a byte order mark")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        readable = body[: error.start].decode("utf-8")
        raise Malformed(f"not UTF-8 at byte {error.start}", json_place.path_at(readable, len(readable))) from None


def _depth(body: bytes) -> int:
    """The deepest nesting. Texts without brackets and escapes vanish in two C calls; others are cut out first."""
    marks = body.translate(None, _NOT_MARKS)
    skeleton = marks.replace(b'""', b"")
    if b'"' in skeleton or b"\\" in skeleton:
        skeleton = _STRING.sub(b"", body).translate(None, _NOT_MARKS + b'"\\')
    return max(accumulate(map(_STEP.__getitem__, skeleton)), default=0)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Twice
    return value


def _integer(literal: str) -> int:
    if len(literal) > len(str(MAX_INTEGER)) + 1 or literal == "-0" or abs(int(literal)) > MAX_INTEGER:
        raise _Number(literal)
    return int(literal)


def _refuse(literal: str) -> NoReturn:
    raise _Number(literal)


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_float=_refuse, parse_int=_integer, parse_constant=_refuse)


class StrictJSONParser(BaseParser):
    """DRF's door to `parse_object`."""

    media_type = "application/json"

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> dict[str, Any]:  # noqa: ARG002 - DRF's signature
        return parse_object(stream.read(MAX_BYTES + 1))


class OrJSONRenderer(BaseRenderer):
    """Writes what the views return: str, int, bool, None, lists and objects."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None) -> bytes:  # noqa: ARG002 - DRF's signature
        return b"" if data is None else orjson.dumps(data)
