"""Whoever may look at an object may read its history; whoever sees an event whole can make its hash again."""

import json

import pytest
from django.core.management import call_command

from exchange.services.funding import fund
from rights.models import RoleGrant
from settlement.services.ledger import cash_asset
from tests.registry_desk import MINT, NOW_US
from tests.unit.rights.domain.manifests import chat_day

WINDOW = {"valid_from": "2026-12-01T00:00:00Z", "valid_until": "2026-12-02T00:00:00Z"}
READ = ("read", "issue", "consent", "supply")


def acc(desk, slug):
    return f"acc_{desk.accounts[slug].uuid}"


@pytest.fixture
def right(desk, caller):
    manifest = chat_day(resource={"amount": "1000"}, transfer_policy={"requires_issuer_consent": True})
    return caller("issuer").post("rights", {"manifest": manifest, "holder": acc(desk, "holder")}).json()["id"]


@pytest.fixture
def free_right(desk, caller):
    return caller("issuer").post("rights", {"manifest": chat_day(resource={"amount": "1000"}), "holder": acc(desk, "holder")}).json()["id"]


@pytest.fixture
def third(desk):
    """Somebody who has nothing to do with any of it."""
    desk.accounts["third"] = desk.open("third")


def seen(caller, slug, name, *scopes):
    return caller(slug, *(scopes or READ)).get(f"events?object={name}").json()["data"]


def types(events):
    return [event["type"] for event in events]


def test_a_package_its_delegation_and_its_offer(desk, caller, free_right, third):
    cash_asset()
    fund(account=desk.accounts["other"], amount="100", currency="USD", reason="x", mint=MINT, actor="command:t", now_us=NOW_US)
    holder, other = caller("holder"), caller("other")
    part = {"right_id": free_right, "units": "600"}
    package = holder.post("packages", {"type": "bundle", "label": "nights", "parts": [part]}).json()["id"]
    given = {"package_id": package, "delegate": acc(desk, "issuer"), "max_units": "500", **WINDOW}
    delegation = holder.post("delegations", given).json()["id"]
    holder.delete(f"delegations/{delegation}")
    offer = holder.post("block-offers", {"package_id": package, "price": "12.5", "expires_at": "2026-11-20T00:00:00Z"}).json()["id"]
    assert types(seen(caller, "third", offer)) == ["offer.made"]
    assert (types(seen(caller, "other", package)), types(seen(caller, "third", package))) == ([], [])
    assert other.post(f"block-offers/{offer}/accept", {}).status_code == 200

    (made, moved) = seen(caller, "other", package)
    assert (made["type"], made["payload"]["holder"], made["withheld"]) == ("package.created", None, ["actor", "payload.holder"])
    assert (moved["payload"]["to"], moved["payload"]["from"]) == (acc(desk, "other"), None)
    assert seen(caller, "holder", package) == []
    created, revoked = seen(caller, "issuer", delegation)
    assert (created["payload"]["delegator"], created["withheld"]) == (acc(desk, "holder"), ["actor"])
    assert revoked["type"] == "delegation.revoked"
    accepted = seen(caller, "holder", offer)[-1]
    assert (accepted["type"], accepted["payload"]["buyer"]) == ("offer.accepted", acc(desk, "other"))
    assert (seen(caller, "third", delegation), seen(caller, "third", offer)) == ([], [])
    assert types(seen(caller, "third", delegation, "audit")) == ["delegation.created", "delegation.revoked"]


def test_a_consent_is_its_parties(desk, caller, right, third):
    ask = {"right_id": right, "taker": acc(desk, "other"), "units": "1", "note": "for a friend"}
    consent = caller("holder").post("consents", ask).json()["id"]
    caller("issuer").post(f"consents/{consent}/approve", {"note": "this once"})
    for slug in ("holder", "other", "issuer"):
        asked, granted = seen(caller, slug, consent)
        assert (asked["payload"]["giver"], asked["payload"]["note"]) == (acc(desk, "holder"), "for a friend")
        assert granted["payload"]["answer_note"] == "this once"
    assert seen(caller, "issuer", consent, "read") == []
    assert seen(caller, "third", consent) == []


def test_what_is_public_and_what_is_ones_own(desk, caller, third):
    holder = caller("holder")
    supplier = holder.post("suppliers", {"slug": "acme-racks", "name": "Acme racks", "region": "EU"}).json()["id"]
    (strange,), (own,) = (seen(caller, slug, supplier) for slug in ("third", "holder"))
    assert (strange["payload"]["slug"], strange["payload"]["participant"]) == ("acme-racks", None)
    assert (own["payload"]["participant"], own["withheld"]) == ("holder", ["actor"])
    attested = {"holder": acc(desk, "holder"), "kind": "kyc", "evidence": "file 7"}
    assert caller("issuer").post("attestations", attested).status_code == 201
    assert types(seen(caller, "holder", acc(desk, "holder"))) == ["account.opened", "holder.attested"]
    assert seen(caller, "holder", acc(desk, "holder"))[1]["payload"]["evidence"] == "file 7"
    assert seen(caller, "third", acc(desk, "holder")) == []
    role = RoleGrant.objects.filter(participant=desk.accounts["issuer"].participant).first()
    assert types(seen(caller, "issuer", f"rol_{role.uuid}")) == ["role.granted"]
    assert seen(caller, "third", f"rol_{role.uuid}") == []


def test_an_event_that_is_shown_whole_can_be_hashed_again(caller, free_right, third, tmp_path, capsys):
    path = tmp_path / "event.json"
    (whole, *_), (part, *_) = (seen(caller, slug, free_right, scope) for slug, scope in (("third", "audit"), ("holder", "read")))
    assert (part["hash"], part["salt"], part["withheld"]) == (whole["hash"], None, ["actor"])
    path.write_text(json.dumps(whole))
    call_command("verify", str(path))
    assert "ok: the event is what was hashed" in capsys.readouterr().out
    for wrong, fault in (
        ({**whole, "at": "2020-01-01T00:00:00Z"}, "the hash is not that of the event"),
        (part, "not shown whole, so that its hash can't be made again: actor withheld"),
        ({"hash": "", "prev_hash": "", "withheld": []}, "not an event"),
    ):
        path.write_text(json.dumps(wrong))
        with pytest.raises(SystemExit):
            call_command("verify", str(path))
        assert fault in capsys.readouterr().out
