"""A receipt proves a fill without a database; every contradiction in it is named."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from exchange.models import Trade
from exchange.replay.receipt import receipt_faults
from exchange.replay.receipt_source import fill_receipt
from tests.honest_market import HonestMarket

LIES = {
    "id": "fil_00000000-0000-7000-8000-000000000000",
    "trade_id": "trd_00000000-0000-7000-8000-000000000000",
    "order_id": "ord_00000000-0000-7000-8000-000000000000",
    "instrument": "ANOTHER",
    "side": "sell",
    "price": "1.00",
    "quantity": "999",
    "units": "1",
    "liquidity": "none",
    "fee": "0.00",
    "executed_at": "2026-01-01T00:00:00.000000Z",
    "deliveries": [],
    "event_id": "evt_00000000-0000-7000-8000-000000000000",
    "receipt_hash": "0" * 64,
}


@pytest.mark.django_db  # has the test database made; `market` works in it by itself
def test_no_receipt_without_a_fill() -> None:
    assert fill_receipt("fil_00000000-0000-7000-8000-000000000000") is None
    assert fill_receipt("1") is None
    with pytest.raises(CommandError):
        call_command("receipt", "1")


@pytest.fixture
def receipts(market: HonestMarket) -> list[dict[str, Any]]:
    found = []
    for trade_id in Trade.objects.order_by("trade_no").values_list("pk", flat=True):
        for bit in (0, 1):
            text = str(trade_id)
            receipt = fill_receipt(f"fil_{text[:-1]}{int(text[-1], 16) | bit:x}")
            assert receipt is not None
            found.append(receipt)
    return found


def test_both_fills_of_every_trade_are_sound(receipts: list[dict[str, Any]]) -> None:
    assert [receipt_faults(receipt) for receipt in receipts] == [[]] * len(receipts)
    assert {receipt["fill"]["liquidity"] for receipt in receipts} == {"maker", "taker", "auction"}


@pytest.mark.parametrize("field", LIES)
def test_a_lie_in_any_field_is_named(receipts: list[dict[str, Any]], field: str) -> None:
    receipt = orjson.loads(orjson.dumps(next(r for r in receipts if r["fill"]["side"] == "buy")))
    receipt["fill"][field] = LIES[field]
    assert any(fault.startswith(field) for fault in receipt_faults(receipt)) or field in {"side", "trade_id"}
    assert receipt_faults(receipt)


def test_a_changed_event_no_longer_has_its_hash(receipts: list[dict[str, Any]]) -> None:
    receipt = receipts[0]
    receipt["event"] = receipt["event"].replace('"aggressor":', '"aggressor" :')
    assert receipt_faults(receipt) == ["receipt_hash is not the SHA-256 of the event"]


@pytest.mark.parametrize(
    "wrong", [None, 1, [], {}, {"version": "x"}, {"version": "synthference/fill-receipt/v1", "event": "{}", "fill": {}}]
)
def test_what_is_no_receipt(wrong: object) -> None:
    assert receipt_faults(wrong)


def test_by_command(receipts: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "receipt.json"
    call_command("receipt", receipts[0]["fill"]["id"], str(path))
    assert json.loads(path.read_text()) == receipts[0]
    call_command("verify", str(path))
    assert "the receipt is sound" in capsys.readouterr().out
    path.write_text(path.read_text().replace('"maker"', '"taker"').replace('"auction"', '"taker"'))
    with pytest.raises(SystemExit):
        call_command("verify", str(path))
    path.write_text("not json")
    with pytest.raises(CommandError):
        call_command("verify", str(path))
