"""The doctor finds each illness, and nothing in a healthy place."""

import json
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection

from exchange.audit import deployment
from exchange.audit.deployment import Diagnosis, diagnose
from exchange.services.venue_key import current_signer
from rights.kernel import clock
from rights.services.venue_keys import VenueKeyRefusal
from tests.honest_market import HonestMarket, tamper


@pytest.mark.django_db  # has the test database made; `market` works in it by itself
def test_a_healthy_place(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("doctor")
    said = capsys.readouterr().out
    assert "BAD" not in said
    call_command("doctor", "--json")
    found = json.loads(capsys.readouterr().out)
    assert {diagnosis["name"] for diagnosis in found["found"]} == {
        "database", "migrations", "fsync", "full_page_writes", "synchronous_commit", "guards", "clock", "lanes", "timetable", "doorbell", "disk",
        "venue_key", "anchors",
    }  # fmt: skip


def ill(**more: int) -> dict[str, Diagnosis]:
    shift = more.get("shift", 0)
    return {diagnosis.name: diagnosis for diagnosis in diagnose(now_us=lambda: clock.now_us() + shift) if not diagnosis.ok}


def test_durability_switched_off(market: HonestMarket) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
    assert "can be lost in a crash" in ill()["synchronous_commit"].says


def test_a_guard_switched_off(market: HonestMarket) -> None:
    tamper("DROP TRIGGER trade_append_only ON exchange_trade")
    assert "trade_append_only" in ill()["guards"].says


def test_a_command_that_waits(market: HonestMarket) -> None:
    market.place("other", "buy", 1, 100)
    assert "1 accepted commands wait" in ill()["lanes"].says


def test_a_silent_timetable(market: HonestMarket) -> None:
    found = ill(shift=60 * 86_400_000_000)
    assert "1 are open past their gate" in found["timetable"].says
    assert "s apart" in found["clock"].says


def test_another_key_than_the_venues(market: HonestMarket, settings: object) -> None:
    settings.VENUE_KEY = "11" * 32
    assert "venue_key" not in ill()
    settings.VENUE_KEY = "22" * 32
    assert "set VENUE_KEY alike everywhere" in ill()["venue_key"].says
    settings.VENUE_KEY = "no key"
    assert "can't be read" in ill()["venue_key"].says


def test_no_key_where_the_venue_has_one(market: HonestMarket, settings: object, tmp_path: Path) -> None:
    settings.VENUE_KEY, settings.DATA_DIR = "", tmp_path
    assert "this machine has no private key" in ill()["venue_key"].says
    with pytest.raises(VenueKeyRefusal):
        current_signer(actor="test", now_us=market.now_us)
    assert list(tmp_path.iterdir()) == []


def test_anchors_that_do_not_come(market: HonestMarket, settings: object) -> None:
    settings.ANCHOR_EVERY_S = 10**9
    assert "anchors" not in ill()
    settings.ANCHOR_EVERY_S = 1
    assert "is the sweeper running" in ill(shift=60 * 86_400_000_000)["anchors"].says


def test_a_missing_migration(market: HonestMarket) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'exchange' AND name = '0002_guards'")
    assert "exchange.0002_guards" in ill()["migrations"].says


def test_no_doorbell_and_a_full_disk(market: HonestMarket, settings: object, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(deployment, "LEAST_FREE_BYTES", 1 << 60)
    assert {"disk", "doorbell"} <= ill().keys()
