"""Who sees what of the registry's memory; what concerns others alone reaches nobody."""

import json

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from exchange.models import Trade
from exchange.replay.export import export_lines
from exchange.services.venue_key import current_signer
from rights.models import Event, Right
from tests.honest_market import tamper
from tests.trading_floor import LOT


@pytest.fixture
def traded(floor):
    """`buyer` bought half of the seller's right, under an id of its own."""
    floor.place("seller", "sell", 40, 200)
    floor.place("buyer", "buy", 40, 200)
    floor.match()
    return floor


def of(caller, **asked):
    return caller.get("events?" + "&".join(f"{name}={value}" for name, value in asked.items())).json()["data"]


def test_a_trade_is_its_parties(traded, caller):
    trade = Trade.objects.get()
    buyer, seller = (f"acc_{traded.accounts[slug].uuid}" for slug in ("buyer", "seller"))
    (seen,) = of(caller("buyer", "read"), object=f"trd_{trade.pk}")
    payload = seen["payload"]
    assert (payload["buyer"], payload["buy_order"], payload["buy_fee"]) == (buyer, f"ord_{trade.buy_order_id}", str(trade.buy_fee_minor))
    assert (payload["seller"], payload["sell_order"], payload["sell_fee"]) == (None, None, None)
    assert seen["withheld"] == ["payload.sell_fee", "payload.sell_order", "payload.seller"]
    assert seller not in json.dumps(seen)
    traded.open("stranger")
    assert of(caller("stranger", "read"), object=f"trd_{trade.pk}") == []
    (whole,) = of(caller("stranger", "audit"), object=f"trd_{trade.pk}")
    assert (whole["payload"]["seller"], whole["withheld"]) == (seller, [])


def test_a_rights_timeline_begins_with_its_birth(traded, caller):
    child = Right.objects.exclude(parent=None).get()
    buyer, seller = caller("buyer", "read"), caller("seller", "read")
    (born,) = buyer.get(f"rights/rgt_{child.pk}/events").json()["data"]
    assert (born["type"], born["refs"]) == ("right.split", {"right": f"rgt_{child.pk}"})
    assert (born["payload"]["holder"], born["payload"]["units"]) == (f"acc_{traded.accounts['buyer'].uuid}", str(40 * LOT))
    (sold,) = seller.get(f"rights/rgt_{child.parent_id}/events").json()["data"]
    assert (sold["id"], sold["hash"]) == (born["id"], born["hash"])
    assert (sold["payload"]["holder"], sold["withheld"]) == (None, ["payload.holder"])
    assert seller.get(f"rights/rgt_{child.pk}/events").status_code == 404
    assert of(seller, object=f"rgt_{child.pk}") == []
    assert of(seller, object=f"rgt_{child.parent_id}", type="right.frozen") == []
    assert of(seller, object=f"rgt_{child.parent_id}", after_seq=sold["seq"]) == []


def test_streams_are_for_those_who_see_everything(traded, caller):
    auditor, member = caller("seller", "audit"), caller("buyer", "read")
    assert member.get("events?stream=registry").json()["code"] == "forbidden"
    first = auditor.get("events?stream=registry&limit=2").json()
    rest = auditor.get(f"events?stream=registry&cursor={first['next_cursor']}").json()
    assert [row["seq"] for row in first["data"]] == ["1", "2"]
    assert rest["data"][0]["seq"] == "3"
    assert {row["type"].split(".")[0] for row in of(auditor, stream="registry", type="participant")} == {"participant"}


def test_strangers_see_what_is_public_and_their_own(traded, caller):
    member = caller("buyer", "read")
    symbol = traded.instrument.symbol
    assert of(member, object=symbol)[0]["type"] == "instrument.listed"
    assert of(member, object="seller") == []
    assert of(member, object="buyer")[0]["type"] == "participant.opened"
    assert of(member, object=f"acc_{traded.accounts['seller'].uuid}") == []
    assert of(member, object=f"acc_{traded.accounts['buyer'].uuid}")[0]["type"] == "account.opened"


def test_what_can_not_be_asked(traded, caller):
    member = caller("buyer", "read")
    assert member.get("events").json()["field_errors"][0]["field"] == "object"
    assert member.get("events?object=x&type=A").json()["field_errors"][0]["field"] == "type"
    assert member.get("events?object=x&after_seq=-1").json()["field_errors"][0]["field"] == "after_seq"


def test_a_page_costs_the_same_however_long_it_is(traded, caller):
    auditor = caller("seller", "audit")
    with CaptureQueriesContext(connection) as few:
        auditor.get("events?stream=registry&limit=1")
    with CaptureQueriesContext(connection) as many:
        auditor.get("events?stream=registry&limit=1000")
    assert len(few) == len(many)


@pytest.fixture
def signing(traded):
    with override_settings(VENUE_KEY="11" * 32):
        current_signer(actor="test", now_us=traded.now_us)
        yield traded


def test_a_chain_is_checked_part_by_part(signing, caller):
    member = caller("buyer", "read")
    last = Event.objects.filter(stream__code="registry").order_by("-seq").first()
    whole = member.get("events/verify?stream=registry").json()
    assert (whole["intact"], whole["from_seq"], whole["to_seq"], whole["next_seq"]) == (True, "1", str(last.seq), None)
    assert (whole["before_hash"], whole["last_hash"], whole["events"]) == ("0" * 64, last.hash, str(last.seq))
    part = member.get("events/verify?stream=registry&from_seq=3&to_seq=5").json()
    assert (part["intact"], part["events"], part["next_seq"]) == (True, "3", "6")
    assert part["before_hash"] == Event.objects.get(stream__code="registry", seq=2).hash
    beyond = member.get(f"events/verify?stream=registry&from_seq={last.seq + 1}").json()
    assert (beyond["intact"], beyond["events"], beyond["to_seq"], beyond["last_hash"]) == (True, "0", str(last.seq), last.hash)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("UPDATE rights_event SET body = replace(body, '\"at\"', '\"ät\"') WHERE seq = 4", "event 4: hash is not that of the body"),
        ("UPDATE rights_event SET type = 'x.y' WHERE seq = 4", "event 4: type is not what the body says"),
        ("DELETE FROM rights_event WHERE seq = 4", "event 5: seq 5 follows 3"),
        ("DELETE FROM rights_event WHERE seq > 4", "the stream ends at"),
        ("DELETE FROM rights_event WHERE seq = 2", "event 2 is missing"),
        ("DELETE FROM rights_event WHERE seq >= 3", "events are missing after 2"),
    ],
)
def test_what_is_wrong_with_a_chain_is_said(traded, caller, change, fault):
    tamper(change)
    checked = caller("buyer", "read").get("events/verify?stream=registry&from_seq=3").json()
    assert not checked["intact"]
    assert any(said.startswith(fault) for said in checked["faults"])
    assert checked["head"] is None  # nothing is signed without the venue's key


def test_a_signed_end_shows_a_rewritten_export(signing, caller, tmp_path, capsys):
    member = caller("buyer", "read")
    head, chain, keys = (tmp_path / name for name in ("head.json", "chain.jsonl", "keys.json"))
    head.write_text(json.dumps(member.get("events/verify?stream=series:1&to_seq=1").json()["head"]))
    chain.write_bytes(b"".join(export_lines("series:1")))
    keys.write_bytes(member.client.get("/.well-known/venue-keys").content)
    call_command("verify", str(head), keys=str(keys))
    assert "ok: the end of the chain is signed by key" in capsys.readouterr().out
    call_command("verify", str(chain), head=str(head), keys=str(keys))
    assert "gapless" in capsys.readouterr().out
    tamper(
        "DELETE FROM rights_event WHERE stream_id = (SELECT id FROM rights_stream WHERE code = 'series:1')",
        "UPDATE rights_stream SET last_seq = 0, last_hash = repeat('0', 64) WHERE code = 'series:1'",
    )
    chain.write_bytes(b"".join(export_lines("series:1")))
    call_command("verify", str(chain))
    with pytest.raises(SystemExit):
        call_command("verify", str(chain), head=str(head))
    assert "series:1 does not have the event" in capsys.readouterr().out


def test_a_fills_receipt_is_its_owners_and_is_checked_without_the_venue(signing, caller, tmp_path, capsys):
    buyer, seller = caller("buyer", "read"), caller("seller", "read")
    (fill,) = buyer.get("fills").json()["data"]
    receipt = buyer.get(f"fills/{fill['id']}/receipt").json()
    body = json.loads(receipt["body"])
    assert (body["fill"], body["event"]["id"], body["account"]) == (fill, fill["event_id"], f"acc_{signing.accounts['buyer'].uuid}")
    assert (receipt["proof"], "seller" in receipt["body"]) == (None, False)
    assert seller.get(f"fills/{fill['id']}/receipt").status_code == 404
    path, keys = tmp_path / "receipt.json", tmp_path / "keys.json"
    path.write_text(json.dumps(receipt))
    keys.write_bytes(buyer.client.get("/.well-known/venue-keys").content)
    call_command("verify", str(path), keys=str(keys))
    assert "ok: the receipt is sound" in capsys.readouterr().out


def test_no_receipt_without_the_venues_key(traded, caller):
    buyer = caller("buyer", "read")
    (fill,) = buyer.get("fills").json()["data"]
    refused = buyer.client.get(f"/api/v1/fills/{fill['id']}/receipt", headers=buyer.headers)
    assert (refused.status_code, refused.json()["code"], refused.json()["retryable"]) == (503, "unavailable", True)


def test_what_can_not_be_checked(traded, caller):
    member = caller("buyer", "read")
    assert member.get("events/verify").json()["field_errors"][0]["field"] == "stream"
    assert member.get("events/verify?stream=nowhere").json()["field_errors"][0]["field"] == "stream"
    for wrong in ("from_seq=5&to_seq=4", "from_seq=1&to_seq=5001"):
        assert member.get(f"events/verify?stream=registry&{wrong}").json()["field_errors"][0]["field"] == "to_seq"
    assert member.get("events/verify?stream=registry&from_seq=0").json()["field_errors"][0]["field"] == "from_seq"
