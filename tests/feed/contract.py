"""Every frame of the server, held against its own AsyncAPI document."""

import json
from typing import Any

from jsonschema import Draft202012Validator


class Contract:
    """What the document says of each message; `check` raises for a frame that no message describes."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._messages = document["components"]["messages"]
        self._validators = {
            name: Draft202012Validator({"$ref": f"#/components/messages/{name}/payload", "components": document["components"]})
            for name in self._messages
        }
        self.seen: set[str] = set()

    def check(self, text: str) -> None:
        frame = json.loads(text)
        if "ch" in frame:
            name, kind = frame["ch"], frame["type"]
        elif frame.get("type") == "heartbeat":
            assert set(frame) == {"type", "ts"}
            return
        else:
            name, kind = f"{frame['op'] or 'ping'}_answer", "ok" if frame["ok"] else "error"
        error = next(self._validators[name].iter_errors(frame), None)
        assert error is None, f"{name}: {error.message} in {text[:2000]}"
        self.seen.add(f"{name}/{kind}")
