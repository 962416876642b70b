"""Consents, attestations, and transfers outside a book."""

from exchange.api.schemas.words import HASH, MOMENT, POSITIVE, TEXT, Schema, answer, maybe, one_of, public_id, request
from rights.models.consent import CONSENT_KINDS, CONSENT_SCOPES, CONSENT_STATES

_NOTE: Schema = {"type": "string", "minLength": 1, "maxLength": 500, "description": "Goes on the record"}
_WORD: Schema = {"type": "string", "minLength": 1, "maxLength": 40, "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"}

COMPONENTS: dict[str, Schema] = {
    "Consent": answer(
        {
            "id": public_id("cns"),
            "kind": one_of(*CONSENT_KINDS),
            "scope": one_of(*CONSENT_SCOPES),
            "state": one_of(*CONSENT_STATES),
            "issuer_id": TEXT,
            "right_id": maybe(public_id("rgt")),
            "root_right_id": maybe(public_id("rgt")),
            "terms_hash": maybe(HASH),
            "giver": maybe(public_id("acc")),
            "giver_name": {**maybe(TEXT), "description": "For whoever answers"},
            "taker": maybe(public_id("acc")),
            "taker_name": {**maybe(TEXT), "description": "For whoever answers"},
            "units": maybe(POSITIVE),
            "note": TEXT,
            "answer_note": TEXT,
            "requested_at": MOMENT,
            "deadline_at": maybe(MOMENT),
            "decided_at": maybe(MOMENT),
            "expires_at": maybe(MOMENT),
            "used_at": maybe(MOMENT),
        }
    ),
    "ConsentRequest": request(
        {
            "right_id": public_id("rgt"),
            "taker": public_id("acc"),
            "units": POSITIVE,
            "kind": {**one_of(*CONSENT_KINDS), "default": "consent"},
            "note": maybe(_NOTE),
            "deadline_at": maybe(MOMENT),
        },
        required=("right_id", "taker", "units"),
    ),
    "ConsentApproval": request({"note": maybe(_NOTE), "expires_at": maybe(MOMENT)}, required=()),
    "Reasoned": request({"reason": _NOTE}, required=("reason",)),
    "StandingConsent": request(
        {
            "issuer_id": {"type": "string", "minLength": 1, "maxLength": 64},
            "kind": {**one_of(*CONSENT_KINDS), "default": "consent"},
            "taker": maybe(public_id("acc")),
            "root_right_id": maybe(public_id("rgt")),
            "terms_hash": maybe(HASH),
            "expires_at": maybe(MOMENT),
            "note": maybe(_NOTE),
        },
        required=("issuer_id",),
    ),
    "Attestation": answer(
        {
            "id": public_id("att"),
            "holder": public_id("acc"),
            "kind": TEXT,
            "value": maybe(TEXT),
            "evidence": TEXT,
            "attested_at": MOMENT,
            "expires_at": maybe(MOMENT),
            "revoked_at": maybe(MOMENT),
        }
    ),
    "AttestationRequest": request(
        {
            "holder": public_id("acc"),
            "kind": _WORD,
            "value": maybe({"type": "string", "minLength": 1, "maxLength": 40}),
            "evidence": {"type": "string", "minLength": 1, "maxLength": 200},
            "expires_at": maybe(MOMENT),
        },
        required=("holder", "kind", "evidence"),
    ),
    "TransferRequest": request({"to": public_id("acc"), "units": POSITIVE}, required=("to", "units")),
    "Transferred": answer(
        {
            "right_id": public_id("rgt"),
            "received_right_id": public_id("rgt"),
            "units": POSITIVE,
            "from": public_id("acc"),
            "to": public_id("acc"),
            "entry_id": TEXT,
        }
    ),
}
