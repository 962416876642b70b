"""A client that knows only the published protocol (API.md, docs/websocket.md): nothing of the exchange is imported here."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed


def _table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (0xEDB88320 if value & 1 else 0)
        table.append(value)
    return table


_CRC = _table()


def crc32(text: str) -> int:
    """CRC-32 as in ISO 3309, computed here and by nobody's library."""
    value = 0xFFFFFFFF
    for byte in text.encode("ascii"):
        value = value >> 8 ^ _CRC[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


def _plain(text: str) -> str:
    return text.replace(".", "").lstrip("0")


class Violation(AssertionError):
    """The venue broke its protocol."""


class Book:
    """Rebuilt from a snapshot and deltas; every message is proven by its checksum."""

    def __init__(self, depth: int | None = None) -> None:
        self.depth = depth
        self.seq: int | None = None
        self.sides: dict[str, dict[str, tuple[str, int]]] = {"bids": {}, "asks": {}}
        self.proven = 0
        self.snapshots = 0

    def apply(self, message: dict[str, Any]) -> None:
        if message["type"] == "snapshot":
            if message["prev_seq"] is not None:
                raise Violation("a snapshot follows nothing")
            self.sides = {"bids": {}, "asks": {}}
            self.snapshots += 1
        elif self.seq is None or message["prev_seq"] != self.seq:
            raise Violation(f"a delta follows {message['prev_seq']}, this book is at {self.seq}")
        for name, levels in self.sides.items():
            for price, quantity, orders in message["data"][name]:
                if quantity == "0":
                    if levels.pop(price, None) is None:
                        raise Violation(f"level {price} was taken away, and was not there")
                else:
                    levels[price] = (quantity, orders)
            if self.depth is not None and len(levels) > self.depth:
                raise Violation(f"{len(levels)} levels in a book of depth {self.depth}")
        self.seq = message["seq"]
        if str(self.checksum()) != message["checksum"]:
            raise Violation(f"seq {self.seq}: checksum {message['checksum']}, mine {self.checksum()}")
        self.proven += 1

    def levels(self, side: str, most: int | None = None) -> list[list[Any]]:
        ordered = sorted(self.sides[side], key=lambda price: int(price.replace(".", "")), reverse=side == "bids")
        return [[price, *self.sides[side][price]] for price in ordered[:most]]

    def checksum(self) -> int:
        sides = (self.levels("asks", 10), self.levels("bids", 10))
        return crc32("".join(_plain(price) + _plain(quantity) for levels in sides for price, quantity, _ in levels))

    def picture(self, most: int | None = None) -> tuple[str, str]:
        return json.dumps(self.levels("bids", most)), json.dumps(self.levels("asks", most))


class Client:
    """One socket. Answers go to who asked; everything else goes to `messages` or to the handler of its channel."""

    def __init__(self, wire: ClientConnection, checker: Callable[[str], None] = lambda _: None) -> None:
        self.wire = wire
        self.checker = checker
        self.messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.handlers: dict[str, Callable[[dict[str, Any]], None]] = {}
        self.closed: tuple[int, str] | None = None
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._next = 0
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, url: str, checker: Callable[[str], None] = lambda _: None, **more: Any) -> Self:
        return cls(await connect(url, compression=None, max_size=2**24, **more), checker)

    async def ask(self, op: str, **args: Any) -> dict[str, Any]:
        """The whole answer."""
        self._next += 1
        self._waiting[self._next] = asyncio.get_running_loop().create_future()
        await self.wire.send(json.dumps({"op": op, "id": self._next, "args": args}))
        return await asyncio.wait_for(self._waiting[self._next], 30)

    async def do(self, op: str, **args: Any) -> Any:
        """The result; the operation has to succeed."""
        answer = await self.ask(op, **args)
        assert answer["ok"], answer
        return answer["result"]

    async def next(self, kind: str | None = None, patience_s: float = 10.0) -> dict[str, Any]:
        """The next message (of this type); heartbeats only when asked for."""
        async with asyncio.timeout(patience_s):
            while True:
                message = await self.messages.get()
                if message["type"] == kind or (kind is None and message["type"] != "heartbeat"):
                    return message

    async def ended(self, patience_s: float = 15.0) -> tuple[int, str]:
        """How the venue closed the socket."""
        async with asyncio.timeout(patience_s):
            await asyncio.shield(self._reader)
        assert self.closed is not None
        return self.closed

    async def close(self) -> None:
        await self.wire.close()
        await self._reader

    def cut(self) -> None:
        """Let the line break, without a goodbye."""
        self.wire.transport.abort()

    async def _read(self) -> None:
        try:
            async for text in self.wire:
                self.checker(text)
                message = json.loads(text)
                if "id" in message and "ok" in message:
                    waiting = self._waiting.pop(message["id"], None)
                    if waiting is not None and not waiting.done():
                        waiting.set_result(message)
                elif message.get("ch") in self.handlers:
                    self.handlers[message["ch"]](message)
                else:
                    self.messages.put_nowait(message)
        except ConnectionClosed:
            pass
        finally:
            self.closed = (self.wire.close_code or 1006, self.wire.close_reason or "")
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(ConnectionError(f"closed with {self.closed}"))


class PrivateLog:
    """What a private channel said, across any number of sockets; every number once and none left out."""

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.events: list[dict[str, Any]] = []
        self.last = 0

    def hear(self, message: dict[str, Any]) -> None:
        if message["type"] == "heartbeat":
            if message["seq"] > self.last:
                raise Violation(f"{self.channel}: the heartbeat says {message['seq']}, I have heard {self.last}")
            return
        if message["type"] != "event" or message["prev_seq"] != self.last or message["seq"] != self.last + 1:
            raise Violation(f"{self.channel}: after {self.last} came {message['type']} {message['prev_seq']} → {message['seq']}")
        self.last = message["seq"]
        self.events.append(message["data"])


async def until(condition: Callable[[], object], patience_s: float = 10.0) -> None:
    """Wait for something that another task brings about."""
    async with asyncio.timeout(patience_s):
        while not condition():
            await asyncio.sleep(0.005)
