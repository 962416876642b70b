"""Every nasty value on every field of order entry: 4xx with the field named, and nothing changes."""

import json
import uuid
from decimal import Decimal

import httpx
import psycopg
import pytest

from tests.api import good_values as good
from tests.api.nasty_values import BODIES, VALUES
from tests.api.test_order_entry import ROOT, client_of, order

OK = {200, 201, 409, 422}  # a good value: taken, or refused by a rule of the book

# What each field may take where the others are as in `whole`; nothing else may come through.
PLACED: dict[str, good.Good] = {
    "instrument": good.never,
    "side": good.one_of("buy", "sell"),
    "type": good.or_null(good.one_of("limit")),
    "quantity": good.digits(10**12),
    "price": good.price("0.001", 10**12),
    "time_in_force": good.one_of("gtd"),
    "expire_time": good.never,
    "post_only": lambda value: value is True,
    "post_only_action": good.or_null(good.one_of("reject", "slide")),
    "self_trade_prevention": good.or_null(good.one_of("cancel_newest", "cancel_oldest", "cancel_both", "decrement")),
    "client_order_id": good.or_null(good.client_name),
    "group": good.or_null(good.client_name),
    "rights": good.or_null(good.never),
    "accept": good.or_null(good.nothing_in_it),
    "deadline": good.or_null(good.never),
}
AMENDED = {name: PLACED[name] for name in ("quantity", "price")} | dict.fromkeys(
    ("price", "expire_time", "deadline"), good.or_null(good.never)
)
AMENDED["price"] = good.or_null(PLACED["price"])

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


def counts(venue) -> tuple[int | str, ...]:
    """How many commands there are, and what nothing of this may change: members' events, trades, money and rights, held and reserved too, what is open."""
    with psycopg.connect(venue.env["DATABASE_URL"]) as database:
        return database.execute(
            "SELECT (SELECT count(*) FROM exchange_command WHERE account_id IS NOT NULL), (SELECT count(*) FROM exchange_trade), "
            '(SELECT count(*) FROM settlement_posting), (SELECT count(*) FROM rights_event WHERE body ~ \'"actor":"(key|user):\'), '
            "(SELECT md5(string_agg(concat_ws(' ', account_id, asset_id, amount, held), '|' ORDER BY account_id, asset_id)) "
            " FROM settlement_balance), "
            "(SELECT md5(string_agg(concat_ws(' ', id, holder_id, status, max_units, remaining_units, reserved_units, terms_hash), '|' "
            " ORDER BY id)) FROM rights_right), "
            "(SELECT md5(coalesce(string_agg(concat_ws(' ', id, price_ticks, quantity_lots, remaining_lots, expire_at), '|' ORDER BY id), '')) "
            " FROM exchange_order WHERE is_open)"
        ).fetchone()


def send(buyer: httpx.Client, method: str, path: str, raw: bytes) -> httpx.Response:
    return buyer.request(method, path, content=raw, headers={"Content-Type": "application/json"})


def check(answer: httpx.Response, field: str, raw: bytes, may: good.Good) -> bool:
    """Whether the value was taken; fails unless it was good and taken, or refused by its name."""
    if may(good.read(raw)):
        assert answer.status_code in OK, (field, raw[:80], answer.status_code, answer.text[:300])
        return True
    assert answer.status_code == 400, (field, raw[:80], answer.status_code, answer.text[:300])
    named = [error["field"] for error in answer.json()["field_errors"]]
    meant = (field, *RELATED.get(field, ()))
    assert any(name.startswith(meant) for name in named) or breaks_the_whole(raw), (field, raw[:80], answer.json())
    return False


def means(told: dict, field: str, given: object) -> bool:
    """Whether the order has just the value that was sent."""
    if given is None or field == "accept":
        return True
    return Decimal(told[field]) == Decimal(str(given)) if field == "price" else told[field] == given


@pytest.mark.parametrize("field", sorted(whole("X")))
def test_no_field_of_a_new_order_lets_nonsense_in(venue, buyer, symbol, field):
    before, taken = counts(venue), 0
    for raw in VALUES:
        body = whole(symbol)
        answer = send(buyer, "POST", ROOT, place_in(body, field, raw))
        taken += check(answer, field, raw, PLACED[field]) and answer.status_code in (201, 422)
        if answer.status_code == 201:
            assert means(answer.json(), field, good.read(raw)), (raw[:80], answer.json())
    swept = buyer.delete(ROOT, params={"instrument": symbol})
    after = counts(venue)
    assert after[1:] == before[1:]
    assert after[0] - before[0] == taken + ("X-Book-Seq" in swept.headers)


@pytest.mark.parametrize("field", ["quantity", "price", "expire_time", "deadline"])
def test_no_field_of_an_amendment_lets_nonsense_in(venue, buyer, symbol, field):
    placed = buyer.post(ROOT, json=order(symbol)).json()
    before, taken = counts(venue), 0
    for raw in VALUES:
        answer = send(buyer, "PATCH", f"{ROOT}/{placed['id']}", place_in({"quantity": "2"}, field, raw))
        taken += check(answer, field, raw, AMENDED[field])
    assert counts(venue)[0] - before[0] == taken
    assert counts(venue)[1:4] == before[1:4]
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
