"""Consents, attestations and transfers over REST: whose word counts, what is refused and in which words."""

import pytest

from tests.unit.rights.domain.manifests import chat_day

NEEDS = {"requires_issuer_consent": True}


@pytest.fixture
def needy(desk, caller):
    """A right of 1,000 units in the holder's hands that moves only with the issuer's consent."""
    manifest = chat_day(resource={"amount": "1000"}, transfer_policy=NEEDS)
    return caller("issuer").post("rights", {"manifest": manifest, "holder": acc(desk, "holder")}).json()["id"]


def acc(desk, slug):
    return f"acc_{desk.accounts[slug].uuid}"


def codes(answer):
    return [gate["code"] for gate in answer.json()["gates"]]


def test_a_transfer_asks_waits_and_goes_through_once(desk, caller, needy):
    holder, issuer, other = caller("holder"), caller("issuer"), caller("other")
    give = {"to": acc(desk, "other"), "units": "400"}
    refused = holder.post(f"rights/{needy}/transfer", give)
    assert (refused.status_code, refused.json()["code"], codes(refused)) == (422, "transfer_refused", ["consent_missing"])
    asked = holder.post("consents", {"right_id": needy, "taker": acc(desk, "other"), "units": "400", "note": "for a friend"})
    assert (asked.status_code, asked.json()["state"]) == (201, "pending")
    name = asked.json()["id"]
    assert [row["id"] for row in issuer.get("consents?state=pending").json()["data"]] == [name]
    assert other.post(f"consents/{name}/approve", {}).status_code == 404
    granted = issuer.post(f"consents/{name}/approve", {"note": "this once"})
    assert (granted.json()["state"], granted.json()["answer_note"]) == ("granted", "this once")
    assert issuer.post(f"consents/{name}/approve", {}).json()["gates"][0]["code"] == "consent_answered"
    moved = holder.post(f"rights/{needy}/transfer", give)
    assert moved.status_code == 201
    received = other.get(f"rights/{moved.json()['received_right_id']}").json()
    assert (received["remaining_amount"], received["parent_right_id"], received["holder"]) == ("400", needy, acc(desk, "other"))
    assert holder.get(f"consents/{name}").json()["state"] == "used"
    assert codes(holder.post(f"rights/{needy}/transfer", give)) == ["consent_missing"]


def test_a_denial_says_why_and_a_request_can_be_withdrawn(desk, caller, needy):
    holder, issuer = caller("holder"), caller("issuer")
    ask = {"right_id": needy, "taker": acc(desk, "other"), "units": "1"}
    first = holder.post("consents", ask).json()["id"]
    assert issuer.post(f"consents/{first}/deny", {"reason": ""}).status_code == 400
    denied = issuer.post(f"consents/{first}/deny", {"reason": "unknown to us"}).json()
    assert (denied["state"], denied["answer_note"]) == ("denied", "unknown to us")
    second = holder.post("consents", ask).json()["id"]
    assert holder.post(f"consents/{second}/revoke", {"reason": "sold elsewhere"}).json()["state"] == "revoked"
    assert issuer.post(f"consents/{second}/revoke", {"reason": "x"}).json()["gates"][0]["code"] == "consent_ended"


def test_a_standing_consent_opens_and_its_revocation_shuts(desk, caller, needy):
    holder, issuer = caller("holder"), caller("issuer")
    give = {"to": acc(desk, "other"), "units": "1"}
    check = {"right_id": needy, "units": "1", "buyer": acc(desk, "other")}
    assert not holder.post("transfer-checks", check).json()["allowed"]
    stands = issuer.put("standing-consents", {"issuer_id": "issuer", "taker": acc(desk, "other")}).json()
    assert stands["scope"] == "counterparty"
    assert holder.post("transfer-checks", check).json()["allowed"]
    assert holder.post(f"rights/{needy}/transfer", give).status_code == 201
    again = issuer.put(
        "standing-consents", {"issuer_id": "issuer", "taker": acc(desk, "other"), "expires_at": "2026-12-30T00:00:00Z"}
    ).json()
    assert issuer.get(f"consents/{stands['id']}").json()["state"] == "revoked"
    issuer.post(f"consents/{again['id']}/revoke", {"reason": "enough"})
    assert codes(holder.post(f"rights/{needy}/transfer", give)) == ["consent_missing"]


def test_only_its_own_issuer_speaks_and_only_the_registry_acknowledges(desk, caller, needy):
    assert caller("holder", "consent").put("standing-consents", {"issuer_id": "issuer"}).json()["field_errors"][0]["field"] == "issuer_id"
    plain = {"issuer_id": "issuer", "kind": "acknowledgment"}
    assert caller("issuer", "consent").put("standing-consents", plain).status_code == 400
    assert caller("other", "operate").put("standing-consents", plain).json()["gates"][0]["code"] == "role_missing"
    assert caller("issuer", "operate").put("standing-consents", plain).status_code == 200
    both = {"issuer_id": "issuer", "root_right_id": needy, "terms_hash": "0" * 64}
    assert caller("issuer").put("standing-consents", both).json()["field_errors"][0]["field"] == "terms_hash"


def test_operators_attest_and_holders_read_their_own(desk, caller):
    operator, other = caller("issuer", "operate", "read"), caller("other", "read")
    made = operator.post("attestations", {"holder": acc(desk, "other"), "kind": "jurisdiction", "value": "DE", "evidence": "register 4711"})
    assert made.status_code == 201
    assert [row["value"] for row in other.get("attestations?holder=me").json()["data"]] == ["DE"]
    assert caller("holder", "read").get("attestations").json()["data"] == []
    bad = operator.post("attestations", {"holder": acc(desk, "other"), "kind": "kyc", "value": "DE", "evidence": "x"})
    assert bad.json()["gates"][0]["code"] == "attestation_malformed"
    ended = operator.post(f"attestations/{made.json()['id']}/revoke", {"reason": "moved away"})
    assert ended.json()["revoked_at"] is not None


def test_nobody_gives_what_is_not_his_or_to_himself(desk, caller, needy):
    give = {"to": acc(desk, "other"), "units": "1"}
    assert caller("issuer").post(f"rights/{needy}/transfer", give).status_code == 404
    same = caller("holder").post(f"rights/{needy}/transfer", give | {"to": acc(desk, "holder")})
    assert same.json()["field_errors"][0]["field"] == "to"


def test_of_several_consents_the_smallest_that_suffices_is_used(desk, caller, needy):
    holder, issuer, other = caller("holder"), caller("issuer"), acc(desk, "other")
    names = {}
    for units in ("10", "100", "60"):
        names[units] = holder.post("consents", {"right_id": needy, "taker": other, "units": units}).json()["id"]
        assert issuer.post(f"consents/{names[units]}/approve", {}).status_code == 200
    check = {"right_id": needy, "buyer": other}
    assert holder.post("transfer-checks", check | {"units": "50"}).json()["allowed"]
    assert not holder.post("transfer-checks", check | {"units": "101"}).json()["allowed"]
    assert holder.post(f"rights/{needy}/transfer", {"to": other, "units": "50"}).status_code == 201
    assert [holder.get(f"consents/{names[units]}").json()["state"] for units in names] == ["granted", "granted", "used"]
    assert codes(holder.post(f"rights/{needy}/transfer", {"to": other, "units": "101"})) == ["consent_missing"]


def test_a_consent_is_for_whoever_asked_for_it(desk, caller, needy):
    holder, issuer = caller("holder"), caller("issuer")
    asked = holder.post("consents", {"right_id": needy, "taker": acc(desk, "other"), "units": "5"}).json()["id"]
    assert issuer.post(f"consents/{asked}/approve", {}).status_code == 200
    stands = issuer.put("standing-consents", {"issuer_id": "issuer", "taker": acc(desk, "issuer")}).json()["id"]
    assert holder.post(f"rights/{needy}/transfer", {"to": acc(desk, "issuer"), "units": "1000"}).status_code == 201
    assert issuer.post(f"consents/{stands}/revoke", {"reason": "done"}).status_code == 200
    assert codes(issuer.post(f"rights/{needy}/transfer", {"to": acc(desk, "other"), "units": "5"})) == ["consent_missing"]
