"""Orders over REST against a running venue: what API.md promises of placing, amending, cancelling and asking again."""

import json
import uuid
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.plugins.live import LiveExchange, wait_until

ROOT = "/api/v1/orders"


@pytest.fixture(scope="module")
def venue(live_exchange: LiveExchange) -> LiveExchange:
    live_exchange.manage("seed_demo")
    return live_exchange


@pytest.fixture(scope="module")
def symbol(venue):
    listed = httpx.get(f"{venue.base_url}/api/v1/instruments", params={"phase": "continuous", "limit": "100"}).json()["data"]
    return max(i["symbol"] for i in listed if i["symbol"].startswith("TXT"))


def client_of(venue: LiveExchange, participant: str, scopes: str = "read,trade,cancel") -> httpx.Client:
    token = json.loads(venue.manage("create_key", participant, "--scopes", scopes).stdout)["token"]
    return httpx.Client(base_url=venue.base_url, headers={"Authorization": f"Bearer {token}"}, timeout=30)


@pytest.fixture(scope="module")
def buyer(venue):
    with client_of(venue, "buyer") as client:
        yield client


@pytest.fixture(scope="module")
def seller(venue):
    with client_of(venue, "seller") as client:
        yield client


@pytest.fixture(autouse=True)
def clean_book(buyer, seller, symbol):
    yield
    for client in (buyer, seller):
        client.delete(ROOT, params={"instrument": symbol})


def order(symbol: str, side: str = "buy", quantity: str = "1", price: str = "1.000", **more: object) -> dict:
    return {"instrument": symbol, "side": side, "quantity": quantity, "price": price, **more}


def own() -> str:
    return f"t-{uuid.uuid4().hex}"


def test_a_resting_order_answers_whole(buyer, symbol):
    answer = buyer.post(ROOT, json=order(symbol, client_order_id=(cid := own())))
    assert answer.status_code == 201
    body = answer.json()
    assert (body["status"], body["client_order_id"], body["remaining_quantity"], body["fills"]) == ("open", cid, "1", [])
    assert answer.headers["X-Book-Seq"] == body["book_seq"]
    assert answer.headers["X-Request-Id"]
    assert buyer.get(f"{ROOT}/{body['id']}").json()["status"] == "open"
    assert buyer.get(f"{ROOT}/by-client-id/{cid}").json()["id"] == body["id"]


def test_the_same_body_again_is_a_replay_and_another_is_refused(buyer, symbol):
    body = order(symbol, client_order_id=own())
    first, again = buyer.post(ROOT, json=body), buyer.post(ROOT, json=body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert (again.json()["id"], again.json()["replayed"]) == (first.json()["id"], True)
    other = buyer.post(ROOT, json=body | {"quantity": "2"})
    assert (other.status_code, other.json()["code"]) == (409, "client_order_id_reused")
    buyer.delete(f"{ROOT}/{first.json()['id']}")
    late = buyer.post(ROOT, json=body)
    assert (late.status_code, late.json()["status"]) == (200, "cancelled")


def test_a_trade_delivers_rights_and_tells_both(buyer, seller, symbol):
    seller.post(ROOT, json=order(symbol, "sell", "3", "2.000")).raise_for_status()
    before = {b["currency"]: b for b in buyer.get("/api/v1/balances").json()["data"]}["USD"]
    taken = buyer.post(ROOT, json=order(symbol, "buy", "2", "2.500")).json()
    assert (taken["status"], taken["average_price"]) == ("filled", "2.00")
    fill = taken["fills"][0]
    assert (fill["price"], fill["quantity"], fill["liquidity"], fill["units"]) == ("2.000", "2", "taker", "2000000")
    delivery = fill["deliveries"][0]
    right = buyer.get(f"/api/v1/rights/{delivery['right_id']}").json()
    assert right["parent_right_id"] == delivery["parent_right_id"]
    assert int(right["remaining_amount"]) >= int(delivery["units"])
    after = {b["currency"]: b for b in buyer.get("/api/v1/balances").json()["data"]}["USD"]
    assert round(float(before["total"]) - float(after["total"]), 6) == round(4 + float(fill["fee"]), 6)
    assert buyer.get(f"/api/v1/fills/{fill['id']}").json()["receipt_hash"] == fill["receipt_hash"]
    assert seller.get(f"/api/v1/fills/{fill['id']}").status_code == 404


def test_amend_keeps_or_loses_priority(buyer, symbol):
    placed = buyer.post(ROOT, json=order(symbol, quantity="5")).json()
    less = buyer.patch(f"{ROOT}/{placed['id']}", json={"quantity": "3"}).json()
    assert (less["priority"], less["remaining_quantity"]) == ("kept", "3")
    more = buyer.patch(f"{ROOT}/{placed['id']}", json={"quantity": "4"}).json()
    assert (more["priority"], more["quantity"]) == ("lost", "4")
    nothing = buyer.patch(f"{ROOT}/{placed['id']}", json={"quantity": "4"})
    assert (nothing.status_code, nothing.json()["code"]) == (422, "nothing_to_amend")


def test_cancel_once_and_again(buyer, seller, symbol):
    placed = buyer.post(ROOT, json=order(symbol)).json()
    assert buyer.delete(f"{ROOT}/{placed['id']}").json()["status"] == "cancelled"
    again = buyer.delete(f"{ROOT}/{placed['id']}")
    assert (again.status_code, again.json()["code"]) == (422, "order_terminal")
    foreign = seller.delete(f"{ROOT}/{placed['id']}")
    missing = seller.delete(f"{ROOT}/ord_01a2086b-3fff-7000-9e34-929950e4dfce")
    assert foreign.status_code == missing.status_code == 404
    assert {k: v for k, v in foreign.json().items() if k != "request_id"} == {k: v for k, v in missing.json().items() if k != "request_id"}


def test_mass_cancel_by_group(buyer, symbol):
    ids = [buyer.post(ROOT, json=order(symbol, group=g)).json()["id"] for g in ("a", "a", "b")]
    answer = buyer.delete(ROOT, params={"instrument": symbol, "group": "a"}).json()
    assert (sorted(answer["ids"]), answer["count"]) == (sorted(ids[:2]), 2)
    assert buyer.get(f"{ROOT}/{ids[2]}").json()["status"] == "open"


def test_a_batch_is_applied_in_order_and_never_all_or_nothing(buyer, symbol):
    cid = own()
    operations = [
        {"op": "place", **order(symbol, client_order_id=cid)},
        {"op": "place", **order(symbol, quantity="0")},
        {"op": "amend", "client_order_id": cid, "quantity": "7"},
        {"op": "cancel", "client_order_id": cid},
        {"op": "cancel", "id": "ord_01a2086b-3fff-7000-9e34-929950e4dfce"},
        {"op": "sing"},
    ]
    results = buyer.post(f"{ROOT}/batch", json={"operations": operations}).json()["results"]
    assert [r["status"] for r in results] == [201, 400, 200, 200, 404, 400]
    assert results[1]["error"]["field_errors"][0]["field"] == "quantity"
    assert results[3]["order"]["status"] == "cancelled"


def test_a_batch_sent_again_means_the_orders_that_are_there(buyer, symbol):
    """The answer to the first order was lost; whoever sends it again with a cancel behind it gets rid of it."""
    body = order(symbol, client_order_id=(cid := own()))
    first = buyer.post(ROOT, json=body).json()
    operations = [
        {"op": "place", **body},
        {"op": "amend", "client_order_id": cid, "quantity": "2"},
        {"op": "cancel", "client_order_id": cid},
    ]
    results = buyer.post(f"{ROOT}/batch", json={"operations": operations}).json()["results"]
    assert [(r["status"], r.get("order", {}).get("id")) for r in results] == [(200, first["id"])] * 3
    assert buyer.get(f"{ROOT}/{first['id']}").json()["status"] == "cancelled"


def test_an_order_whose_time_is_over_is_still_there_when_it_is_sent_again(buyer, symbol):
    soon = datetime.now(UTC) + timedelta(milliseconds=800)
    body = order(symbol, client_order_id=own(), time_in_force="gtd", expire_time=soon.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    first = buyer.post(ROOT, json=body).json()
    wait_until(lambda: buyer.get(f"{ROOT}/{first['id']}").json()["status"] == "expired", 20, "the order expires")
    again = buyer.post(ROOT, json=body)
    assert (again.status_code, again.json()["id"], again.json()["replayed"]) == (200, first["id"], True)
    other = buyer.post(ROOT, json=body | {"quantity": "2"})
    assert (other.status_code, other.json()["code"]) == (409, "client_order_id_reused")
    operations = [
        {"op": "place", **body},
        {"op": "place", **body, "client_order_id": own()},
        {"op": "place", **body, "client_order_id": None},
    ]
    results = buyer.post(f"{ROOT}/batch", json={"operations": operations}).json()["results"]
    assert [r["status"] for r in results] == [200, 400, 400]
    for fresh in (body | {"client_order_id": own()}, body | {"client_order_id": None}):
        refused = buyer.post(ROOT, json=fresh)
        assert (refused.status_code, [e["field"] for e in refused.json()["field_errors"]]) == (400, ["expire_time"])
    assert buyer.post(f"{ROOT}/preview", json=body).status_code == 400


def test_refused_by_a_rule_is_a_rejected_order(buyer, symbol):
    answer = buyer.post(ROOT, json=order(symbol, quantity="10000", price="17.000", client_order_id=(cid := own())))
    assert (answer.status_code, answer.json()["code"]) == (422, "insufficient_funds")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["order"]["status"] == "rejected"
    found = buyer.get(f"{ROOT}/by-client-id/{cid}").json()
    assert (found["status"], found["reason"]) == ("rejected", "insufficient_funds")


def test_every_answer_says_how_far_the_book_is_and_what_was_asked(buyer, seller, symbol):
    placed = buyer.post(ROOT, json=order(symbol, client_order_id=own()))
    same = buyer.patch(f"{ROOT}/{placed.json()['id']}", json={"quantity": "1"})
    assert (same.status_code, same.json()["code"]) == (422, "nothing_to_amend")
    gone = buyer.delete(ROOT, params={"instrument": symbol})
    again = buyer.delete(f"{ROOT}/{placed.json()['id']}")
    assert (again.status_code, again.json()["code"]) == (422, "order_terminal")
    seqs = [int(answer.headers["X-Book-Seq"]) for answer in (placed, same, gone, again)]
    assert seqs == sorted(set(seqs))
    right = next(r for r in seller.get("/api/v1/rights", params={"holder": "me"}).json()["data"] if symbol in r["instruments"])
    asked = {"rights": [right["id"]], "deadline": "2099-01-01T00:00:00.000000Z"}
    sell = seller.post(ROOT, json=order(symbol, "sell", "1", "9.000", **asked)).json()
    stored = seller.get(f"{ROOT}/{sell['id']}").json()
    assert [{name: told[name] for name in asked} for told in (sell, stored)] == [asked, asked]


def test_every_wrong_field_is_named_at_once(buyer, symbol):
    bad = {"instrument": symbol, "side": "long", "quantity": 5, "price": "1.00005", "time_in_force": "gtd", "colour": "red"}
    answer = buyer.post(ROOT, json=bad)
    assert answer.status_code == 400
    assert {e["field"] for e in answer.json()["field_errors"]} == {"side", "quantity", "price", "expire_time", "colour"}


def test_respond_async_and_read_your_write(buyer, symbol):
    answer = buyer.post(ROOT, json=order(symbol, client_order_id=own()), headers={"Prefer": "respond-async"})
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    assert buyer.get(f"{ROOT}/{answer.json()['id']}").json()["status"] in ("pending", "open")


def test_what_is_under_way_is_told_under_the_name_it_was_asked_by(buyer, symbol):
    named = own()
    buyer.post(ROOT, json=order(symbol, client_order_id=named))
    operations = [{"op": "amend", "client_order_id": named, "quantity": "1"}, {"op": "cancel", "client_order_id": named}]
    batch = buyer.post(f"{ROOT}/batch", json={"operations": operations}, headers={"Prefer": "respond-async"}).json()
    assert [(r["status"], r["order"]["client_order_id"]) for r in batch["results"]] == [(202, named)] * 2
    again = own()
    buyer.post(ROOT, json=order(symbol, client_order_id=again))
    one = buyer.delete(f"{ROOT}/by-client-id/{again}", headers={"Prefer": "respond-async"})
    assert (one.status_code, one.json()["client_order_id"]) == (202, again)


def test_validate_only_and_preview_place_nothing(buyer, symbol):
    seen = buyer.post(ROOT, params={"validate_only": "true"}, json=order(symbol)).json()
    assert (seen["accepted"], seen["validate_only"]) == (True, True)
    poor = buyer.post(f"{ROOT}/preview", json=order(symbol, quantity="10000", price="17.000")).json()
    assert (poor["accepted"], poor["reason"]) == (False, "insufficient_funds")
    assert buyer.get(ROOT, params={"instrument": symbol, "status": "open"}).json()["data"] == []


def test_scopes_and_keys(venue, symbol):
    with client_of(venue, "buyer", "read") as reader:
        assert reader.post(ROOT, json=order(symbol)).json()["code"] == "scope_missing"
    assert httpx.post(f"{venue.base_url}{ROOT}", json=order(symbol)).status_code == 401
    wrong = httpx.post(f"{venue.base_url}{ROOT}", json=order(symbol), headers={"Authorization": "Bearer key_x.y"})
    assert (wrong.status_code, wrong.json()["code"]) == (401, "unauthenticated")


def test_a_revoked_key_trades_no_more(venue, symbol):
    made = json.loads(venue.manage("create_key", "buyer", "--scopes", "read,trade,cancel").stdout)
    headers = {"Authorization": f"Bearer {made['token']}"}
    with httpx.Client(base_url=venue.base_url, headers=headers, timeout=30) as client:
        assert client.post(ROOT, json=order(symbol)).status_code == 201
        assert client.delete(f"/api/v1/keys/{made['key_id']}").status_code in (200, 204)
        assert client.post(ROOT, json=order(symbol)).status_code == 401


def test_fok_ioc_and_market(buyer, seller, symbol):
    seller.post(ROOT, json=order(symbol, "sell", "2", "3.000")).raise_for_status()
    fok = buyer.post(ROOT, json=order(symbol, "buy", "3", "3.000", time_in_force="fok")).json()
    assert (fok["status"], fok["reason"], fok["filled_quantity"]) == ("cancelled", "fok_unfillable", "0")
    market = buyer.post(ROOT, json={"instrument": symbol, "side": "buy", "type": "market", "quantity": "3"}).json()
    assert (market["status"], market["reason"], market["filled_quantity"], market["price"]) == ("cancelled", "ioc_remainder", "2", None)


def test_self_trade_is_prevented(seller, symbol):
    seller.post(ROOT, json=order(symbol, "sell", "1", "4.000")).raise_for_status()
    taker = seller.post(ROOT, json=order(symbol, "buy", "1", "4.000")).json()
    assert (taker["status"], taker["reason"]) == ("cancelled", "self_trade")
