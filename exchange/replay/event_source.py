"""The journal's rows, stream by stream, as texts."""

from collections.abc import Iterator

from exchange.replay.event_chain import EventRow, StreamHead
from exchange.replay.snapshot import stream_rows
from rights.kernel import rows

_HEADS = """
SELECT id::text, code, last_seq::text, last_hash FROM rights_stream
UNION ALL
SELECT DISTINCT e.stream_id::text, '', '0', repeat('0', 64) FROM rights_event e
WHERE NOT EXISTS (SELECT 1 FROM rights_stream s WHERE s.id = e.stream_id)
"""
_EVENT = """
SELECT e.stream_id::text, %s, e.seq::text, e.id::text, e.type, e.object_id,
       coalesce(to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), ''), e.body, e.hash,
       coalesce(e.ref_right, '')
FROM rights_event e WHERE e.stream_id = %s
"""
_EVENTS = _EVENT + "ORDER BY e.seq"
_BETWEEN = _EVENT + "AND e.seq BETWEEN %s AND %s ORDER BY e.seq"


def stream_heads(code: str | None = None) -> list[StreamHead]:
    """Every stream (or the one called `code`): the registry's first, for the others refer to it. Rows without a stream count as one."""
    heads = [StreamHead(*row) for row in rows.fetch_all(_HEADS)]
    heads.sort(key=lambda head: (head.stream != "registry", int(head.stream_id)))
    return [head for head in heads if code in (None, head.stream)]


def events_of(head: StreamHead) -> Iterator[EventRow]:
    """A stream's events in order."""
    for row in stream_rows(_EVENTS, [head.stream, int(head.stream_id)], expected=int(head.last_seq)):
        yield EventRow(*row)


def events_between(head: StreamHead, first: int, last: int) -> list[EventRow]:
    """Some of a stream's events in order, both ends included."""
    return [EventRow(*row) for row in rows.fetch_all(_BETWEEN, [head.stream, int(head.stream_id), first, last])]
