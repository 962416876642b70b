"""Every nasty value on every field of the writes of using rights: 4xx with the field named, and nothing changes."""

import json
import re
from typing import Any

import pytest

from exchange.api import base
from rights.domain.capability import WORKLOADS
from settlement.domain.request_states import BUDGETS, DELIVERIES
from tests.api import good_values as good
from tests.api.nasty_values import BODIES, VALUES, for_field
from tests.api.test_nasty_fields import _breaks_the_whole, _fields, _try, _with, state_now
from tests.redeem_desk import BODY, RedeemDesk

NAMES = ("submit", "submit by hash", "quotes", "lock", "release", "cancel")


def _matching(pattern: str) -> good.Good:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII) is not None


def _object_text(value: Any) -> bool:
    return isinstance(value, str) and isinstance(good.read(value.encode()), dict)


GOOD: dict[str, good.Good] = {
    "workload": good.one_of(*WORKLOADS),
    "operation": _matching("[a-z0-9][a-z0-9._/-]{0,63}"),
    "units": good.digits(),
    "constraints": good.or_null(good.nothing_in_it),
    "preferences": good.or_null(good.nothing_in_it),
    "fallback_policy": good.or_null(lambda value: value == []),
    "budget": good.or_null(good.one_of(*BUDGETS)),
    "spill_over": good.or_null(good.flag),
    "delivery": good.or_null(good.one_of(*DELIVERIES)),
    "payload": _object_text,
    "payload_hash": _matching("[0-9a-f]{64}"),
    "route": good.or_null(good.one_of("auto", "manual")),
    "result_shape": good.or_null(_matching("[A-Za-z0-9][A-Za-z0-9._/+-]{0,63}")),
    "route_ids": good.or_null(good.never),
    "reason": good.or_null(good.text(500)),
}


@pytest.fixture
def desk(db: None, monkeypatch: pytest.MonkeyPatch) -> RedeemDesk:
    made = RedeemDesk()
    monkeypatch.setattr(base, "now_us", lambda: made.now_us)
    return made


@pytest.fixture
def writes(desk: RedeemDesk, caller: Any) -> dict[str, tuple[Any, str, dict[str, Any]]]:
    """name → (caller, path, good body)."""
    holder = caller("holder")
    wish = {
        "workload": "text.generation",
        "operation": "chat.completions",
        "units": "10",
        "rights": [{"right_id": f"rgt_{desk.right.pk}", "max_spend": "10"}],
        "constraints": {
            "latest_at": "2026-12-01T12:00:00Z",
            "privacy_class": "private",
            "jurisdictions": ["US"],
            "max_latency_class": "batch",
            "tags": ["json-mode"],
            "providers": ["boreal"],
            "denied_providers": ["cloudy"],
        },
        "preferences": {"cost": 1, "latency": 2, "privacy": 3, "quality": 4},
        "fallback_policy": [],
        "budget": "actual",
        "spill_over": True,
        "delivery": "async",
        "route": "manual",
        "result_shape": "json",
    }
    least = {name: wish[name] for name in ("workload", "operation", "units", "rights")}
    made = [holder.post("requests", {**wish, "payload": BODY, "route": route}).json() for route in ("manual", "auto")]
    return {
        "submit": (holder, "requests", {**wish, "payload": BODY}),
        "submit by hash": (holder, "requests", {**least, "payload_hash": "0" * 64}),
        "quotes": (holder, f"requests/{made[0]['id']}/quotes", {}),
        "lock": (holder, f"requests/{made[0]['id']}/lock", {"route_ids": [made[0]["routes"][0]["id"]]}),
        "release": (holder, f"requests/{made[1]['id']}/release", {"reason": "x"}),
        "cancel": (holder, f"requests/{made[0]['id']}/cancel", {"reason": "x"}),
    }


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("unhurried")
def test_nasty_values_change_nothing_and_name_the_field(writes, name):
    who, path, body = writes[name]
    assert _try(who, path, json.dumps(body).encode()).status_code < 300
    before = state_now()
    for number, way in enumerate(_fields(body)):
        for raw in for_field(number, depth=len(way)):
            answer = _try(who, path, _with(body, way, raw))
            assert answer.status_code < 500, (way, raw[:80])
            assert answer.status_code == 400 or len(way) > 1 or GOOD.get(way[0], good.never)(good.read(raw)), (way, raw[:80], answer.json())
            if answer.status_code == 400:
                named = [error["field"] for error in answer.json()["field_errors"]]
                fits = any(field.startswith(way[0]) for field in named)
                assert fits or _breaks_the_whole(raw), (way, raw[:80], answer.json())
    assert state_now() == before


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("unhurried")
def test_nasty_bodies_and_unknown_fields(writes, name):
    who, path, body = writes[name]
    before = state_now()
    # Where nothing has to be said, an empty body says it all.
    for raw in BODIES if name.startswith("submit") else BODIES[1:]:
        answer = _try(who, path, raw)
        assert 400 <= answer.status_code < 500, raw[:60]
    for raw in VALUES[::7]:
        if not _breaks_the_whole(raw):
            answer = _try(who, path, _with({**body, "surplus": 1}, ("surplus",), raw))
            assert answer.status_code == 400
            assert [e["field"].partition(".")[0] for e in answer.json()["field_errors"]] == ["surplus"], raw[:60]
    assert state_now() == before


@pytest.mark.parametrize("field", ["right_id", "max_spend"])
@pytest.mark.usefixtures("unhurried")
def test_nasty_values_inside_a_right(writes, field):
    who, path, body = writes["submit"]
    before = state_now()
    for raw in for_field(0, depth=2):
        right = {**body["rights"][0], field: "@@here@@"}
        sent = json.dumps({**body, "rights": [right]}).encode().replace(b'"@@here@@"', raw)
        answer = _try(who, path, sent)
        assert answer.status_code in {201, 400, 422}, (raw[:80], answer.json())
        if answer.status_code == 400 and not _breaks_the_whole(raw):
            assert [error["field"] for error in answer.json()["field_errors"]] in ([f"rights.0.{field}"], ["rights"]), raw[:80]
    assert state_now() == before
