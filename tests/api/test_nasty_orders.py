"""Every nasty value on every field of order entry: 4xx with the field named, and nothing changes."""

import json
import uuid

import httpx
import psycopg
import pytest

from tests.api.nasty_values import BODIES, VALUES
from tests.api.test_order_entry import ROOT, client_of, order

OK = {200, 201, 409, 422}  # a value may happen to be good, or good and refused by a rule of the book

# A value that is good in itself may not go with another field; then that one is named.
RELATED = {
    "type": ("price", "time_in_force", "post_only"),
    "time_in_force": ("expire_time", "post_only"),
    "post_only": ("post_only_action",),
}


@pytest.fixture(scope="module")
def venue(live_exchange):
    live_exchange.manage("seed_demo")
    return live_exchange


@pytest.fixture(scope="module")
def symbol(venue):
    listed = httpx.get(f"{venue.base_url}/api/v1/instruments", params={"phase": "continuous", "limit": "100"}).json()["data"]
    return max(i["symbol"] for i in listed if i["symbol"].startswith("GPU"))


@pytest.fixture(scope="module")
def buyer(venue):
    with client_of(venue, "buyer") as client:
        yield client


@pytest.fixture(scope="module")
def stranger(venue):
    """Somebody who has no orders, so that nothing he names is his."""
    with client_of(venue, "supplier") as client:
        yield client


def whole(symbol: str) -> dict:
    """An order with every field a client may give."""
    return order(
        symbol,
        type="limit",
        time_in_force="gtd",
        expire_time="2099-01-01T00:00:00Z",
        post_only=True,
        post_only_action="reject",
        self_trade_prevention="cancel_newest",
        client_order_id=uuid.uuid4().hex,
        group="nasty",
        rights=None,
        accept=None,
        deadline="2099-01-01T00:00:00Z",
    )


def place_in(body: object, field: str, raw: bytes) -> bytes:
    return json.dumps({**body, field: "@@here@@"}).encode().replace(b'"@@here@@"', raw)  # type: ignore[dict-item]


def breaks_the_whole(raw: bytes) -> bool:
    """Fragments that end the object early, or begin a comment, are not inside the field any more."""
    try:
        json.loads(b"[" + raw + b"]")
    except (ValueError, RecursionError):
        return True
    return raw.startswith((b"1,", b"["))


def counts(venue) -> tuple[int, ...]:
    with psycopg.connect(venue.env["DATABASE_URL"]) as database:
        return database.execute(
            "SELECT (SELECT count(*) FROM exchange_command), (SELECT count(*) FROM exchange_trade), (SELECT count(*) FROM settlement_posting), "
            "(SELECT count(*) FROM rights_event), (SELECT sum(amount) FROM settlement_balance)"
        ).fetchone()


def send(buyer: httpx.Client, method: str, path: str, raw: bytes) -> httpx.Response:
    return buyer.request(method, path, content=raw, headers={"Content-Type": "application/json"})


def check(answer: httpx.Response, field: str, raw: bytes) -> bool:
    """Whether the value was taken; fails unless it was taken or refused by its name."""
    if answer.status_code in OK:
        return True
    assert answer.status_code == 400, (field, raw[:80], answer.status_code, answer.text[:300])
    named = [error["field"] for error in answer.json()["field_errors"]]
    meant = (field, *RELATED.get(field, ()))
    assert any(name.startswith(meant) for name in named) or breaks_the_whole(raw), (field, raw[:80], answer.json())
    return False


@pytest.mark.parametrize("field", sorted(whole("X")))
def test_no_field_of_a_new_order_lets_nonsense_in(venue, buyer, symbol, field):
    before, taken = counts(venue), 0
    for raw in VALUES:
        body = whole(symbol)
        answer = send(buyer, "POST", ROOT, place_in(body, field, raw))
        taken += check(answer, field, raw) and answer.status_code in (201, 422)
    buyer.delete(ROOT, params={"instrument": symbol})
    after = counts(venue)
    assert after[1:] == before[1:]
    assert after[0] - before[0] <= taken + 1


@pytest.mark.parametrize("field", ["quantity", "price", "expire_time", "deadline"])
def test_no_field_of_an_amendment_lets_nonsense_in(venue, buyer, symbol, field):
    placed = buyer.post(ROOT, json=order(symbol)).json()
    for raw in VALUES:
        check(send(buyer, "PATCH", f"{ROOT}/{placed['id']}", place_in({"quantity": "2"}, field, raw)), field, raw)
    buyer.delete(ROOT, params={"instrument": symbol})


def test_no_operation_of_a_batch_lets_nonsense_in(venue, stranger):
    before = counts(venue)
    for field in ("op", "id", "client_order_id"):
        base = {"op": "cancel", "id": "ord_01a2086b-3fff-7000-9e34-929950e4dfce"}
        for raw in VALUES:
            body = (
                b'{"operations":['
                + place_in({k: v for k, v in base.items() if k != "id" or field != "client_order_id"}, field, raw)
                + b"]}"
            )
            answer = send(stranger, "POST", f"{ROOT}/batch", body)
            assert answer.status_code in (200, 400), raw[:80]
            if answer.status_code == 200:
                assert all(result["status"] in (400, 404) for result in answer.json()["results"]), (field, raw[:80])
    for raw in (*VALUES, *BODIES):
        answer = send(stranger, "POST", f"{ROOT}/batch", b'{"operations":' + raw + b"}")
        assert answer.status_code in (200, 400, 415), raw[:80]
    assert counts(venue) == before


def test_no_query_of_a_mass_cancel_lets_nonsense_in(buyer):
    for name in ("instrument", "class", "side", "group", "colour"):
        for raw in VALUES[::3]:
            answer = buyer.delete(ROOT, params={name: raw[:1000].decode("utf-8", "replace")})
            assert answer.status_code in (200, 400), (name, raw[:80])


def test_nasty_bodies(buyer):
    for path in (ROOT, f"{ROOT}/preview", f"{ROOT}/batch"):
        for raw in BODIES:
            assert 400 <= send(buyer, "POST", path, raw).status_code < 500, (path, raw[:80])
