"""Packages, delegations and block offers over REST."""

import pytest

from exchange.audit.run import audit
from exchange.services import keys
from exchange.services.funding import fund
from exchange.services.keys import KeyLimits
from rights.models import Delegation
from rights.services.delegations import end_lost_delegations
from settlement.services.ledger import cash_asset
from tests.api.conftest import Caller
from tests.registry_desk import MINT, NOW_US
from tests.unit.rights.domain.manifests import chat_day

LATER = "2026-11-20T00:00:00Z"
MEMBER = ("read", "trade", "transfer")
WINDOW = {"valid_from": "2026-12-01T00:00:00Z", "valid_until": "2026-12-02T00:00:00Z"}


def acc(desk, slug):
    return f"acc_{desk.accounts[slug].uuid}"


@pytest.fixture
def right(desk, caller):
    body = {"manifest": chat_day(resource={"amount": "1000"}), "holder": acc(desk, "holder")}
    return caller("issuer").post("rights", body).json()["id"]


@pytest.fixture
def package(caller, right):
    return caller("holder").post("packages", {"type": "bundle", "label": "nights", "parts": [{"right_id": right, "units": "600"}]}).json()


def code(answer):
    return answer.json()["gates"][0]["code"]


def test_a_package_from_its_making_to_its_end(desk, caller, right, package):
    holder, other = caller("holder"), caller("other", *MEMBER)
    assert (package["units"], package["parts"][0]["right_id"]) == ("600", right)
    assert holder.get(f"rights/{right}").json()["reserved_amount"] == "600"
    assert [row["id"] for row in holder.get("packages").json()["data"]] == [package["id"]]
    assert other.get(f"packages/{package['id']}").status_code == 404
    more = holder.post(f"packages/{package['id']}/amend", {"label": "more", "parts": [{"right_id": right, "units": "800"}]}).json()
    assert (more["revision"], more["units"]) == (2, "800")
    cut = holder.post(f"packages/{package['id']}/split", {"label": "cut", "parts": [{"right_id": right, "units": "100"}]}).json()
    assert (cut["package"]["units"], cut["child"]["units"]) == ("700", "100")
    assert other.post(f"packages/{package['id']}/transfer", {"to": acc(desk, "holder")}).status_code == 404
    moved = holder.post(f"packages/{package['id']}/transfer", {"to": acc(desk, "other")})
    assert moved.status_code == 201
    assert other.get(f"packages/{package['id']}").json()["holder"] == acc(desk, "other")
    assert other.post(f"packages/{package['id']}/finalize", {"reason": "done"}).json()["state"] == "finalized"
    assert code(other.post(f"packages/{package['id']}/finalize", {"reason": "done"})) == "package_ended"


def test_what_is_wrong_with_a_package_is_named(caller, right):
    holder = caller("holder")
    bad = holder.post("packages", {"type": "tranche", "label": "x", "parts": [{"right_id": right, "units": "1"}]})
    assert code(bad) == "package_tier"
    told = bad.json()
    assert (bad.status_code, told["code"], told["title"][:31]) == (422, "package_refused", "A package can't be composed or ")
    assert [error["field"] for error in told["field_errors"]] == ["parts.0.tier"]
    field = holder.post("packages", {"type": "bundle", "label": "x", "parts": [{"right_id": right, "units": 1}]}).json()["field_errors"][0]
    assert field["field"] == "parts.0.units"
    plain = {"type": "bundle", "label": "x", "parts": [{"right_id": right, "units": "1"}]}
    for name, value in (("lockup_until", "2026-02-30T00:00:00Z"), ("min_transfer_units", "9" * 19), ("max_units_per_holder", "9" * 19)):
        nonsense = holder.post("packages", {**plain, "policy": {name: value}})
        assert (nonsense.status_code, code(nonsense)) == (422, "package_policy")


def test_delegations_given_passed_on_and_taken_back(desk, caller, right):
    holder, other = caller("holder"), caller("other", *MEMBER)
    body = {"right_id": right, "delegate": acc(desk, "other"), "max_units": "500", **WINDOW, "subdelegation_allowed": True}
    given = holder.post("delegations", body)
    assert (given.status_code, given.json()["left_units"]) == (201, "500")
    name = given.json()["id"]
    passed = {"parent_delegation_id": name, "delegate": acc(desk, "issuer"), "max_units": "200", **WINDOW}
    child = other.post("delegations", passed).json()
    assert child["right_id"] == right
    assert code(other.post("delegations", passed | {"max_units": "301"})) == "delegation_exhausted"
    assert other.delete(f"delegations/{name}").status_code == 404
    assert holder.delete(f"delegations/{name}").json()["state"] == "revoked"
    assert other.get(f"delegations/{child['id']}").json()["state"] == "revoked"
    both = holder.post("delegations", body | {"package_id": f"pkg_{MINT.uuid(NOW_US)}"})
    assert both.json()["field_errors"][0]["field"] == "right_id"


def lent(desk, caller, **of):
    """(given, passed on) delegations of the holder's."""
    body = {"delegate": acc(desk, "other"), "max_units": "500", **WINDOW, "subdelegation_allowed": True}
    given = caller("holder").post("delegations", of | body).json()["id"]
    passed = {"parent_delegation_id": given, "delegate": acc(desk, "issuer"), "max_units": "200", **WINDOW}
    return given, caller("other", *MEMBER).post("delegations", passed).json()["id"]


@pytest.mark.parametrize("what", ["right", "package"])
def test_a_delegation_goes_with_what_it_is_of(desk, caller, right, request, what):
    """Its giver has sold it: lists say so at once, and the timetable ends the whole line."""
    holder = caller("holder")
    thing = right if what == "right" else request.getfixturevalue("package")["id"]
    lent(desk, caller, **{f"{what}_id": thing})
    units = {"units": "1000"} if what == "right" else {}
    assert {row["state"] for row in holder.get("delegations").json()["data"]} == {"active"}
    assert holder.post(f"{what}s/{thing}/transfer", {"to": acc(desk, "other")} | units).status_code == 201
    shown = caller("other", *MEMBER).get("delegations").json()["data"]
    assert [(row["state"], row["left_units"]) for row in shown] == [("revoked", "0")] * 2
    assert end_lost_delegations(actor="timetable", now_us=NOW_US + 1) == 2
    assert end_lost_delegations(actor="timetable", now_us=NOW_US + 2) == 0
    assert {(row.state, row.ended_at is None) for row in Delegation.objects.all()} == {("revoked", False)}
    broken = {found.check for found in audit(now_us=NOW_US + 2).broken}
    assert not broken & {"objects", "events_apply", "delegations"}, broken


def test_a_block_offer_taken_and_one_withdrawn(desk, caller, package):
    cash_asset()
    fund(account=desk.accounts["other"], amount="100", currency="USD", reason="x", mint=MINT, actor="command:t", now_us=NOW_US)
    holder, other = caller("holder"), caller("other", *MEMBER)
    body = {"package_id": package["id"], "price": "12.5", "expires_at": LATER}
    first = holder.post("block-offers", body).json()
    assert (first["price"], first["disclosure"]["parts"][0]["units"]) == ("12.50", "600")
    assert code(holder.post("block-offers", body)) == "offer_open"
    assert holder.delete(f"block-offers/{first['id']}").json()["state"] == "withdrawn"
    second = holder.post("block-offers", body).json()
    assert [row["id"] for row in other.get("block-offers").json()["data"]] == [second["id"]]
    taken = other.post(f"block-offers/{second['id']}/accept", {}).json()
    assert (taken["state"], taken["accepted_by"]) == ("accepted", acc(desk, "other"))
    assert other.get(f"packages/{package['id']}").json()["state"] == "active"
    assert [row["total"] for row in other.get("balances").json()["data"]] == ["87.475"]
    assert code(other.post(f"block-offers/{second['id']}/accept", {})) == "offer_ended"


def bounded(account_id: int) -> Caller:
    limits = KeyLimits(max_order_minor=10**9)
    return Caller(keys.create(account_id=account_id, scopes=MEMBER, label="", expires_us=None, limits=limits, now_us=NOW_US).token)


def test_a_key_with_bounds_accepts_no_offer(desk, caller, member, package):
    cash_asset()
    fund(account=desk.accounts["other"], amount="100", currency="USD", reason="x", mint=MINT, actor="command:t", now_us=NOW_US)
    made = caller("holder").post("block-offers", {"package_id": package["id"], "price": "12.5", "expires_at": LATER}).json()
    refused = bounded(desk.accounts["other"].pk).post(f"block-offers/{made['id']}/accept", {})
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert member("other", *MEMBER).post(f"block-offers/{made['id']}/accept", {}).json()["state"] == "accepted"


def test_a_key_with_bounds_makes_no_offer_and_may_take_one_back(desk, caller, package):
    cash_asset()
    wish = {"package_id": package["id"], "price": "0.01", "expires_at": LATER}
    key = bounded(desk.accounts["holder"].pk)
    refused = key.post("block-offers", wish)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    made = caller("holder").post("block-offers", wish).json()
    assert key.delete(f"block-offers/{made['id']}").json()["state"] == "withdrawn"


def test_the_page_that_changes_a_package_is_its_holders(caller, member, package):
    page = f"/packages/{package['id']}/change"
    mine = member("holder", "read", "transfer").client
    assert "Change “nights”" in mine.get(page).content.decode()
    assert member("other", "read").client.get(page).status_code == 404
    for nobody in ("pkg_x", f"pkg_{MINT.uuid(NOW_US)}"):
        assert mine.get(f"/packages/{nobody}/change").status_code == 404
    caller("holder").post(f"packages/{package['id']}/finalize", {"reason": "over"})
    assert mine.get(page).status_code == 404
