"""Asking for a book over REST, and the operators' steps."""

import pytest

from settlement.services.ledger import cash_asset
from tests.unit.rights.domain.manifests import chat_day

WINDOW = {"start": "2026-12-01T00:00:00Z", "end": "2026-12-02T00:00:00Z"}
WISH = {
    "class": "TXT.CHAT.STD.INT.PRV",
    "window": WINDOW,
    "tick_size": "0.001",
    "collar": {"low": "0.100", "high": "10.000"},
    "reference_price": "1.500",
    "fees": {"maker_bps": 1, "taker_bps": 9},
    "position_limit": "500",
    "proceeds_escrow": "until_delivered",
}


@pytest.fixture
def issuer(desk, caller):
    cash_asset()
    issuer = caller("issuer", "issue", "read")
    assert issuer.post("rights", {"manifest": chat_day(resource={"amount": "30000000"})}).status_code == 201
    return issuer


def fields_of(answer):
    return [(error["field"], error["code"]) for error in answer.json()["field_errors"]]


def test_from_request_to_instrument(desk, caller, member, issuer):
    made = issuer.post("listings", WISH)
    assert made.status_code == 201, made.json()
    listing = made.json()
    assert (listing["state"], listing["tick_size"], listing["collar"]) == ("submitted", "0.001", {"low": "0.100", "high": "10.000"})
    assert (listing["fees"], listing["position_limit"], listing["reference_price"]) == ({"maker_bps": 1, "taker_bps": 9}, "500", "1.500")
    assert (listing["proceeds_escrow"], listing["sheet"]["trading"]["proceeds_escrow"]) == ("until_delivered", "until_delivered")
    assert (listing["deliverable_quantity"], listing["headroom_quantity"]) == ("30", "70")
    path = f"listings/{listing['id']}"
    assert issuer.get("listings?state=submitted").json()["data"] == [listing]
    ann, bob = member("other", "operate", "read"), member("holder", "operate", "read")
    assert ann.get("listings?issuer=issuer").json()["data"] == [listing]
    assert ann.post(f"{path}/review", {"reason": " "}).json()["field_errors"][0]["field"] == "reason"
    reviewed = ann.post(f"{path}/review", {"reason": "the capacity was seen"}).json()
    assert (reviewed["state"], reviewed["reviewed_by"].startswith("user:")) == ("reviewed", True)
    assert issuer.get(path).json()["reviewed_by"] is None
    alone = ann.post(f"{path}/approve", {"reason": "mine"})
    assert (alone.status_code, [gate["code"] for gate in alone.json()["gates"]]) == (422, ["second_person_needed"])
    approved = bob.post(f"{path}/approve", {"reason": "agreed"}).json()
    assert (approved["state"], approved["instrument"]) == ("approved", "TXT.CHAT.STD.INT.PRV-20261201T00-P1D")
    instrument = caller().get(f"instruments/{approved['instrument']}").json()
    assert (instrument["phase"], instrument["headroom_quantity"], instrument["fees"]["taker_bps"]) == ("pre_open", "70", 9)
    assert instrument["proceeds_escrow"] == "until_delivered"


def test_every_field_that_is_wrong_is_named(issuer):
    assert [field for field, _ in fields_of(issuer.post("listings", {}))] == ["class", "window", "tick_size", "collar"]
    wrong = issuer.post("listings", {**WISH, "tick_size": "0", "currency": "EUR", "fees": {"maker_bps": 1001}, "rank": 1})
    assert [field for field, _ in fields_of(wrong)] == ["rank", "currency", "tick_size", "fees.maker_bps"]
    off = issuer.post("listings", {**WISH, "collar": {"low": "0.1005", "high": "10"}})
    assert fields_of(off) == [("collar.low", "off_tick")]
    refused = issuer.post("listings", {**WISH, "reference_price": "11", "gate_closes_at": "2026-12-03T00:00:00Z"})
    assert (refused.status_code, fields_of(refused)) == (422, [("gate_closes_at", "listing_rules"), ("reference_price", "listing_rules")])
    assert fields_of(issuer.post("listings", {**WISH, "class": "TXT.NONE"})) == [("class", "unknown_value")]


def test_a_request_is_its_issuers(desk, caller, issuer):
    path = f"listings/{issuer.post('listings', WISH).json()['id']}"
    stranger = caller("holder", "issue")
    assert stranger.get(path).status_code == 404
    assert stranger.get("listings").json()["data"] == []
    assert stranger.post(f"{path}/withdraw", {}).status_code == 404
    assert caller("other", "operate").post(f"{path}/withdraw", {}).json()["code"] == "scope_missing"
    assert issuer.post(f"{path}/withdraw", {}).json()["state"] == "withdrawn"
    again = issuer.post("listings", WISH).json()
    first = issuer.get("listings?limit=1").json()
    assert [row["id"] for row in first["data"]] == [again["id"]]
    assert [row["state"] for row in issuer.get(f"listings?cursor={first['next_cursor']}").json()["data"]] == ["withdrawn"]
    rejected = caller("other", "operate").post(f"listings/{again['id']}/reject", {"reason": "too thin"}).json()
    assert (rejected["state"], rejected["decision_note"]) == ("rejected", "too thin")
