"""The example manifests of rights/fixtures, and how the invalid ones are made of the valid."""

import json
from typing import Any

from rights.domain.reference_manifests import FIXTURES, merged

__all__ = ["FIXTURES", "chat_day", "merged", "names", "valid"]


def valid(name: str = "chat-day") -> dict[str, Any]:
    return json.loads((FIXTURES / "valid" / f"{name}.json").read_text(encoding="utf-8"))


def names(kind: str) -> list[str]:
    return sorted(path.stem for path in (FIXTURES / kind).glob("*.json"))


def chat_day(**patch: Any) -> dict[str, Any]:
    """The plain example, changed by a merge patch."""
    return merged(valid(), patch)
