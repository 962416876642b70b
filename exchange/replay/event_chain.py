"""The hash chain of events, checked without a database (SPEC §10, TRUST E1).

A row repeats parts of its body for look-ups. The body is bound by the hash, the hash by the next event's `prev_hash` or by the
stream's head, and every other column by the body: no byte of a row can change unseen.
"""

import hashlib
from typing import Any

import msgspec
import orjson

GENESIS = "0" * 64


class EventRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="event"):
    """One row of the journal, every column as text; `stream` is the code of the stream `stream_id`, `ref_right` "" where there is none."""

    stream_id: str
    stream: str
    seq: str
    id: str
    type: str
    object_id: str
    at: str
    body: str
    hash: str
    ref_right: str = ""


class StreamHead(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="stream"):
    """Where a stream says it ends."""

    stream_id: str
    stream: str
    last_seq: str
    last_hash: str


class Chain:
    """One stream, read from its first event on, or from the one after number `seq`, whose hash is given."""

    def __init__(self, seq: int = 0, digest: str = GENESIS) -> None:
        self.seq = seq
        self.hash = digest

    def faults(self, row: EventRow) -> tuple[list[str], dict[str, Any]]:
        """What is wrong with the next row, and its body (empty when it can't be read). Reading goes on from the row as it stands."""
        found = []
        body = _read(row.body)
        if row.seq != str(self.seq + 1):
            found.append(f"seq {row.seq} follows {self.seq}")
        if hashlib.sha256(row.body.encode("utf-8", "surrogatepass")).hexdigest() != row.hash:
            found.append("hash is not that of the body")
        if body.get("prev_hash") != self.hash:
            found.append("prev_hash is not the hash of the event before")
        written, refs = body.get("object"), body.get("refs")
        repeated = {
            "seq": (row.seq, body.get("seq")),
            "id": (f"evt_{row.id}", body.get("id")),
            "type": (row.type, body.get("type")),
            "object_id": (row.object_id, written.get("id") if isinstance(written, dict) else None),
            "ref_right": (row.ref_right, refs.get("right", "") if isinstance(refs, dict) else None),
            "at": (row.at, body.get("at")),
            "stream": (row.stream, body.get("registry")),
        }
        found += [f"{column} is not what the body says" for column, (stored, said) in repeated.items() if stored != said]
        self.seq = int(row.seq) if row.seq.isdecimal() else self.seq + 1
        self.hash = row.hash
        return found, body

    def end_faults(self, head: StreamHead) -> list[str]:
        """What is wrong at the end: events missing there, or a head that names another one."""
        found = []
        if head.last_seq != str(self.seq):
            found.append(f"the stream ends at {head.last_seq}, its events at {self.seq}")
        if head.last_hash != self.hash:
            found.append("the stream's last_hash is not that of its last event")
        return found


def _read(body: str) -> dict[str, Any]:
    try:
        read = orjson.loads(body)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return {}
    return read if isinstance(read, dict) else {}
