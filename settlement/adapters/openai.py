"""OpenAI-compatible HTTP: hosted APIs, vLLM, llama.cpp, Ollama. Usage is read from the answer and checked against what it can have been."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientPayloadError,
    ClientResponse,
    ClientResponseError,
    InvalidURL,
    ServerTimeoutError,
)

from rights.kernel.clock import now_us
from settlement.adapters.answers import Misfit, choices_in, error_text, has_content, read_answer, read_usage
from settlement.adapters.attempts import Again, Watch, attempted
from settlement.adapters.base import NOTHING, Body, Report, failed
from settlement.adapters.lines import AddressRefused, lines
from settlement.adapters.sse import DONE, Events, EventTooLong
from settlement.domain.metering import Usage, bounded, ceiling_of, is_plausible
from settlement.domain.work import Leg

PATHS = {"chat.completions": "/chat/completions", "completions": "/completions", "embeddings": "/embeddings"}
MOST_ANSWER = 64 * 1024 * 1024
_MOST_DIGITS = 9  # of a number of seconds
_BUSY = frozenset({429, 502, 503, 504})
# What the caller sent is at fault: another supplier would refuse it too.
_OF_CALLER = frozenset({400, 413, 415, 422})
_BROKEN = (ClientError, OSError)
_decode = msgspec.json.Decoder().decode


async def call(leg: Leg, body: Body, deadline_us: int) -> Report:
    """One whole answer, asked for again where nothing was done."""
    if leg.operation not in PATHS:
        return failed("operation_unknown", f"an OpenAI-compatible supplier has no {leg.operation}")
    asked = _asked(leg, body)
    watch = Watch()

    async def act(attempt: int, patience_ms: int) -> Report:
        return await _once(leg, asked, watch, attempt, patience_ms)

    return await attempted(act, most=leg.endpoint.max_attempts, timeout_ms=leg.endpoint.timeout_ms, deadline_us=deadline_us)


def _asked(leg: Leg, body: Body) -> dict[str, Any]:
    """The body as it is sent: with the supplier's name of the model, and the limit of tokens it is metered by."""
    asked = bounded(leg.operation, body)
    return {**asked, "model": leg.endpoint.model} if leg.endpoint.model else asked


async def _sent(leg: Leg, asked: Body, silence_s: float | None) -> ClientResponse:
    """The answer as far as its head. Raises as `Lines.post`."""
    headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
    if leg.endpoint.secret:
        headers["Authorization"] = f"Bearer {leg.endpoint.secret}"
    url = leg.endpoint.base_url + PATHS[leg.operation]
    return await lines().post(url, msgspec.json.encode(asked), headers=headers, inside=leg.endpoint.inside, silence_s=silence_s)


async def _once(leg: Leg, asked: Body, watch: Watch, attempt: int, patience_ms: int) -> Report:
    """One attempt. Raises Again when nothing was done and another attempt may do better."""
    arrived = False
    try:
        async with asyncio.timeout(patience_ms / 1000):
            answer = await _sent(leg, asked, None)
            arrived, first_us = True, watch.us
            try:
                raw = await _whole(answer)
            finally:
                answer.close()
    except ServerTimeoutError as error:
        return failed("supplier_timeout", _words(error), took_us=watch.us, attempts=attempt)
    except TimeoutError:
        return failed("supplier_timeout", f"no answer within {patience_ms} ms", took_us=watch.us, attempts=attempt)
    except AddressRefused as refused:
        return failed("address_refused", str(refused), took_us=watch.us, attempts=attempt)
    except _BROKEN as error:
        raise Again("supplier_lost" if arrived else "supplier_unreachable", _words(error)) from error
    _check_busy(answer, raw)
    if answer.status != 200:
        return _refused(answer, raw, watch, attempt)
    return _metered(leg, asked, raw, watch, first_us, attempt)


def _words(error: Exception) -> str:
    """What was wrong with a line, without the address that stands in some errors' texts."""
    if isinstance(error, ServerTimeoutError):
        return "the supplier went silent"
    if isinstance(error, ClientConnectorError | InvalidURL):
        return "no line to it could be opened"
    said = error.message if isinstance(error, ClientResponseError) else str(error)
    return said or type(error).__name__


async def _whole(answer: ClientResponse) -> bytes:
    parts, size = [], 0
    async for part in answer.content.iter_any():
        size += len(part)
        if size > MOST_ANSWER:
            raise ClientPayloadError(f"an answer of more than {MOST_ANSWER} bytes")
        parts.append(part)
    return b"".join(parts)


def _check_busy(answer: ClientResponse, raw: bytes) -> None:
    """Raise Again where the supplier says that it is busy."""
    if answer.status in _BUSY:
        after = answer.headers.get("retry-after", "")
        is_count = after.isascii() and after.isdigit() and len(after) <= _MOST_DIGITS
        raise Again("supplier_busy", error_text(raw) or f"status {answer.status}", int(after) * 1000 if is_count else 0)


def _refused(answer: ClientResponse, raw: bytes, watch: Watch, attempt: int) -> Report:
    status = answer.status
    is_callers = status in _OF_CALLER
    fault = "request_refused" if is_callers else "supplier_moved" if 300 <= status < 400 else "supplier_error"
    detail = error_text(raw) or f"status {status}"
    return failed(fault, detail, took_us=watch.us, attempts=attempt, is_callers=is_callers)


def _metered(leg: Leg, asked: Body, raw: bytes, watch: Watch, first_us: int, attempt: int) -> Report:
    """A whole answer with what it took, if it can have taken that."""
    try:
        usage = read_answer(leg.operation, asked, raw)
    except Misfit as misfit:
        return failed("answer_malformed", str(misfit), took_us=watch.us, attempts=attempt)
    if not is_plausible(usage, ceiling_of(leg.operation, asked)):
        return failed("usage_implausible", _claim(usage), took_us=watch.us, attempts=attempt)
    return Report(usage, watch.us, first_us, attempt, output=raw, output_hash=hashlib.sha256(raw).hexdigest())


def _claim(usage: Usage) -> str:
    return f"{usage.prompt_tokens} prompt and {usage.completion_tokens} completion tokens are more than the texts can be"


class _Tally:
    """What a stream has brought so far, of at most so many choices."""

    def __init__(self, most_choices: int) -> None:
        self._most_choices = most_choices
        self.usage = NOTHING
        self.pieces = 0
        self.choices: set[int] = set()
        self.digest = hashlib.sha256()
        self.is_done = False
        self.first_us = 0

    def take(self, event: bytes) -> None:
        """One event more. Raises Misfit."""
        try:
            found = _decode(event)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Misfit("an event is not JSON") from None
        if not isinstance(found, dict):
            raise Misfit("an event is no object")
        if found.get("error"):
            raise Misfit(error_text(event) or "the supplier broke off")
        if found.get("usage"):
            self.usage = read_usage(found["usage"])
        choices = choices_in(found)
        for choice in choices:
            index = choice.get("index", 0)
            if type(index) is not int or not 0 <= index < self._most_choices:
                raise Misfit("a choice that was not asked for")
            self.choices.add(index)
        self.pieces += has_content(choices)
        self.digest.update(event)


async def stream(leg: Leg, body: Body, deadline_us: int) -> AsyncGenerator[bytes | Report, None]:
    """The answer's events as they come, and the report last. Until the first event it is asked for again as a whole answer is."""
    if leg.operation not in ("chat.completions", "completions"):
        yield failed("operation_unknown", f"there is no stream of {leg.operation}")
        return
    asked = {**_asked(leg, body), "stream": True, "stream_options": {"include_usage": True}}
    watch, tally, opened = Watch(), _Tally(ceiling_of(leg.operation, asked).items), list[ClientResponse]()

    async def act(attempt: int, patience_ms: int) -> Report:
        return await _opened(leg, asked, watch, attempt, patience_ms, opened)

    begun = await attempted(act, most=leg.endpoint.max_attempts, timeout_ms=leg.endpoint.timeout_ms, deadline_us=deadline_us)
    if not opened:
        yield begun
        return
    fault, detail, events = "", "", Events()
    try:
        async with asyncio.timeout(max(0, deadline_us - now_us()) / 1_000_000):
            async for part in opened[0].content.iter_any():
                for event in events.feed(part):
                    if event == DONE:
                        tally.is_done = True
                        break
                    tally.take(event)
                    tally.first_us = tally.first_us or watch.us
                    yield event
                if tally.is_done:
                    break
    except (Misfit, EventTooLong, *_BROKEN) as error:
        fault, detail = _broken_off(error)
    finally:
        opened[0].close()
    yield _told(leg, asked, tally, watch, begun.attempts, fault, detail)


def _broken_off(error: Exception) -> tuple[str, str]:
    """The fault and its detail of a stream that has ended so."""
    if isinstance(error, Misfit | EventTooLong):
        return "answer_malformed", str(error) or "an event that does not end"
    if isinstance(error, TimeoutError) and not isinstance(error, ServerTimeoutError):
        return "deadline_passed", "the deadline came before the end of the answer"
    return "supplier_lost", _words(error)


async def _opened(leg: Leg, asked: Body, watch: Watch, attempt: int, patience_ms: int, opened: list[ClientResponse]) -> Report:
    """Open the stream: the response goes into `opened`. Raises Again."""
    try:
        async with asyncio.timeout(patience_ms / 1000):
            answer = await _sent(leg, asked, leg.endpoint.timeout_ms / 1000)
            if answer.status == 200:
                opened.append(answer)
                return failed("", took_us=watch.us, attempts=attempt)
            try:
                raw = await _whole(answer)
            finally:
                answer.close()
    except ServerTimeoutError as error:
        raise Again("supplier_unreachable", _words(error)) from error
    except TimeoutError:
        return failed("supplier_timeout", f"no answer within {patience_ms} ms", took_us=watch.us, attempts=attempt)
    except AddressRefused as refused:
        return failed("address_refused", str(refused), took_us=watch.us, attempts=attempt)
    except _BROKEN as error:
        raise Again("supplier_unreachable", _words(error)) from error
    _check_busy(answer, raw)
    return _refused(answer, raw, watch, attempt)


def _told(leg: Leg, asked: Body, tally: _Tally, watch: Watch, attempts: int, fault: str, detail: str) -> Report:
    """The report of a stream that ended, one way or another."""
    if not fault and not tally.is_done:
        fault, detail = "supplier_lost", "the stream ended before its end"
    usage = msgspec.structs.replace(tally.usage, items=len(tally.choices) if tally.is_done else 0)
    if not fault and not is_plausible(usage, ceiling_of(leg.operation, asked)):
        fault, detail = "usage_implausible", _claim(usage)
    digest = tally.digest.hexdigest() if tally.pieces else ""
    return Report(usage, watch.us, tally.first_us, attempts, b"", digest, tally.pieces, fault, detail)
