"""The example manifests of rights/fixtures, and how the invalid ones are made of the valid."""

import json
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).resolve().parents[4] / "rights" / "fixtures" / "manifests"


def valid(name: str = "chat-day") -> dict[str, Any]:
    return json.loads((FIXTURES / "valid" / f"{name}.json").read_text(encoding="utf-8"))


def names(kind: str) -> list[str]:
    return sorted(path.stem for path in (FIXTURES / kind).glob("*.json"))


def merged(document: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    result = dict(document) if isinstance(document, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def chat_day(**patch: Any) -> dict[str, Any]:
    """The plain example, changed by a merge patch."""
    return merged(valid(), patch)
