"""Which tables a page reads from one end to the other: every statement of it, planned as the server plans it after a few times.

Statements of rights/kernel/trip.py are prepared, so that the server may take a plan made without looking at the parameters. Each is
therefore prepared anew, asked often enough for the server to choose, and explained then.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection
from django.test.utils import CaptureQueriesContext
from psycopg import sql
from psycopg.adapt import PyFormat, Transformer

from rights.kernel import trip

LARGE = 10_000  # rows from which reading all of a table is a fault
BEFORE_CHOICE = 6  # the server looks at five plans of its own before it may take the general one
_Statement = tuple[str, Sequence[Any]]


@contextmanager
def _noted() -> Iterator[list[_Statement]]:
    """The statements that are sent in trips meanwhile, with `$1` … for their parameters."""
    found: list[_Statement] = []
    ask = trip.Trip.ask

    def noting(self: trip.Trip, text: str, params: trip.Parameters = (), **more: Any) -> trip.Answer:
        numbered, names = trip.numbered(text)
        values = [params[name] for name in names] if isinstance(params, Mapping) else list(params)
        found.append((numbered.decode(), values))
        return ask(self, text, params, **more)

    trip.Trip.ask = noting  # type: ignore[method-assign, assignment]
    try:
        yield found
    finally:
        trip.Trip.ask = ask  # type: ignore[method-assign]


def statements_of(act: Callable[[], Any]) -> tuple[list[_Statement], list[str]]:
    """What `act` asks the database: prepared statements, and texts with their values in them."""
    with _noted() as prepared, CaptureQueriesContext(connection) as plain:
        act()
    texts = [query["sql"] for query in plain.captured_queries]
    return prepared, [text for text in texts if text.lstrip().upper().startswith(("SELECT", "WITH"))]


def whole_reads(act: Callable[[], Any], *, large: int = LARGE) -> list[str]:
    """The large tables that `act` reads from end to end, each with the statement that does. Empty is good."""
    prepared, texts = statements_of(act)
    sizes = _sizes(large)
    found: list[str] = []
    for text, values in prepared:
        if text.lstrip("( \n").upper().startswith(("SELECT", "WITH")) and " FOR " not in text:
            found += _scans(_chosen(text, values), sizes, text)
    for text in texts:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (FORMAT JSON) {text.replace('%', '%%')}", ())
            found += _scans(_plan(cursor.fetchone()), sizes, text)
    return found


def _sizes(large: int) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname, reltuples::bigint FROM pg_class WHERE relkind = 'r' AND reltuples >= %s", [large])
        return dict(cursor.fetchall())


def _chosen(text: str, values: Sequence[Any]) -> dict[str, Any]:
    """The plan that the server has settled on for a prepared statement."""
    link: psycopg.Connection[Any] = connection.connection
    name = sql.Identifier("bench_plan")
    given = sql.SQL("({})").format(sql.SQL(", ").join(sql.Literal(value) for value in values)) if values else sql.SQL("")
    transformer = Transformer(link)
    transformer.dump_sequence(values, [PyFormat.AUTO] * len(values))
    with psycopg.ClientCursor(link) as cursor:
        cursor.execute(
            "SELECT array(SELECT CASE o WHEN 0 THEN 'unknown' ELSE o::oid::regtype::text END FROM unnest(%s::bigint[]) o)",
            [list(transformer.types or ())],
        )
        row = cursor.fetchone()
        types = f"({', '.join(row[0])})" if row and row[0] else ""
        cursor.execute(f"PREPARE bench_plan{types} AS {text}")
        try:
            for _ in range(BEFORE_CHOICE + 1):
                cursor.execute(sql.SQL("EXPLAIN (FORMAT JSON) EXECUTE {}{}").format(name, given))
                row = cursor.fetchone()
        finally:
            cursor.execute(sql.SQL("DEALLOCATE {}").format(name))
    return _plan(row)


def _plan(row: Any) -> dict[str, Any]:
    found = row[0] if isinstance(row[0], list) else json.loads(row[0])
    plan: dict[str, Any] = found[0]["Plan"]
    return plan


def _scans(plan: dict[str, Any], sizes: dict[str, int], text: str) -> list[str]:
    found = []
    if plan["Node Type"] == "Seq Scan" and plan["Relation Name"] in sizes:
        found.append(f"Seq Scan on {plan['Relation Name']} ({sizes[plan['Relation Name']]} rows): {' '.join(text.split())[:300]}")
    for below in plan.get("Plans", ()):
        found += _scans(below, sizes, text)
    return found
