"""A key with limits at the running venue's doors: refused by code, in batches one by one, over the socket's intake too; approved by a member."""

import json
import uuid

import httpx
import pytest

from tests.api.test_order_entry import ROOT, order
from tests.plugins.live import LiveExchange

_MAKE = """
import json
from exchange.demo.parties import account_of
from exchange.services import keys
from exchange.services.keys import KeyLimits
from rights.kernel.clock import now_us
limits = KeyLimits(networks=("127.0.0.0/8",), max_order_minor=5_000_000, max_daily_minor=12_000_000, approval_above_minor=3_000_000)
far = KeyLimits(networks=("192.0.2.1",))
new = [keys.create(account_id=account_of("buyer").pk, scopes=["read", "trade", "cancel"], label="bounded", expires_us=None, limits=one, now_us=now_us())
       for one in (limits, far)]
print("KEYS " + json.dumps([one.token for one in new]))
"""
_GRANT = """
from exchange.models import Membership, OrderApproval
from exchange.services.approvals import decide_approval
from exchange.services.identity import principal_of_user
from rights.kernel.clock import now_us
user = Membership.objects.get(user__username="buyer").user
decide_approval(approval_id="{}", decision="grant", note="", who=principal_of_user(user), now_us=now_us())
"""


@pytest.fixture(scope="module")
def venue(live_exchange: LiveExchange) -> LiveExchange:
    live_exchange.manage("seed_demo")
    return live_exchange


@pytest.fixture(scope="module")
def clients(venue):
    printed = venue.manage("shell", "-v", "0", "-c", _MAKE).stdout
    tokens = json.loads(next(line for line in printed.splitlines() if line.startswith("KEYS "))[5:])
    made = [httpx.Client(base_url=venue.base_url, headers={"Authorization": f"Bearer {token}"}, timeout=30) for token in tokens]
    yield made
    for client in made:
        client.close()


@pytest.fixture(scope="module")
def symbol(clients):
    listed = clients[0].get("/api/v1/instruments", params={"phase": "continuous", "limit": "100"}).json()["data"]
    return max(i["symbol"] for i in listed if i["symbol"].startswith("TXT"))


def test_limits_hold_at_every_door(venue, clients, symbol):
    bounded, far = clients
    assert (far.get("/api/v1/orders").status_code, far.get("/api/v1/orders").json()["code"]) == (403, "address_not_allowed")
    assert far.post(ROOT, json=order(symbol)).json()["code"] == "address_not_allowed"

    small = order(symbol, quantity="2", client_order_id=uuid.uuid4().hex)
    first, again = bounded.post(ROOT, json=small), bounded.post(ROOT, json=small)
    assert (first.status_code, first.json()["status"]) == (201, "open")
    assert (again.status_code, again.json()["replayed"]) == (200, True)

    large = bounded.post(ROOT, json=order(symbol, quantity="6"))
    assert (large.status_code, large.json()["code"]) == (422, "order_notional_exceeded")
    looked = bounded.post(f"{ROOT}/preview", json=order(symbol, quantity="6")).json()
    assert (looked["accepted"], looked["reason"]) == (False, "order_notional_exceeded")
    amended = bounded.patch(f"{ROOT}/{first.json()['id']}", json={"quantity": "6"})
    assert amended.json()["code"] == "order_notional_exceeded"

    operations = [{"op": "place", **order(symbol, quantity=quantity)} for quantity in ("3", "6", "1")]
    results = bounded.post(f"{ROOT}/batch", json={"operations": operations}).json()["results"]
    assert [result["status"] for result in results] == [201, 422, 201]
    assert results[1]["error"]["code"] == "order_notional_exceeded"

    waits = bounded.post(ROOT, json=order(symbol, quantity="4"))
    assert waits.json()["code"] == "approval_needed"
    asked = bounded.get("/api/v1/approvals", params={"state": "pending"}).json()["data"][0]
    assert asked["id"] in waits.json()["detail"]
    assert bounded.post(f"/api/v1/approvals/{asked['id']}/decide", json={"decision": "grant"}).json()["code"] == "policy_binds"
    venue.manage("shell", "-v", "0", "-c", _GRANT.format(asked["id"][4:]))
    approved = bounded.post(ROOT, json=order(symbol, quantity="4"))
    assert approved.status_code == 201
    used = bounded.get("/api/v1/approvals", params={"state": "used"}).json()["data"][0]
    assert (used["id"], used["order_id"]) == (asked["id"], approved.json()["id"])

    # 2 + 3 + 1 + 4 dollars rest; two more would still do.
    assert bounded.post(ROOT, json=order(symbol, quantity="3")).json()["code"] == "daily_notional_exceeded"
    assert bounded.delete(ROOT, params={"instrument": symbol}).status_code == 200
    assert bounded.post(ROOT, json=order(symbol, quantity="3")).status_code == 201
    bounded.delete(ROOT, params={"instrument": symbol})
    venue.manage("audit")
    venue.manage("replay")
