"""Objects other than rights, cash and books as the events alone tell them, against their tables (docs/events.md).

A kind says how its events change a state of plain values, and which query reads the same values from the tables.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import orjson

from exchange.replay.finding import Findings
from exchange.replay.right_tables import StateHash, canonical
from exchange.replay.snapshot import stream_each

CHECK = "objects"
Payload = Mapping[str, Any]
Fields = dict[str, Any]
Step = Callable[[dict[str, Fields], str, Payload, str], None]


class ObjectKind(msgspec.Struct, frozen=True):
    """`steps`: event type → (states by object id, the event's object id, its payload, its moment). `sql` selects (object id, fields as JSON)."""

    name: str
    steps: Mapping[str, Step]
    sql: str


class ObjectStates:
    """Every object of every kind; `apply` events stream by stream, `registry` first."""

    def __init__(self, kinds: Sequence[ObjectKind]) -> None:
        self.kinds = kinds
        self.states: dict[str, dict[str, Fields]] = {kind.name: {} for kind in kinds}
        self._steps: dict[str, list[tuple[str, Step]]] = {}
        for kind in kinds:
            for event_type, step in kind.steps.items():
                self._steps.setdefault(event_type, []).append((kind.name, step))

    def apply(self, event_type: str, object_id: str, payload: Payload, at: str) -> None:
        """Take one event in; types of no kind pass. KeyError or ValueError when the payload has another shape."""
        for name, step in self._steps.get(event_type, ()):
            step(self.states[name], object_id, payload, at)


def compare_objects(objects: ObjectStates, digest: StateHash, findings: Findings, *, expected: int) -> None:
    """Compare every kind; every difference is a finding. No more objects are `expected` than there were events."""
    tables = stream_each([kind.sql for kind in objects.kinds], expected=expected)
    for kind, rows in zip(objects.kinds, tables, strict=True):
        left = dict(objects.states[kind.name])
        for object_id, text in rows:
            stored = orjson.loads(text)
            told = left.pop(object_id, None)
            events, table = canonical([object_id, told]), canonical([object_id, stored])
            digest.add(events=events, tables=table)
            if events != table:
                findings.add(CHECK, kind=kind.name, object=object_id, difference=_difference(told, stored))
        for object_id in sorted(left):
            digest.add(events=canonical([object_id, left[object_id]]), tables=b"")
            findings.add(CHECK, kind=kind.name, object=object_id, difference="events made it, the table has none")


def _difference(told: Fields | None, stored: Fields) -> Any:
    if told is None:
        return "no event made it"
    names = sorted(told.keys() | stored.keys())
    return {name: {"events": told.get(name), "table": stored.get(name)} for name in names if told.get(name) != stored.get(name)}
