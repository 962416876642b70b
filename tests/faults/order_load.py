"""Clients that never give up: each order is sent again under the same client_order_id until the answer is definite."""

import contextlib
import json
import random
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Self

import httpx
import psycopg

from tests.plugins.live import LiveExchange

ROOT = "/api/v1/orders"
GIVE_UP_S = 60.0
Body = dict[str, Any]
Answer = tuple[int, Body]
DEFINITE = {200, 201, 422}
UNKNOWN = {0, 200, 202, 429, 500, 502, 503, 504}
NO_ANSWER: Answer = (0, {})


class Client:
    """One account's orders. `acknowledged` holds what the venue said is done: client_order_id → order id."""

    def __init__(self, base_url: str, token: str, symbol: str, prices: Sequence[str], seed: int) -> None:
        self._symbol, self._prices = symbol, prices
        self._http = httpx.Client(base_url=base_url, headers={"Authorization": f"Bearer {token}"}, timeout=5)
        self._chance = random.Random(seed)
        self.acknowledged: dict[str, str] = {}

    @classmethod
    def of_participant(cls, venue: LiveExchange, participant: str, symbol: str, seed: int) -> Self:
        """With a new key of the demo's participant, around the demo's price."""
        token = json.loads(venue.manage("create_key", participant, "--scopes", "read,trade,cancel").stdout)["token"]
        return cls(venue.base_url, token, symbol, [f"1.{800 + cents:03d}" for cents in range(-8, 9)], seed)

    def place(self) -> float:
        """Place one order and return the seconds until its definite answer."""
        began = time.monotonic()
        self._insist([self._order()], self._send_one)
        return time.monotonic() - began

    def place_many(self, count: int) -> None:
        """Place orders by one batch call; then make the very same call once more, as somebody does who does not trust the answer."""
        orders = [self._order() for _ in range(count)]
        self._insist(orders, self._send_all)
        self._insist(orders, self._send_all)

    def is_refused(self) -> bool:
        """Try to place one order, once: whether nothing definite was heard of it."""
        order = self._order()
        return not self._learns(order, *self._post(ROOT, order))

    def _order(self) -> Body:
        return {
            "instrument": self._symbol,
            "side": self._chance.choice(("buy", "sell")),
            "quantity": str(self._chance.randrange(1, 4)),
            "price": self._chance.choice(self._prices),
            "client_order_id": uuid.uuid4().hex,
        }

    def _insist(self, orders: list[Body], send: Callable[[list[Body]], list[Answer]]) -> None:
        """Send those again of which nothing definite is known, until there are none."""
        began = time.monotonic()
        while True:
            orders = [order for order, (status, body) in zip(orders, send(orders), strict=True) if not self._learns(order, status, body)]
            if not orders:
                return
            if time.monotonic() - began > GIVE_UP_S:
                raise AssertionError(f"no definite answer for {orders} within {GIVE_UP_S:g} s")
            time.sleep(0.05)

    def _learns(self, order: Body, status: int, body: Body) -> bool:
        """Whether the answer is definite. No connection, a 5xx, a 429, or accepted but not applied: nothing is known yet."""
        told = body.get("order", body)
        if status in DEFINITE and told.get("status") != "pending":
            assert self.acknowledged.setdefault(order["client_order_id"], told["id"]) == told["id"]
            return True
        assert status in UNKNOWN, (status, body)
        return False

    def _send_one(self, orders: list[Body]) -> list[Answer]:
        return [self._post(ROOT, orders[0])]

    def _send_all(self, orders: list[Body]) -> list[Answer]:
        status, body = self._post(f"{ROOT}/batch", {"operations": [{"op": "place", **order} for order in orders]})
        return (
            [(each["status"], each.get("error") or each) for each in body["results"]] if status == 200 else [(status, body)] * len(orders)
        )

    def _post(self, path: str, body: Body) -> Answer:
        try:
            answer = self._http.post(path, json=body)
        except httpx.HTTPError:
            return NO_ANSWER
        return answer.status_code, answer.json()

    def cancel_all(self) -> None:
        with contextlib.suppress(httpx.HTTPError):
            self._http.delete(ROOT, params={"instrument": self._symbol})

    def close(self) -> None:
        self._http.close()


class Crowd:
    """Clients that place orders in threads until told to stop."""

    def __init__(self, clients: list[Client]) -> None:
        self._clients, self._stop = clients, threading.Event()
        self.errors: list[BaseException] = []
        self._threads = [threading.Thread(target=self._work, args=[c], daemon=True) for c in clients]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(GIVE_UP_S + 10)

    def _work(self, client: Client) -> None:
        count = 0
        try:
            while not self._stop.is_set():
                client.place()
                count += 1
                if count % 40 == 0:
                    client.cancel_all()
        except BaseException as error:  # noqa: BLE001 - told to the test
            self.errors.append(error)


_FOUND = """
SELECT c.client_order_id, 'ord_' || c.order_id::text, o.orders FROM exchange_command c
LEFT JOIN (SELECT id, count(*) AS orders FROM exchange_order GROUP BY 1) o ON o.id = c.order_id WHERE c.client_order_id = ANY(%s)
"""


def told_is_kept(venue: LiveExchange, clients: Sequence[Client]) -> int:
    """What any client was told is there once, as one command and one order, and every invariant holds; how many orders were told."""
    told = {cid: order_id for client in clients for cid, order_id in client.acknowledged.items()}
    with psycopg.connect(venue.env["DATABASE_URL"]) as database:
        found = database.execute(_FOUND, [list(told)]).fetchall()
    assert len(found) == len(told)
    assert {cid: order_id for cid, order_id, _ in found} == told
    assert {orders for _, _, orders in found} == {1}
    for question in ("audit", "replay"):
        done = venue.manage(question, "--json", check=False, timeout_s=600)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return len(told)
