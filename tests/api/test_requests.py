"""Requests over REST: what is asked for, which routes there are, what is refused and why, who may look."""

from typing import Any

import pytest

from exchange.api import base
from settlement.models import Request
from tests.redeem_desk import BODY, RedeemDesk

NOTHING = "req_0192e4a0-0000-7000-8000-000000000000"


@pytest.fixture
def desk(db: None, monkeypatch: pytest.MonkeyPatch) -> RedeemDesk:
    made = RedeemDesk()
    monkeypatch.setattr(base, "now_us", lambda: made.now_us)
    return made


@pytest.fixture
def wish(desk: RedeemDesk) -> dict[str, Any]:
    return {
        "workload": "text.generation",
        "operation": "chat.completions",
        "units": "1000",
        "rights": [{"right_id": f"rgt_{desk.right.pk}"}],
        "payload": BODY,
    }


@pytest.fixture
def holder(caller):
    return caller("holder", "read", "redeem")


def test_the_router_picks_and_says_why(holder, wish):
    answer = holder.post("requests", wish)
    assert answer.status_code == 201, answer.json()
    made = answer.json()
    (route,) = made["routes"]
    assert (made["state"], route["state"], route["supplier"], route["units"], route["escrow"]) == (
        "matched",
        "locked",
        "boreal",
        "1000",
        "0.01",
    )
    assert sum(reason["points"] for reason in route["reasons"]) == route["score"]
    assert holder.get(f"requests/{made['id']}").json() == made
    assert holder.get("requests?state=matched").json()["data"] == [made]
    assert holder.get(f"requests?right={wish['rights'][0]['right_id']}&limit=1").json()["data"] == [made]
    assert holder.get("requests?state=settled").json()["data"] == []


def test_each_narrowing_says_whose_word_it_is(holder, wish):
    limits = {"latest_at": "2026-12-01T12:00:00Z", "providers": ["boreal"], "max_latency_class": "interactive"}
    made = holder.post("requests", {**wish, "constraints": limits, "fallback_policy": []}).json()
    (effective,) = made["effective"]
    by_request = {found["field"]: found["after"] for found in effective["narrowings"] if found["by"] == "request"}
    assert by_request == {"latest_at": "2026-12-01T12:00:00Z", "providers": "boreal"}
    assert effective["policy"]["latest_at"] == made["latest_at"].replace(".000000", "")


def test_the_caller_chooses_among_quotes(desk, holder, wish):
    made = holder.post("requests", {**wish, "route": "manual"}).json()
    assert (made["state"], [route["state"] for route in made["routes"]]) == ("validated", ["quoted"])
    quotes = holder.post(f"requests/{made['id']}/quotes", {}).json()["data"]
    locked = holder.post(f"requests/{made['id']}/lock", {"route_ids": [quotes[0]["id"]]}).json()
    assert (locked["state"], [route["state"] for route in locked["routes"]]) == ("matched", ["quoted", "quoted", "locked"])
    foreign = holder.post(f"requests/{made['id']}/lock", {"route_ids": ["rte_0192e4a0-0000-7000-8000-000000000000"]})
    assert (foreign.status_code, foreign.json()["code"]) == (409, "route_state")
    free = holder.post(f"requests/{made['id']}/release", {}).json()
    assert (free["state"], free["routes"][2]["state"]) == ("validated", "released")
    assert holder.post(f"requests/{made['id']}/release", {}).json()["code"] == "request_state"
    desk.now_us += 1
    again = holder.post(f"requests/{made['id']}/lock", {}).json()
    assert [route["state"] for route in again["routes"]] == ["quoted", "quoted", "released", "locked"]
    desk.now_us += 1
    ended = holder.post(f"requests/{made['id']}/cancel", {"reason": "thought better"}).json()
    assert (ended["state"], ended["routes"][3]["state"]) == ("settled", "released")
    assert holder.post(f"requests/{made['id']}/cancel", {}).json()["code"] == "request_state"
    assert holder.post(f"requests/{made['id']}/lock", {}).json()["code"] == "request_state"


def test_a_refusal_lists_every_reason(desk, holder, wish):
    desk.supply("cloudy", privacy_mode="public-network")
    answer = holder.post("requests", {**wish, "units": "5000000"})
    told = answer.json()
    assert (answer.status_code, told["code"], told["retryable"]) == (422, "request_refused", False)
    assert {(gate["supplier"], gate["code"]) for gate in told["gates"]} >= {("cloudy", "privacy_mode"), (None, "units_short")}
    assert not Request.objects.exists()


def test_a_package_is_used_out_of_what_it_holds(caller, desk, wish):
    holder, right = caller("holder", "read", "redeem", "transfer"), f"rgt_{desk.right.pk}"
    second = f"rgt_{desk.issue(5_000).pk}"
    parts = [{"right_id": right, "units": "600", "tier": "baseline"}, {"right_id": second, "units": "5000", "tier": "overflow"}]
    package = holder.post("packages", {"type": "tranche", "label": "layers", "parts": parts}).json()["id"]
    asked = {**wish, "package_id": package, "rights": []}
    made = holder.post("requests", asked).json()
    told = [(r["right_id"], r["package_id"], r["tier"], r["branch"], r["units"], r["state"]) for r in made["routes"]]
    assert told == [(right, package, "baseline", None, "600", "locked"), (second, package, "overflow", None, "400", "locked")]
    assert (made["package_id"], made["branch"], made["rights"], made["delegation_id"]) == (package, None, [], None)
    assert [part["units"] for part in holder.get(f"packages/{package}").json()["parts"]] == ["0", "4600"]
    holder.post(f"requests/{made['id']}/cancel", {})
    assert [part["units"] for part in holder.get(f"packages/{package}").json()["parts"]] == ["600", "5000"]

    def refused(by, **change):
        answer = by.post("requests", {**asked, **change})
        assert answer.status_code in {400, 422}, answer.json()
        told = answer.json()
        return [gate["code"] for gate in told.get("gates") or told["field_errors"]]

    assert refused(caller("other", "read", "redeem")) == ["package_not_held"]
    assert refused(holder, package_id="pkg_0192e4a0-0000-7000-8000-000000000000") == ["package_not_held"]
    assert refused(holder, branch="night") == ["branch_unknown"]
    assert refused(holder, rights=[{"right_id": f"rgt_{desk.issue(10).pk}"}]) == ["package_right"]
    assert refused(holder, package_id=None) == ["required"]
    assert refused(holder, **{**wish, "package_id": None, "branch": "night"}) == ["conflict"]


def test_somebody_elses_right_is_as_good_as_none(caller, desk, wish):
    other = caller("other", "read", "redeem")
    foreign = other.post("requests", wish).json()
    missing = other.post("requests", {**wish, "rights": [{"right_id": "rgt_0192e4a0-0000-7000-8000-000000000000"}]}).json()
    assert [told["gates"][0]["detail"] for told in (foreign, missing)] == ["no such right is in the holder's hands"] * 2


def test_others_learn_nothing(caller, holder, wish):
    made = holder.post("requests", wish).json()
    other, operator = caller("other", "read", "redeem"), caller("other", "read", "operate", "redeem")
    for path in (f"requests/{made['id']}", f"requests/{NOTHING}"):
        assert other.get(path).status_code == 404
        assert other.post(f"{path}/cancel", {}).status_code == 404
    assert other.get("requests").json()["data"] == []
    assert other.get(f"events?object={made['id']}").json()["data"] == []
    assert operator.get(f"requests/{made['id']}").json() == made
    assert operator.post(f"requests/{made['id']}/cancel", {}).status_code == 404
    told = [event["type"] for event in holder.get(f"events?object={made['id']}").json()["data"]]
    assert told == ["request.submitted", "request.accepted", "route.quoted"]
    assert "payload" not in str(
        holder.get(f"events?object={made['id']}").json()["data"][0]["payload"]["envelope"].keys() - {"payload_hash"}
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"units": "0"}, "units"),
        ({"units": 5}, "units"),
        ({"workload": "text.poetry"}, "workload"),
        ({"operation": "Chat Completions"}, "operation"),
        ({"rights": []}, "rights"),
        ({"rights": [{"right_id": "rgt_1"}]}, "rights.0.right_id"),
        ({"payload": "[]"}, "payload"),
        ({"payload": r'{"messages": "\ud800"}'}, "payload"),
        ({"payload": '{"temperature": 1e999}'}, "payload"),
        ({"payload": '{"n": NaN}'}, "payload"),
        ({"payload": None}, "payload"),
        ({"payload_hash": "0" * 64}, "payload_hash"),
        ({"constraints": {"privacy_class": "secret"}}, "constraints.privacy_class"),
        ({"constraints": {"jurisdictions": ["us"]}}, "constraints.jurisdictions.0"),
        ({"preferences": {"cost": 10_001}}, "preferences.cost"),
        ({"fallback_policy": ["downgrade_privacy"]}, "fallback_policy.0"),
        ({"budget": "unlimited"}, "budget"),
        ({"delivery": "pigeon"}, "delivery"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_can_not_be_asked(holder, wish, change, field):
    answer = holder.post("requests", {**wish, **change})
    assert (answer.status_code, field in [error["field"] for error in answer.json()["field_errors"]]) == (400, True), answer.json()
    assert not Request.objects.exists()


def test_the_same_key_asks_once(desk, holder, wish):
    first, second = (holder.post("requests", wish, **{"Idempotency-Key": "once"}) for _ in range(2))
    assert (first.json(), second["Idempotent-Replayed"]) == (second.json(), "true")
    assert Request.objects.count() == 1
