"""A running exchange with a market in it, and traders who drive it through the public API."""

import asyncio
import json
import random
from typing import Any, NamedTuple, Self

import httpx
import psycopg

from tests.plugins.live import LiveExchange

_MAKE = """
import json
from exchange.bench.market import make_market
m = make_market(traders=3)
print(json.dumps([m.symbol, m.book_id, [m.price(m.mid_ticks + n) for n in range(-40, 41)], [t.account_id for t in m.traders], [t.token for t in m.traders]]))
"""
TOGETHER = 100


class Venue(NamedTuple):
    """`prices` run upwards around the middle of the market."""

    exchange: LiveExchange
    symbol: str
    book_id: int
    prices: list[str]
    accounts: list[int]
    tokens: list[str]

    @classmethod
    def open(cls, exchange: LiveExchange) -> Self:
        said = exchange.manage("shell", "--no-imports", "-c", _MAKE).stdout
        return cls(exchange, *json.loads(said.strip().splitlines()[-1]))

    @property
    def url(self) -> str:
        return self.exchange.base_url.replace("http", "ws", 1) + "/ws/v1"

    def connect(self) -> psycopg.Connection:
        """The exchange's database, for looking behind what it says."""
        return psycopg.connect(self.exchange.env["DATABASE_URL"], autocommit=True)

    async def get(self, path: str, token: str | None = None, **query: Any) -> Any:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=self.exchange.base_url + "/api/v1", headers=headers, timeout=30) as client:
            answer = await client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()


class Traders:
    """A crossing crowd: `drive` sends `commands` operations in batch calls, each trader one call at a time."""

    def __init__(self, venue: Venue, seed: int) -> None:
        self.venue = venue
        self.chance = random.Random(seed)
        self.open: list[list[str]] = [[] for _ in venue.tokens]
        self.sent = 0

    async def drive(self, commands: int) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(len(self.venue.tokens)):
                group.create_task(self._trade(number, commands))

    async def _trade(self, number: int, commands: int) -> None:
        headers = {"Authorization": f"Bearer {self.venue.tokens[number]}"}
        async with httpx.AsyncClient(base_url=self.venue.exchange.base_url, headers=headers, timeout=60) as client:
            while self.sent < commands:
                operations = [self._operation(number) for _ in range(self.chance.randrange(1, TOGETHER))]
                self.sent += len(operations)
                answer = await client.post("/api/v1/orders/batch", json={"operations": operations})
                if answer.status_code == 429:
                    await asyncio.sleep(int(answer.headers["Retry-After"]))
                    continue
                assert answer.status_code == 200, answer.text
                for result in answer.json()["results"]:
                    if result["op"] == "place" and result["status"] == 201 and result["order"]["status"] in ("open", "partially_filled"):
                        self.open[number].append(result["order"]["id"])

    def _operation(self, number: int) -> dict[str, Any]:
        own = self.open[number]
        if own and self.chance.random() < 0.35:
            at = self.chance.randrange(len(own))
            if self.chance.random() < 0.3:
                return {"op": "amend", "id": own[at], "quantity": str(self.chance.randrange(1, 40))}
            return {"op": "cancel", "id": own.pop(at)}
        side = self.chance.choice(("buy", "sell"))
        # Most orders rest on their own side of the middle, some cross it.
        away = min(int(self.chance.expovariate(0.12)), 39) * (1 if self.chance.random() < 0.75 else -1)
        price = self.venue.prices[40 + (away if side == "sell" else -away)]
        kind = {"time_in_force": "ioc"} if self.chance.random() < 0.1 else {}
        return {
            "op": "place", "instrument": self.venue.symbol, "side": side, "quantity": str(self.chance.randrange(1, 30)), "price": price, **kind
        }  # fmt: skip
