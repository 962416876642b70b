"""A receipt proves a fill without a database; every contradiction in it is named."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import override_settings

from exchange.models import Trade
from exchange.replay.receipt import VERSION, receipt_faults
from exchange.replay.receipt_source import fill_receipt
from exchange.services.anchoring import anchor_now
from rights.domain.signing import Signer
from rights.domain.statement import signed_by
from tests.honest_market import HonestMarket

SEED = "11" * 32
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


def receipt_for(fill_id: str, now_us: int = 0) -> dict[str, Any] | None:
    return fill_receipt(fill_id, signer=lambda: Signer(SEED), now_us=now_us, with_event=True)


@pytest.mark.django_db  # has the test database made; `market` works in it by itself
def test_no_receipt_without_a_fill() -> None:
    assert receipt_for("fil_00000000-0000-7000-8000-000000000000") is None
    assert receipt_for("1") is None
    with override_settings(VENUE_KEY=SEED), pytest.raises(CommandError):
        call_command("receipt", "1")


@pytest.fixture
def receipts(market: HonestMarket) -> list[dict[str, Any]]:
    found = []
    for trade_id in Trade.objects.order_by("trade_no").values_list("pk", flat=True):
        for bit in (0, 1):
            text = str(trade_id)
            receipt = receipt_for(f"fil_{text[:-1]}{int(text[-1], 16) | bit:x}", market.now_us)
            assert receipt is not None
            found.append(receipt)
    return found


def fill_of(receipt: dict[str, Any]) -> dict[str, Any]:
    fill: dict[str, Any] = orjson.loads(receipt["body"])["fill"]
    return fill


def told_otherwise(receipt: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """The same receipt with other members in what is signed, signed again by the venue's own key."""
    body = orjson.loads(receipt["body"])
    return receipt | signed_by(Signer(SEED), version=VERSION, at=body["at"], members={**body, **changed})


def test_both_fills_of_every_trade_are_sound(receipts: list[dict[str, Any]]) -> None:
    assert [receipt_faults(receipt) for receipt in receipts] == [[]] * len(receipts)
    assert [receipt_faults({**receipt, "event": None}) for receipt in receipts] == [[]] * len(receipts)
    assert {fill_of(receipt)["liquidity"] for receipt in receipts} == {"maker", "taker", "auction"}


@pytest.mark.parametrize("field", LIES)
def test_a_lie_in_any_field_is_named(receipts: list[dict[str, Any]], field: str) -> None:
    receipt = next(r for r in receipts if fill_of(r)["side"] == "buy")
    faults = receipt_faults(told_otherwise(receipt, fill=fill_of(receipt) | {field: LIES[field]}))
    assert any(fault.startswith(field) for fault in faults) or field in {"side", "trade_id"}
    assert faults


def test_whose_it_is_and_where_the_event_stands_are_held_against_the_event(receipts: list[dict[str, Any]]) -> None:
    receipt = receipts[0]
    place = orjson.loads(receipt["body"])["event"]
    assert receipt_faults(told_otherwise(receipt, account="acc_x")) == ["account is not what the event says"]
    for name in ("stream", "seq", "prev_hash"):
        assert receipt_faults(told_otherwise(receipt, event=place | {name: "9"})) == [f"the event's {name} is not what the event says"]


def test_nobody_else_signs_for_the_venue(receipts: list[dict[str, Any]]) -> None:
    receipt, own = receipts[0], Signer(SEED)
    changed = receipt | {"body": receipt["body"].replace('"maker"', '"taker"').replace('"auction"', '"taker"')}
    assert "the signature is not the key's over the body" in receipt_faults(changed)
    body = orjson.loads(receipt["body"])
    foreign = receipt | signed_by(Signer("22" * 32), version=VERSION, at=body["at"], members=body)
    keys = {own.key_id: {"public_key": own.public_key, "from": "2020-01-01T00:00:00Z", "until": None}}
    assert receipt_faults(receipt, keys) == []
    assert receipt_faults(foreign) == []
    assert receipt_faults(foreign, keys) == [f"key {foreign['key_id']} is not one of the venue's"]


def test_a_changed_event_no_longer_has_its_hash(receipts: list[dict[str, Any]]) -> None:
    receipt = receipts[0]
    receipt["event"] = receipt["event"].replace('"aggressor":', '"aggressor" :')
    assert receipt_faults(receipt) == ["the event's hash is not the SHA-256 of the event"]


@pytest.mark.parametrize("wrong", [None, 1, [], {}, {"version": "x"}, {"version": VERSION, "body": "{}"}, {"version": VERSION, "body": 1}])
def test_what_is_no_receipt(wrong: object) -> None:
    assert receipt_faults(wrong)


@pytest.fixture
def anchored(market: HonestMarket) -> Iterator[HonestMarket]:
    with override_settings(VENUE_KEY=SEED):
        anchor_now(actor="test", now_us=market.now_us)
        yield market


def test_an_anchored_fill_brings_its_proof(anchored: HonestMarket, receipts: list[dict[str, Any]]) -> None:
    first, other = receipts[0], receipts[-1]
    assert first["proof"]["event_hash"] == fill_of(first)["receipt_hash"]
    assert receipt_faults(first) == []
    assert receipt_faults(first | {"proof": other["proof"]}) == ["the proof is of another event"]
    assert "the path does not lead from the event to the anchor's root" in receipt_faults(first | {"proof": first["proof"] | {"path": []}})


def test_by_command(anchored: HonestMarket, receipts: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "receipt.json"
    call_command("receipt", fill_of(receipts[0])["id"], str(path))
    written = json.loads(path.read_text())
    assert (fill_of(written), written["event"]) == (fill_of(receipts[0]), receipts[0]["event"])
    call_command("verify", str(path))
    assert "the receipt is sound: the fill says what its event says, its event is in a signed anchor" in capsys.readouterr().out
    path.write_text(path.read_text().replace("maker", "taker").replace("auction", "taker"))
    with pytest.raises(SystemExit):
        call_command("verify", str(path))
    path.write_text("not json")
    with pytest.raises(CommandError):
        call_command("verify", str(path))
