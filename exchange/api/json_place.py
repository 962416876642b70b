"""Where in a JSON text something stands. Only refusals come here, so it may be slow, but it never recurses."""

import json
import re
from collections.abc import Iterator

import msgspec

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{},:]|[^\s\[\]{},:"]+', re.DOTALL)
_LONGEST = 200


class Token(msgspec.Struct, frozen=True):
    """`path` is live: what holds at this token, one part for each open container (None: no key read yet)."""

    offset: int
    text: str
    is_key: bool
    path: list[str | int | None]


def walk(text: str) -> Iterator[Token]:
    """Every token of `text`, well-formed or not, with the way to it."""
    path: list[str | int | None] = []
    key_next = False
    for match in _TOKEN.finditer(text):
        word = match[0]
        is_key = key_next and word[0] == '"'
        if is_key:
            path[-1], key_next = _decoded(word), False
        yield Token(match.start(), word, is_key, path)
        if word in "[{":
            path.append(0 if word == "[" else None)
            key_next = word == "{"
        elif word in "]}" and path:
            path.pop()
            key_next = False
        elif word == "," and path:
            last = path[-1]
            if isinstance(last, int):
                path[-1] = last + 1
            else:
                key_next = True


def path_at(text: str, offset: int) -> str:
    """The field that is being read at `offset`, as `operations.3.price`; empty at the top."""
    found = ""
    for token in walk(text):
        if token.offset > offset:
            break
        found = written(token.path)
    return found


def path_of_literal(text: str, literal: str) -> str:
    """The field whose value is, or begins with, the number or bare word `literal`, at which the scanner stopped."""
    return next((written(token.path) for token in walk(text) if token.text.startswith(literal)), "")


def path_of_duplicate(text: str) -> str:
    """The first key that stands twice in one object."""
    seen: list[set[str]] = []
    for token in walk(text):
        if token.is_key:
            key = str(token.path[-1])
            if key in seen[-1]:
                return written(token.path)
            seen[-1].add(key)
        elif token.text in "[{":
            seen.append(set())
        elif token.text in "]}":
            seen.pop()
    return ""


def path_below(text: str, depth: int) -> str:
    """The field in which the nesting goes below `depth`: its first parts, the rest would tell nothing."""
    return next((written(token.path[:3]) for token in walk(text) if len(token.path) >= depth and token.text in "[{"), "")


def path_of_unclean(text: str) -> str | None:
    """The field whose key or value holds NUL or half a surrogate pair; None when there is none."""
    return next((written(token.path) for token in walk(text) if token.text[0] == '"' and not is_clean(_decoded(token.text))), None)


def is_clean(text: str) -> bool:
    """No NUL (PostgreSQL can't store it) and no lone surrogate (UTF-8 can't write it)."""
    return "\0" not in text and (text.isascii() or text.encode("utf-8", "ignore").decode("utf-8") == text)


def written(path: list[str | int | None]) -> str:
    """A path as one printable word, of bounded length."""
    whole = ".".join(str(part) for part in path if part is not None)
    return whole[:_LONGEST].replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")


def _decoded(token: str) -> str:
    try:
        return str(json.loads(token, strict=False))
    except ValueError:
        return token.strip('"')
