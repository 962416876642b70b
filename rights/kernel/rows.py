"""Set-based SQL from Python values: COPY text rows and array literals.

Values here are ours (ids, integers, enum texts) or JSON text; `escape` makes any text safe for COPY.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection

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


def text_array(values: Iterable[str | None]) -> list[str | None]:
    """Free texts go as a parameter, never as a literal of ours."""
    return list(values)


def copy_rows(table: str, columns: str, rows: Sequence[str]) -> None:
    """Write rows (tab-separated COPY text without line ends) with one COPY."""
    if not rows:
        return
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
        copy.write("\n".join(rows) + "\n")


def fetch_all(sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def fetch_one(sql: str, params: Sequence[Any] = ()) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        found: tuple[Any, ...] | None = cursor.fetchone()
        return found


def execute(sql: str, params: Sequence[Any] = ()) -> int:
    """Run one statement; how many rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return int(cursor.rowcount)
