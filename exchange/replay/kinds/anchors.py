"""The venue's keys and its anchors as their events tell them."""

from exchange.replay.object_states import Fields, ObjectKind, Payload
from rights.domain.anchor_body import MADE, hash_of
from rights.services.venue_keys import PUBLISHED, RETIRED


def _published(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
    if object_id in states:
        raise ValueError(f"key {object_id} was published before")
    states[object_id] = {"created_at": at, "public_key": payload["public_key"], "retired_at": None}


def _retired(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001 - one shape for all steps
    states[object_id]["retired_at"] = payload["until"]


def _made(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
    body = payload["anchor"]
    if (body["id"], body["at"]) != (object_id, at):
        raise ValueError("the anchor in the payload is another one")
    states[object_id] = {
        "body": body,
        "hash": hash_of(body),
        "leaves": int(body["leaves"]),
        "number": int(body["number"]),
        "root": body["root"],
        "signature": payload["signature"],
        "at": at,
        "key": body["key_id"],
        "spans": body["spans"],
    }


_AT = "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
_KEYS = f"""
SELECT key_id, jsonb_build_object('created_at', {_AT.format("created_at")}, 'public_key', public_key, 'retired_at', {_AT.format("retired_at")})
FROM rights_venuekey ORDER BY 1
"""
_ANCHORS = f"""
SELECT 'anc_' || a.uuid::text, jsonb_build_object(
    'body', a.body::jsonb, 'hash', a.hash, 'leaves', a.leaves, 'number', a.number, 'root', a.root, 'signature', a.signature,
    'at', {_AT.format("a.at")}, 'key', a.key_id, 'spans', (
        SELECT jsonb_agg(jsonb_build_object('first_leaf', p.first_leaf::text, 'first_seq', p.first_seq::text, 'head_hash', p.head_hash,
                                            'last_seq', p.last_seq::text, 'stream', s.code) ORDER BY p.first_leaf)
        FROM rights_anchorspan p JOIN rights_stream s ON s.id = p.stream_id WHERE p.anchor_id = a.id))
FROM rights_anchor a ORDER BY 1
"""

KINDS = (
    ObjectKind("venue_key", {PUBLISHED: _published, RETIRED: _retired}, _KEYS),
    ObjectKind("anchor", {MADE: _made}, _ANCHORS),
)
