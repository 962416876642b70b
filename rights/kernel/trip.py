"""Statements to the database, several in one trip: a lonely order costs what it waits for, and it waits for trips.

Statements are prepared once per connection and sent together in libpq's pipeline mode, in order, with one `Sync` behind them. psycopg's own
pipeline sends each by itself, so that the server wakes for each; and its own prepared statements end with every rollback.
"""

import re
import select
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import psycopg
from django.db import connection
from psycopg import abc, errors, generators
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ExecStatus, Format, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult
from psycopg.waiting import Ready, Wait

Parameters = Sequence[Any] | Mapping[str, Any]
MOST_PREPARED = 500  # per connection; statements are constants of ours, but for a few that are put together
# Whatever is done in a transaction is done over and over, with ever other lists of ids: planning it for each costs more than running it. Single
# reads, those of pages among them, stay with the plan that the server thinks best for what is looked for.
_BEGIN = (b"BEGIN", b"SET LOCAL plan_cache_mode = force_generic_plan")
_waits: ContextVar[tuple[bytes, ...]] = ContextVar("trip_waits", default=())
_Statement = tuple[bytes, tuple[int, ...]]
_DONE = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)
_prepared: WeakKeyDictionary["_Link", dict[_Statement, bytes]] = WeakKeyDictionary()


class Answer:
    """What one statement found. To be read after the trip; an error is raised by whoever reads it."""

    __slots__ = ("_result", "_transformer", "_translate")

    def __init__(self) -> None:
        self._result: PGresult | None = None
        self._translate: AbstractContextManager[None] = nullcontext()

    def put(self, result: PGresult, transformer: abc.Transformer) -> None:
        self._result, self._transformer = result, transformer

    def translated(self, errors: AbstractContextManager[None]) -> None:
        """Raise errors as `errors` makes them."""
        self._translate = errors

    def rows(self) -> list[tuple[Any, ...]]:
        """The rows, as psycopg gives them."""
        result = self._good()
        self._transformer.set_pgresult(result)
        return self._transformer.load_rows(0, result.ntuples, tuple)

    def names(self) -> list[str]:
        """The columns' names."""
        result = self._good()
        return [(result.fname(place) or b"").decode() for place in range(result.nfields)]

    def one(self) -> tuple[Any, ...] | None:
        found = self.rows()
        return found[0] if found else None

    def count(self) -> int:
        """How many rows it touched."""
        return self._good().command_tuples or 0

    def _good(self) -> PGresult:
        if self._result is None:
            raise RuntimeError("the statement has not been sent")
        if self._result.status in _DONE:
            return self._result
        with self._translate:
            raise errors.error_from_result(self._result)


_Asked = tuple[bytes, Sequence[Any], bool, Answer]
_Link = psycopg.Connection[Any] | psycopg.AsyncConnection[Any]


class Trip:
    """Ask, then `go`, then read the answers.

    Behind a statement that failed nothing is done: its error is the answer to all that follow.
    """

    def __init__(self) -> None:
        self._asked: list[_Asked] = []

    def ask(self, sql: str, params: Parameters = (), *, binary: bool = False, answer: Answer | None = None) -> Answer:
        """Add a statement with `%s` or `%(name)s` parameters; its answer, which may be one that was handed out before.

        `binary`: columns come as the server holds them, which is cheaper for `bytea`.
        """
        answer = answer or Answer()
        text, names = numbered(sql)
        values = [params[name] for name in names] if isinstance(params, Mapping) else params
        self._asked.append((text, values, binary, answer))
        return answer

    @property
    def is_empty(self) -> bool:
        return not self._asked

    def go(self) -> None:
        """Send what was asked over Django's connection and take the answers. Begins the transaction when that is still to be begun."""
        if not self._asked:
            return
        asked, self._asked = self._asked, []
        for *_, answer in asked:
            answer.translated(connection.wrap_database_errors)
        connection.ensure_connection()
        link: psycopg.Connection[Any] = connection.connection
        with connection.wrap_database_errors, link.lock:
            link.wait(_converse(link, asked))

    async def over(self, link: psycopg.AsyncConnection[Any]) -> None:
        """`go` over a connection in autocommit of an event loop's: everything in one transaction, with psycopg's own errors."""
        asked, self._asked = self._asked, []
        async with link.lock:
            await link.wait(_converse(link, asked))

    def do(self) -> None:
        """`go`, and raise the first error."""
        answers = [answer for *_, answer in self._asked]
        self.go()
        for answer in answers:
            answer.count()


class _Bound(NamedTuple):
    """A statement with its parameters as they travel. The types are part of what is prepared, as psycopg does it."""

    statement: _Statement
    values: Sequence[Any]
    formats: Sequence[Any] | None
    result_format: Format
    answer: Answer


def _bind(asked: _Asked, transformer: abc.Transformer) -> _Bound:
    text, params, binary, answer = asked
    values = transformer.dump_sequence(params, [PyFormat.AUTO] * len(params))
    return _Bound((text, tuple(transformer.types or ())), values, transformer.formats, Format.BINARY if binary else Format.TEXT, answer)


@contextmanager
def waiting_at_most(patience_ms: int) -> Iterator[None]:
    """A transaction that begins with a trip inside waits no longer than that for any lock."""
    token = _waits.set((b"SET LOCAL lock_timeout = %d" % patience_ms,))
    try:
        yield
    finally:
        _waits.reset(token)


def is_lost(link: _Link) -> bool:
    """Whether an idle connection is over: the server says nothing to it but that."""
    if link.closed:
        return True
    poll = select.poll()
    poll.register(link.pgconn.socket, select.POLLIN)
    return bool(poll.poll(0))


def _converse(link: _Link, asked: Sequence[_Asked]) -> abc.PQGen[None]:
    pgconn = link.pgconn
    transformer = Transformer(link)
    bound = [_bind(each, transformer) for each in asked]
    known = _prepared.setdefault(link, {})
    wanted = list(dict.fromkeys(each.statement for each in bound))
    before: list[bytes] = []
    if len(known) + len(wanted) > MOST_PREPARED:
        known.clear()
        before.append(b"DEALLOCATE ALL")
    if not link.autocommit and pgconn.transaction_status == TransactionStatus.IDLE:
        before += [*_BEGIN, *_waits.get()]
    fresh = [statement for statement in wanted if statement not in known]
    names = known | {statement: b"trip_%d" % number for number, statement in enumerate(fresh, len(known))}

    def send() -> None:
        for command in before:
            pgconn.send_query_params(command, None)
        for statement in fresh:
            pgconn.send_prepare(names[statement], *statement)
        for each in bound:
            pgconn.send_query_prepared(names[each.statement], each.values, each.formats, each.result_format)
        pgconn.pipeline_sync()

    results = yield from _exchange(pgconn, send, len(before) + len(fresh) + len(bound))
    failed = next((result for result in results if result.status == ExecStatus.FATAL_ERROR), None)
    for statement, result in zip(fresh, results[len(before) :], strict=False):
        if result.status == ExecStatus.COMMAND_OK:
            known[statement] = names[statement]
    for each, result in zip(bound, results[len(before) + len(fresh) :], strict=True):
        each.answer.put(failed if failed is not None and result.status == ExecStatus.PIPELINE_ABORTED else result, transformer)


def _exchange(pgconn: PGconn, send: Callable[[], None], count: int) -> abc.PQGen[list[PGresult]]:
    """One result for each of `count` messages, in order. Raises what the server said of the commit behind them."""
    pgconn.enter_pipeline_mode()
    try:
        found = yield from _until_sync(pgconn, send)
    except BaseException:
        # Cut short, the talk cannot be taken up again: whoever holds the connection sees by its state that it is of no use.
        with suppress(psycopg.OperationalError):
            pgconn.exit_pipeline_mode()
        raise
    pgconn.exit_pipeline_mode()
    if len(found) > count + 1:  # a message has one result and the Sync has one; a commit that fails has one between them
        raise errors.error_from_result(found[count][-1])
    return [results[-1] for results in found[:count]]


def _until_sync(pgconn: PGconn, send: Callable[[], None]) -> abc.PQGen[list[list[PGresult]]]:
    found: list[list[PGresult]] = yield from generators.pipeline_communicate(pgconn, deque([send]))
    # It stops at what the socket takes at once. The server answers when it has the whole, so the rest goes before anything is waited for.
    while pgconn.flush():
        if (yield Wait.RW) & Ready.R:
            pgconn.consume_input()
    while not found or found[-1][-1].status != ExecStatus.PIPELINE_SYNC:
        results = yield from generators.fetch_many(pgconn)
        if not results:
            raise psycopg.OperationalError("the line ended behind statements that were sent")
        found.append(results)
    return found


_PARAMETER = re.compile(r"%(?:s|\((\w+)\)s|%)", re.ASCII)


@lru_cache(maxsize=512)
def numbered(sql: str) -> tuple[bytes, tuple[str, ...]]:
    """The statement with `$1` … in the place of its parameters, and their names in order."""
    names: list[str] = []
    count = 0

    def number(match: re.Match[str]) -> str:
        nonlocal count
        if match[0] == "%%":
            return "%"
        if match[1] is None:
            count += 1
            return f"${count}"
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    return _PARAMETER.sub(number, sql).encode(), tuple(names)
