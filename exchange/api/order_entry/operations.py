"""Place, amend, cancel: from a parsed request to a stored command to its outcome."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec
import psycopg
from channels.db import database_sync_to_async
from django.db import DatabaseError, InterfaceError

from exchange.api import fields
from exchange.api.fields import BadFields, FieldError
from exchange.api.order_entry import answers
from exchange.api.order_entry.parse import amend_payload, place_payload
from exchange.api.order_entry.promise import Promise, door
from exchange.api.order_entry.told import Outcomes
from exchange.api.problems import Problem
from exchange.feed import hub as hubs
from exchange.feed import wire
from exchange.feed.pool import pool
from exchange.models.book import CommandKind
from exchange.services.identity import Principal
from exchange.services.intake import NewCommand
from exchange.services.payload import CancelPayload, encode
from exchange.services.pending import UNREAD_SINCE
from exchange.services.rules import Rules, known, known_book, rules_named, rules_of
from rights.kernel.ids import Mint

MINT = Mint()
CANCEL = encode(CancelPayload())


class Ready(msgspec.Struct, gc=False):
    """A command that can be stored, and the rules of its book. `named`: the client's own name for the order it aims at, if it used that."""

    command: NewCommand
    rules: Rules
    named: str | None = None


async def rules_for(given: object) -> Rules:
    """The rules of the instrument a body names. Raises FieldError."""
    if given is None:
        raise FieldError("instrument", "is required", "required")
    symbol = fields.symbol(given, "instrument")
    found = known(symbol) or await database_sync_to_async(rules_named, thread_sensitive=False)(symbol)
    if found is None:
        raise FieldError("instrument", "is not the symbol of a listed instrument", "unknown_instrument")
    return found


def aim_of(source: Mapping[str, Any]) -> tuple[str | None, str | None, dict[str, Any]]:
    """What an amend or a cancel means by `id` or `client_order_id`: (order's UUID, None, rest) or (None, the client's name, rest)."""
    rest = dict(source)
    given, cid = rest.pop("id", None), rest.pop("client_order_id", None)
    if (given is None) == (cid is None):
        raise FieldError("id", "is required, or client_order_id in its place; not both", "required")
    if cid is None:
        return fields.public_id(given, "id", "ord"), None, rest
    return None, fields.client_id(cid, "client_order_id"), rest


async def read_place(source: Mapping[str, Any], who: Principal, now_us: int) -> tuple[Ready, BadFields | None]:
    """A place as a command with a fresh order id. Raises FieldError, BadFields.

    With it comes what refuses it unless it is there already: that its moment has passed is no reason not to answer who asks again.
    """
    rules = await rules_for(source.get("instrument"))
    late = None
    try:
        payload, cid = place_payload(source, rules, now_us)
    except BadFields as wrong:
        if not source.get("client_order_id"):
            raise
        try:
            payload, cid = place_payload(source, rules, 0)
        except BadFields:
            raise wrong from None
        late = wrong
    order_id = MINT.uuid(now_us)
    return Ready(_command(rules, who, CommandKind.PLACE, encode(payload), order_id, cid), rules), late


async def new_place(source: Mapping[str, Any], who: Principal, now_us: int) -> Ready:
    """`read_place` for an order that is not there yet. Raises FieldError, BadFields."""
    ready, late = await read_place(source, who, now_us)
    if late is not None:
        raise late
    return ready


async def ready_place(source: Mapping[str, Any], who: Principal, now_us: int) -> Ready:
    """`read_place` for an order that may be there already. Raises FieldError, BadFields."""
    ready, late = await read_place(source, who, now_us)
    if late is not None and not await orders_of_client_ids([ready.command.client_order_id or ""], who):
        raise late
    return ready


class Target(NamedTuple):
    """An order of the caller's, the rules of its book, and the client's own name for it where it was found by that."""

    order_id: str
    rules: Rules
    named: str | None = None


def ready_amend(target: Target, source: Mapping[str, Any], who: Principal, now_us: int) -> Ready:
    payload = encode(amend_payload(source, target.rules, now_us))
    return Ready(_command(target.rules, who, CommandKind.AMEND, payload, target.order_id), target.rules, target.named)


def ready_cancel(target: Target, who: Principal) -> Ready:
    return Ready(_command(target.rules, who, CommandKind.CANCEL, CANCEL, target.order_id), target.rules, target.named)


def _command(rules: Rules, who: Principal, kind: CommandKind, payload: str, order_id: str | None, cid: str | None = None) -> NewCommand:
    return NewCommand(
        book_id=rules.book_id,
        account_id=who.account_id,
        kind=int(kind),
        payload=payload,
        actor=who.actor,
        order_id=order_id,
        client_order_id=cid,
        key_id=who.key_id,
    )


# An order is found by its row, or among the commands that no batch has applied yet (services/pending.py).
_BOOKS_OF = f"""
SELECT id::text, book_id FROM exchange_order WHERE id = ANY(%(ids)s::uuid[]) AND account_id = %(account)s
UNION SELECT c.order_id::text, c.book_id FROM exchange_book b JOIN exchange_command c
  ON c.book_id = b.instrument_id AND c.xid >= {UNREAD_SINCE}
WHERE c.kind = 0 AND c.order_id = ANY(%(ids)s::uuid[]) AND c.account_id = %(account)s
"""


async def books_of(order_ids: Sequence[str], who: Principal) -> dict[str, int]:
    """The books of the caller's own orders."""
    async with (await pool()).connection() as connection:
        cursor = await connection.execute(_BOOKS_OF, {"ids": list(order_ids), "account": who.account_id})
        return {row[0]: row[1] for row in await cursor.fetchall()}


_BY_CLIENT_IDS = """
SELECT client_order_id, order_id::text, book_id FROM exchange_command
WHERE account_id = %s AND client_order_id = ANY(%s::varchar[])
"""


async def orders_of_client_ids(cids: Sequence[str], who: Principal) -> dict[str, tuple[str, int]]:
    """(order id, book) of the caller's orders, by client_order_id."""
    if not cids:
        return {}
    async with (await pool()).connection() as connection:
        cursor = await connection.execute(_BY_CLIENT_IDS, [who.account_id, list(cids)])
        return {row[0]: (row[1], row[2]) for row in await cursor.fetchall()}


async def target_of_id(order_id: str, who: Principal) -> Target:
    """The caller's order with this id. Raises Problem `not_found`."""
    books = await books_of([order_id], who)
    return await _target(order_id, books.get(order_id))


async def target_of_client_id(cid: str, who: Principal) -> Target:
    """The caller's order with this client_order_id. Raises Problem `not_found`."""
    found = await _target(*(await orders_of_client_ids([cid], who)).get(cid, ("", None)))
    return found._replace(named=cid)


async def _target(order_id: str, book_id: int | None) -> Target:
    if book_id is None:
        raise Problem("not_found")
    if known_book(book_id):
        return Target(order_id, rules_of(book_id))
    return Target(order_id, await database_sync_to_async(rules_of, thread_sensitive=False)(book_id))


async def run(ready: Sequence[Ready], who: Principal, wait_s: float) -> tuple[list[Promise], Outcomes]:
    """Store the commands and wait for what becomes of them, at most `wait_s` seconds after they are durable."""
    hub = await hubs.started()
    with await hub.expect(who.account_id) as waiter:
        promises = await door().promise([r.command for r in ready])
        numbers = [p.n for p in promises if p.n is not None]
        outcomes = await waiter.results(numbers, wait_s) if numbers and wait_s > 0 else {}
    return promises, Outcomes(outcomes)


def not_stored(promise: Promise, order_id: str = "") -> Problem:
    """Why a command that met no twin is not known to be stored.

    No room, or its key was revoked between the look and the insert, or the line to the database was lost.
    """
    if promise.refused is not None:
        return Problem(promise.refused.code, promise.refused.detail)
    if promise.failed:
        return Problem(promise.failed, order_id=order_id if promise.failed == "timeout" else "")
    return Problem("busy" if promise.busy else "unauthenticated")


@contextmanager
def _stored(order_id: str) -> Iterator[None]:
    """Where the command is stored and only its answer is still to be read: whoever loses the database here has done what was asked."""
    try:
        yield
    except (psycopg.Error, OSError, DatabaseError, InterfaceError) as error:
        raise Problem("timeout", order_id=order_id) from error


async def place_answer(ready: Ready, promise: Promise, outcomes: Outcomes, who: Principal) -> tuple[int, dict[str, Any]]:
    """(status, body) of one place."""
    order_id = ready.command.order_id or ""
    if promise.n is None:
        return await _twin(ready, promise, who)
    outcome = outcomes.get(promise.n)
    if outcome is None:
        return 202, answers.pending(order_id, ready.command, promise.at_us, ready.rules)
    return answers.placed(outcomes.told(outcome), order_id, ready.rules)


async def _twin(ready: Ready, promise: Promise, who: Principal) -> tuple[int, dict[str, Any]]:
    """The same client_order_id came before: a replay when everything is the same, a conflict when not."""
    if promise.twin_order_id is None:
        raise not_stored(promise, ready.command.order_id or "")
    if promise.twin_payload != ready.command.payload or promise.twin_book != ready.command.book_id:
        raise Problem(
            "client_order_id_reused", field_errors=[{"field": "client_order_id", "code": "reused", "detail": "belongs to another order"}]
        )
    record = None
    until = time.monotonic() + 2
    with _stored(promise.twin_order_id):
        hub = await hubs.started()
        with await hub.expect(who.account_id) as waiter:
            while record is None:
                record = await stored(promise.twin_order_id, who)
                if record is None and promise.twin_n is not None and not await waiter.result(promise.twin_n, until - time.monotonic()):
                    break
    body = record or answers.pending(promise.twin_order_id, ready.command, promise.at_us, ready.rules)
    return 200, {**body, "replayed": True}


async def stored(order_id: str, who: Principal) -> dict[str, Any] | None:
    """The caller's order as its row says, or None while it has none."""
    async with (await pool()).connection() as connection:
        row = await (await connection.execute(answers.BY_ID, [order_id, who.account_id])).fetchone()
    if row is None:
        return None
    record = answers.record_of(row)
    rules = await database_sync_to_async(rules_of, thread_sensitive=False)(record.book_id)
    return wire.order(record, rules)


async def change_answer(ready: Ready, promise: Promise, outcomes: Outcomes, who: Principal) -> tuple[int, dict[str, Any]]:
    """(status, body) of an amend or a cancel: the order after it. Raises Problem when a rule refused it."""
    order_id = ready.command.order_id or ""
    if promise.n is None:
        raise not_stored(promise, order_id)
    outcome = outcomes.get(promise.n)
    if outcome is None:
        return 202, answers.underway(order_id, ready.named, ready.rules)
    if outcome.result.reason:
        code = answers.reason_code(outcome.result.reason)
        with _stored(order_id):
            if code == "order_unknown" and await stored(order_id, who) is not None:
                code = "order_terminal"
        raise Problem(code)
    body = answers.changed(outcomes.told(outcome), order_id, ready.rules)
    if body is None:
        with _stored(order_id):
            body = await stored(order_id, who) or {}
    if outcome.result.priority_kept is not None:
        body["priority"] = "kept" if outcome.result.priority_kept else "lost"
    return 200, body
