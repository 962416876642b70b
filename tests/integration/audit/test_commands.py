"""`audit`, `replay`, `verify --database` and `export_events` as an operator runs them, on committed data."""

import json
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from exchange.audit.registry import CHECKS
from tests.honest_market import HonestMarket

pytestmark = pytest.mark.django_db(transaction=True)
Output = pytest.CaptureFixture[str]


@pytest.fixture
def market() -> HonestMarket:
    made = HonestMarket()
    made.trade_a_day()
    return made


def run(capsys: Output, *words: str) -> tuple[int, str]:
    """(exit code, what was printed)."""
    code = 0
    try:
        call_command(*words)
    except SystemExit as stopped:
        code = int(stopped.code or 0)
    return code, capsys.readouterr().out


def unguarded(table: str, statement: str) -> None:
    """One statement past the table's triggers; unlike `tamper` it leaves the constraints to later tests."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(statement)
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def test_all_is_well_and_then_is_not(market: HonestMarket, capsys: Output, tmp_path: Path) -> None:
    code, said = run(capsys, "audit", "--json")
    answer = json.loads(said)
    assert (code, answer["ok"], answer["broken"], len(answer["checked"])) == (0, True, [], len(CHECKS))
    code, said = run(capsys, "audit", "--quick")
    assert code == 0
    assert f"{sum(1 for check in CHECKS if check.walk)} left out" in said
    code, said = run(capsys, "replay")
    assert (code, "equal, byte for byte" in said) == (0, True)
    assert run(capsys, "verify", "--database")[0] == 0
    assert run(capsys, "export_events", str(tmp_path / "events.jsonl"))[0] == 0
    assert run(capsys, "verify", str(tmp_path / "events.jsonl"))[0] == 0

    unguarded(
        "rights_event",
        "UPDATE rights_event SET body = replace(body, 'right.split', 'right.spilt') WHERE type = 'right.split'",
    )
    code, said = run(capsys, "audit")
    assert code == 1
    assert "BROKEN E1" in said
    assert "event_chain: " in said
    assert run(capsys, "verify", "--database")[0] == 1
    unguarded("exchange_trade", "UPDATE exchange_trade SET price_ticks = price_ticks + 1 WHERE trade_no = 1")
    code, said = run(capsys, "replay", "--json")
    answer = json.loads(said)
    assert (code, answer["ok"], answer["differences"]["fills"]) == (1, False, 1)
