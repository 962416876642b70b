"""A client of the public socket protocol: follows the book, and its owner's orders when it has one."""

import asyncio
import time
from bisect import bisect_left
from typing import Any, Self

import orjson
from websockets.asyncio.client import ClientConnection, connect

from exchange.bench.http import Connection
from exchange.bench.market import Market, Trader


class Subscriber:
    """One socket. `sent` maps client_order_ids to when they were sent; `latencies_ms` fills as reports arrive."""

    def __init__(self, market: Market, host: str, port: int) -> None:
        self._market, self._host, self._port = market, host, port
        self.sent: dict[str, float] = {}
        self.latencies_ms: list[float] = []
        self.book_seq = 0
        self.book_times: list[tuple[int, float]] = []  # each batch the book was seen at, and when
        self._calls: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._next = 0
        self._moved = asyncio.Event()

    async def open(self, trader: Trader | None = None, *, private: bool = True) -> Self:
        """Connect and subscribe to the public book; with `private`, follow every trader's orders on further sockets.

        For one `trader`: its own socket, which follows its orders.
        """
        self._sockets: list[ClientConnection] = []
        self._tasks: list[asyncio.Task[None]] = []
        if trader is not None:
            self._main = await self._connect(trader)
            await self.call("subscribe", {"channel": "orders"})
            return self
        self._main = await self._connect(None)
        await self.call("subscribe", {"channel": "book", "instrument": self._market.symbol, "depth": 10})
        for each in self._market.traders if private else ():
            socket = await self._connect(each)
            await self._call_on(socket, "subscribe", {"channel": "orders"})
        return self

    async def _connect(self, trader: Trader | None) -> ClientConnection:
        socket = await connect(f"ws://{self._host}:{self._port}/ws/v1", compression=None, max_size=2**24, max_queue=None)
        self._sockets.append(socket)
        self._tasks.append(asyncio.create_task(self._listen(socket)))
        if trader is not None:
            await self._call_on(socket, "auth", {"token": trader.token})
        return socket

    async def call(self, op: str, args: dict[str, Any]) -> dict[str, Any]:
        return await self._call_on(self._main, op, args)

    async def _call_on(self, socket: ClientConnection, op: str, args: dict[str, Any]) -> dict[str, Any]:
        self._next += 1
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._calls[self._next] = future
        await socket.send(orjson.dumps({"op": op, "id": self._next, "args": args}).decode())
        return await asyncio.wait_for(future, 30)

    async def _listen(self, socket: ClientConnection) -> None:
        async for frame in socket:
            now = time.perf_counter()
            message = orjson.loads(frame)
            if "id" in message and "ch" not in message:
                future = self._calls.pop(message["id"], None)
                if future is not None and not future.done():
                    future.set_result(message)
            elif message.get("ch") == "book":
                self.book_seq = int(message["seq"])
                self.book_times.append((self.book_seq, now))
                self._moved.set()
            elif message.get("ch") == "orders" and message.get("type") == "event":
                sent = self.sent.pop(message["data"].get("client_order_id"), None)
                if sent is not None:
                    self.latencies_ms.append((now - sent) * 1000)

    async def reach(self, market: Market) -> None:
        """Return once this client has the book as the venue has it now."""
        connection = await Connection(self._host, self._port, market.traders[0].token).open()
        reply = await connection.send(connection.bare("GET", f"/api/v1/instruments/{market.symbol}/book?depth=1"))
        await connection.close()
        wanted = int(orjson.loads(reply.body)["seq"])
        while self.book_seq < wanted:
            self._moved.clear()
            await asyncio.wait_for(self._moved.wait(), 30)

    def since(self, sent: float, book_seq: int) -> float:
        """Milliseconds from `sent` until the book was seen at that batch or a later one; `reach` it first."""
        at = bisect_left(self.book_times, (book_seq, 0.0))
        return (self.book_times[at][1] - sent) * 1000

    async def close(self) -> None:
        for socket in self._sockets:
            await socket.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
