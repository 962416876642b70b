"""A lean HTTP/1.1 client over asyncio streams: a load generator must cost less than what it loads."""

import asyncio
import time
from typing import NamedTuple, Self

ORDERS = "/api/v1/orders"


class Reply(NamedTuple):
    """An answer; `book_seq` is the batch that its newest part is of, when it says so."""

    status: int
    body: bytes
    book_seq: int | None


def _number(head: bytes, name: bytes) -> int | None:
    """The value of a header in a lower-case head."""
    at = head.find(b"\r\n" + name)
    return int(head[at + len(name) + 2 : head.index(b"\r", at + 2)]) if at >= 0 else None


class Connection:
    """One keep-alive connection of one trader; one request at a time."""

    def __init__(self, host: str, port: int, token: str) -> None:
        self._address = (host, port)
        # On a busy machine an answer of "pending" would end the clock too soon.
        self._head = f"Host: {host}:{port}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nPrefer: wait=30\r\n"

    async def open(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(*self._address, limit=2**22)
        return self

    def encode(self, path: str, body: bytes) -> bytes:
        """A whole POST, ready to be sent."""
        return f"POST {path} HTTP/1.1\r\n{self._head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    def bare(self, method: str, path: str) -> bytes:
        """A whole request without a body."""
        return f"{method} {path} HTTP/1.1\r\n{self._head}\r\n".encode()

    async def send(self, request: bytes) -> Reply:
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        size = _number(head, b"content-length:") or 0
        return Reply(int(head[9:12]), await self._reader.readexactly(size), _number(head, b"x-book-seq:"))

    async def follow(self, request: bytes) -> tuple[float, bytes]:
        """When the first piece of an answer in pieces came (`perf_counter`), and all of it; an answer that is whole is one piece."""
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        if b"\r\ntransfer-encoding: chunked" not in head:
            body = await self._reader.readexactly(_number(head, b"content-length:") or 0)
            return time.perf_counter(), body
        first, pieces = 0.0, list[bytes]()
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            pieces.append((await self._reader.readexactly(size + 2))[:-2])
            first = first or time.perf_counter()
        await self._reader.readuntil(b"\r\n")
        return first, b"".join(pieces)

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()
