"""Asynchronous connections of this process, for order entry and for the feed.

Connections are in autocommit: one statement is one transaction, unless the caller opens `connection.transaction()`.
"""

import asyncio
from typing import Any

import psycopg
from django.conf import settings
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from rights.kernel.trip import Trip, is_lost

Connections = AsyncConnectionPool[AsyncConnection[TupleRow]]

_OF_DJANGO = {"pool", "isolation_level", "server_side_binding", "assume_role"}
_pools: dict[asyncio.AbstractEventLoop, Connections] = {}


def _parameters() -> dict[str, Any]:
    """What libpq needs, from Django's settings."""
    database = settings.DATABASES["default"]
    named = {
        "dbname": database["NAME"],
        "user": database.get("USER"),
        "password": database.get("PASSWORD"),
        "host": database.get("HOST"),
        "port": database.get("PORT"),
    }
    options = {key: value for key, value in database.get("OPTIONS", {}).items() if key not in _OF_DJANGO}
    # The same few statements come again and again; planning them for each list of ids costs more than running them.
    plan_once = {"options": f"{options.get('options', '')} -c plan_cache_mode=force_generic_plan", "prepare_threshold": 2}
    return {**options, **{key: value for key, value in named.items() if value}, **plan_once, "autocommit": True}


async def open_pool(*, name: str, max_size: int, min_size: int = 1) -> Connections:
    """A pool of its own; the caller closes it. Does not wait for the database: the first use does."""
    made = _make(name, max_size, min_size)
    await made.open(wait=False)
    return made


def _make(name: str, max_size: int, min_size: int = 1) -> Connections:
    return AsyncConnectionPool(
        kwargs=_parameters(), min_size=min_size, max_size=max_size, timeout=5, reconnect_timeout=30, name=name, open=False
    )


class Unanswered(psycopg.OperationalError):
    """The line was lost behind statements that had been sent: whether they are done, nobody has heard."""


class Held:
    """One connection kept from a pool for one user at a time; given back when something goes wrong with it."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._kept: AsyncConnection[TupleRow] | None = None

    async def go(self, trip: Trip) -> None:
        """Send a trip over it. Raises Unanswered when its answers were lost."""
        if self._kept is not None and is_lost(self._kept):
            await self.let_go()
        if self._kept is None:
            self._kept = await self._connections.getconn()
        try:
            await trip.over(self._kept)
        except (psycopg.Error, OSError) as error:
            await self.let_go()
            raise Unanswered(str(error)) from error
        except BaseException:
            await self.let_go()
            raise

    async def let_go(self) -> None:
        """Give it back; the pool throws away what is broken."""
        if self._kept is not None:
            kept, self._kept = self._kept, None
            await self._connections.putconn(kept)


_held: dict[asyncio.AbstractEventLoop, Held] = {}


async def pool() -> Connections:
    """The pool that the entry rooms of this process share."""
    loop = asyncio.get_running_loop()
    if loop not in _pools:
        # Set before the first await, so that two callers never make two.
        size = settings.DATABASES["default"].get("OPTIONS", {}).get("pool", {}).get("max_size", 8)
        _pools[loop] = _make("entry", size)
        await _pools[loop].open(wait=False)
    return _pools[loop]


async def held() -> Held:
    """The one connection of the shared pool that is kept for storing commands."""
    loop = asyncio.get_running_loop()
    if loop not in _held:
        _held[loop] = Held(await pool())
    return _held[loop]


async def close() -> None:
    """Close the shared pool of the running loop."""
    kept = _held.pop(asyncio.get_running_loop(), None)
    if kept is not None:
        await kept.let_go()
    found = _pools.pop(asyncio.get_running_loop(), None)
    if found is not None:
        await found.close()
