"""Commands become durable here: those that arrive while a commit is under way go together in the next (group commit).

One INSERT, one commit, no lock. A client is told "accepted" only after it.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence

import msgspec
import psycopg
from channels.db import database_sync_to_async
from django.db import Error

from exchange.domain.bounds import BoundRefusal
from exchange.feed.backlog import Backlog, backlog
from exchange.feed.pool import Unanswered, held, pool
from exchange.models.book import CommandKind
from exchange.services import bell
from exchange.services.entry import enter_by_key
from exchange.services.intake import INSERT, NewCommand, parameters
from rights.kernel.clock import now_us
from rights.kernel.trip import Trip

_LOG = logging.getLogger(__name__)
MOST_TOGETHER = 2000
BOUNDED = frozenset((int(CommandKind.PLACE), int(CommandKind.AMEND)))


class Promise(msgspec.Struct, gc=False):
    """What became of one command at the door: its number, or the number of the twin that was there first.

    `busy`: too many wait for its book, so it was not stored. `failed`: the code of what is told instead: `timeout` when whether it was
    stored is not known, `unavailable` when it was not and nobody could say whether a twin was.
    """

    n: int | None
    busy: bool = False
    failed: str = ""
    refused: BoundRefusal | None = None  # by a limit of its key
    twin_n: int | None = None
    twin_order_id: str | None = None
    twin_payload: str | None = None
    twin_book: int | None = None
    at_us: int = 0  # when it was accepted, or its twin was


_TWINS = """
SELECT c.account_id, c.client_order_id, c.n, c.order_id::text, c.payload, c.book_id, (extract(epoch from c.accepted_at) * 1000000)::bigint
FROM unnest(%s::bigint[], %s::varchar[]) AS w(account_id, cid)
JOIN exchange_command c ON c.account_id = w.account_id AND c.client_order_id = w.cid
"""


class Group(msgspec.Struct, gc=False):
    """The commands of one call on their way, and how many of them each book gets."""

    commands: Sequence[NewCommand]
    counts: Counter[int]
    future: asyncio.Future[list[Promise]]


class Door:
    """Gathers what arrives; one gathering is on its way at a time. Orders for a book that is too far behind stay outside."""

    def __init__(self) -> None:
        self._waiting: list[Group] = []
        self._busy = False
        self._ring_tasks: set[asyncio.Future[None]] = set()

    async def promise(self, commands: Sequence[NewCommand]) -> list[Promise]:
        """Store the commands of books that this process knows the rules of. One promise each, in order."""
        counts = Counter([c.book_id for c in commands])
        lines = backlog()
        if all(lines.room(book_id) >= count for book_id, count in counts.items()):
            return await self._enter(commands, counts)
        taken = _those_with_room(commands, lines)
        entered = self._enter([commands[i] for i in taken], Counter([commands[i].book_id for i in taken]))
        promises = [Promise(None, busy=True) for _ in commands]
        for i, promise in zip(taken, await entered, strict=True):
            promises[i] = promise
        await _find_twins([(c, p) for c, p in zip(commands, promises, strict=True) if p.busy])
        return promises

    def _enter(self, commands: Sequence[NewCommand], counts: Counter[int]) -> asyncio.Future[list[Promise]]:
        """Let in, and count at once: whoever comes later finds less room."""
        future: asyncio.Future[list[Promise]] = asyncio.get_running_loop().create_future()
        if not commands:
            future.set_result([])
            return future
        backlog().enter(counts)
        self._waiting.append(Group(commands, counts, future))
        if not self._busy:
            self._busy = True
            task = asyncio.ensure_future(self._work())
            self._ring_tasks.add(task)
            task.add_done_callback(self._ring_tasks.discard)
        return future

    async def _work(self) -> None:
        try:
            while self._waiting:
                taken: list[Group] = []
                size = 0
                while self._waiting and (not taken or size + len(self._waiting[0].commands) <= MOST_TOGETHER):
                    taken.append(self._waiting.pop(0))
                    size += len(taken[-1].commands)
                await self._store(taken)
        finally:
            self._busy = False

    async def _store(self, taken: list[Group]) -> None:
        commands = [c for group in taken for c in group.commands]
        try:
            promises = await _insert(commands)
        except Unanswered as error:
            _LOG.warning("the answer to %d commands was lost: %s", len(commands), error)
            promises = [Promise(None, failed="timeout") for _ in commands]
        except (psycopg.Error, OSError) as error:
            for group in taken:
                backlog().leave(group.counts, stored=False)
                if not group.future.done():
                    group.future.set_exception(error)
            return
        start = 0
        for group in taken:
            backlog().leave(group.counts, stored=True)
            if not group.future.done():
                group.future.set_result(promises[start : start + len(group.commands)])
            start += len(group.commands)
        books = {c.book_id for c, p in zip(commands, promises, strict=True) if p.n is not None or p.failed == "timeout"}
        for book_id in books:
            ring = asyncio.get_running_loop().run_in_executor(None, bell.ring_book, book_id)
            self._ring_tasks.add(ring)
            ring.add_done_callback(self._ring_tasks.discard)


def _those_with_room(commands: Sequence[NewCommand], lines: Backlog) -> list[int]:
    """Positions of what may go in, in order: cancels always, orders and amendments as far as their book has room."""
    room = {c.book_id: lines.room(c.book_id) for c in commands}
    taken = []
    for i, command in enumerate(commands):
        if command.kind in BOUNDED and room[command.book_id] <= 0:
            continue
        room[command.book_id] -= 1
        taken.append(i)
    return taken


async def _insert(commands: list[NewCommand]) -> list[Promise]:
    trip = Trip()
    at_us = now_us()
    answer = trip.ask(INSERT, parameters(commands, at_us))
    await (await held()).go(trip)
    try:
        inserted = answer.rows()
    except psycopg.Error as error:
        if error.sqlstate is None:  # not the server's word: libpq's, that the line is gone
            raise Unanswered(str(error)) from error
        raise
    if len(inserted) == len(commands):
        return [Promise(row[0], at_us=at_us) for row in inserted]
    # Rows came back in our order, with those left out that met a twin or whose key was revoked or ran out meanwhile.
    promises: list[Promise] = []
    rest = iter(inserted)
    row = next(rest, None)
    for command in commands:
        if row is not None and str(row[1]) == str(command.order_id) and row[2] == command.client_order_id:
            promises.append(Promise(row[0], at_us=at_us))
            row = next(rest, None)
        else:
            promises.append(Promise(None))
    missed = [(c, p) for c, p in zip(commands, promises, strict=True) if p.n is None]
    await _find_twins(missed)
    unknown = [(c, p) for c, p in missed if p.twin_order_id is None and not p.failed]
    await _enter_bounded(unknown, at_us)
    await _find_twins([(c, p) for c, p in unknown if p.n is None and p.refused is None and not p.failed])  # of a call beside this one
    return promises


async def _enter_bounded(missed: Sequence[tuple[NewCommand, Promise]], at_us: int) -> None:
    """What keys with limits give is judged one by one; and so what a key gave that lives no more, which finds that out."""
    by_key: dict[int, list[tuple[NewCommand, Promise]]] = {}
    for command, promise in missed:
        if command.key_id is not None:
            by_key.setdefault(command.key_id, []).append((command, promise))
    for key_id, pairs in by_key.items():
        try:
            entered = await database_sync_to_async(enter_by_key, thread_sensitive=False)(
                key_id=key_id, commands=[command for command, _ in pairs], now_us=at_us
            )
        except Error as error:  # whether its commit came through is not known
            _LOG.warning("what a bounded key gave was not answered: %s", error)
            for _, promise in pairs:
                promise.failed = "timeout"
            continue
        for (_, promise), one in zip(pairs, entered, strict=True):
            promise.n, promise.refused, promise.at_us = one.n, one.refusal, at_us


async def _find_twins(missed: Sequence[tuple[NewCommand, Promise]]) -> None:
    """Write into the promises of what was not stored who bore the same client_order_id before."""
    named = [(c, p) for c, p in missed if c.client_order_id is not None]
    if not named:
        return
    try:
        async with (await pool()).connection() as connection:
            cursor = await connection.execute(_TWINS, [[c.account_id for c, _ in named], [c.client_order_id for c, _ in named]])
            twins = {(row[0], row[1]): row[2:] for row in await cursor.fetchall()}
    except (psycopg.Error, OSError) as error:
        _LOG.warning("twins could not be looked up: %s", error)
        for _, promise in named:
            promise.failed = "unavailable"
        return
    for command, promise in named:
        twin = twins.get((command.account_id, command.client_order_id))
        if twin is not None:
            promise.twin_n, promise.twin_order_id, promise.twin_payload, promise.twin_book, promise.at_us = twin


_doors: dict[asyncio.AbstractEventLoop, Door] = {}


def door() -> Door:
    """This process's door."""
    loop = asyncio.get_running_loop()
    if loop not in _doors:
        _doors[loop] = Door()
    return _doors[loop]
