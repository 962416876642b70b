"""Everything the sockets of one process share: markets, private topics, and the clocks that drive heartbeats and checks."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

import psycopg
from psycopg_pool import PoolTimeout

from exchange.feed import hub as hubs
from exchange.feed.hub import Hub
from exchange.services.identity import SUSPENDED_SCOPES
from exchange.services.rules import Rules
from exchange.sockets import access
from exchange.sockets.closing import Close
from exchange.sockets.connection import Connection
from exchange.sockets.listings import InstrumentsTopic, StatusTopic
from exchange.sockets.market import Market
from exchange.sockets.private import PrivateTopic
from rights.kernel.clock import now_us

LOG = logging.getLogger(__name__)
BEAT_S, PULSE_S, SURVEY_S, WATCH_S, GOODBYE_S = 1.0, 0.1, 1.0, 2.0, 1.0


class Fanout:
    """One per process and event loop; `fanout()` gives it."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.connections: set[Connection] = set()
        self.is_leaving = False
        self.instruments = InstrumentsTopic(hub)
        self.status = StatusTopic()
        self._markets: dict[int, Market] = {}
        self._accounts: dict[int, PrivateTopic] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self.hub.on_revoked(self._revoked)
        rounds = ((BEAT_S, self._beat), (PULSE_S, self._pulse), (SURVEY_S, self._survey), (WATCH_S, self._watch))
        self._tasks = [asyncio.create_task(_every(period, call)) for period, call in rounds]

    async def stop(self) -> None:
        await self.say_goodbye()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def say_goodbye(self) -> None:
        """Tell every socket to go elsewhere; wait a moment until they have been told."""
        self.is_leaving = True
        for connection in tuple(self.connections):
            connection.end(Close.GOING_AWAY, "this process stops")
        told = [asyncio.create_task(connection.ended.wait()) for connection in self.connections]
        if told:
            _, late = await asyncio.wait(told, timeout=GOODBYE_S)
            for task in late:
                task.cancel()

    async def market(self, rules: Rules) -> Market:
        """The market of an instrument, ready to be joined at once."""
        while True:
            market = self._markets.setdefault(rules.book_id, Market(rules, self.hub))
            await market.begin()
            if self._markets.get(rules.book_id) is market:  # it may have been ended for want of readers meanwhile
                return market

    async def private(self, account_id: int) -> PrivateTopic:
        """The private topic of an account, held (`joining`) for the caller, who lets it go."""
        if account_id not in self._accounts:
            followed = await self.hub.accounts.follow(account_id)
            if account_id not in self._accounts:
                self._accounts[account_id] = PrivateTopic(followed)
        topic = self._accounts[account_id]
        topic.joining += 1
        return topic

    async def _beat(self) -> None:
        at_us = now_us()
        for market in tuple(self._markets.values()):
            if market.drop_unread():
                market.end()
                del self._markets[market.rules.book_id]
            for topic in market.topics:
                topic.beat(at_us)
        for account_id, private in tuple(self._accounts.items()):
            if private.is_unread:
                private.end()
                del self._accounts[account_id]
            private.beat(at_us)
        self.instruments.beat(at_us)
        self.status.beat(at_us)
        for connection in tuple(self.connections):
            connection.beat(at_us)

    async def _pulse(self) -> None:
        at_us = now_us()
        for market in self._markets.values():
            if market.replica is not None:
                market.ticker.pulse(at_us)

    async def _survey(self) -> None:
        await self.instruments.survey()
        await self.status.survey()

    def _revoked(self, key_uuid: str) -> None:
        for connection in tuple(self.connections):
            if connection.who is not None and connection.who.key_uuid == key_uuid:
                connection.end(Close.REVOKED, "the key was revoked")

    async def _watch(self) -> None:
        """Read again what the sockets were opened by: a lost notice must not keep a dead key or session alive."""
        known = [c for c in self.connections if c.who is not None]
        keys = [c.who.key_uuid for c in known if c.who is not None and c.session is None]
        seats = [(c.session, c.who.account_id) for c in known if c.session is not None and c.who is not None]
        live: dict[str, tuple[list[str], bool]] = {}
        async with self.hub.pool.connection() as connection:
            if keys:
                rows = await (await connection.execute(access.LIVE_KEYS, [keys])).fetchall()
                live |= {row[0]: (row[1], row[2]) for row in rows}
            if seats:
                columns = [[s.key for s, _ in seats], [s.user_id for s, _ in seats], [s.mark for s, _ in seats], [a for _, a in seats]]
                rows = await (await connection.execute(access.LIVE_SESSIONS, columns)).fetchall()
                live |= {row[0]: (row[1], row[2]) for row in rows}
        for socket in known:
            self._judge(socket, live)

    @staticmethod
    def _judge(connection: Connection, live: dict[str, tuple[list[str], bool]]) -> None:
        who = connection.who
        if who is None:
            return
        found = live.get(connection.session.key if connection.session is not None else who.key_uuid or "")
        if found is None:
            connection.end(Close.REVOKED, "the key or session is no longer valid")
            return
        granted, suspended = frozenset(found[0]), found[1]
        connection.who = replace(who, scopes=granted & SUSPENDED_SCOPES if suspended else granted, suspended=suspended)
        if "read" not in connection.who.scopes and connection.reads_privately:
            connection.end(Close.SCOPE_MISSING, "the scope read was withdrawn")


async def _every(period: float, call: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(period)
        try:
            await call()
        except (psycopg.Error, PoolTimeout, OSError) as error:
            LOG.warning("%s can't read: %s", call.__name__, error)
        except Exception:
            LOG.exception("%s failed", call.__name__)


_fanouts: dict[asyncio.AbstractEventLoop, Fanout] = {}


async def fanout() -> Fanout:
    """This process's fan-out, running."""
    loop = asyncio.get_running_loop()
    if loop not in _fanouts:
        hub = await hubs.started()
        if loop not in _fanouts:
            _fanouts[loop] = Fanout(hub)
            _fanouts[loop].start()
    return _fanouts[loop]


async def say_goodbye() -> None:
    """Close every socket with 4010; what else this process does goes on."""
    found = _fanouts.get(asyncio.get_running_loop())
    if found is not None:
        await found.say_goodbye()


async def stop() -> None:
    """Close every socket of this process with 4010, then the hub."""
    found = _fanouts.pop(asyncio.get_running_loop(), None)
    if found is not None:
        await found.stop()
    await hubs.stop()
