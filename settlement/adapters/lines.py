"""The lines on which suppliers are called: kept open per host, to addresses that are looked at before each call, without redirects.

What a name resolves to is judged here, at the very moment it is connected to: a name that pointed outside when it was registered may point
inside now. A host's lines are its own, so that no secret travels on a line that was opened for another host at the same address.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Mapping
from functools import cache, lru_cache
from weakref import WeakKeyDictionary

import certifi
from aiohttp import ClientConnectionError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from yarl import URL

from settlement.domain.addresses import is_global

KEEP_ADDRESS_S = 10.0
CONNECT_S = 5.0
_MOST_LINES = 256  # to one host
_KEEP_LINE_S = 30.0
_clients: "WeakKeyDictionary[asyncio.AbstractEventLoop, Lines]" = WeakKeyDictionary()


class AddressRefused(Exception):
    """The host has an address that may not be called."""


class Lines:
    """Resolves, looks, and connects to what was looked at."""

    def __init__(self) -> None:
        self._sessions: dict[str, ClientSession] = {}
        self._addresses: dict[str, tuple[float, list[str]]] = {}

    async def post(self, url: str, raw: bytes, *, headers: Mapping[str, str], inside: bool, silence_s: float | None) -> ClientResponse:
        """The answer, as far as its head; whoever takes it closes it. Raises AddressRefused, aiohttp.ClientError, OSError.

        `inside`: the address need not be global; `silence_s`: how long nothing may come, None where the caller looks to that.
        """
        target = _target(url)
        host = target.raw_host or ""
        address = await self._address(host, is_inside=inside)
        if address != host:
            headers = {**headers, "Host": target.host_port_subcomponent or host}
        return await self._session(host).post(
            _aimed(url, address),
            data=raw,
            headers=headers,
            allow_redirects=False,
            server_hostname=host if target.scheme == "https" else None,
            timeout=_timeout(silence_s),
        )

    def _session(self, host: str) -> ClientSession:
        """Without anything that outlasts a call but the lines: no cookies, no proxies and keys of the environment."""
        session = self._sessions.get(host)
        if session is None:
            session = self._sessions[host] = ClientSession(
                connector=TCPConnector(limit=_MOST_LINES, keepalive_timeout=_KEEP_LINE_S, ssl=_trusted()),
                cookie_jar=DummyCookieJar(),
                auto_decompress=False,  # it is asked for as it is, and what is packed all the same has no bounds that could be looked at
                trust_env=False,
            )
        return session

    async def _address(self, host: str, *, is_inside: bool) -> str:
        kept = self._addresses.get(host)
        if kept is None or kept[0] < time.monotonic():
            kept = self._addresses[host] = (time.monotonic() + KEEP_ADDRESS_S, await _resolved(host))
        if not is_inside and not all(map(is_global, kept[1])):
            raise AddressRefused(f"{host} lies inside a network")
        return kept[1][0]

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()


async def _resolved(host: str) -> list[str]:
    """Every address of the host. Raises ClientConnectionError when it has none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ClientConnectionError(f"{host} has no address: {error}") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@lru_cache(1024)
def _target(url: str) -> URL:
    return URL(url)


@lru_cache(1024)
def _aimed(url: str, address: str) -> URL:
    """The URL at this address."""
    target = _target(url)
    return target if target.raw_host == address else target.with_host(address)


@lru_cache(1024)
def _timeout(silence_s: float | None) -> ClientTimeout:
    return ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=silence_s)


@cache
def _trusted() -> ssl.SSLContext:
    """Whom we believe that he is who he says: the public authorities, the same on every machine."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context


def lines() -> Lines:
    """The running loop's lines."""
    loop = asyncio.get_running_loop()
    client = _clients.get(loop)
    if client is None:
        client = _clients[loop] = Lines()
    return client


async def close_lines() -> None:
    """Let go of the running loop's lines, before the loop ends."""
    client = _clients.pop(asyncio.get_running_loop(), None)
    if client is not None:
        await client.close()
