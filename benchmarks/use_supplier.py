"""A supplier that does next to nothing: `python -m benchmarks.use_supplier FD` serves on a listening socket that it was given.

The caller's `user` says of how many events an answer is and how many milliseconds it waits before each, as in `20x50`. What the supplier
itself took, in microseconds, stands in the answer's id.
"""

import asyncio
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
import uvicorn

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
USAGE = {"prompt_tokens": 8, "completion_tokens": 4, "total_tokens": 12}
_JSON = [(b"content-type", b"application/json")]
_EVENTS = [(b"content-type", b"text/event-stream")]


async def application(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
    """Chat completions whatever the path, whole or as a stream."""
    if scope["type"] != "http":
        return
    started = time.perf_counter_ns()
    body = orjson.loads(await _body(receive))
    events, _, wait = str(body.get("user") or "1x0").partition("x")
    if body.get("stream"):
        await _stream(send, started, int(events), int(wait) / 1000)
        return
    if int(wait):
        await asyncio.sleep(int(events) * int(wait) / 1000)
    choice = {"index": 0, "message": {"role": "assistant", "content": "as you like it"}, "finish_reason": "stop"}
    raw = orjson.dumps(
        {"id": _took(started), "object": "chat.completion", "created": 1, "model": "bench", "choices": [choice], "usage": USAGE}
    )
    await send({"type": "http.response.start", "status": 200, "headers": [*_JSON, (b"content-length", str(len(raw)).encode())]})
    await send({"type": "http.response.body", "body": raw})


async def _stream(send: Send, started: int, events: int, wait_s: float) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": _EVENTS})
    for number in range(events):
        await asyncio.sleep(wait_s)
        reason = "stop" if number == events - 1 else None
        choice = {"index": 0, "delta": {"content": "word "}, "finish_reason": reason}
        await _event(send, {"id": _took(started), "object": "chat.completion.chunk", "created": 1, "model": "bench", "choices": [choice]})
    usage = USAGE | {"completion_tokens": events, "total_tokens": 8 + events}
    await _event(
        send, {"id": _took(started), "object": "chat.completion.chunk", "created": 1, "model": "bench", "choices": [], "usage": usage}
    )
    await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})


def _took(started: int) -> str:
    return f"took-{(time.perf_counter_ns() - started) // 1000}"


async def _event(send: Send, event: dict[str, Any]) -> None:
    await send({"type": "http.response.body", "body": b"data: " + orjson.dumps(event) + b"\n\n", "more_body": True})


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def main() -> None:
    listener = socket.socket(fileno=int(sys.argv[1]))
    config = uvicorn.Config(
        application, loop="uvloop", http="httptools", lifespan="off", log_level="warning", access_log=False, timeout_keep_alive=75
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
