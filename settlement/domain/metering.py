"""What work of an OpenAI-compatible operation may take, and what it took: units counted from the texts and the answer, never believed.

A token is at least one byte of text, so the bytes bound the tokens from above whatever the model's vocabulary is; what a supplier
counts beyond that bound it did not do. Where an answer was cut, each piece of it was at least one token: the bound from below.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

Body = Mapping[str, Any]
OPERATIONS = {"chat.completions": "text.generation", "completions": "text.generation", "embeddings": "text.embedding"}
MODALITIES = ("prompt", "completion")
PER_PART = 16  # what a model's template adds to a message or an input, in tokens
PER_CALL = 64  # and to a whole call
PER_MEDIUM = 4096  # an image or a sound: more than current models make of one
DEFAULT_COMPLETION = 1024  # tokens of an answer for which nobody named a limit
_LIMITS = ("max_completion_tokens", "max_tokens")
COUNTED = ("tokens", "requests", "jobs")  # units that an answer is counted in; others are measured by the clock
_UNSEEN = ("tools", "functions", "response_format", "prediction")  # goes into the prompt as JSON


class Ceiling(msgspec.Struct, frozen=True):
    """The most that a body can honestly take: tokens in, tokens out, and how many answers it asks for."""

    prompt_tokens: int
    completion_tokens: int
    items: int

    def units(self, unit: str) -> int:
        """In units of a right: tokens, or one for each thing that is asked for."""
        return self.prompt_tokens + self.completion_tokens if unit == "tokens" else self.items


class Usage(msgspec.Struct, frozen=True):
    """What an answer says it took. `items`: the answers that are there."""

    prompt_tokens: int | None
    completion_tokens: int | None
    items: int

    @property
    def tokens(self) -> int | None:
        if self.prompt_tokens is None or self.completion_tokens is None:
            return None
        return self.prompt_tokens + self.completion_tokens


def ceiling_of(operation: str, body: Body) -> Ceiling:
    """What the body can take at most. Raises KeyError for an operation that is none."""
    if operation == "embeddings":
        inputs = inputs_of(body)
        return Ceiling(sum(map(_size, inputs)) + PER_CALL, 0, len(inputs))
    choices = _count(body.get("n"), 1)
    out = choices * completion_limit(body)
    if operation == "completions":
        prompts = prompts_of(body)
        return Ceiling(sum(map(_size, prompts)) + PER_CALL, len(prompts) * out, len(prompts) * choices)
    if operation != "chat.completions":
        raise KeyError(operation)
    messages = body.get("messages")
    parts = messages if isinstance(messages, list) else []
    beside = sum(len(msgspec.json.encode(body[name])) for name in _UNSEEN if body.get(name))
    return Ceiling(sum(map(_message_size, parts)) + beside + PER_CALL, out, choices)


def floor_tokens(operation: str, body: Body) -> int:
    """The tokens that the texts of an embeddings body come to at least: no token spans two words. 0 for other operations, whose answers
    can be cut.
    """
    return sum(map(_least, inputs_of(body))) if operation == "embeddings" else 0


def completion_limit(body: Body) -> int:
    """The tokens of one answer at most."""
    return next((_count(body[name], DEFAULT_COMPLETION) for name in _LIMITS if body.get(name) is not None), DEFAULT_COMPLETION)


def bounded(operation: str, body: Body) -> dict[str, Any]:
    """The body with the limit it is metered by said aloud, so that the supplier keeps to it too."""
    named = operation == "embeddings" or any(body.get(name) is not None for name in _LIMITS)
    return dict(body) if named else {**body, "max_tokens": DEFAULT_COMPLETION}


def fitted(operation: str, body: Body, *, units: int, unit: str) -> dict[str, Any]:
    """The body with its answers cut to what `units` leave for them behind the prompt, where that is less than it asks for.

    A prompt that could be more than all of them by its bytes counts with a third of those, which is what most texts come to.
    """
    if unit != "tokens" or operation not in ("chat.completions", "completions"):
        return dict(body)
    most = ceiling_of(operation, body)
    limit = completion_limit(body)
    if most.prompt_tokens + most.completion_tokens <= units or not limit:
        return dict(body)
    prompt = most.prompt_tokens if most.prompt_tokens < units else most.prompt_tokens // 3
    room = max(1, (units - prompt) // max(1, most.completion_tokens // limit))
    named = next((name for name in _LIMITS if body.get(name) is not None), "max_tokens")
    return {**body, named: min(limit, room)}


def inputs_of(body: Body) -> list[Any]:
    """The inputs of an embeddings body: texts, or texts as lists of tokens."""
    found = body.get("input")
    if isinstance(found, list):
        return [found] if found and all(isinstance(token, int) for token in found) else found
    return [found]


def prompts_of(body: Body) -> list[Any]:
    """The prompts of a completions body."""
    found = body.get("prompt", "")
    if isinstance(found, list):
        return [found] if found and all(isinstance(token, int) for token in found) else found
    return [found]


def is_plausible(usage: Usage, ceiling: Ceiling) -> bool:
    """Whether it can have taken what it says it took."""
    in_bounds = (usage.prompt_tokens or 0) <= ceiling.prompt_tokens and (usage.completion_tokens or 0) <= ceiling.completion_tokens
    return in_bounds and usage.items <= ceiling.items


def units_of(*, unit: str, usage: Usage, took_us: int) -> int | None:
    """Delivered units of a right that counts in `unit`; None where the answer does not say."""
    if unit == "tokens":
        return usage.tokens
    if unit in {"requests", "jobs"}:
        return usage.items
    if unit in {"seconds", "minutes"}:
        whole = 1_000_000 if unit == "seconds" else 60_000_000
        return -(-took_us // whole)
    return None


def shared(units: int, most: Iterable[int]) -> list[int]:
    """`units` poured into vessels of the sizes `most`, first things first; what runs over is nobody's."""
    found = []
    for size in most:
        part = min(units, size)
        found.append(part)
        units -= part
    return found


def _count(value: Any, default: int) -> int:
    return value if type(value) is int and value > 0 else default


def _size(part: Any) -> int:
    """The tokens of a text at most: its bytes; a list of tokens is as long as it is."""
    if isinstance(part, str):
        return len(part.encode("utf-8", "surrogatepass")) + PER_PART
    return (len(part) if isinstance(part, list) else 0) + PER_PART


def _least(part: Any) -> int:
    """The tokens of a text at least: its words, but for signs alone, which a model may leave out; a list of tokens is as long as it is."""
    if isinstance(part, str):
        return sum(any(map(str.isalnum, word)) for word in part.split())
    return len(part) if isinstance(part, list) else 0


def _message_size(message: Any) -> int:
    if not isinstance(message, dict):
        return PER_PART
    content = message.get("content")
    beside = {name: value for name, value in message.items() if name != "content"}
    found = PER_PART + len(msgspec.json.encode(beside))
    if isinstance(content, str):
        return found + _size(content)
    for part in content if isinstance(content, list) else []:
        is_text = isinstance(part, dict) and isinstance(part.get("text"), str)
        found += _size(part["text"]) if is_text else PER_MEDIUM
    return found
