"""An agent's policy at the door of requests: what it may use, when, how much at once, and which degradations it takes."""

import json
from typing import Any

import pytest

from exchange.api import base
from exchange.services import keys
from exchange.services.keys import KeyLimits
from settlement.models import Request
from tests.api.conftest import Caller
from tests.redeem_desk import BODY, RedeemDesk

PLAIN = ["downgrade_quality", "substitute_providers"]


@pytest.fixture
def desk(db: None, monkeypatch: pytest.MonkeyPatch) -> RedeemDesk:
    made = RedeemDesk()
    monkeypatch.setattr(base, "now_us", lambda: made.now_us)
    return made


@pytest.fixture
def wish(desk: RedeemDesk) -> dict[str, Any]:
    right = f"rgt_{desk.right.pk}"
    return {
        "workload": "text.generation",
        "operation": "chat.completions",
        "units": "1000",
        "rights": [{"right_id": right}],
        "payload": BODY,
    }


@pytest.fixture
def agent(caller, member):
    """`agent(**rules)`: a program whose key is bound by them."""

    def bound(**rules: Any):
        program = caller("holder", "read", "redeem")
        body = {"kind": "agent", "key_id": program.token.partition(".")[0], "rules": rules}
        answer = member("holder", "read", "trade").post("policies", body)
        assert answer.status_code == 201, answer.json()
        return program

    return bound


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ({"hours": [{"priority": "premium"}]}, "priority_not_allowed"),
        ({"hours": [{"priority": "standard", "from_hour": 2, "to_hour": 23}]}, "priority_not_allowed"),
        ({"max_units_per_request": "999"}, "request_units_exceeded"),
    ],
)
def test_what_the_policy_forbids_is_refused_and_nothing_is_written(agent, wish, rules, code):
    answer = agent(**rules).post("requests", wish)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert [gate["code"] for gate in answer.json()["gates"]] == [code]
    assert not Request.objects.exists()


def test_a_key_s_own_classes_bind_its_requests_too(desk, wish):
    key = keys.create(
        account_id=desk.accounts["holder"].pk,
        scopes=["redeem"],
        label="",
        expires_us=None,
        limits=KeyLimits(classes=("NONE",)),
        now_us=desk.now_us,
    )
    assert Caller(key.token).post("requests", wish).json()["code"] == "class_not_allowed"


def test_what_it_allows_passes(agent, desk, wish):
    hours = [{"priority": "standard", "from_hour": 1, "to_hour": 2}]
    program = agent(classes=[desk.right.series.compute_class.key], hours=hours, max_units_per_request="1000")
    assert program.post("requests", wish).status_code == 201


@pytest.mark.parametrize(
    ("tolerance", "asked", "fallbacks", "constraints"),
    [
        ({"allow": False}, PLAIN, [], {}),
        ({"allow": False}, None, [], {}),
        ({"allow": True}, PLAIN, PLAIN, {}),
        (
            {"max_quality_loss_bps": 50, "max_latency_expansion_bps": 0},
            None,
            None,
            {"max_latency_expansion_bps": 0, "max_quality_loss_bps": 50},
        ),
    ],
)
def test_its_tolerance_tightens_the_request_s_own(agent, wish, tolerance, asked, fallbacks, constraints):
    """The envelope that is hashed, routed and shown is the tightened one."""
    made = agent(fallback=tolerance).post("requests", {**wish, "fallback_policy": asked})
    assert made.status_code == 201, made.json()
    envelope = json.loads(Request.objects.get(pk=made.json()["id"][4:]).envelope)
    assert (envelope["fallbacks"], envelope["constraints"]) == (fallbacks, constraints)


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ({"hours": [{"priority": "premium"}]}, "priority_not_allowed"),
        ({"max_units_per_request": "999"}, "request_units_exceeded"),
        ({"fallback": {"allow": False}}, "forbidden"),
        ({"fallback": {"max_quality_loss_bps": 50}}, "forbidden"),
        ({"max_units_per_request": "1000"}, None),
    ],
)
def test_what_another_key_submitted_is_locked_within_the_bounds_only(agent, caller, wish, rules, code):
    made = caller("holder", "read", "redeem").post("requests", {**wish, "route": "manual"}).json()
    answer = agent(**rules).post(f"requests/{made['id']}/lock", {})
    assert answer.json().get("code") == code, answer.json()
    assert Request.objects.filter(routes__state="locked").exists() is (code is None)


def test_a_key_without_bounds_asks_as_before(caller, wish):
    assert caller("holder", "read", "redeem").post("requests", wish).status_code == 201
