"""Consents, attestations, and transfers outside a book."""

from exchange.api.schemas.words import (
    GIVEN_MOMENT,
    HASH,
    MOMENT,
    POSITIVE,
    REASON,
    TEXT,
    Schema,
    answer,
    maybe,
    one_of,
    public_id,
    request,
)
from rights.models.consent import CONSENT_KINDS, CONSENT_SCOPES, CONSENT_STATES

_NOTE: Schema = {"type": "string", "minLength": 1, "maxLength": 500, "description": "Goes on the record"}
_WORD: Schema = {"type": "string", "minLength": 1, "maxLength": 40, "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"}

_STANDING: dict[str, Schema] = {
    "issuer_id": {"type": "string", "minLength": 1, "maxLength": 64},
    "kind": {**one_of(*CONSENT_KINDS), "default": "consent"},
    "taker": maybe(public_id("acc")),
    "expires_at": maybe(GIVEN_MOMENT),
    "note": maybe(_NOTE),
}

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
            "deadline_at": maybe(GIVEN_MOMENT),
        },
        required=("right_id", "taker", "units"),
    ),
    "ConsentApproval": request({"note": maybe(_NOTE), "expires_at": maybe(GIVEN_MOMENT)}, required=()),
    "Reasoned": request({"reason": REASON}, required=("reason",)),
    "StandingConsent": {
        "oneOf": [
            request({**_STANDING, **of}, required=("issuer_id", *of))
            for of in ({}, {"root_right_id": public_id("rgt")}, {"terms_hash": HASH})
        ],
        "description": "Of one lineage, of one set of terms, or of all of the issuer's rights",
    },
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
            "expires_at": maybe(GIVEN_MOMENT),
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
