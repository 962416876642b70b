"""Text by rule: the same request gets the same words, whoever asks and whenever. A token is a word."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

_SAYING = (
    "a bounded claim on work to come holds what it says and no more the window opens at dawn and closes with the day "
    "whoever needs less sells the rest to those who need more and every unit ends in an outcome that has a name"
)
WORDS = tuple(_SAYING.split())
MOST = 4096


def count(text: str) -> int:
    """Words are tokens."""
    return len(text.split())


def prompt_of(body: Mapping[str, Any]) -> str:
    """Everything the caller wrote, in order."""
    if "messages" not in body:
        found = body.get("prompt", "")
        return " ".join(map(str, found)) if isinstance(found, list) else str(found)
    texts = []
    for message in body["messages"]:
        content = message.get("content") or ""
        texts.append(content if isinstance(content, str) else " ".join(part.get("text", "") for part in content))
    return " ".join(texts)


def limit_of(body: Mapping[str, Any]) -> int:
    """How many words of an answer are wanted at most."""
    return min(MOST, body.get("max_completion_tokens") or body.get("max_tokens") or 64)


def answer(prompt: str, most: int, choice: int = 0) -> Iterator[str]:
    """From 8 to 40 words, fewer where fewer are wanted; each depends on the prompt and its place."""
    seed = hashlib.sha256(f"{choice}:{prompt}".encode()).digest()
    for place in range(min(most, 8 + seed[0] % 33)):
        yield WORDS[(seed[1 + place % 30] + place) % len(WORDS)]
