"""Set-based SQL from Python values: COPY text rows and array literals.

Values here are ours (ids, integers, enum texts) or JSON text; `escape` makes any text safe for COPY.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import psycopg
from django.db import connection

NULL = r"\N"
Parameters = Sequence[Any] | Mapping[str, Any]


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


def text_array(values: Iterable[str | None]) -> list[str | None]:
    """Free texts go as a parameter, never as a literal of ours."""
    return list(values)


@contextmanager
def _cursor() -> Iterator[psycopg.Cursor[Any]]:
    """A cursor whose parameters travel beside the statement, so that the server plans a statement once and keeps the plan.

    Django's own cursors write parameters into the text, which is planned anew each time.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        yield cursor


class _Together:
    """Writes that wait for each other: (table, columns, lines) to copy, and (statement, parameters) to run."""

    def __init__(self) -> None:
        self.copies: list[tuple[str, str, Sequence[str]]] = []
        self.statements: list[tuple[str, Parameters]] = []


_waiting: ContextVar[_Together | None] = ContextVar("rows_waiting", default=None)
FEW = 32  # lines up to which inserting them in one trip beats a COPY (two trips) per table


@contextmanager
def together() -> Iterator[None]:
    """Inside, `copy_rows` and `write` are kept and sent at the end in as few trips as they need; reads go at once.

    For writes that no read inside depends on. An exception drops them: the caller rolls back.
    """
    kept = _Together()
    token = _waiting.set(kept)
    try:
        yield
    finally:
        _waiting.reset(token)
    if sum(len(lines) for _, _, lines in kept.copies) > FEW:
        for table, columns, lines in kept.copies:
            copy_rows(table, columns, lines)
        for sql, params in kept.statements:
            write(sql, params)
        return
    with _cursor() as cursor, cursor.connection.pipeline():
        for table, columns, lines in kept.copies:
            sql = _insert(table, columns)
            for line in lines:
                cursor.execute(sql, [_value(field) for field in line.split("\t")], prepare=True)
        for sql, params in kept.statements:
            cursor.execute(sql, params, prepare=True)


@lru_cache(maxsize=64)
def _insert(table: str, columns: str) -> str:
    """One row's INSERT, which the server plans once; its columns give the texts their types."""
    return f"INSERT INTO {table} ({columns}) VALUES ({', '.join(['%s'] * (columns.count(',') + 1))})"


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
        kept.copies.append((table, columns, rows))
        return
    with _cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
        copy.write("\n".join(rows) + "\n")


def write(sql: str, params: Parameters = ()) -> None:
    """Run one statement that nobody asks the result of."""
    kept = _waiting.get()
    if kept is not None:
        kept.statements.append((sql, params))
    else:
        execute(sql, params)


def fetch_all(sql: str, params: Parameters = ()) -> list[tuple[Any, ...]]:
    with _cursor() as cursor:
        return cursor.execute(sql, params, prepare=True).fetchall()


def fetch_one(sql: str, params: Parameters = ()) -> tuple[Any, ...] | None:
    with _cursor() as cursor:
        found: tuple[Any, ...] | None = cursor.execute(sql, params, prepare=True).fetchone()
        return found


def execute(sql: str, params: Parameters = ()) -> int:
    """Run one statement; how many rows it touched."""
    with _cursor() as cursor:
        return cursor.execute(sql, params, prepare=True).rowcount
