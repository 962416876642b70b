"""No byte of an event row can change unseen: in the table and in an export."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection

from exchange.replay.export import export_lines, read_lines, stored_rows, verify_rows
from tests.honest_market import HonestMarket, tamper

COLUMNS = ("stream_id", "seq", "id", "type", "object_id", "ref_right", "at", "body", "hash")
_TYPES = {"stream_id": "bigint", "seq": "bigint", "id": "uuid", "at": "timestamptz"}
HEX = "0123456789abcdef"


@pytest.mark.django_db  # has the test database made; `market` works in it by itself
def test_the_columns_are_all_there_are() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT column_name FROM information_schema.columns WHERE table_name = 'rights_event'")
        assert {name for (name,) in cursor.fetchall()} == set(COLUMNS)


def rows() -> list[tuple[int, int]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT stream_id, seq FROM rights_event ORDER BY 1, 2")
        return cursor.fetchall()


def has_ref(stream_id: int, seq: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT ref_right IS NOT NULL FROM rights_event WHERE stream_id = %s AND seq = %s", [stream_id, seq])
        return bool(cursor.fetchone()[0])


def changed(column: str, value: str, chance: random.Random) -> str:
    """The value with one byte of it changed to another that the column's type can hold."""
    if column in ("stream_id", "seq"):
        place = chance.randrange(len(value))
        return value[:place] + chance.choice([d for d in "123456789" if d != value[place]]) + value[place + 1 :]
    places = [i for i, c in enumerate(value) if (c in HEX if column in ("id", "hash") else c.isdigit() if column == "at" else c != "\\")]
    place = chance.choice(places)
    if column == "at":
        place = value.rindex("+") - 1  # any digit of the fraction: others may make no date
        return value[:place] + chance.choice([d for d in "0123456789" if d != value[place]]) + value[place + 1 :]
    letters = HEX if column == "id" else "!abcdefghijklmnopqrstuvwxyz0123456789"
    return value[:place] + chance.choice([c for c in letters if c != value[place]]) + value[place + 1 :]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("column", COLUMNS)
def test_one_byte_of_one_row(market: HonestMarket, column: str, seed: int) -> None:
    chance = random.Random(f"{column}{seed}")
    stream_id, seq = chance.choice([row for row in rows() if column != "ref_right" or has_ref(*row)])
    kind = _TYPES.get(column, "text")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column}::text FROM rights_event WHERE stream_id = %s AND seq = %s", [stream_id, seq])
        (value,) = cursor.fetchone()
    if column == "at" and "." not in value:
        value = value.replace("+", ".000000+")
    new = changed(column, value, chance)
    tamper(
        "ALTER TABLE rights_event DROP CONSTRAINT rights_event_pkey",
        f"UPDATE rights_event SET {column} = %s::{kind} WHERE stream_id = %s AND seq = %s",
        params=(new, stream_id, seq),
    )
    verdict = verify_rows(stored_rows())
    assert verdict.faults, (column, value, new)


def test_rows_removed_from_the_end(market: HonestMarket) -> None:
    stream_id, seq = rows()[-1]
    tamper("DELETE FROM rights_event WHERE stream_id = %s AND seq = %s", params=(stream_id, seq))
    assert len(verify_rows(stored_rows()).faults) == 2


@pytest.fixture
def export(market: HonestMarket) -> Iterator[bytearray]:
    yield bytearray(b"".join(export_lines()))


def faults(data: bytes) -> list[str]:
    return verify_rows(read_lines(data.splitlines(keepends=True))).faults


def test_an_export_is_sound(export: bytearray) -> None:
    assert faults(bytes(export)) == []


def test_every_changed_byte_of_an_export_is_found(export: bytearray) -> None:
    chance = random.Random(7)
    for place in chance.sample(range(len(export)), 400):
        before = export[place]
        export[place] ^= 1 << chance.randrange(7)
        assert faults(bytes(export)), (place, bytes(export[place - 40 : place + 10]))
        export[place] = before


def test_lines_removed_doubled_and_swapped(export: bytearray) -> None:
    lines = bytes(export).splitlines(keepends=True)
    for number in range(len(lines)):
        assert faults(b"".join(lines[:number] + lines[number + 1 :])), number
        assert faults(b"".join(lines[: number + 1] + lines[number:])), number
    first_event = next(n for n, line in enumerate(lines) if b'"kind":"event"' in line)
    lines[first_event], lines[first_event + 1] = lines[first_event + 1], lines[first_event]
    assert faults(b"".join(lines))


def test_verify_by_command(export: bytearray, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(export)
    call_command("verify", str(path))
    assert "gapless" in capsys.readouterr().out
    path.write_bytes(bytes(export).replace(b'\\"price\\":\\"2', b'\\"price\\":\\"1', 1))
    with pytest.raises(SystemExit) as stopped:
        call_command("verify", str(path))
    assert stopped.value.code == 1
    assert "hash is not that of the body" in capsys.readouterr().out
