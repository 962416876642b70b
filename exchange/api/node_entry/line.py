"""Nodes that wait for work stand in line: a ring of the bell lets as many look as there is something to be had for (exchange/services/job_bell.py).

Who looked and found nothing for him goes to the end of the line and hands his ring on: it may be for another what it was not for him. A ring may be
lost: as long as somebody stands here, all that is on offer is counted once a second.
"""

import asyncio
import logging
from asyncio import AbstractEventLoop, Future
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from django.db import Error
from psycopg_pool import PoolTimeout

from exchange.feed import hub as hubs
from rights.kernel.clock import now_us
from settlement.services.lease import on_offer
from settlement.services.off_loop import in_thread

LOOK_S = 1.0
HANDS = 4  # so often a ring is handed on: what others were quicker to take is not looked for by everybody
_LOG = logging.getLogger(__name__)
Receive = Callable[[], Awaitable[dict[str, Any]]]


class Place:
    """Somebody's place in the line."""

    def __init__(self, line: "Line", supplier: str) -> None:
        self.supplier = supplier
        self._line = line
        self._rung: Future[int] = asyncio.get_running_loop().create_future()

    @property
    def is_rung(self) -> bool:
        return self._rung.done()

    def ring(self, hands: int) -> None:
        """There may be something; a ring of no use may be handed on so often."""
        if not self._rung.done():
            self._rung.set_result(hands)

    async def rings(self, seconds: float, receive: Receive) -> AsyncGenerator[None, None]:
        """Each ring of so many seconds, as long as the caller has not hung up: nothing is leased for nobody."""
        if not seconds or self._line.is_leaving:
            return
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        await self._line.open()
        gone = loop.create_task(_hung_up(receive))
        try:
            while (left_s := until - loop.time()) > 0:
                either: set[Future[Any]] = {self._rung, gone}
                await asyncio.wait(either, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
                if gone.done() or not self._rung.done() or self._line.is_leaving:
                    return
                hands = self._rung.result()
                self._rung = loop.create_future()
                yield
                self._line.passed(self, hands)
        finally:
            gone.cancel()


class Line:
    """Who waits, by supplier, in the order in which they came."""

    def __init__(self) -> None:
        self.is_leaving = False
        self._places: dict[str, dict[Place, None]] = {}
        self._is_open = False
        self._looking: asyncio.Task[None] | None = None

    @contextmanager
    def place(self, supplier: str) -> Iterator[Place]:
        """To be taken before one looks, so that no ring comes between. A ring that was of no use goes to the next."""
        mine = Place(self, supplier)
        places = self._places.setdefault(supplier, {})
        places[mine] = None
        try:
            yield mine
        finally:
            del places[mine]
            if mine.is_rung:
                self.offered(supplier, 1)
            if not places:
                self._places.pop(supplier, None)

    def offered(self, supplier: str, count: int) -> None:
        """There is so much to be had of this supplier."""
        self._ring(supplier, count, HANDS)

    def passed(self, place: Place, hands: int) -> None:
        """It looked, and there was nothing for it."""
        places = self._places[place.supplier]
        del places[place]
        if hands:
            self._ring(place.supplier, 1, hands - 1)
        places[place] = None

    def _ring(self, supplier: str, count: int, hands: int) -> None:
        for place in self._places.get(supplier, ()):
            if count <= 0:
                return
            if not place.is_rung:
                place.ring(hands)
                count -= 1

    async def open(self) -> None:
        """Hear the bell, and look by the clock."""
        if not self._is_open:
            hub = await hubs.started()
            if not self._is_open:  # others may have been quicker
                self._is_open = True
                hub.on_jobs(self.offered)
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._look())

    def let_go(self) -> None:
        """Nobody waits any longer: the process ends."""
        self.is_leaving = True
        for places in self._places.values():
            for place in places:
                place.ring(0)

    async def _look(self) -> None:
        try:
            while self._places and not self.is_leaving:
                await asyncio.sleep(LOOK_S)
                try:
                    found = await in_thread(on_offer, suppliers=tuple(self._places), now_us=now_us())
                except (Error, PoolTimeout, OSError) as error:
                    _LOG.warning("what is on offer to nodes can't be read: %s", error)
                else:
                    for supplier, count in found.items():
                        self.offered(supplier, count)
        finally:
            self._looking = None


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


_lines: WeakKeyDictionary[AbstractEventLoop, Line] = WeakKeyDictionary()


def line() -> Line:
    """That of the running loop."""
    return _lines.setdefault(asyncio.get_running_loop(), Line())


def let_go() -> None:
    """Before the process stops to serve."""
    line().let_go()
