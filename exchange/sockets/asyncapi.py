"""The AsyncAPI 3 document: made from the tables of operations, channels and close codes."""

import functools
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from exchange.api.schemas import COMPONENTS
from exchange.api.schemas.words import COUNT, MOMENT, SYMBOL, TEXT, WHOLE, Schema, answer, maybe, ref
from exchange.sockets.channels import CHANNELS, Channel
from exchange.sockets.closing import MEANING
from exchange.sockets.operations import OPERATIONS, Operation

ADDRESS = "/ws/v1"
_SOCKET = {"$ref": "#/channels/socket"}
_ANY_ID: Schema = {"description": "Whatever the request had"}


def _message(name: str, about: str, payload: Schema) -> dict[str, Any]:
    return {"name": name, "title": name, "summary": about, "contentType": "application/json", "payload": payload}


def _request(name: str, operation: Operation) -> dict[str, Any]:
    frame: Schema = {
        "type": "object",
        "properties": {"op": {"const": name}, "id": {"description": "Comes back with the answer"}, "args": operation.args},
        "required": ["op"],
        "additionalProperties": False,
    }
    return _message(f"{name}_request", operation.about, frame)


def _answer(name: str, operation: Operation) -> dict[str, Any]:
    done = answer({"id": _ANY_ID, "op": {"const": name}, "ok": {"const": True}, "result": operation.result})
    refused = answer({"id": _ANY_ID, "op": maybe(TEXT), "ok": {"const": False}, "error": ref("Problem")})
    return _message(f"{name}_answer", f"What became of {name}.", {"oneOf": [done, refused]})


def _event(channel: Channel) -> dict[str, Any]:
    first, then = channel.kinds

    def form(kind: str, prev_seq: Schema, data: Schema) -> Schema:
        members: dict[str, Schema] = {
            "ch": {"const": channel.name},
            "inst": SYMBOL if channel.per_instrument else maybe(SYMBOL),
            "type": {"const": kind},
            "seq": COUNT,
            "prev_seq": prev_seq,
            "ts": MOMENT,
            "data": data,
        }
        if channel.name == "book":
            members["checksum"] = {**WHOLE, "description": "CRC32 of the ten best levels"}
        return {**answer(members), "additionalProperties": False}

    beat = {"ch": {"const": channel.name}, "inst": maybe(SYMBOL), "type": {"const": "heartbeat"}, "seq": COUNT, "ts": MOMENT}
    forms = [
        form(first, {"type": "null"}, channel.snapshot),
        form(then, COUNT, channel.change),
        {**answer(beat), "additionalProperties": False},
    ]
    return _message(channel.name, channel.about, {"oneOf": forms})


@functools.cache
def document() -> dict[str, Any]:
    """The whole document; the tables don't change while a process runs."""
    messages: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for name, operation in OPERATIONS.items():
        messages[f"{name}_request"], messages[f"{name}_answer"] = _request(name, operation), _answer(name, operation)
        operations[name] = {
            "action": "receive",
            "channel": _SOCKET,
            "summary": operation.about,
            "messages": [{"$ref": f"#/channels/socket/messages/{name}_request"}],
            "reply": {"channel": _SOCKET, "messages": [{"$ref": f"#/channels/socket/messages/{name}_answer"}]},
        }
        if operation.scope:
            operations[name]["x-scope"] = operation.scope
    for channel in CHANNELS.values():
        messages[channel.name] = _event(channel)
        operations[f"{channel.name}_channel"] = {
            "action": "send",
            "channel": _SOCKET,
            "summary": channel.about,
            "messages": [{"$ref": f"#/channels/socket/messages/{channel.name}"}],
            "x-private": channel.private,
            "x-conflates": channel.conflates,
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Synthference Exchange",
            "version": "1",
            "description": "Market data, private channels and order entry on one socket. Every amount is a string.",
        },
        "defaultContentType": "application/json",
        "servers": {"venue": {"host": "{host}", "protocol": "wss", "variables": {"host": {"default": "127.0.0.1:8000"}}}},
        "channels": {
            "socket": {
                "address": ADDRESS,
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
                "x-close-codes": {str(int(code)): meaning for code, meaning in MEANING.items()},
            }
        },
        "operations": operations,
        "components": {"messages": messages, "schemas": COMPONENTS},
    }


@require_safe
def view(_request: HttpRequest) -> HttpResponse:
    """GET /api/v1/asyncapi.json"""
    return JsonResponse(document(), headers={"Cache-Control": "public, max-age=300"})
