"""The event chain as a file: one JSON object a line, first where each stream ends, then every event; verifiable without a database."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
import orjson

from exchange.replay.event_chain import GENESIS, Chain, EventRow, StreamHead
from exchange.replay.event_source import events_of, stream_heads
from rights.domain.statement import HEAD, document_faults

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(EventRow | StreamHead).decode


class Verdict(msgspec.Struct):
    """What was read, and what is wrong with it."""

    streams: int = 0
    events: int = 0
    faults: list[str] = []


def export_lines(code: str | None = None) -> Iterator[bytes]:
    """The lines of an export of every stream, or of the one called `code`. LookupError when there is no such stream."""
    heads = stream_heads(code)
    if code is not None and not heads:
        raise LookupError(f"no stream {code}")
    for head in heads:
        yield _encode(head) + b"\n"
    for head in heads:
        for row in events_of(head):
            yield _encode(row) + b"\n"


def stored_rows(code: str | None = None) -> Iterator[EventRow | StreamHead]:
    """The same, straight from the tables."""
    heads = stream_heads(code)
    yield from heads
    for head in heads:
        yield from events_of(head)


def read_lines(lines: Iterable[bytes]) -> Iterator[EventRow | StreamHead | str]:
    """The rows of an export; a text instead of a row says why a line can't be read."""
    for number, line in enumerate(lines, 1):
        try:
            yield _decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError) as fault:
            yield f"line {number}: {fault}"


def verify_rows(rows: Iterable[EventRow | StreamHead | str]) -> Verdict:
    """Check the chains; every stream must have a head, and end where its head says."""
    verdict = Verdict()
    heads: dict[str, StreamHead] = {}
    chains: dict[str, Chain] = {}
    for row in rows:
        if isinstance(row, str):
            verdict.faults.append(row)
        elif isinstance(row, StreamHead):
            verdict.streams += 1
            if row.stream_id in heads:
                verdict.faults.append(f"stream {row.stream_id} has two heads")
            heads[row.stream_id] = row
        else:
            verdict.events += 1
            faults, _ = chains.setdefault(row.stream_id, Chain()).faults(row)
            verdict.faults += [f"{row.stream or row.stream_id} event {row.seq}: {fault}" for fault in faults]
    for stream_id in sorted(chains.keys() - heads.keys()):
        verdict.faults.append(f"events of stream {stream_id}, which has no head")
    for stream_id, head in sorted(heads.items()):
        verdict.faults += [f"{head.stream or stream_id}: {fault}" for fault in chains.get(stream_id, Chain()).end_faults(head)]
    return verdict


def export_head_faults(
    rows: Iterable[EventRow | StreamHead | str], head: Mapping[str, Any], keys: Mapping[str, Mapping[str, Any]] | None = None
) -> list[str]:
    """What is wrong with a signed end of a stream, or with an export that does not have the event it names."""
    found = document_faults(head, version=HEAD, keys=keys)
    if found:
        return found
    said = orjson.loads(head["body"])
    stream, seq = said["stream"], said["seq"]
    there = GENESIS if seq == "0" else next((r.hash for r in rows if isinstance(r, EventRow) and (r.stream, r.seq) == (stream, seq)), "")
    return [] if there == said["hash"] else [f"{stream} does not have the event {seq} that the venue signed at {said['at']}"]
