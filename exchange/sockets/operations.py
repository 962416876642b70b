"""What a client can ask of a socket. One table leads from `op` to its handler; the guide and AsyncAPI read it too."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from exchange.api.fields import FieldError
from exchange.api.problems import Problem
from exchange.sockets import access, orders, subscriptions
from exchange.sockets.connection import Connection
from exchange.sockets.reply import Reply
from rights.kernel.clock import now_us, rfc3339
from rights.kernel.ids import public

Handler = Callable[[Connection, Reply, dict[str, Any]], Awaitable[None]]


class Operation(msgspec.Struct, frozen=True):
    """`args`: name → meaning; a handler refuses others. `counted`: against the socket's own bucket (orders have the account's)."""

    handler: Handler
    about: str
    args: dict[str, str] = {}
    scope: str | None = None
    counted: bool = True


async def handle(connection: Connection, reply: Reply, frame: dict[str, Any]) -> None:
    """Carry out one frame `{"op", "id", "args"}`. What it raises is the answer."""
    reply.id = frame.get("id")
    op = frame.get("op")
    operation = OPERATIONS.get(op) if isinstance(op, str) else None
    if operation is None or operation.counted:
        connection.draw()
    if operation is None:
        raise Problem("validation_failed", field_errors=[_wrong("op", f"must be one of {', '.join(OPERATIONS)}", "not_a_choice")])
    reply.op = str(op)
    unknown = [name for name in frame if name not in ("op", "id", "args")]
    if unknown:
        raise Problem("validation_failed", field_errors=[_wrong(name[:80], "no such field here", "unknown_field") for name in unknown])
    args = frame.get("args", {})
    if not isinstance(args, dict):
        raise Problem("validation_failed", field_errors=[_wrong("args", "must be an object", "not_an_object")])
    if operation.scope is not None:
        connection.need(operation.scope)
    await operation.handler(connection, reply, args)


def _wrong(field: str, detail: str, code: str) -> dict[str, str]:
    return {"field": field, "code": code, "detail": detail}


async def _auth(connection: Connection, reply: Reply, args: dict[str, Any]) -> None:
    subscriptions.only(args, "key", "token")
    key = args.get("key", args.get("token"))
    if not isinstance(key, str) or len(args) != 1:
        raise FieldError("args.key", "must be a key such as key_….<secret>", "invalid" if args else "required")
    if connection.who is not None:
        raise Problem("conflict", "this socket has an owner already")
    who = await access.by_key(key) if key.isascii() else None
    if who is None:
        raise Problem("unauthenticated", "the key is not valid")
    connection.who = who
    reply.ok({"account": public("acc", who.account_uuid), "participant": who.participant_slug, "scopes": sorted(who.scopes)})


async def _ping(_connection: Connection, reply: Reply, args: dict[str, Any]) -> None:
    subscriptions.only(args)
    reply.ok({"ts": rfc3339(now_us())})


async def _not_yet(_connection: Connection, _reply: Reply, _args: dict[str, Any]) -> None:
    raise Problem("not_supported")


_INSTRUMENT = "symbol; for the channels of one instrument"
OPERATIONS: dict[str, Operation] = {
    "auth": Operation(
        _auth,
        "Become the owner of an API key. Browsers are known by their session instead.",
        {"key": "the whole bearer key; `token` is the same"},
    ),
    "subscribe": Operation(
        subscriptions.subscribe,
        "Read a channel from now on, or a private one from `from_seq` on. Asking again begins anew.",
        {
            "channel": "name of the channel",
            "instrument": _INSTRUMENT,
            "depth": '10, 50 or "full"; for `book`',
            "from_seq": "first number wanted, of a private channel",
        },
    ),
    "unsubscribe": Operation(
        subscriptions.unsubscribe, "Stop reading a channel.", {"channel": "name of the channel", "instrument": _INSTRUMENT}
    ),
    "ping": Operation(_ping, "The venue's clock."),
    "place": Operation(orders.place, "Place an order; fields as in POST /orders.", {"…": "an order's fields"}, "trade", counted=False),
    "amend": Operation(
        orders.amend,
        "Change an order; fields as in PATCH /orders/{id}.",
        {
            "id": "the order, or",
            "client_order_id": "its own name",
            "quantity": "new",
            "price": "new",
            "expire_time": "new",
            "deadline": "moment",
        },
        "trade",
        counted=False,
    ),
    "cancel": Operation(
        orders.cancel, "Cancel an order.", {"id": "the order, or", "client_order_id": "its own name"}, "cancel", counted=False
    ),
    "cancel_all": Operation(
        orders.cancel_all,
        "Cancel everything that rests, narrowed as in DELETE /orders.",
        {"instrument": "symbol", "class": "class key", "side": "buy or sell", "group": "group"},
        "cancel",
        counted=False,
    ),
    "cancel_all_after": Operation(_not_yet, "Dead-man's switch: not offered yet."),
    "mass_quote": Operation(_not_yet, "Mass quotes: not offered yet."),
    "set": Operation(_not_yet, "`cancel_on_disconnect`: not offered yet."),
}
