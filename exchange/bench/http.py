"""A lean HTTP/1.1 client over asyncio streams: a load generator must cost less than what it loads."""

import asyncio
from typing import Self

ORDERS = "/api/v1/orders"


class Connection:
    """One keep-alive connection of one trader; one request at a time."""

    def __init__(self, host: str, port: int, token: str) -> None:
        self._address = (host, port)
        self._head = f"Host: {host}:{port}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"

    async def open(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(*self._address, limit=2**22)
        return self

    def encode(self, path: str, body: bytes) -> bytes:
        """A whole POST, ready to be sent."""
        return f"POST {path} HTTP/1.1\r\n{self._head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    def get(self, path: str) -> bytes:
        return f"GET {path} HTTP/1.1\r\n{self._head}\r\n".encode()

    async def send(self, request: bytes) -> tuple[int, bytes]:
        """(status, body) of the answer."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        lower = head.lower()
        at = lower.index(b"content-length:") + 15
        size = int(lower[at : lower.index(b"\r", at)])
        return status, await self._reader.readexactly(size)

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()
