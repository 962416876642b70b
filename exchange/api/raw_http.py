"""What applications without Django share that stand in front of it: a body comes in, an answer or a problem goes out."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import psycopg
from psycopg_pool import PoolTimeout

from exchange.api.problems import CONTENT_TYPE, Problem, problem_body, problem_of
from exchange.api.strict_json import MAX_BYTES, Malformed

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
_LOG = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode


class Answer(msgspec.Struct):
    """`headers` stand beside those that every answer has."""

    status: int
    body: Any
    headers: dict[str, str] = {}


def refused(error: Exception, rid: str) -> Answer:
    """The problem that tells of it."""
    problem = _problem_of(error)
    return Answer(problem.status, problem_body(problem, rid), {**problem.headers, "Content-Type": CONTENT_TYPE})


def _problem_of(error: Exception) -> Problem:
    if isinstance(error, psycopg.Error | PoolTimeout | OSError):
        _LOG.warning("the database can't be reached: %s", error)
        return Problem("unavailable")
    problem = problem_of(error)
    if problem.code == "internal_error":
        _LOG.error("unforeseen error", exc_info=error)
    return problem


def check_is_json(content_type: str | None) -> None:
    """Raises Problem `unsupported_media_type` for a body of another kind."""
    if (content_type or "").partition(";")[0].strip().lower() != "application/json":
        raise Problem("unsupported_media_type")


async def read_bytes(receive: Receive, most: int = MAX_BYTES) -> bytes:
    """The whole body, of so many bytes at most. Raises Problem when the caller hung up, Malformed when it is too large."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem("malformed_request", "the caller hung up")
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise Malformed(f"larger than {most} bytes")
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


async def send_answer(send: Send, answer: Answer, rid: str) -> None:
    """The answer as JSON, under the request's id."""
    body = _encode(answer.body)
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), "X-Request-Id": rid, "Cache-Control": "no-store"}
    headers.update(answer.headers)
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": body})
