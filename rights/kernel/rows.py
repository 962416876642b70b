"""Set-based SQL from Python values: COPY text rows and array literals.

Values here are ours (ids, integers, enum texts) or JSON text; `escape` makes any text safe for COPY.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import psycopg
from django.db import connection

from rights.kernel.trip import Answer, Parameters, Trip

NULL = r"\N"


def escape(text: str) -> str:
    """Text as a COPY column."""
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if "\t" in text or "\n" in text or "\r" in text:
        text = text.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return text


def bytea(data: bytes) -> str:
    """Bytes as a COPY column."""
    return "\\\\x" + data.hex()


def array(values: Iterable[object]) -> str:
    """A PostgreSQL array literal of integers or UUID texts."""
    return "{" + ",".join(map(str, values)) + "}"


def text_array(values: Iterable[object | None]) -> str:
    """A PostgreSQL array literal of any texts or numbers, None among them: one parameter, many times cheaper than a list."""
    return "{" + ",".join("NULL" if value is None else _quoted(str(value)) for value in values) + "}"


def bytea_array(values: Iterable[bytes]) -> str:
    """A PostgreSQL array literal of bytes."""
    return "{" + ",".join(f'"\\\\x{value.hex()}"' for value in values) + "}"


def _quoted(text: str) -> str:
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    return '"' + text.replace('"', '\\"') + '"'


class _Rows:
    """What one statement writes to rows, by the row's key."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self.by_key: dict[str, Sequence[object | None]] = {}

    def parameters(self) -> list[str]:
        """A column of the statement's each."""
        return [text_array(column) for column in zip(*self.by_key.values(), strict=True)]


class _Together:
    """Writes that wait for each other: lines to copy, by (table, columns), and (statement, parameters) to run."""

    def __init__(self) -> None:
        self.copies: dict[tuple[str, str], list[str]] = {}
        self.statements: list[tuple[str, Parameters, Answer] | _Rows] = []

    def add_row(self, sql: str, key: str, values: Sequence[object | None], *, is_last_word: bool) -> None:
        """Put it to the statement's other rows; what is written to one row twice is written twice, unless the last word is all that counts."""
        rounds = [each for each in self.statements if isinstance(each, _Rows) and each.sql == sql]
        written = max((number for number, each in enumerate(rounds, 1) if key in each.by_key), default=0)
        if written and is_last_word:
            rounds[written - 1].by_key[key] = values
            return
        if written == len(rounds):
            rounds.append(_Rows(sql))
            self.statements.append(rounds[-1])
        rounds[written].by_key[key] = values


_waiting: ContextVar[_Together | None] = ContextVar("rows_waiting", default=None)
FEW = 32  # lines up to which inserting them in one trip beats a COPY (two trips) per table
AT_ONCE = 8  # lines that are inserted by one statement, however many of them there are


@contextmanager
def together() -> Iterator[None]:
    """Inside, `copy_rows` and `write` are kept and sent at the end in as few trips as they need; reads go at once.

    For writes that no read inside depends on. An exception drops them: the caller rolls back. Inside another it is a part of that one.
    """
    if _waiting.get() is not None:
        yield
        return
    kept = _Together()
    token = _waiting.set(kept)
    try:
        yield
    finally:
        _waiting.reset(token)
    _send(kept)


def flush() -> None:
    """Send what waits in `together` now: its locks are taken before those that the caller takes next."""
    kept = _waiting.get()
    if kept is not None:
        sent = _Together()
        sent.copies, kept.copies = kept.copies, {}
        sent.statements, kept.statements = kept.statements, []
        token = _waiting.set(None)
        try:
            _send(sent)
        finally:
            _waiting.reset(token)


def _send(kept: _Together) -> None:
    trip = Trip()
    few = sum(map(len, kept.copies.values())) <= FEW
    for (table, columns), lines in kept.copies.items():
        if not few:
            copy_rows(table, columns, lines)
            continue
        _ask_inserts(trip, table, columns, lines)
    for each in kept.statements:
        if isinstance(each, _Rows):
            trip.ask(each.sql, each.parameters())
        else:
            sql, params, answer = each
            trip.ask(sql, params, answer=answer)
    trip.do()


def _ask_inserts(trip: Trip, table: str, columns: str, lines: Sequence[str]) -> list[Answer]:
    """Insert the lines: a few at once, more as they halve evenly. Each number of rows is a statement of its own, and there shall be few."""
    answers, start = [], 0
    while start < len(lines):
        left = len(lines) - start
        count = left if left <= AT_ONCE else 1 << (left.bit_length() - 1)
        values = [_value(field) for line in lines[start : start + count] for field in line.split("\t")]
        answers.append(trip.ask(_insert(table, columns, count), values))
        start += count
    return answers


@lru_cache(maxsize=256)
def _insert(table: str, columns: str, count: int) -> str:
    """The INSERT of so many rows, which the server plans once; its columns give the texts their types."""
    row = f"({', '.join(['%s'] * (columns.count(',') + 1))})"
    return f"INSERT INTO {table} ({columns}) VALUES {', '.join([row] * count)}"


_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_UNESCAPED = {"t": "\t", "n": "\n", "r": "\r"}


def _value(field: str) -> str | None:
    """A COPY field as a parameter."""
    if field == NULL:
        return None
    return _ESCAPED.sub(lambda m: _UNESCAPED.get(m[1], m[1]), field) if "\\" in field else field


def copy_rows(table: str, columns: str, rows: Sequence[str]) -> None:
    """Write rows (tab-separated COPY text without line ends), set by set."""
    if not rows:
        return
    kept = _waiting.get()
    if kept is not None:
        kept.copies.setdefault((table, columns), []).extend(rows)
        return
    connection.ensure_connection()
    with (
        connection.wrap_database_errors,
        psycopg.Cursor(connection.connection) as cursor,
        cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy,
    ):
        copy.write("\n".join(rows) + "\n")


def ask_rows(table: str, columns: str, lines: Sequence[str], *, trip: Trip) -> list[Answer]:
    """`copy_rows` for a caller whose next statements are in `trip`: few rows travel with them, and fail in their answers."""
    if _waiting.get() is not None or len(lines) > FEW:
        copy_rows(table, columns, lines)
        return []
    return _ask_inserts(trip, table, columns, lines)


def write(sql: str, params: Parameters = ()) -> Answer:
    """Run one statement whose answer nobody needs before `together` ends."""
    kept = _waiting.get()
    if kept is None:
        answer = ask(sql, params)
        answer.count()
        return answer
    kept.statements.append((sql, params, answer := Answer()))
    return answer


def write_row(sql: str, key: str, values: Sequence[object | None], *, is_last_word: bool = False) -> None:
    """Write one row by a statement whose parameters are columns, an array each: those of one `together` go in one.

    `is_last_word`: of several writes to the row of this key only the last one counts. Otherwise each is made, in order.
    """
    kept = _waiting.get() or _Together()
    kept.add_row(sql, key, values, is_last_word=is_last_word)
    if _waiting.get() is None:
        _send(kept)


def fetch_all(sql: str, params: Parameters = ()) -> list[tuple[Any, ...]]:
    return ask(sql, params).rows()


def fetch_one(sql: str, params: Parameters = ()) -> tuple[Any, ...] | None:
    return ask(sql, params).one()


def execute(sql: str, params: Parameters = ()) -> int:
    """Run one statement; how many rows it touched."""
    return ask(sql, params).count()


def ask(sql: str, params: Parameters = ()) -> Answer:
    """One statement in a trip of its own."""
    trip = Trip()
    answer = trip.ask(sql, params)
    trip.go()
    return answer
