"""Fixtures for all tests. Servers and the running exchange are plugins (`tests/plugins`), named in pyproject.toml."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.backends.postgresql.operations import DatabaseOperations
from hypothesis import settings

from settlement.domain.settlement_states import steps
from tests.shared_market import hold_for_ever

# How long an example takes is the machine's affair, and no property of what it tries.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(embedded_servers: Any) -> Iterator[None]:
    """pytest-django asks for this before it makes the test database; here, because a conftest outranks its plugin."""
    yield embedded_servers and None


_APPEND_ONLY = (
    "rights_event",
    "rights_terms",
    "rights_rightlink",
    "rights_anchor",
    "rights_anchorspan",
    "settlement_posting",
    "exchange_command",
    "exchange_batch",
    "exchange_trade",
    "exchange_proceeds",
    "exchange_proposal",
    "exchange_disclosuresheet",
    "settlement_settlement",
    "settlement_settlementrule",
    "settlement_proof",
    "settlement_evidence",
    "exchange_keydraw",
    "exchange_orderapproval",
    "exchange_policy",
    "exchange_policyrun",
    "exchange_policyaction",
)


def _flush(self: DatabaseOperations, sql_list: list[str]) -> None:
    """Emptying tables between tests is the one time append-only tables may be emptied."""
    with connection.cursor() as cursor:
        for table in _APPEND_ONLY:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for sql in sql_list:
            cursor.execute(sql)
        # A migration filled it, and no other will.
        cursor.executemany('INSERT INTO settlement_settlementrule (start, event, "end") VALUES (%s, %s, %s)', list(steps()))
        for table in _APPEND_ONLY:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


@pytest.fixture(scope="session", autouse=True)
def tables_may_be_emptied() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "execute_sql_flush", _flush)
        yield


@pytest.fixture(autouse=True)
def batches_may_take_as_long_as_their_test(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless each batch commits by itself, as it does in life."""
    marker = request.node.get_closest_marker("django_db")
    if marker is None or not marker.kwargs.get("transaction"):
        hold_for_ever(monkeypatch)
