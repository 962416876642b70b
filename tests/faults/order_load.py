"""Clients that never give up: each order is sent again under the same client_order_id until the answer is definite."""

import contextlib
import json
import random
import threading
import time
import uuid
from typing import Self

import httpx

from tests.plugins.live import LiveExchange

ROOT = "/api/v1/orders"
GIVE_UP_S = 60.0
DEFINITE = {200, 201, 422}


class Client:
    """One participant's orders. `acknowledged` holds what the venue said is done: client_order_id → order id."""

    def __init__(self, venue: LiveExchange, participant: str, symbol: str, seed: int) -> None:
        self._base, self._symbol = venue.base_url, symbol
        token = json.loads(venue.manage("create_key", participant, "--scopes", "read,trade,cancel").stdout)["token"]
        self._http = httpx.Client(base_url=venue.base_url, headers={"Authorization": f"Bearer {token}"}, timeout=5)
        self._chance = random.Random(seed)
        self.participant = participant
        self.acknowledged: dict[str, str] = {}

    def place(self) -> float:
        """Place one order and return the seconds until its definite answer."""
        buy = self._chance.random() < 0.5
        cents = self._chance.randrange(-8, 9)
        body = {
            "instrument": self._symbol,
            "side": "buy" if buy else "sell",
            "quantity": str(self._chance.randrange(1, 4)),
            "price": f"1.{800 + cents:03d}",
            "client_order_id": uuid.uuid4().hex,
        }
        began = time.monotonic()
        while True:
            answer = self._send(body)
            if answer is not None:
                order = answer.get("order", answer)
                self.acknowledged[body["client_order_id"]] = order["id"]
                return time.monotonic() - began
            if time.monotonic() - began > GIVE_UP_S:
                raise AssertionError(f"no definite answer for {body} within {GIVE_UP_S:g} s")
            time.sleep(0.05)

    def _send(self, body: dict[str, str]) -> dict | None:
        """The answer, or None when nothing is known yet: no connection, a 5xx, a 429, or accepted but not applied."""
        try:
            answer = self._http.post(ROOT, json=body)
        except httpx.HTTPError:
            return None
        if answer.status_code in DEFINITE and answer.json().get("status") != "pending":
            return answer.json()
        assert answer.status_code in (200, 202, 429, 500, 502, 503, 504), (answer.status_code, answer.text)
        return None

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
