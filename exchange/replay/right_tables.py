"""Rights rebuilt from events against the rights in the table, byte for byte."""

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec
import orjson

from exchange.replay.finding import Findings
from exchange.replay.right_state import RightState, RightStates
from exchange.replay.snapshot import stream_rows

CHECK = "rights"
MOMENT = "coalesce(to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), '')"
_RIGHTS = f"""
SELECT r.id::text, r.series_id, r.terms_hash, i.slug, a.uuid::text, h.uuid::text, c.uuid::text, r.status, r.prior_status, r.freeze_reason,
       r.max_units, r.remaining_units, coalesce(r.parent_id::text, ''), r.root_id::text, r.netted, {MOMENT.format("r.activated_at")},
       {MOMENT.format("r.acquired_at")}, {MOMENT.format("r.created_at")}, {MOMENT.format("r.epoch_at")}, r.epoch_used_units,
       r.finalization_ref, r.metadata::text
FROM rights_right r JOIN rights_series s ON s.id = r.series_id JOIN rights_issuer i ON i.id = r.issuer_id
JOIN rights_assurance a ON a.id = r.assurance_id JOIN rights_account h ON h.id = r.holder_id JOIN rights_account c ON c.id = r.controller_id
WHERE s.stream_id = %s ORDER BY r.id
"""


class StateHash:
    """The same canonical lines on both sides: equal hashes, equal state."""

    def __init__(self) -> None:
        self._events, self._tables = hashlib.sha256(), hashlib.sha256()
        self.lines = 0

    def add(self, *, events: bytes, tables: bytes) -> None:
        self.lines += 1
        self._events.update(events + b"\n")
        self._tables.update(tables + b"\n")

    def digests(self) -> dict[str, str]:
        return {"events": self._events.hexdigest(), "tables": self._tables.hexdigest()}


def canonical(value: Any) -> bytes:
    """Sorted keys, no blanks."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _stored(stream_id: int, expected: int) -> Iterator[RightState]:
    for row in stream_rows(_RIGHTS, [stream_id], expected=expected):
        state = RightState(*row[:-1])
        state.metadata = None if row[-1] is None else orjson.loads(row[-1])
        yield state


def compare_rights(stream_id: int, states: RightStates, digest: StateHash, findings: Findings) -> None:
    """Compare one series' rights; every difference is a finding."""
    left = dict(states.rights)
    for stored in _stored(stream_id, len(left)):
        rebuilt = left.pop(stored.id, None)
        tables = canonical(msgspec.structs.asdict(stored))
        events = b"" if rebuilt is None else canonical(msgspec.structs.asdict(rebuilt))
        digest.add(events=events, tables=tables)
        if rebuilt is None:
            findings.add(CHECK, right=f"rgt_{stored.id}", difference="no event made it")
        elif events != tables:
            findings.add(CHECK, right=f"rgt_{stored.id}", difference=_difference(rebuilt, stored))
    for right_id in sorted(left):
        digest.add(events=canonical(msgspec.structs.asdict(left[right_id])), tables=b"")
        findings.add(CHECK, right=f"rgt_{right_id}", difference="events made it, the table has none")


def _difference(rebuilt: RightState, stored: RightState) -> dict[str, Any]:
    pairs = zip(msgspec.structs.asdict(rebuilt).items(), msgspec.structs.astuple(stored), strict=True)
    return {field: {"events": says, "table": has} for (field, says), has in pairs if says != has}
