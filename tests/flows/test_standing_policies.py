"""A holder's standing policy on a running venue: tried, made, run by the scheduler and woken by fills; a revoked key ends it."""

import json
from collections import Counter
from typing import Any

import httpx
import pytest

from tests.plugins.live import LiveExchange, wait_until

PATIENCE_S = 120.0
API = "/api/v1"


@pytest.fixture(scope="module")
def venue(live_exchange: LiveExchange) -> LiveExchange:
    live_exchange.manage("seed_demo")
    return live_exchange


def client_of(venue: LiveExchange, participant: str) -> httpx.Client:
    token = json.loads(venue.manage("create_key", participant, "--scopes", "read,trade,cancel").stdout)["token"]
    return httpx.Client(base_url=venue.base_url, headers={"Authorization": f"Bearer {token}"}, timeout=30)


def runs(client: httpx.Client, policy: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"{API}/policies/{policy['id']}/runs").json()["data"]
    return found


def test_a_buyer_keeps_its_coverage_and_a_revoked_key_stops(venue: LiveExchange) -> None:
    with client_of(venue, "buyer") as buyer, client_of(venue, "seller") as seller:
        for one in (buyer, seller):  # nobody is kept from trading by an order of his own that others left here
            one.delete(f"{API}/orders")
        listed = buyer.get(f"{API}/instruments", params={"phase": "continuous", "limit": "100"}).json()["data"]
        starts = Counter(row["window"]["start"] for row in listed if row["symbol"].startswith("EMB"))
        # The only one of its start: before midnight, tomorrow's first hour begins with tomorrow.
        book = max(
            (row for row in listed if row["symbol"].startswith("EMB") and starts[row["window"]["start"]] == 1),
            key=lambda row: row["symbol"],
        )
        symbol, start = book["symbol"], book["window"]["start"]
        held = next((int(row["units"]) for row in buyer.get(f"{API}/positions").json()["data"] if row["instrument"] == symbol), 0)
        wanted = held + 3 * int(book["lot_size"])
        price = book["reference_price"]
        coverage = {
            "max_price": price,
            "targets": [{"window_start": start, "units": str(wanted)}],
            "slippage_bps": 0,
            "horizon_s": 7 * 86_400,
        }
        body = {"kind": "rebalancer", "every_s": 5, "rules": {"class": book["class"]["key"], "coverage": coverage}}

        tried = buyer.post(f"{API}/policies", params={"dry_run": "true"}, json=body).json()
        assert [(act["rule"], act["instrument"], act["quantity"]) for act in tried["actions"]] == [("coverage", symbol, "3")]
        assert buyer.get(f"{API}/policies").json()["data"] == []
        policy = buyer.post(f"{API}/policies", json=body).json()

        # Nobody offers: the scheduler lets it bid; two lots are sold into its bid, the third stays wanted.
        wait_until(lambda: runs(buyer, policy), PATIENCE_S, "the scheduler to run the policy")
        first = runs(buyer, policy)[-1]
        assert (first["trigger"], [act["outcome"] for act in first["actions"]]) == ("schedule", ["placed"])
        bid = first["actions"][0]["order_id"]
        wait_until(lambda: buyer.get(f"{API}/orders/{bid}").json().get("status") == "open", PATIENCE_S, "the bid to rest")
        offered = buyer.get(f"{API}/orders/{bid}").json()["price"]  # the last price, where somebody has traded here before
        sold = seller.post(f"{API}/orders", json={"instrument": symbol, "side": "sell", "quantity": "2", "price": offered})
        assert sold.status_code == 201, sold.text
        assert sold.json()["filled_quantity"] == "2", sold.text
        assert runs(buyer, policy)[0]["actions"][0]["filled_quantity"] == "2"

        # Who needs less takes its bid back.
        less = {**coverage, "targets": [{"window_start": start, "units": str(held)}]}
        buyer.patch(f"{API}/policies/{policy['id']}", json={"rules": {"class": book["class"]["key"], "coverage": less}})
        wait_until(lambda: buyer.get(f"{API}/orders/{bid}").json()["status"] == "cancelled", PATIENCE_S, "the bid to be taken back")
        acts = [(act["rule"], act["verb"]) for run in reversed(runs(buyer, policy)) for act in run["actions"]]
        assert acts == [("coverage", "place"), ("coverage", "cancel")]

        with client_of(venue, "buyer") as other:
            ended = buyer.delete(f"{API}/keys/{policy['key_id']}")
            assert ended.status_code == 200
            where = f"{API}/policies/{policy['id']}"
            wait_until(lambda: other.get(where).json()["state"] == "stopped", PATIENCE_S, "the policy to stop")
            assert other.get(where).json()["reason"] == "the key is revoked"
    venue.manage("audit")
    venue.manage("replay")
