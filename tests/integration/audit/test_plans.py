"""The audit reads each table a few times and never compares all rows of one with all of another: it must end on a venue of any age."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from exchange.audit.check import Check
from exchange.audit.registry import CHECKS
from exchange.audit.run import question, whole_tables
from rights.kernel.clock import rfc3339
from tests.honest_market import HonestMarket

Plan = dict[str, Any]
# A loop's inner side may be what the outer row itself holds: its arrays, or a few values made of it.
OF_THE_ROW = {"Function Scan", "Values Scan"}
# Or what an index finds for it: an account's latest message, a right's children. (In a table this small the server looks without one.)
# Or, for a pull, the freezings that its very actor did at its very moment, beside his standing then: each side is of that one row.
BY_INDEX = {
    "private_numbers": {"Limit"},
    "lineage": {"Seq Scan", "Index Scan", "Bitmap Heap Scan"},
    "actor_allowed": {"CTE Scan"},
}


def nodes(plan: Plan) -> Iterator[Plan]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def inner_side(loop: Plan) -> str:
    return next(below["Node Type"] for below in loop["Plans"] if below["Parent Relationship"] == "Inner")


@pytest.mark.django_db  # has the test database made; `market` works in it by itself
@pytest.mark.parametrize("check", [check for check in CHECKS if check.sql], ids=lambda check: check.name)
def test_no_check_compares_every_row_with_every_other(market: HonestMarket, check: Check) -> None:
    # A day's few rows are what the server would most like to loop over, and what it takes a young venue's tables for.
    with whole_tables(), connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {question(check)}", {"now": rfc3339(market.now_us)})
        plan = cursor.fetchone()[0][0]["Plan"]
    inner = {inner_side(node) for node in nodes(plan) if node["Node Type"] == "Nested Loop"}
    assert inner <= OF_THE_ROW | BY_INDEX.get(check.name, set())
