"""Reading what an OpenAI-compatible supplier answers: whether it is the answer to what was asked, and what it says it took."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from settlement.adapters.base import Body
from settlement.domain.metering import Usage, inputs_of

Answer = Mapping[str, Any]
_OTHER_CONTENT = ("text", "tool_calls", "function_call", "refusal", "reasoning_content")


class Misfit(Exception):
    """The answer is none to what was asked; the text says why."""


def read_answer(operation: str, body: Body, raw: bytes) -> Usage:
    """What a whole answer says it took. Raises Misfit."""
    try:
        found = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Misfit("the answer is not JSON") from None
    if not isinstance(found, dict):
        raise Misfit("the answer is no object")
    items = _embedded(found, body) if operation == "embeddings" else _chosen(found, operation)
    return msgspec.structs.replace(read_usage(found.get("usage"), is_embedding=operation == "embeddings"), items=items)


def read_usage(usage: Any, *, is_embedding: bool = False) -> Usage:
    """The counts of a `usage` object; None where it does not say. Raises Misfit for counts that are none or do not add up."""
    if usage is None:
        return Usage(None, None, 0)
    if not isinstance(usage, dict):
        raise Misfit("usage is no object")
    prompt, completion, total = (_counted(usage, name) for name in ("prompt_tokens", "completion_tokens", "total_tokens"))
    if completion is None and is_embedding:
        completion = 0
    if total is not None and prompt is not None and completion is not None and total != prompt + completion:
        raise Misfit("the tokens of usage do not add up")
    return Usage(prompt, completion, 0)


def _counted(usage: Answer, name: str) -> int | None:
    value = usage.get(name)
    if value is None:
        return None
    if type(value) is not int or not 0 <= value < 2**53:
        raise Misfit(f"{name} is no count")
    return value


def _embedded(found: Answer, body: Body) -> int:
    """One embedding for every input, each once."""
    data = found.get("data")
    wanted = len(inputs_of(body))
    if not isinstance(data, list) or len(data) != wanted:
        raise Misfit(f"{wanted} embeddings were asked for")
    places = [one.get("index") if isinstance(one, dict) else None for one in data]
    if sorted(place for place in places if type(place) is int) != list(range(wanted)):
        raise Misfit("the embeddings are not one for each input")
    if not all(isinstance(one.get("embedding"), list | str) and one["embedding"] for one in data):
        raise Misfit("an embedding is missing")
    return wanted


def _chosen(found: Answer, operation: str) -> int:
    choices = found.get("choices")
    if not isinstance(choices, list) or not choices:
        raise Misfit("the answer has no choices")
    kind, name = (str, "text") if operation == "completions" else (dict, "message")
    if not all(isinstance(choice, dict) and isinstance(choice.get(name), kind) for choice in choices):
        raise Misfit(f"a choice has no {name}")
    return len(choices)


def choices_in(event: Answer) -> list[Answer]:
    """The choices of an event of a stream; [] where it has none. Raises Misfit."""
    found = event.get("choices") or []
    if not isinstance(found, list):
        raise Misfit("the choices are no list")
    return [choice for choice in found if isinstance(choice, dict)]


def has_content(choices: Iterable[Answer]) -> bool:
    """Whether an event of a stream brings with its choices some of the answer: a text, a call of a tool, a refusal."""
    for choice in choices:
        delta = choice.get("delta")
        found = delta if isinstance(delta, dict) else choice
        if found.get("content") or any(found.get(name) for name in _OTHER_CONTENT):
            return True
    return False


def error_text(raw: bytes) -> str:
    """What an error answer says in words, if it does so as others do."""
    try:
        found = msgspec.json.decode(raw[:65_536])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    error = found.get("error") if isinstance(found, dict) else None
    text = error.get("message") if isinstance(error, dict) else error
    return text[:200] if isinstance(text, str) else ""
