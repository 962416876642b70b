"""Order entry on the socket: the very intake of REST. Commands of one socket become durable in the order they came."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from exchange.api.fields import BadFields, unknown
from exchange.api.order_entry import operations as ops
from exchange.api.order_entry.mass_cancel import cancelled, ready_cancel_many
from exchange.api.order_entry.operations import Ready
from exchange.api.order_entry.preview import TOLD_BY_GATES, preview
from exchange.api.order_entry.promise import Promise, door
from exchange.api.order_entry.told import Outcomes
from exchange.api.problems import Problem
from exchange.services.identity import Principal
from exchange.services.rate_limit import check_async
from exchange.sockets.connection import Connection
from exchange.sockets.reply import Reply
from rights.kernel.clock import now_us

WAIT_S = 2.0
Answer = Callable[[Ready, Promise, Outcomes, Principal], Awaitable[tuple[int, dict[str, Any]]]]


async def place(connection: Connection, reply: Reply, args: dict[str, Any]) -> None:
    who = connection.need("trade")
    await check_async(who.account_id, "order")
    await _enter(connection, reply, await ops.ready_place(args, who, now_us()), ops.place_answer)


async def amend(connection: Connection, reply: Reply, args: dict[str, Any]) -> None:
    who = connection.need("trade")
    await check_async(who.account_id, "order")
    order_id, cid, rest = ops.aim_of(args)
    target = await _target(connection, order_id, cid, who)
    await _enter(connection, reply, ops.ready_amend(target, rest, who, now_us()))


async def cancel(connection: Connection, reply: Reply, args: dict[str, Any]) -> None:
    who = connection.need("cancel")
    order_id, cid, rest = ops.aim_of(args)
    if rest:
        raise BadFields([unknown(name) for name in rest])
    await _enter(connection, reply, ops.ready_cancel(await _target(connection, order_id, cid, who), who))


async def cancel_all(connection: Connection, reply: Reply, args: dict[str, Any]) -> None:
    """Takes its place among this socket's commands: what was placed before it goes, what is placed after it stays."""
    who = connection.need("cancel")
    await _settle(connection)
    listed = await ready_cancel_many(args, who)
    if not listed:
        reply.ok(cancelled([], {}))
        return
    await connection.waiter()
    await connection.spawn(_cancelled(connection, reply, _promise(connection, listed)))


async def _cancelled(connection: Connection, reply: Reply, promise: asyncio.Task[list[Promise]]) -> None:
    try:
        promises = await promise
        numbers = [p.n for p in promises if p.n is not None]
        outcomes = await (await connection.waiter()).results(numbers, WAIT_S) if numbers else {}
        reply.ok(cancelled(promises, outcomes))
    except Exception as error:  # noqa: BLE001 - told to the client
        reply.refuse(error)


async def _target(connection: Connection, order_id: str | None, cid: str | None, who: Principal) -> ops.Target:
    """The order that `id` or `client_order_id` names."""
    if cid is None:
        return await ops.target_of_id(order_id or "", who)
    await _settle(connection)  # it may name an order that this socket placed a moment ago
    return await ops.target_of_client_id(cid, who)


async def _settle(connection: Connection) -> None:
    """Wait until this socket's earlier commands are durable, so that looking for orders finds them."""
    if connection.promised:
        await asyncio.wait(connection.promised)


async def _enter(connection: Connection, reply: Reply, ready: Ready, answer: Answer = ops.change_answer) -> None:
    """Hand the command in; its answer follows when it has been applied, and does not hold up the next frame."""
    who = connection.need()
    await connection.waiter()
    await connection.spawn(_answer(connection, reply, ready, _promise(connection, [ready]), answer, who))


def _promise(connection: Connection, listed: Sequence[Ready]) -> asyncio.Task[list[Promise]]:
    """Hand commands in at the door, behind all that this socket handed in before."""
    promise = asyncio.create_task(door().promise([ready.command for ready in listed]))
    connection.promised.add(promise)
    promise.add_done_callback(connection.promised.discard)
    return promise


async def _answer(
    connection: Connection, reply: Reply, ready: Ready, promise: asyncio.Task[list[Promise]], answer: Answer, who: Principal
) -> None:
    try:
        found = (await promise)[0]
        numbers = [found.n] if found.n is not None else []
        outcomes = Outcomes(await (await connection.waiter()).results(numbers, WAIT_S) if numbers else {})
        status, body = await answer(ready, found, outcomes, who)
        if status == 422:
            gates = (await preview(ready, who))["gates"] if body["reason"] in TOLD_BY_GATES else []
            reply.refuse(Problem(body["reason"], gates=gates), order=body)
        else:
            reply.ok(body)
    except Exception as error:  # noqa: BLE001 - told to the client
        reply.refuse(error)
