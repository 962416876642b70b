"""Standing policies over REST: written, tried, run, read; what a key may not do with them."""

from typing import Any

import pytest

from exchange.models import ApiKey, Command, Order, Policy
from exchange.replay.run import replay

KEY = "TXT.CHAT.STD.INT.PRV"
COVER = {"max_price": "2.5", "units": "3000000", "horizon_s": 86_400}


def rebalancer(**rules: Any) -> dict[str, Any]:
    return {"kind": "rebalancer", "label": "cover", "every_s": 60, "rules": {"class": KEY, "coverage": COVER, **rules}}


def key_of(who) -> str:
    return who.token.partition(".")[0]


def test_a_policy_s_life(floor, caller):
    buyer = caller("buyer", "read", "trade", "cancel")
    floor.place("seller", "sell", 2, 200)
    floor.match()
    tried = buyer.post("policies?dry_run=true", rebalancer())
    assert tried.status_code == 200
    assert [(a["rule"], a["side"], a["quantity"], a["instrument"]) for a in tried.json()["actions"]] == [
        ("coverage", "buy", "3", floor.instrument.symbol)
    ]
    assert not Policy.objects.exists()

    new = buyer.post("policies", rebalancer())
    assert new.status_code == 201
    policy = new.json()
    assert policy["key_id"] == key_of(buyer)
    assert policy["rules"]["coverage"] == {
        **COVER,
        "max_price": "2.50",
        "targets": [],
        "tolerance_units": "0",
        "slippage_bps": 100,
        "rest": True,
    }
    path = f"policies/{policy['id']}"
    before = Command.objects.count()
    assert buyer.post(f"{path}/runs?dry_run=true", {}).json() == tried.json()
    assert (
        buyer.patch(f"{path}?dry_run=true", {"rules": {"class": KEY, "coverage": {**COVER, "units": "1"}}}).json()["actions"][0]["quantity"]
        == "1"
    )
    assert Command.objects.count() == before

    run = buyer.post(f"{path}/runs", {})
    assert run.status_code == 201
    assert [(a["outcome"], a["order_status"]) for a in run.json()["actions"]] == [("placed", None)]
    floor.match()
    listed = buyer.get(f"{path}/runs").json()["data"]
    assert [(a["order_status"], a["filled_quantity"]) for a in listed[0]["actions"]] == [("cancelled", "2")]
    assert Order.objects.get(pk=listed[0]["actions"][0]["order_id"][4:]).filled_lots == 2
    assert [row["id"] for row in buyer.get("policies?state=active&kind=rebalancer").json()["data"]] == [policy["id"]]
    assert [event["type"] for event in buyer.get(f"events?object={policy['id']}").json()["data"]] == ["policy.created", "policy.ran"]

    assert buyer.patch(path, {"state": "paused"}).json()["state"] == "paused"
    refused = buyer.post(f"{path}/runs", {})
    assert (refused.status_code, refused.json()["code"]) == (422, "policy_state")
    assert buyer.delete(path).json()["state"] == "ended"
    assert buyer.patch(path, {"state": "active"}).json()["code"] == "policy_state"
    assert not [finding for finding in replay().first if "pol" in str(finding)]


def test_nobody_else_sees_it(caller):
    policy = caller("buyer").post("policies", rebalancer()).json()
    stranger = caller("seller", "read", "trade", "cancel")
    for answer in (
        stranger.get(f"policies/{policy['id']}"),
        stranger.patch(f"policies/{policy['id']}", {"state": "paused"}),
        stranger.delete(f"policies/{policy['id']}"),
        stranger.get(f"policies/{policy['id']}/runs"),
    ):
        assert answer.status_code == 404
    assert stranger.get("policies").json()["data"] == []
    assert stranger.get(f"events?object={policy['id']}").json()["data"] == []


def test_a_key_makes_policies_for_itself_alone(caller, member):
    first, second = caller("buyer", "read", "trade", "cancel"), caller("buyer", "read", "trade", "cancel")
    other = first.post("policies", {**rebalancer(), "key_id": key_of(second)})
    assert (other.status_code, other.json()["code"]) == (422, "policy_binds")
    made = first.post("policies", rebalancer()).json()
    assert second.delete(f"policies/{made['id']}").json()["code"] == "policy_binds"
    person = member("buyer", "read", "trade")
    nameless = person.post("policies", rebalancer())
    assert (nameless.json()["code"], nameless.json()["field_errors"][0]["field"]) == ("policy_key", "key_id")
    assert person.post("policies", {**rebalancer(), "key_id": key_of(second)}).status_code == 201
    assert person.delete(f"policies/{made['id']}").status_code == 200


def test_a_policy_needs_a_key_that_may_trade_and_cancel(caller, member):
    reader = caller("buyer", "read")
    refused = member("buyer").post("policies", {**rebalancer(), "key_id": key_of(reader)}).json()
    assert (refused["code"], refused["detail"]) == ("policy_key", "the key lacks the scope cancel and trade")
    foreign = caller("seller")
    assert member("buyer").post("policies", {**rebalancer(), "key_id": key_of(foreign)}).json()["code"] == "policy_key"


def test_only_members_bind_a_key(caller, member):
    key, person = caller("buyer"), member("buyer")
    agent = {"kind": "agent", "rules": {"max_order_notional": "5", "hours": [{"priority": "background"}]}}
    assert key.post("policies", agent).json()["code"] == "policy_binds"
    made = person.post("policies", {**agent, "key_id": key_of(key)})
    assert made.status_code == 201
    assert made.json()["rules"]["hours"] == [{"priority": "background", "from_hour": 0, "to_hour": 24}]
    assert person.post("policies", {**agent, "key_id": key_of(key)}).json()["code"] == "policy_exists"
    assert key.patch(f"policies/{made.json()['id']}", {"state": "paused"}).json()["code"] == "policy_binds"
    assert key.delete(f"policies/{made.json()['id']}").json()["code"] == "policy_binds"


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ({"class": KEY}, "rules"),
        ({"coverage": COVER}, "rules.class"),
        ({"class": KEY, "coverage": {}}, "rules.coverage.max_price"),
        ({"class": KEY, "coverage": {**COVER, "max_price": "0"}}, "rules.coverage.max_price"),
        ({"class": KEY, "coverage": {**COVER, "max_price": 1}}, "rules.coverage.max_price"),
        ({"class": KEY, "coverage": {**COVER, "units": "-1"}}, "rules.coverage.units"),
        ({"class": KEY, "coverage": {**COVER, "slippage_bps": 10_001}}, "rules.coverage.slippage_bps"),
        (
            {"class": KEY, "coverage": {**COVER, "targets": [{"window_start": "today", "units": "1"}]}},
            "rules.coverage.targets.0.window_start",
        ),
        ({"class": KEY, "sell_unused": {"min_price": "1"}}, "rules.sell_unused.before_end_s"),
        ({"class": KEY, "roll": {"before_end_s": 1, "max_cost_bps": 1, "surplus": 1}}, "rules.roll.surplus"),
        ({"class": KEY, "swap": {"to": KEY, "before_end_s": 1, "max_cost_bps": 1}}, "rules.swap.to"),
        ({"class": "NONE", "coverage": COVER}, "rules"),
        ({"class": KEY, "coverage": COVER, "limits": {"max_orders_per_run": 0}}, "rules.limits.max_orders_per_run"),
    ],
)
def test_what_is_wrong_is_named(caller, rules, field):
    answer = caller("buyer").post("policies", {"kind": "rebalancer", "rules": rules})
    assert answer.status_code in {400, 422}
    assert [error["field"] for error in answer.json()["field_errors"]] == [field]
    assert not Policy.objects.exists()


def test_the_same_key_of_idempotency_makes_one(caller):
    buyer = caller("buyer")
    first = buyer.post("policies", rebalancer(), **{"Idempotency-Key": "once"})
    again = buyer.post("policies", rebalancer(), **{"Idempotency-Key": "once"})
    assert first.json() == again.json()
    assert Policy.objects.count() == 1
    assert ApiKey.objects.count() == 1
