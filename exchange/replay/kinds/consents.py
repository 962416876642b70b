"""Consents and attestations as their events tell them."""

from exchange.replay.object_states import Fields, ObjectKind, Payload
from rights.domain import consent_events as types

_STATED = (
    "answer_note",
    "deadline_at",
    "expires_at",
    "giver",
    "issuer",
    "kind",
    "note",
    "right",
    "root",
    "scope",
    "taker",
    "terms_hash",
    "units",
)


def _requested(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
    states[object_id] = {name: payload[name] for name in _STATED} | {
        "state": "pending",
        "requested_at": at,
        "decided_at": None,
        "used_at": None,
    }


def _granted(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
    if object_id not in states:
        _requested(states, object_id, payload, at)
    states[object_id] |= {name: payload[name] for name in _STATED} | {"state": "granted", "decided_at": at}


def _denied(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
    states[object_id] |= {"state": "denied", "decided_at": at, "answer_note": payload["note"]}


def _revoked(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001 - one shape for all steps
    states[object_id] |= {"state": "revoked", "answer_note": payload["note"]}


def _expired(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001
    states[object_id]["state"] = "expired"


def _used(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001
    states[object_id] |= {"state": "used", "used_at": at}


def _attested(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
    for held in states.values():
        if held["holder"] == object_id and held["kind"] == payload["kind"] and held["revoked_at"] is None:
            held["revoked_at"] = at
    states[payload["attestation"]] = {
        "holder": object_id,
        "kind": payload["kind"],
        "value": payload["value"],
        "evidence": payload["evidence"],
        "expires_at": payload["expires_at"],
        "attested_at": at,
        "revoked_at": None,
    }


def _attestation_revoked(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001
    states[payload["attestation"]]["revoked_at"] = at


def _moment(column: str) -> str:
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


_CONSENTS = f"""
SELECT 'cns_' || c.uuid::text, jsonb_build_object('answer_note', c.answer_note, 'deadline_at', {_moment("c.deadline_at")}, 'expires_at', {_moment("c.expires_at")},
       'giver', 'acc_' || g.uuid::text, 'issuer', i.slug, 'kind', c.kind, 'note', c.note, 'right', 'rgt_' || c.right_id::text,
       'root', 'rgt_' || c.root_id::text, 'scope', c.scope, 'taker', 'acc_' || t.uuid::text, 'terms_hash', c.terms_hash,
       'units', c.units::text, 'state', c.state, 'requested_at', {_moment("c.requested_at")}, 'decided_at', {_moment("c.decided_at")},
       'used_at', {_moment("c.used_at")})
FROM rights_consent c JOIN rights_issuer i ON i.id = c.issuer_id LEFT JOIN rights_account g ON g.id = c.giver_id
LEFT JOIN rights_account t ON t.id = c.taker_id ORDER BY c.uuid
"""
_ATTESTATIONS = f"""
SELECT 'att_' || a.uuid::text, jsonb_build_object('holder', 'acc_' || h.uuid::text, 'kind', a.kind, 'value', a.value, 'evidence', a.evidence,
       'expires_at', {_moment("a.expires_at")}, 'attested_at', {_moment("a.attested_at")}, 'revoked_at', {_moment("a.revoked_at")})
FROM rights_attestation a JOIN rights_account h ON h.id = a.account_id ORDER BY a.uuid
"""

KINDS = (
    ObjectKind(
        "consent",
        {
            types.REQUESTED: _requested,
            types.GRANTED: _granted,
            types.DENIED: _denied,
            types.REVOKED: _revoked,
            types.EXPIRED: _expired,
            types.USED: _used,
        },
        _CONSENTS,
    ),
    ObjectKind("attestation", {types.ATTESTED: _attested, types.ATTESTATION_REVOKED: _attestation_revoked}, _ATTESTATIONS),
)
