"""What is done in transactions finds its rows by indexes: planned once for all lists of ids, in tables that the server is told are large."""

import json
import re
from collections.abc import Iterator
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import pytest
from django.db import connection

from benchmarks.registry_plans import LARGE, _scans
from rights.kernel import rows, trip
from tests.shared_market import kept
from tests.using_desk import Using

pytestmark = pytest.mark.django_db  # has the test database made; `told` works in it by itself
PACKAGES = ("rights.services", "settlement.services", "settlement.selectors")
GROWING = (
    "rights_event", "rights_right", "rights_unitlock", "settlement_balance", "settlement_posting", "settlement_proof", "settlement_receipt",
    "settlement_request", "settlement_requestpayload", "settlement_route", "settlement_settlement",
)  # fmt: skip
_TELL = "SELECT pg_restore_relation_stats('schemaname', 'public', 'relname', %s::text, 'relpages', 1, 'reltuples', 1000000::real)"
_STATEMENT = re.compile(r"\s*\(?(SELECT|WITH|UPDATE|INSERT|DELETE)\b")


def statements() -> Iterator[tuple[str, str]]:
    """(where it stands, the statement) of every constant that is a whole one, as it is prepared."""
    for package in map(import_module, PACKAGES):
        for found in walk_packages(package.__path__, f"{package.__name__}."):
            for name, value in sorted(vars(import_module(found.name)).items()):
                if isinstance(value, str) and _STATEMENT.match(value):
                    yield f"{found.name}.{name}", trip.numbered(value)[0].decode()


@pytest.fixture(scope="module")
def told(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A request that is settled and one that runs, in tables that the server takes for large."""

    def made() -> None:
        desk = Using()
        right = desk.basic()
        request = desk.running((right, 100))
        desk.record(request, desk.told(request, 80))
        desk.running((right, 100))
        if not rows.fetch_one("SELECT to_regproc('pg_restore_relation_stats') IS NOT NULL")[0]:
            pytest.skip("this server can't be told so")
        for table in GROWING:
            assert rows.fetch_one(_TELL, [table])[0]
        rows.execute("SET LOCAL plan_cache_mode = force_generic_plan")

    with kept(made, django_db_blocker):
        yield


def whole_reads(text: str) -> list[str]:
    """The large tables that the statement reads from end to end. Of what is only a part of a statement none."""
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT part")
        try:
            connection.connection.execute(f"PREPARE acts AS {text}".encode())
        except Exception:  # noqa: BLE001 - whatever the server says, it is no statement
            cursor.execute("ROLLBACK TO SAVEPOINT part")
            return []
        cursor.execute("SELECT coalesce(cardinality(parameter_types), 0) FROM pg_prepared_statements WHERE name = 'acts'")
        count = cursor.fetchone()[0]
        given = f"({', '.join(['NULL'] * count)})" if count else ""
        cursor.execute(f"EXPLAIN (FORMAT JSON) EXECUTE acts{given}")
        plan = cursor.fetchone()[0]
        cursor.execute("DEALLOCATE acts")
    found = plan if isinstance(plan, list) else json.loads(plan)
    return _scans(found[0]["Plan"], dict.fromkeys(GROWING, LARGE), text)


def test_no_statement_of_a_service_reads_a_growing_table_from_end_to_end(told: None) -> None:
    asked = dict(statements())
    assert len(asked) > 50
    read = {where: found for where, text in asked.items() if (found := whole_reads(text))}
    assert read == {}


def test_a_whole_read_is_seen(told: None) -> None:
    assert whole_reads("SELECT count(*) FROM settlement_settlement s WHERE s.receipt_id = $1")
    assert whole_reads("SELECT count(*) FROM settlement_settlement s WHERE s.request_id = $1") == []
