"""Commands become durable here: those that arrive while a commit is under way go together in the next (group commit).

One INSERT, one commit, no lock. A client is told "accepted" only after it.
"""

import asyncio
from collections.abc import Sequence

import msgspec
import psycopg

from exchange.feed.pool import pool
from exchange.services import bell
from exchange.services.intake import INSERT, NewCommand, parameters
from rights.kernel.clock import now_us

MOST_TOGETHER = 2000


class Promise(msgspec.Struct, gc=False):
    """What became of one command at the door: its number, or the number of the twin that was there first."""

    n: int | None
    twin_n: int | None = None
    twin_order_id: str | None = None
    twin_payload: str | None = None
    twin_book: int | None = None


_TWINS = """
SELECT c.account_id, c.client_order_id, c.n, c.order_id::text, c.payload, c.book_id FROM unnest(%s::bigint[], %s::varchar[]) AS w(account_id, cid)
JOIN exchange_command c ON c.account_id = w.account_id AND c.client_order_id = w.cid
"""


class Door:
    """Gathers what arrives; one gathering is on its way at a time."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Sequence[NewCommand], asyncio.Future[list[Promise]]]] = []
        self._busy = False
        self._ring_tasks: set[asyncio.Future[None]] = set()

    async def promise(self, commands: Sequence[NewCommand]) -> list[Promise]:
        """Store the commands of books that this process knows the rules of. One promise each, in order."""
        future: asyncio.Future[list[Promise]] = asyncio.get_running_loop().create_future()
        self._waiting.append((commands, future))
        if not self._busy:
            self._busy = True
            task = asyncio.ensure_future(self._work())
            self._ring_tasks.add(task)
            task.add_done_callback(self._ring_tasks.discard)
        return await future

    async def _work(self) -> None:
        try:
            while self._waiting:
                taken: list[tuple[Sequence[NewCommand], asyncio.Future[list[Promise]]]] = []
                size = 0
                while self._waiting and (not taken or size + len(self._waiting[0][0]) <= MOST_TOGETHER):
                    taken.append(self._waiting.pop(0))
                    size += len(taken[-1][0])
                await self._store(taken)
        finally:
            self._busy = False

    async def _store(self, taken: list[tuple[Sequence[NewCommand], asyncio.Future[list[Promise]]]]) -> None:
        commands = [c for group, _ in taken for c in group]
        try:
            promises = await _insert(commands)
        except (psycopg.Error, OSError) as error:
            for _, future in taken:
                if not future.done():
                    future.set_exception(error)
            return
        start = 0
        for group, future in taken:
            if not future.done():
                future.set_result(promises[start : start + len(group)])
            start += len(group)
        books = {c.book_id for c, p in zip(commands, promises, strict=True) if p.n is not None}
        for book_id in books:
            ring = asyncio.get_running_loop().run_in_executor(None, bell.ring_book, book_id)
            self._ring_tasks.add(ring)
            ring.add_done_callback(self._ring_tasks.discard)


async def _insert(commands: list[NewCommand]) -> list[Promise]:
    async with (await pool()).connection() as connection:
        cursor = await connection.execute(INSERT, parameters(commands, now_us()))
        inserted = await cursor.fetchall()
        if len(inserted) == len(commands):
            return [Promise(row[0]) for row in inserted]
        # Rows came back in our order, with those left out that met a twin or whose key was revoked meanwhile.
        promises: list[Promise] = []
        rest = iter(inserted)
        row = next(rest, None)
        for command in commands:
            if row is not None and str(row[1]) == str(command.order_id) and row[2] == command.client_order_id:
                promises.append(Promise(row[0]))
                row = next(rest, None)
            else:
                promises.append(Promise(None))
        missed = [c for c, p in zip(commands, promises, strict=True) if p.n is None and c.client_order_id is not None]
        cursor = await connection.execute(_TWINS, [[c.account_id for c in missed], [c.client_order_id for c in missed]])
        twins = {(row[0], row[1]): row[2:] for row in await cursor.fetchall()}
    for command, promise in zip(commands, promises, strict=True):
        twin = twins.get((command.account_id, command.client_order_id))
        if promise.n is None and twin is not None:
            promise.twin_n, promise.twin_order_id, promise.twin_payload, promise.twin_book = twin
    return promises


_doors: dict[asyncio.AbstractEventLoop, Door] = {}


def door() -> Door:
    """This process's door."""
    loop = asyncio.get_running_loop()
    if loop not in _doors:
        _doors[loop] = Door()
    return _doors[loop]
