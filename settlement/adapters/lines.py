"""The lines on which suppliers are called: kept open per host, to addresses that are looked at before each call, without redirects.

What a name resolves to is judged here, at the very moment it is connected to: a name that pointed outside when it was registered may point
inside now. A host's lines are its own, so that no secret travels on a line that was opened for another host at the same address. Names are looked up in
threads of their own, one look-up per host at a time: a name server that does not answer holds up nothing but the calls to its host.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache, partial
from weakref import WeakKeyDictionary

import certifi
import msgspec
from aiohttp import ClientConnectionError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from yarl import URL

from settlement.domain.addresses import is_global

KEEP_ADDRESS_S = 10.0
KEEP_FAULT_S = 2.0
CONNECT_S = 5.0
_MOST_LINES = 256  # to one host
_KEEP_LINE_S = 30.0
_NAMES = ThreadPoolExecutor(16, thread_name_prefix="names")  # so many hosts are looked up at once; a thread can't be called back
_clients: "WeakKeyDictionary[asyncio.AbstractEventLoop, Lines]" = WeakKeyDictionary()


class AddressRefused(Exception):
    """The host has an address that may not be called."""


class _Found(msgspec.Struct, frozen=True):
    """What a host resolved to, or why to nothing; good until then (monotonic)."""

    until_s: float
    addresses: list[str] = []
    fault: str = ""


class Lines:
    """Resolves, looks, and connects to what was looked at."""

    def __init__(self) -> None:
        self._sessions: dict[str, ClientSession] = {}
        self._found: dict[str, _Found] = {}
        self._looking: dict[str, asyncio.Task[_Found]] = {}

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
        found = self._found.get(host)
        if found is None or found.until_s < time.monotonic():
            if host not in self._looking:
                self._looking[host] = asyncio.create_task(self._look(host))
            found = await asyncio.shield(self._looking[host])  # whoever gives up leaves it to the others
        if found.fault:
            raise ClientConnectionError(found.fault)
        if not is_inside and not all(map(is_global, found.addresses)):
            raise AddressRefused(f"{host} lies inside a network")
        return found.addresses[0]

    async def _look(self, host: str) -> _Found:
        """Kept for a while; that there is nothing, shortly."""
        try:
            addresses = await _resolved(host)
        except (OSError, UnicodeError) as error:
            found = _Found(time.monotonic() + KEEP_FAULT_S, fault=f"{host} has no address: {error}")
        else:
            found = _Found(time.monotonic() + KEEP_ADDRESS_S, addresses)
        finally:
            del self._looking[host]
        self._found[host] = found
        return found

    async def close(self) -> None:
        for looking in list(self._looking.values()):
            looking.cancel()
        for session in self._sessions.values():
            await session.close()


async def _resolved(host: str) -> list[str]:
    """Every address of the host. Raises OSError when it has none."""
    look_up = partial(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_NAMES, look_up)
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
