"""Pages through tables of any length by keyset: no count, no OFFSET, the order of an index."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from django.core import signing

from rights.kernel import rows

PAGE = 50
SALT = "console.keyset"


class Column(msgspec.Struct, frozen=True):
    """One column: its heading, its SQL, and how a value is shown (default: as text)."""

    heading: str
    sql: str
    show: Callable[[Any], object] = str


class Filter(msgspec.Struct, frozen=True):
    """A field above the table. `condition` holds one %s; `read` turns the text into its value, or None: no such thing.

    `narrowed`: the condition for this very value, where another one finds a better index. `kind` is the input's type.
    """

    name: str
    label: str
    condition: str
    read: Callable[[str], object | None]
    narrowed: Callable[[object], str] | None = None
    kind: str = "text"


class Table(msgspec.Struct, frozen=True):
    """`key` are the columns of a unique index, read downwards; `source` is what stands after FROM."""

    title: str
    source: str
    key: Sequence[str]
    columns: Sequence[Column]
    filters: Sequence[Filter] = ()


class Page(msgspec.Struct, frozen=True):
    headings: list[str]
    rows: list[list[object]]
    older: str | None


def read_page(table: Table, *, given: dict[str, str], after: str | None) -> Page:
    """At most PAGE rows below `after` (a cursor of an earlier page); a malformed cursor reads from the top."""
    conditions: list[str] = []
    values: list[object] = []
    for item in table.filters:
        if text := given.get(item.name, "").strip():
            value = item.read(text)
            wanted = item.narrowed(value) if item.narrowed and value is not None else item.condition
            conditions.append(wanted if value is not None else "false")
            values += [value] if value is not None else []
    cursor = _open(after, len(table.key)) if after else None
    if cursor is not None:
        conditions.append(f"({', '.join(table.key)}) < ({', '.join(['%s'] * len(cursor))})")
        values += cursor
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    order = ", ".join(f"{column} DESC" for column in table.key)
    keys = ", ".join(f"({column})::text" for column in table.key)
    select = ", ".join(column.sql for column in table.columns)
    found = rows.fetch_all(f"SELECT {keys}, {select} FROM {table.source}{where} ORDER BY {order} LIMIT {PAGE + 1}", values)
    width = len(table.key)
    shown = [[c.show(v) if v is not None else "-" for c, v in zip(table.columns, row[width:], strict=True)] for row in found[:PAGE]]
    older = _close(found[PAGE - 1][:width]) if len(found) > PAGE else None
    return Page([c.heading for c in table.columns], shown, older)


def _close(key: Sequence[str]) -> str:
    return signing.dumps(list(key), salt=SALT)


def _open(cursor: str, width: int) -> list[str] | None:
    """Signed, so that only what a page of ours wrote reaches the database."""
    try:
        key = signing.loads(cursor, salt=SALT)
    except signing.BadSignature:
        return None
    return key if isinstance(key, list) and len(key) == width else None
