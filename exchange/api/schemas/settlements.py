"""Receipts of use, settlements, disputes and outcomes, on the wire."""

from exchange.api.schemas.requests import PART
from exchange.api.schemas.words import (
    BPS,
    COUNT,
    DECIMAL,
    EXPECTED,
    FLAG,
    GIVEN_MOMENT,
    HASH,
    MOMENT,
    TEXT,
    WHOLE,
    Schema,
    answer,
    many,
    maybe,
    one_of,
    public_id,
    request,
)
from exchange.api.views.receipt_form import MOST_EXPANSION, MOST_TEXT, SIGNATURE, TYPES
from rights.domain.effective_policy import FALLBACKS
from rights.domain.package import MOST_PARTS
from rights.models.right import STATUSES as RIGHT_STATUSES
from settlement.domain.dispute_rules import DECISIONS, LONGEST_CLAIM, LONGEST_EVIDENCE
from settlement.domain.proofs import ProofType
from settlement.domain.receipt_body import STATUSES
from settlement.domain.request_states import BUDGETS
from settlement.domain.settlement_states import Outcome, SettlementState
from settlement.models.outcome import DISPUTE_STATES, SIDES
from settlement.services.proof_rows import MOST_PROOFS

_OUTCOME = one_of(*Outcome)
_STATED: Schema = {"type": "string", "minLength": 1, "maxLength": MOST_TEXT, "pattern": r"\S"}
_UNITS: Schema = {**WHOLE, "maxLength": 19}
_EXPANSION: Schema = {"type": "integer", "minimum": 0, "maximum": MOST_EXPANSION}


def _words(longest: int) -> Schema:
    return {"type": "string", "minLength": 1, "maxLength": longest, "pattern": r"\S"}


_LEG = {
    "route_id": public_id("rte"),
    "delivered_units": WHOLE,
    "billable_units": WHOLE,
    "latency_us": {**WHOLE, "description": "Microseconds as a string"},
    "queue_us": {**WHOLE, "description": "Microseconds as a string"},
    "fallbacks": many(one_of(*FALLBACKS)),
    "quality_loss_bps": BPS,
    "latency_expansion_bps": COUNT,
    "output_ref": maybe(TEXT),
    "output_hash": maybe(HASH),
    "error": maybe(TEXT),
    "retryable": {**FLAG, "description": "It failed, and the very same work may succeed later; false where it failed for what was asked"},
}
_COUNTS = {
    "sample_size": COUNT,
    "counts": answer(dict.fromkeys(map(str, Outcome), COUNT)),
    "rates_bps": answer(dict.fromkeys(map(str, Outcome), maybe(BPS)), description="Null where the sample is empty"),
    "rates_lower_bps": answer(
        dict.fromkeys(map(str, Outcome), maybe(BPS)), description="The lower end of Wilson's interval at 95 %, rounded down"
    ),
    **EXPECTED,
}
_COUNTS_OF_CLASS = {
    **_COUNTS,
    "used_units": {**WHOLE, "description": "Units that were charged"},
    "reserved_units": {**WHOLE, "description": "Units that the routes of those requests had reserved"},
}

COMPONENTS: dict[str, Schema] = {
    "UseReceipt": answer(
        {
            "id": public_id("rcp"),
            "request_id": public_id("req"),
            "status": one_of(*STATUSES),
            "started_at": maybe(MOMENT),
            "completed_at": maybe(MOMENT),
            "cancelled_by_right": FLAG,
            "legs": many(answer({"right_id": public_id("rgt"), **PART, "supplier": TEXT, "region": TEXT, **_LEG})),
            "proofs": many(
                answer(
                    {
                        "number": COUNT,
                        "type": one_of(*ProofType),
                        "reference": TEXT,
                        "content_hash": HASH,
                        "producer": TEXT,
                        "units": maybe(WHOLE),
                        "signature": maybe(TEXT),
                        "is_valid": FLAG,
                        "recorded_at": MOMENT,
                    }
                )
            ),
            "body": {**TEXT, "description": "The canonical JSON that hashes to `hash`"},
            "hash": HASH,
            "recorded_at": MOMENT,
        },
        description="What was done for a request, by whoever did it",
    ),
    "UseReceiptRequest": request(
        {
            "supplier_id": public_id("sup"),
            "receipt": request(
                {
                    "request_id": public_id("req"),
                    "status": one_of(*(status for status in STATUSES if status != "cancelled")),
                    "started_at": maybe(GIVEN_MOMENT),
                    "completed_at": maybe(GIVEN_MOMENT),
                    "legs": many(
                        request(
                            {
                                "route_id": public_id("rte"),
                                "delivered_units": _UNITS,
                                "billable_units": maybe(_UNITS),
                                "latency_us": maybe(_UNITS),
                                "queue_us": maybe(_UNITS),
                                "fallbacks": maybe(many(one_of(*FALLBACKS), 0, len(FALLBACKS))),
                                "quality_loss_bps": maybe(BPS),
                                "latency_expansion_bps": maybe(_EXPANSION),
                                "output_ref": maybe(_STATED),
                                "output_hash": maybe(HASH),
                                "error": maybe(_STATED),
                            },
                            required=("route_id", "delivered_units"),
                        ),
                        0,
                        MOST_PARTS,
                    ),
                },
                required=("request_id", "status", "legs"),
            ),
            "proofs": maybe(
                many(
                    request(
                        {"type": one_of(*TYPES), "reference": _STATED, "content_hash": HASH, "units": maybe(_UNITS)},
                        required=("type", "reference", "content_hash"),
                    ),
                    0,
                    MOST_PROOFS,
                )
            ),
            "signature": {"type": "string", "pattern": f"^{SIGNATURE.pattern}$", "description": "Base64 of an Ed25519 signature"},
        },
        required=("supplier_id", "receipt", "signature"),
    ),
    "Settlement": answer(
        {
            "id": public_id("stl"),
            "request_id": public_id("req"),
            "receipt_id": public_id("rcp"),
            "state": one_of(*SettlementState),
            "outcome": maybe(_OUTCOME),
            "rule": {**maybe(TEXT), "description": "Which rule gave the outcome"},
            "digest": {**maybe(HASH), "description": "Of the facts, the proofs and the verdict together"},
            "reserved_units": WHOLE,
            "units": WHOLE,
            "budget": one_of(*BUDGETS),
            "charges": many(answer({"route_id": public_id("rte"), "right_id": public_id("rgt"), "units": WHOLE})),
            "rights": many(
                answer({"right_id": public_id("rgt"), "status": one_of(*RIGHT_STATUSES), "remaining_units": WHOLE, "is_usable": FLAG})
            ),
            "currency": TEXT,
            "escrow": DECIMAL,
            "payout": DECIMAL,
            "compensation": DECIMAL,
            "release": DECIMAL,
            "payments": many(
                answer({"to": one_of("supplier", "holder", "issuer"), "supplier": maybe(TEXT), "amount": DECIMAL}),
            ),
            "missing": many(TEXT),
            "proof_due_at": maybe(MOMENT),
            "window_ends_at": maybe(MOMENT),
            "dispute_ids": many(public_id("dsp")),
            "created_at": MOMENT,
            "updated_at": MOMENT,
            "finalized_at": maybe(MOMENT),
        },
        description="What a request came to; `payments` are made when it is final",
    ),
    "Dispute": answer(
        {
            "id": public_id("dsp"),
            "settlement_id": public_id("stl"),
            "side": one_of(*SIDES),
            "claim": TEXT,
            "state": one_of(*DISPUTE_STATES),
            "reviewer": maybe(TEXT),
            "decision": maybe(TEXT),
            "evidence": many(answer({"number": COUNT, "text": TEXT, "content_hash": HASH, "at": MOMENT})),
            "opened_at": MOMENT,
            "decided_at": maybe(MOMENT),
        }
    ),
    "DisputeRequest": request({"claim": _words(LONGEST_CLAIM), "evidence": maybe(_words(LONGEST_EVIDENCE))}, required=("claim",)),
    "EvidenceRequest": request({"text": _words(LONGEST_EVIDENCE)}, required=("text",)),
    "ReviewerRequest": request({"reviewer": {**TEXT, "minLength": 1, "maxLength": 64}}, required=("reviewer",)),
    "DecisionRequest": request(
        {
            "decision": one_of(*DECISIONS),
            "outcome": {**maybe(_OUTCOME), "description": "What it is reclassified to"},
            "reason": _words(LONGEST_CLAIM),
        },
        required=("decision", "reason"),
    ),
    "IssuerOutcomes": answer(
        {
            "issuer_id": TEXT,
            **_COUNTS,
            "disputes": answer(dict.fromkeys(("opened", *DISPUTE_STATES), COUNT)),
            "frozen_rights": answer(
                {"count": COUNT, "reasons": {"type": "object", "additionalProperties": COUNT}}, description="Frozen now, by reason"
            ),
            "classes": many(answer({"class": TEXT, **_COUNTS_OF_CLASS})),
            "windows": many(answer({"class": TEXT, "window": answer({"start": MOMENT, "end": MOMENT}), **_COUNTS_OF_CLASS})),
        }
    ),
}
