"""The one writer of registry events (SPEC §10): gapless per stream, hash-chained, canonical JSON."""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import orjson
from django.db import IntegrityError, transaction

from rights.kernel import rows
from rights.kernel.clock import rfc3339
from rights.kernel.ids import numbered, public
from rights.kernel.trip import Answer, Trip
from rights.models import Stream

SALT = 16  # bytes


class NewEvent(msgspec.Struct, frozen=True):
    """A fact to remember. Amounts in `payload` are strings; ids are public ids. `refs["right"]` finds the event from that right too.

    `actor`: who did it, where that is another than whoever did most of what is remembered with it.
    """

    type: str
    object_type: str
    object_id: str
    payload: dict[str, Any]
    refs: dict[str, str] = {}
    actor: str = ""


class Appended(msgspec.Struct, frozen=True):
    seq: int
    id: str
    hash: str


_NAMED = "SELECT id FROM rights_stream WHERE code = %s"


def stream_for(code: str) -> int:
    """The id of the stream named `code`, made on first use."""
    found = rows.fetch_one(_NAMED, [code])
    if found is not None:
        return int(found[0])
    try:
        with transaction.atomic():
            return Stream.objects.create(code=code).pk
    except IntegrityError:  # another session made it between the look and the insert
        return Stream.objects.get(code=code).pk


def fresh_salts(count: int) -> str:
    """Chance for so many events, hexadecimal."""
    return os.urandom(SALT * count).hex()


def body_of(*, event: NewEvent, event_id: str, code: str, seq: int, actor: str, at: str, prev_hash: str, salt: str) -> bytes:
    """The canonical bytes (RFC 8785) that are hashed; the whole event and the hash before it.

    `salt` is chance, so that nobody who is shown the hash alone can find out by trying what the event says.
    """
    return orjson.dumps(
        {
            "actor": actor,
            "at": at,
            "id": event_id,
            "object": {"id": event.object_id, "type": event.object_type},
            "payload": event.payload,
            "prev_hash": prev_hash,
            "refs": event.refs,
            "registry": code,
            "salt": salt,
            "seq": str(seq),
            "type": event.type,
        },
        option=orjson.OPT_SORT_KEYS,
    )


_HEAD = "SELECT code, last_seq, last_hash FROM rights_stream WHERE id = %s FOR NO KEY UPDATE"


def ask_head(trip: Trip, stream_id: int) -> Answer:
    """Lock the stream row, behind all else that is locked, for an `append` that is to follow."""
    return trip.ask(_HEAD, [stream_id])


def lock_streams(stream_ids: Iterable[int]) -> None:
    """Lock several streams in order, before an `append` to the first of them."""
    for stream_id in sorted(set(stream_ids)):
        rows.fetch_one(_HEAD, [stream_id])


def append(*, stream_id: int, events: Sequence[NewEvent], actor: str, now_us: int, head: Answer | None = None) -> list[Appended]:
    """Chain `events` to the stream inside the caller's transaction. Locks the stream row unless `head` did: call it last."""
    if not events:
        return []
    found = (head or rows.ask(_HEAD, [stream_id])).one()
    if found is None:
        raise LookupError(f"no event stream {stream_id}")
    code, seq, last_hash = found
    at = rfc3339(now_us)
    salts = fresh_salts(len(events))
    lines: list[str] = []
    appended: list[Appended] = []
    for place, event in enumerate(events):
        seq += 1
        uuid = numbered(now_us, stream_id, seq)
        salt = salts[2 * SALT * place : 2 * SALT * (place + 1)]
        body = body_of(
            event=event,
            event_id=public("evt", uuid),
            code=code,
            seq=seq,
            actor=event.actor or actor,
            at=at,
            prev_hash=last_hash,
            salt=salt,
        )
        last_hash = hashlib.sha256(body).hexdigest()
        lines.append(
            f"{stream_id}\t{seq}\t{uuid}\t{event.type}\t{rows.escape(event.object_id)}\t{event.refs.get('right', rows.NULL)}\t{at}\t"
            f"{rows.escape(body.decode())}\t{last_hash}"
        )
        appended.append(Appended(seq, uuid, last_hash))
    with rows.together():
        rows.copy_rows("rights_event", "stream_id, seq, id, type, object_id, ref_right, at, body, hash", lines)
        rows.write("UPDATE rights_stream SET last_seq = %s, last_hash = %s WHERE id = %s", [seq, last_hash, stream_id])
    return appended


def ask_heads(trip: Trip, stream_ids: Iterable[int]) -> dict[int, Answer]:
    """Lock several streams, in order, for an `append_each` that is to follow."""
    return {stream_id: ask_head(trip, stream_id) for stream_id in sorted(set(stream_ids))}


def append_each(
    *, events: Sequence[tuple[int, NewEvent]], actor: str, now_us: int, heads: Mapping[int, Answer] | None = None
) -> list[Appended]:
    """Append every event to the stream it is given with; what was appended, in the order given. Locks the streams unless `heads` did."""
    by_stream: dict[int, list[int]] = {}
    for position, (stream_id, _) in enumerate(events):
        by_stream.setdefault(stream_id, []).append(position)
    if heads is None:
        trip = Trip()
        heads = ask_heads(trip, by_stream)
        trip.go()
    found: dict[int, Appended] = {}
    for stream_id, positions in by_stream.items():
        told = [events[position][1] for position in positions]
        appended = append(stream_id=stream_id, events=told, actor=actor, now_us=now_us, head=heads[stream_id])
        found.update(zip(positions, appended, strict=True))
    return [found[position] for position in range(len(events))]
