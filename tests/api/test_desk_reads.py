"""What the issuer desk asks beside the rest: what would be, what may be pledged, and only what concerns one issuer."""

from urllib.parse import quote

import pytest

from exchange.models import ListingRequest
from rights.models import Assurance, ComputeClass, Event, Right
from settlement.services.ledger import cash_asset
from tests.api.nasty_values import VALUES
from tests.registry_desk import DAY_US, NOW_US, START_US
from tests.supply_desk import SupplyDesk
from tests.unit.rights.domain.manifests import chat_day

LOOK = "?validate_only=true"
WISH = {
    "class": "TXT.CHAT.STD.INT.PRV",
    "window": {"start": "2026-12-01T00:00:00Z", "end": "2026-12-02T00:00:00Z"},
    "tick_size": "0.001",
    "collar": {"low": "0.100", "high": "10.000"},
}


@pytest.fixture
def supply(desk):
    supply = SupplyDesk(desk)
    supply.post(1000)
    return supply


def counts():
    return [model.objects.count() for model in (Right, Assurance, ListingRequest, ComputeClass, Event)]


def test_looking_at_a_right_to_come_issues_nothing(desk, caller):
    issuer = caller("issuer", "issue", "read")
    manifest = chat_day(resource={"amount": "1000000"})
    before = counts()
    would = issuer.post(f"rights{LOOK}", {"manifest": manifest})
    assert (would.status_code, would.json()["status"], would.json()["class_key"]) == (200, "active", "TXT.CHAT.STD.INT.PRV")
    wrong = issuer.post(f"rights{LOOK}", {"manifest": manifest | {"kind": "none"}})
    assert (wrong.status_code, [error["field"] for error in wrong.json()["field_errors"]]) == (400, ["manifest.kind"])
    dear = issuer.post(f"rights{LOOK}", {"manifest": chat_day(resource={"amount": str(2**60)})})
    assert (dear.status_code, dear.json()["code"]) == (422, "issuance_refused")
    assert issuer.post("rights?validate_only=yes", {"manifest": manifest}).json()["field_errors"][0]["field"] == "validate_only"
    assert counts() == before
    assert issuer.post("rights?validate_only=false", {"manifest": manifest}).status_code == 201


def test_looking_uses_up_no_idempotency_key(desk, caller):
    issuer = caller("issuer", "issue", "read")
    body, key = {"manifest": chat_day(resource={"amount": "1000000"})}, {"Idempotency-Key": "one"}
    assert issuer.post(f"rights{LOOK}", body, **key).status_code == 200
    assert issuer.post("rights", body, **key).status_code == 201


def test_looking_at_a_listing_shows_its_sheet_and_asks_for_nothing(desk, caller):
    cash_asset()
    issuer = caller("issuer", "issue", "read")
    issuer.post("rights", {"manifest": chat_day(resource={"amount": "30000000"})})
    before = counts()
    would = issuer.post(f"listings{LOOK}", WISH)
    assert (would.status_code, would.json()["sheet"]["assurances"][0]["issued_units"]) == (200, "30000000")
    assert counts() == before
    assert issuer.post("listings", WISH).json()["sheet"] == would.json()["sheet"]
    twice = issuer.post(f"listings{LOOK}", WISH)
    assert (twice.status_code, twice.json()["field_errors"][0]["code"]) == (422, "listing_exists")


def test_looking_at_an_assurance_pledges_nothing(supply, caller):
    source = {"capability_id": f"cap_{supply.capability.uuid}", "units": "600"}
    terms = chat_day(resource={"model_class": ["reasoning"]}, assurance={"reference": "to-come"})
    before = counts()
    would = caller("issuer", "issue").post(
        f"assurances{LOOK}", {"terms": terms, "gross_units": "600", "haircut_bps": 1000, "sources": [source]}
    )
    assert (would.status_code, would.json()["usable_units"], would.json()["sources"][0]["units"]) == (200, "540", "600")
    assert counts() == before
    assert supply.posted().pledged_units == 0


def test_offered_capacity_is_what_may_be_pledged_and_is_free(desk, supply, caller):
    issuer = caller("issuer", "issue")
    (row,) = issuer.get("offered-capacity").json()["data"]
    assert (row["supplier"], row["units"], row["free_units"], row["own"], row["workload"]) == (
        "boreal", "1000", "1000", False, "text.generation",
    )  # fmt: skip
    supply.assure(400)
    assert issuer.get("offered-capacity").json()["data"][0]["free_units"] == "600"
    assert caller("other", "issue").get("offered-capacity").json()["data"] == []
    assert caller("boreal", "issue").get("offered-capacity").json()["data"][0]["own"] is True
    supply.assure(600, reference="rest")
    assert issuer.get("offered-capacity").json()["data"] == []


def test_offered_capacity_page_by_page_and_by_window(desk, supply, caller):
    for day in (1, 2):
        supply.post(10, start_us=START_US + day * DAY_US, end_us=START_US + (day + 1) * DAY_US)
    issuer = caller("issuer", "issue")
    first = issuer.get("offered-capacity?limit=2").json()
    rest = issuer.get(f"offered-capacity?limit=2&cursor={first['next_cursor']}").json()
    assert [row["window"]["start"][:10] for row in first["data"] + rest["data"]] == ["2026-12-01", "2026-12-02", "2026-12-03"]
    assert rest["next_cursor"] is None
    from_second = issuer.get("offered-capacity?window_from=2026-12-02T00:00:00Z&window_to=2026-12-03T00:00:00Z").json()["data"]
    assert [row["window"]["start"][:10] for row in from_second] == ["2026-12-02"]
    desk.now_us = START_US + 3 * DAY_US
    assert issuer.get("offered-capacity").json()["data"] == []
    desk.now_us = NOW_US


def test_nasty_cursors_are_refused(desk, caller):
    who = caller("issuer", "issue")
    for raw in VALUES[::7]:
        assert who.get("offered-capacity?cursor=" + quote(raw[:2000])).status_code == 400, raw[:80]


def test_rights_and_consents_of_one_issuer(desk, caller):
    issuer, holder = caller("issuer"), caller("holder", "transfer", "read")
    manifest = chat_day(resource={"amount": "1000"}, transfer_policy={"requires_issuer_consent": True})
    account = {slug: f"acc_{desk.accounts[slug].uuid}" for slug in ("holder", "other")}
    right = issuer.post("rights", {"manifest": manifest, "holder": account["holder"]}).json()["id"]
    assert [row["id"] for row in issuer.get("rights?issuer=issuer").json()["data"]] == [right]
    assert issuer.get("rights?issuer=nobody").json()["data"] == []
    asked = holder.post("consents", {"right_id": right, "taker": account["other"], "units": "4"}).json()
    assert (asked["giver_name"], asked["taker_name"]) == (None, None)
    (seen,) = caller("issuer", "consent").get("consents?issuer=issuer").json()["data"]
    assert (seen["giver_name"], seen["taker_name"]) == (desk.accounts["holder"].participant.name, desk.accounts["other"].participant.name)
    assert caller("issuer", "consent").get("consents?issuer=other").json()["data"] == []
    assert caller("holder", "read").get(f"consents/{asked['id']}").json()["taker_name"] is None
