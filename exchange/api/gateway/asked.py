"""What an OpenAI client asks for, read as far as the exchange has to know it. Everything else goes to the supplier as it came."""

from typing import Any

import msgspec

from exchange.api.fields import BadFields, FieldError
from exchange.api.strict_json import Malformed
from settlement.domain.metering import bounded

MOST_BODY = 4 * 1024 * 1024
MOST_INPUTS = 2048
MOST_CHOICES = 16
MOST_TOKENS = 1_000_000
ROLES = ("system", "developer", "user", "assistant", "tool", "function")
OPERATIONS = {"/v1/chat/completions": "chat.completions", "/v1/completions": "completions", "/v1/embeddings": "embeddings"}


class Asked(msgspec.Struct, frozen=True):
    """`body` as it is metered and sent on; `wants_usage`: the caller wants the stream's usage event."""

    operation: str
    body: dict[str, Any]
    model: str
    is_stream: bool
    wants_usage: bool

    @property
    def payload(self) -> bytes:
        """What is hashed in the request's envelope."""
        return msgspec.json.encode(self.body)


def read_asked(operation: str, raw: bytes) -> Asked:
    """Raises Malformed, BadFields."""
    try:
        found = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(str(error)[:200]) from None
    if not isinstance(found, dict):
        raise Malformed("the body must be a JSON object")
    errors = [error for error in _errors(operation, found) if error is not None]
    if errors:
        raise BadFields(errors)
    is_stream = bool(found.get("stream"))
    options = found.get("stream_options") or {}
    body = {name: value for name, value in found.items() if name not in ("stream", "stream_options")}
    return Asked(operation, bounded(operation, body), found["model"], is_stream, bool(options.get("include_usage")))


def _errors(operation: str, body: dict[str, Any]) -> list[FieldError | None]:
    found = [
        _check(isinstance(body.get("model"), str) and 0 < len(body["model"]) <= 200, "model", "is the name of a model"),
        _check(isinstance(body.get("stream", False), bool | None), "stream", "must be true or false"),
        _check(isinstance(body.get("stream_options", {}), dict | None), "stream_options", "must be an object"),
    ]
    if operation == "embeddings":
        return [*found, _check(_is_input(body.get("input")), "input", f"must be a text, or a list of at most {MOST_INPUTS}, none empty")]
    found += [_bounded(body, "n", MOST_CHOICES), *(_bounded(body, name, MOST_TOKENS) for name in ("max_tokens", "max_completion_tokens"))]
    if operation == "chat.completions":
        messages = body.get("messages")
        is_list = isinstance(messages, list) and bool(messages) and all(map(_is_message, messages))
        return [*found, _check(is_list, "messages", f"must be a list of messages, each with a role of {', '.join(ROLES)} and its content")]
    prompt = body.get("prompt")
    return [*found, _check(_is_input(prompt), "prompt", f"must be a text, or a list of at most {MOST_INPUTS}, none empty")]


def _check(holds: bool, field: str, rule: str) -> FieldError | None:  # noqa: FBT001
    return None if holds else FieldError(field, rule)


def _bounded(body: dict[str, Any], name: str, most: int) -> FieldError | None:
    value = body.get(name)
    return _check(value is None or (type(value) is int and 1 <= value <= most), name, f"must be a whole number from 1 to {most}")


def _is_message(value: Any) -> bool:
    """A role of the protocol, and a text, a list of parts, or nothing (of an answer that calls tools)."""
    if not isinstance(value, dict) or value.get("role") not in ROLES:
        return False
    content = value.get("content")
    return content is None or isinstance(content, str) or (isinstance(content, list) and all(isinstance(part, dict) for part in content))


def _is_input(value: Any) -> bool:
    """A text, a list of them, a list of tokens, or a list of such lists."""
    if isinstance(value, str):
        return bool(value)
    if not isinstance(value, list) or not 0 < len(value) <= MOST_INPUTS:
        return False
    if all(type(one) is int for one in value):
        return True
    return all((isinstance(one, str) and one) or (isinstance(one, list) and one and all(type(t) is int for t in one)) for one in value)
