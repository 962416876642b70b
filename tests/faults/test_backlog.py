"""Nobody matches any more: orders pile up to the bound and are refused beyond it, cancels go in; then the matchers return.

Supervisor, matcher and sweeper are held by SIGSTOP, so that nothing brings help before the test lets them go on.
"""

import contextlib
import os
import signal
import uuid
from collections.abc import Iterator

import httpx
import psycopg
import pytest

from tests.api.test_order_entry import ROOT, client_of, order
from tests.feed.client import Client
from tests.plugins.live import LiveExchange, wait_until

BOUND = 50
HELD = ("up", "sweeper", "matcher-1")  # the supervisor first, or it would bring back who no longer answers
AT_ONCE = {"Prefer": "respond-async"}


@pytest.fixture(scope="module")
def venue(start_exchange) -> Iterator[LiveExchange]:
    exchange = start_exchange(PENDING_PER_BOOK=str(BOUND))
    exchange.manage("seed_demo")
    yield exchange
    exchange.close()


@pytest.fixture(scope="module")
def symbols(venue) -> list[str]:
    listed = httpx.get(f"{venue.base_url}/api/v1/instruments", params={"phase": "continuous", "limit": "100"}).json()["data"]
    return sorted(i["symbol"] for i in listed if i["symbol"].startswith("TXT"))[-2:]


@pytest.fixture(scope="module")
def buyer(venue) -> Iterator[httpx.Client]:
    with client_of(venue, "buyer") as client:
        yield client


@contextlib.contextmanager
def held(venue: LiveExchange) -> Iterator[None]:
    """Celery's workers have a child each, so a part is stopped with its whole group; the supervisor is in the test's own."""
    pids = {name: venue.parts()[name] for name in HELD}

    def tell(order: signal.Signals) -> None:
        for name, pid in pids.items():
            (os.kill if name == "up" else os.killpg)(pid, order)

    tell(signal.SIGSTOP)
    try:
        yield
    finally:
        tell(signal.SIGCONT)


def commands(venue: LiveExchange, symbol: str) -> int:
    with psycopg.connect(venue.env["DATABASE_URL"]) as database:
        row = database.execute(
            "SELECT count(*) FROM exchange_command c JOIN exchange_instrument i ON i.id = c.book_id WHERE i.symbol = %s", [symbol]
        ).fetchone()
    return row[0]


def pile_up(buyer: httpx.Client, symbol: str) -> tuple[list[dict], httpx.Response]:
    """Place orders until the bound is reached, again where one is refused before; then one more: what was accepted, and its refusal.

    What was on its way while the process looked counts twice until it looks again, as a client that retries when told finds out.
    """
    accepted: list[dict] = []

    def place() -> httpx.Response:
        body = order(symbol, client_order_id=uuid.uuid4().hex)
        answer = buyer.post(ROOT, json=body, headers=AT_ONCE)
        if answer.status_code == 202:
            accepted.append({**body, "id": answer.json()["id"]})
        else:
            assert answer.status_code == 503, answer.text
        return answer

    wait_until(lambda: place() and len(accepted) >= BOUND, 30, "as many orders as may wait")
    return accepted, place()


async def test_orders_wait_up_to_the_bound_and_cancels_beyond_it(venue, buyer, symbols):
    symbol, other = symbols
    resting = buyer.post(ROOT, json=order(symbol)).json()
    wait_until(lambda: buyer.get("/api/v1/status").json()["components"]["matcher"]["pending_commands"] == "0", 10, "a quiet venue")
    with held(venue):
        accepted, refusal = pile_up(buyer, symbol)
        assert len(accepted) == BOUND
        problem = refusal.json()
        assert (refusal.status_code, problem["code"], problem["retryable"]) == (503, "busy", True)
        assert refusal.headers["Retry-After"] == "1"
        assert refusal.headers["Content-Type"] == "application/problem+json"

        before = commands(venue, symbol)
        for method, path, body in (
            ("POST", ROOT, order(symbol, client_order_id=(refused := uuid.uuid4().hex))),
            ("PATCH", f"{ROOT}/{resting['id']}", {"price": "1.001"}),
            ("PATCH", f"{ROOT}/{accepted[0]['id']}", {"price": "1.001"}),
        ):
            answer = buyer.request(method, path, json=body, headers=AT_ONCE)
            assert (answer.status_code, answer.json()["code"]) == (503, "busy"), (method, path)
        # What was accepted is answered as ever, so that whoever did not hear it learns it; what was refused left no trace.
        again = buyer.post(ROOT, json={k: v for k, v in accepted[0].items() if k != "id"}, headers=AT_ONCE)
        assert (again.status_code, again.json()["id"], again.json()["replayed"]) == (200, accepted[0]["id"], True)
        assert buyer.get(f"{ROOT}/by-client-id/{refused}").status_code == 404
        assert buyer.post(f"{ROOT}/preview", json=order(symbol)).status_code == 200
        assert commands(venue, symbol) == before

        assert buyer.post(ROOT, json=order(other), headers=AT_ONCE).status_code == 202
        assert buyer.delete(f"{ROOT}/{accepted[1]['id']}", headers=AT_ONCE).status_code == 202
        operations = [
            {"op": "place", **order(symbol)},
            {"op": "cancel", "id": accepted[2]["id"]},
            {"op": "amend", "id": resting["id"], "quantity": "2"},
            {"op": "place", **order(other)},
        ]
        results = buyer.post(f"{ROOT}/batch", json={"operations": operations}, headers=AT_ONCE).json()["results"]
        assert [result["status"] for result in results] == [503, 202, 503, 202]
        assert {result["error"]["code"] for result in results if "error" in result} == {"busy"}
        await over_the_socket(venue, buyer, symbol, accepted)
        assert commands(venue, symbol) == before + 3
        mass = buyer.delete(ROOT, params={"instrument": other}, headers=AT_ONCE)
        assert (mass.status_code, mass.json()["complete"]) == (200, False)

    def settled() -> bool:
        return all(buyer.get(f"{ROOT}/{body['id']}").json()["status"] != "pending" for body in accepted)

    wait_until(settled, 30, "everything accepted to be applied")
    found = [buyer.get(f"{ROOT}/{body['id']}").json()["status"] for body in accepted]
    assert found == ["open", "cancelled", "cancelled", "cancelled", *["open"] * (BOUND - 4)]
    wait_until(lambda: buyer.post(ROOT, json=order(symbol)).status_code == 201, 10, "room for a new order")
    assert buyer.get(ROOT, params={"instrument": other, "status": "live"}).json()["data"] == []
    buyer.delete(ROOT)
    venue.manage("audit")


async def over_the_socket(venue: LiveExchange, buyer: httpx.Client, symbol: str, accepted: list[dict]) -> None:
    url = venue.base_url.replace("http", "ws", 1) + "/ws/v1"
    client = await Client.open(url, additional_headers={"Authorization": buyer.headers["Authorization"]})
    for op, args in (("place", order(symbol)), ("amend", {"id": accepted[3]["id"], "quantity": "3"})):
        problem = (await client.ask(op, **args))["error"]
        assert (problem["code"], problem["status"], problem["retryable"]) == ("busy", 503, True)
    assert (await client.do("cancel", id=accepted[3]["id"]))["status"] == "pending"
    await client.close()
