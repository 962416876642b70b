"""Where a mass cancel looks for what it is to cancel: in open books, and among commands only from each book's mark on."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from exchange.api.order_entry.mass_cancel import _BOOKS
from exchange.domain.command import Phase
from rights.kernel import rows
from tests.trading_floor import Floor

pytestmark = pytest.mark.django_db


@pytest.fixture
def floor() -> Floor:
    floor = Floor()
    floor.open("buyer", cash=100)
    return floor


def asked(floor: Floor, **filters: str) -> dict[str, Any]:
    return {"symbol": None, "class": None, "account": floor.accounts["buyer"].pk} | filters


def books(floor: Floor, **filters: str) -> list[int]:
    return [row[0] for row in rows.fetch_all(_BOOKS, asked(floor, **filters))]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def test_books_with_something_resting_or_on_its_way(floor: Floor) -> None:
    assert books(floor) == []
    order = floor.place("buyer", "buy", 1, 10)
    assert books(floor) == [floor.book_id]
    floor.match()
    assert books(floor) == books(floor, symbol=floor.instrument.symbol) == [floor.book_id]
    assert books(floor, symbol="ELSE") == []
    floor.cancel("buyer", order)
    floor.match()
    assert books(floor) == []


def test_a_closed_book_is_left_alone(floor: Floor) -> None:
    floor.phase(Phase.CLOSED)
    floor.match()
    floor.place("buyer", "buy", 1, 10)
    assert books(floor) == []


def test_of_the_commands_only_those_since_the_mark_are_read(floor: Floor) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN (FORMAT JSON) {_BOOKS}", asked(floor))
        plan = cursor.fetchone()[0][0]["Plan"]
    read = [node for node in nodes(plan) if node.get("Relation Name") == "exchange_command"]
    assert read
    assert all("xid >=" in node.get("Index Cond", "") for node in read), read
