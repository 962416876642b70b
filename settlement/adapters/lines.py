"""The lines on which suppliers are called: kept open per host, to addresses that are looked at before each call, without redirects.

What a name resolves to is judged here, at the very moment it is connected to: a name that pointed outside when it was registered may point
inside now. A host's lines are its own, so that no secret travels on a line that was opened for another host at the same address.
"""

import asyncio
import socket
import time
from weakref import WeakKeyDictionary

import httpx

from settlement.domain.addresses import is_global

INSIDE = "inside"
KEEP_ADDRESS_S = 10.0
_LIMITS = httpx.Limits(max_connections=256, max_keepalive_connections=64, keepalive_expiry=30.0)
_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()


class AddressRefused(Exception):
    """The host has an address that may not be called."""


class _GuardedTransport(httpx.AsyncBaseTransport):
    """Resolves, looks, and connects to what was looked at."""

    def __init__(self) -> None:
        self._lines: dict[str, httpx.AsyncHTTPTransport] = {}
        self._addresses: dict[str, tuple[float, list[str]]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        address = await self._address(host, is_inside=bool(request.extensions.get(INSIDE)))
        if address != host:
            request.url = request.url.copy_with(host=address)
            request.extensions = {**request.extensions, "sni_hostname": host}
        lines = self._lines.get(host)
        if lines is None:
            lines = self._lines[host] = httpx.AsyncHTTPTransport(limits=_LIMITS, trust_env=False)
        return await lines.handle_async_request(request)

    async def _address(self, host: str, *, is_inside: bool) -> str:
        kept = self._addresses.get(host)
        if kept is None or kept[0] < time.monotonic():
            kept = self._addresses[host] = (time.monotonic() + KEEP_ADDRESS_S, await _resolved(host))
        if not is_inside and not all(map(is_global, kept[1])):
            raise AddressRefused(f"{host} lies inside a network")
        return kept[1][0]

    async def aclose(self) -> None:
        for lines in self._lines.values():
            await lines.aclose()


async def _resolved(host: str) -> list[str]:
    """Every address of the host. Raises httpx.ConnectError when it has none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpx.ConnectError(f"{host} has no address: {error}") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def lines() -> httpx.AsyncClient:
    """The running loop's lines."""
    loop = asyncio.get_running_loop()
    client = _clients.get(loop)
    if client is None:
        client = _clients[loop] = httpx.AsyncClient(transport=_GuardedTransport(), trust_env=False, follow_redirects=False)
    return client


async def close_lines() -> None:
    """Let go of the running loop's lines, before the loop ends."""
    client = _clients.pop(asyncio.get_running_loop(), None)
    if client is not None:
        await client.aclose()
