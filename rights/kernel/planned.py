"""Rows of models by statements that the server has planned: for what every act reads first and writes.

The ORM puts its statement together anew each time and the server plans it anew; for one row that is most of what it costs.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Model

from rights.kernel import rows
from rights.kernel.trip import Parameters, Trip

Row = TypeVar("Row", bound=Model)
_Convert = Callable[[Any, Any, Any], Any]


def load(model: type[Row], which: str, params: Parameters, *, lock: bool = False) -> list[Row]:
    """The rows of which `which` is so, a constant of ours with `%s`; `lock` until the transaction ends."""
    trip = Trip()
    found = ask(trip, model, which, params, lock=lock)
    trip.go()
    return found()


def ask(trip: Trip, model: type[Row], which: str, params: Parameters, *, lock: bool = False) -> Callable[[], list[Row]]:
    """`load` in a trip with others; what is given back reads the rows after it."""
    sql, names, converters = _statement(model, which, lock)
    answer = trip.ask(sql, params)

    def read() -> list[Row]:
        found = []
        for row in answer.rows():
            values = list(row)
            for place, convert in converters:
                values[place] = convert(values[place], None, connection)
            found.append(model.from_db("default", names, values))
        return found

    return read


def load_one(model: type[Row], which: str, params: Parameters, *, lock: bool = False) -> Row:
    """The only such row. Raises the model's DoesNotExist."""
    found = load(model, which, params, lock=lock)
    if not found:
        raise model.DoesNotExist(f"no {model.__name__} of which {which}")  # type: ignore[attr-defined]
    return found[0]


def insert(row: Model, *, unless_there: bool = False) -> None:
    """A new row, whose key is known; with others in one trip inside `rows.together`. `unless_there`: one of its key may be there already."""
    sql, fields = _insertion(type(row), unless_there)
    rows.write(sql, [field.get_db_prep_save(field.pre_save(row, True), connection) for field in fields])
    row._state.adding, row._state.db = False, "default"  # noqa: SLF001 - Django documents it


@lru_cache(maxsize=64)
def _insertion(model: type[Model], unless_there: bool) -> tuple[str, list[Any]]:  # noqa: FBT001 - a key of the cache
    meta = model._meta  # noqa: SLF001
    fields = list(meta.concrete_fields)
    columns = ", ".join(f'"{field.column}"' for field in fields)
    sql = f'INSERT INTO "{meta.db_table}" ({columns}) VALUES ({", ".join(["%s"] * len(fields))})'
    return sql + (" ON CONFLICT DO NOTHING" if unless_there else ""), fields


@lru_cache(maxsize=256)
def _statement(model: type[Model], which: str, lock: bool) -> tuple[str, list[str], list[tuple[int, _Convert]]]:  # noqa: FBT001 - a key of the cache
    meta = model._meta  # noqa: SLF001 - Django documents it
    fields = meta.concrete_fields
    columns = ", ".join(f'"{field.column}"' for field in fields)
    sql = f'SELECT {columns} FROM "{meta.db_table}" WHERE {which}' + (" FOR NO KEY UPDATE" if lock else "")
    converters = [(place, field.from_db_value) for place, field in enumerate(fields) if hasattr(field, "from_db_value")]
    return sql, [field.attname for field in fields], converters
