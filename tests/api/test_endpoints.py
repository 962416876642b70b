"""Where capabilities are executed, over REST: the owner says so, the secret goes in and never comes out, inside is the venue's word."""

import pytest

from exchange.replay.event_walk import walk_events
from rights.models import Event
from settlement.models import Endpoint
from settlement.services.secrets import unseal
from tests.supply_desk import SupplyDesk

HIDDEN = "sk-of-the-supplier"


@pytest.fixture
def supply(desk):
    return SupplyDesk(desk)


@pytest.fixture
def place(supply):
    return f"suppliers/sup_{supply.supplier.uuid}/endpoints"


@pytest.fixture
def body(supply):
    return {
        "capability_id": f"cap_{supply.capability.uuid}",
        "adapter": "openai",
        "base_url": "https://supplier.example/v1/",
        "model": "large-1",
        "secret": HIDDEN,
    }


@pytest.fixture
def boreal(supply, caller):
    return caller("boreal", "supply", "read")


@pytest.fixture
def made(boreal, place, body):
    answer = boreal.post(place, body)
    assert answer.status_code == 201, answer.json()
    return answer.json()


def wrong(answer):
    return answer.status_code, [(error["field"], error["code"]) for error in answer.json()["field_errors"]]


def test_an_endpoint_is_registered_and_its_secret_is_nowhere_to_be_read(supply, boreal, place, made):
    assert (made["status"], made["base_url"], made["with_secret"], made["inside"]) == ("active", "https://supplier.example/v1", True, False)
    assert made["health"] == {"breaker": "closed", "opened_until": None, "failures_in_a_row": 0, "latency_ms": None}
    row = Endpoint.objects.get()
    assert unseal(row.secret, endpoint_uuid=str(row.uuid)) == HIDDEN
    assert HIDDEN not in row.secret
    assert boreal.get(place).json()["data"] == [made]
    assert boreal.get(f"{place}/{made['id']}").json() == made
    (told,) = boreal.get(f"events?object={made['id']}").json()["data"]
    assert (told["type"], told["payload"]["base_url"], told["payload"]["with_secret"]) == ("endpoint.registered", made["base_url"], True)
    assert HIDDEN not in "".join(Event.objects.values_list("body", flat=True))


def test_it_is_changed_paused_and_rebuilt_from_its_events(boreal, place, made):
    one = f"{place}/{made['id']}"
    changed = boreal.patch(one, {"model": "large-2", "timeout_ms": 5000, "status": "paused", "reason": "a new rack"}).json()
    assert changed == {**made, "model": "large-2", "timeout_ms": 5000, "status": "paused"}
    told = boreal.get(f"events?object={made['id']}").json()["data"][-1]["payload"]
    assert (told["reason"], told["secret_changed"], told["status"]) == ("a new rack", False, "paused")
    assert boreal.patch(one, {"secret": ""}).json()["with_secret"] is False
    assert boreal.patch(one, {"status": "active"}).json()["status"] == "active"
    assert walk_events().findings.listed == []
    Endpoint.objects.update(model="large-3")
    assert [finding.row["kind"] for finding in walk_events().findings.listed] == ["endpoint"]


def test_one_is_active_at_a_time(boreal, place, body, made):
    assert wrong(boreal.post(place, body)) == (422, [])
    assert boreal.post(place, body).json()["gates"][0]["code"] == "endpoint_exists"
    boreal.patch(f"{place}/{made['id']}", {"status": "paused"})
    assert boreal.post(place, body).status_code == 201
    assert boreal.patch(f"{place}/{made['id']}", {"status": "active"}).json()["gates"][0]["code"] == "endpoint_exists"


@pytest.mark.parametrize(
    ("wish", "field", "code"),
    [
        ({"base_url": "http://supplier.example/v1"}, "base_url", "endpoint_address"),
        ({"base_url": "https://127.0.0.1/v1"}, "base_url", "endpoint_address"),
        ({"base_url": "https://127.0.0.1/v1", "inside": True}, "base_url", "endpoint_address"),
        ({"inside": True}, "inside", "endpoint_address"),
        ({"adapter": "command", "base_url": None, "model": "cat"}, "adapter", "endpoint_adapter"),
        ({"adapter": "node-network"}, "base_url", "endpoint_address"),
    ],
)
def test_what_a_supplier_may_not_say(boreal, place, body, wish, field, code):
    status, found = wrong(boreal.post(place, {**body, **wish}))
    assert (status, (field, code) in found) == (422, True), found
    assert Endpoint.objects.count() == 0


def test_fields_of_the_wrong_kind_are_named(boreal, place, body):
    sent = {**body, "timeout_ms": 5, "max_attempts": "2", "secret": "a b", "inside": "yes", "color": "red"}
    status, found = wrong(boreal.post(place, sent))
    assert (status, sorted(field for field, _ in found)) == (400, ["color", "inside", "max_attempts", "timeout_ms"])


def test_an_operator_may_let_it_be_inside_and_its_owner_keeps_it_there(caller, boreal, place, made):
    operator, one = caller("other", "operate"), f"{place}/{made['id']}"
    inside = operator.patch(one, {"base_url": "http://10.0.0.7:8000/v1", "inside": True, "secret": HIDDEN, "reason": "in our own rack"})
    assert (inside.status_code, inside.json()["inside"]) == (200, True)
    assert boreal.patch(one, {"timeout_ms": 9000}).json()["inside"] is True
    assert wrong(boreal.patch(one, {"base_url": "http://10.0.0.8:8000/v1"}))[0] == 422
    assert boreal.patch(one, {"base_url": "https://supplier.example", "inside": False, "secret": ""}).json()["inside"] is False


@pytest.mark.parametrize("elsewhere", ["https://other.example/v1", "https://supplier.example:8443/v1"])
def test_a_kept_secret_goes_to_no_other_host(boreal, place, made, elsewhere):
    one = f"{place}/{made['id']}"
    assert wrong(boreal.patch(one, {"base_url": elsewhere})) == (422, [("secret", "endpoint_setup")])
    assert boreal.patch(one, {"base_url": "https://SUPPLIER.example:443/v2"}).json()["with_secret"] is True
    assert boreal.patch(one, {"base_url": elsewhere, "secret": "sk-new"}).json()["base_url"] == elsewhere
    assert boreal.patch(one, {"base_url": "https://supplier.example", "secret": ""}).json()["with_secret"] is False
    assert boreal.patch(one, {"base_url": elsewhere}).status_code == 200


def test_others_learn_nothing(caller, boreal, place, made):
    other = caller("other", "supply", "read")
    assert other.get(place).status_code == 403
    assert other.patch(f"{place}/{made['id']}", {"status": "paused"}).status_code == 403
    assert other.get(f"events?object={made['id']}").json()["data"] == []
    assert caller("other", "audit").get(f"{place}/{made['id']}").json() == made
    assert caller("other", "audit", "supply").patch(f"{place}/{made['id']}", {"status": "paused"}).status_code == 403
    assert boreal.get(f"{place}/end_0192e4a0-0000-7000-8000-000000000000").status_code == 404


def test_of_a_retired_capability_there_is_no_endpoint(supply, boreal, place, body):
    boreal.delete(f"suppliers/sup_{supply.supplier.uuid}/capabilities/cap_{supply.capability.uuid}")
    assert boreal.post(place, body).json()["gates"][0]["code"] == "source_retired"
