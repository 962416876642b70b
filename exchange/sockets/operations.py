"""What a client can ask of a socket. One table leads from `op` to its handler; the guide and AsyncAPI read it too."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from exchange.api import fields
from exchange.api.fields import BadFields, FieldError, unknown
from exchange.api.problems import Problem
from exchange.api.schemas import COMPONENTS
from exchange.api.schemas.words import CLIENT_ID, COUNT, MOMENT, SYMBOL, TEXT, Schema, answer, many, maybe, one_of, public_id, ref, request
from exchange.sockets import access, orders, subscriptions
from exchange.sockets.channels import CHANNELS, DEPTHS
from exchange.sockets.connection import Connection
from exchange.sockets.reply import Reply
from rights.kernel import ids
from rights.kernel.clock import now_us, rfc3339

ANYTHING: Schema = {"type": "object"}
Handler = Callable[[Connection, Reply, dict[str, Any]], Awaitable[None]]


class Operation(msgspec.Struct, frozen=True):
    """`args` and `result` are JSON Schemas. `counted`: against the socket's own bucket (orders have the account's)."""

    handler: Handler
    about: str
    args: Schema = msgspec.field(default_factory=lambda: {"type": "object", "maxProperties": 0})
    result: Schema = msgspec.field(default_factory=dict)
    scope: str | None = None
    counted: bool = True


async def handle(connection: Connection, reply: Reply, frame: dict[str, Any]) -> None:
    """Carry out one frame `{"op", "id", "args"}`. What it raises is the answer."""
    reply.id = frame.get("id")
    op = frame.get("op")
    if not isinstance(op, str) or op not in OPERATIONS or OPERATIONS[op].counted:
        connection.draw()
    operation = fields.choice(op, "op", OPERATIONS)
    reply.op = str(op)
    surplus = [name for name in frame if name not in ("op", "id", "args")]
    if surplus:
        raise BadFields([unknown(name) for name in surplus])
    args = fields.mapping(frame.get("args", {}), "args")
    if operation.scope is not None:
        connection.need(operation.scope)
    await operation.handler(connection, reply, args)


async def _auth(connection: Connection, reply: Reply, args: dict[str, Any]) -> None:
    subscriptions.only(args, "key", "token")
    key = args.get("key", args.get("token"))
    if not isinstance(key, str) or len(args) != 1:
        raise FieldError("args.key", "must be a key such as key_….<secret>", "invalid" if args else "required")
    if connection.who is not None:
        raise Problem("conflict", "this socket has an owner already")
    who = await access.by_key(key, connection.address) if key.isascii() else None
    if who is None:
        raise Problem("unauthenticated", "the key is not valid")
    connection.who = who
    reply.ok({"account": ids.public("acc", who.account_uuid), "participant": who.participant_slug, "scopes": sorted(who.scopes)})


async def _ping(_connection: Connection, reply: Reply, args: dict[str, Any]) -> None:
    subscriptions.only(args)
    reply.ok({"ts": rfc3339(now_us())})


async def _not_yet(_connection: Connection, _reply: Reply, _args: dict[str, Any]) -> None:
    raise Problem("not_supported")


_WHICH = {"id": public_id("ord"), "client_order_id": CLIENT_ID}
_READ = {"channel": one_of(*CHANNELS), "instrument": SYMBOL}
_PLACE_IN_CHANNEL = answer({"channel": TEXT, "instrument": maybe(SYMBOL)})
OPERATIONS: dict[str, Operation] = {
    "auth": Operation(
        _auth,
        "Become the owner of an API key. Browsers are known by their session instead.",
        request({"key": {**TEXT, "description": "The whole bearer key; `token` is the same"}, "token": TEXT}),
        answer({"account": public_id("acc"), "participant": TEXT, "scopes": many(TEXT)}),
    ),
    "subscribe": Operation(
        subscriptions.subscribe,
        "Read a channel from now on, or a private one from `from_seq` on. Asking again begins anew.",
        request(
            {
                **_READ,
                "depth": {"enum": list(DEPTHS), "default": 10, "description": "Of `book`"},
                "from_seq": {"type": ["integer", "string"], "description": "Of a private channel: the first number that is wanted"},
            },
            required=("channel",),
        ),
        answer({**_PLACE_IN_CHANNEL["properties"], "seq": COUNT, "depth": {"enum": list(DEPTHS)}}, optional=("depth",)),
    ),
    "unsubscribe": Operation(
        subscriptions.unsubscribe, "Stop reading a channel.", request(_READ, required=("channel",)), _PLACE_IN_CHANNEL
    ),
    "ping": Operation(_ping, "The venue's clock.", result=answer({"ts": MOMENT})),
    "place": Operation(
        orders.place, "Place an order, as POST /orders.", ref("PlaceOrder"), ref("PlacedOrder"), scope="trade", counted=False
    ),
    "amend": Operation(
        orders.amend,
        "Change an order, as PATCH /orders/{id}; named by `id` or by `client_order_id`.",
        request({**_WHICH, **COMPONENTS["AmendOrder"]["properties"]}),
        ref("PlacedOrder"),
        scope="trade",
        counted=False,
    ),
    "cancel": Operation(
        orders.cancel,
        "Cancel an order, named by `id` or by `client_order_id`.",
        request(_WHICH),
        ref("PlacedOrder"),
        scope="cancel",
        counted=False,
    ),
    "cancel_all": Operation(
        orders.cancel_all,
        "Cancel everything that rests, as DELETE /orders.",
        request({"instrument": SYMBOL, "class": TEXT, "side": one_of("buy", "sell"), "group": CLIENT_ID}),
        ref("Cancelled"),
        scope="cancel",
        counted=False,
    ),
    "cancel_all_after": Operation(_not_yet, "Dead-man's switch: not offered yet (`not_supported`).", ANYTHING),
    "mass_quote": Operation(_not_yet, "Mass quotes: not offered yet (`not_supported`).", ANYTHING),
    "set": Operation(_not_yet, "`cancel_on_disconnect`: not offered yet (`not_supported`).", ANYTHING),
}
