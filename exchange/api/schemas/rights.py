"""Rights and what backs them."""

from typing import Any

from exchange.api.schemas.words import (
    FLAG,
    HASH,
    MOMENT,
    POSITIVE,
    REASON,
    SYMBOL,
    TEXT,
    WHOLE,
    Schema,
    answer,
    many,
    maybe,
    one_of,
    public_id,
    ref,
    request,
)
from rights.domain.amendment import Amendment
from rights.domain.lifecycle import FreezeReason, RightStatus
from rights.domain.manifest import SCHEMA
from rights.models.right import REPLACEMENTS
from rights.models.role import ROLES

_FREEZE = one_of(*FreezeReason)
_OF_TERMS = [amendment.value for amendment in Amendment if amendment not in {Amendment.HOLDER, Amendment.FREEZE}]


def _rebased(schema: Any) -> Any:
    """The published schema refers to its own root; inside the document that root is elsewhere."""
    if isinstance(schema, dict):
        return {
            name: value.replace("#/$defs/", "#/components/schemas/Manifest/$defs/") if name == "$ref" else _rebased(value)
            for name, value in schema.items()
        }
    return [_rebased(item) for item in schema] if isinstance(schema, list) else schema


COMPONENTS: dict[str, Schema] = {
    "Manifest": _rebased({name: value for name, value in SCHEMA.items() if name not in {"$id", "$schema"}}),
    "Right": answer(
        {
            "id": public_id("rgt"),
            "holder": public_id("acc"),
            "controller": public_id("acc"),
            "status": one_of(*RightStatus),
            "freeze_reason": maybe(_FREEZE),
            "max_amount": WHOLE,
            "remaining_amount": WHOLE,
            "reserved_amount": WHOLE,
            "parent_right_id": maybe(public_id("rgt")),
            "root_right_id": public_id("rgt"),
            "issuer_id": TEXT,
            "assurance_id": public_id("ast"),
            "terms_hash": HASH,
            "class_fingerprint": HASH,
            "instruments": many(SYMBOL),
            "gates": many(ref("Gate")),
        },
        description="The manifest's members, and the accounting around them",
    ),
    "LineageRight": answer(
        {
            "id": maybe(public_id("rgt")),
            "parent_right_id": maybe(public_id("rgt")),
            "root_right_id": public_id("rgt"),
            "steps": {"type": ["integer", "null"], "minimum": 0, "description": "From the right that was asked for, going up"},
            "holder": maybe(public_id("acc")),
            "status": maybe(one_of(*RightStatus)),
            "freeze_reason": maybe(_FREEZE),
            "max_amount": maybe(WHOLE),
            "remaining_amount": maybe(WHOLE),
            "reserved_amount": maybe(WHOLE),
            "issuer_id": TEXT,
            "assurance_id": public_id("ast"),
            "terms_hash": HASH,
            "created_at": maybe(MOMENT),
            "withheld": {**FLAG, "description": "It is in other hands: only what the caller's own right says of it"},
        },
        description="A right's place in its family",
    ),
    "IssueRequest": request(
        {
            "manifest": ref("Manifest"),
            "holder": {"anyOf": [{"const": "me"}, public_id("acc")], "default": "me"},
            "activate": {**FLAG, "default": True},
        },
        required=("manifest",),
    ),
    "SplitRequest": request({"units": {**POSITIVE, "description": "What the child gets"}}, required=("units",)),
    "Split": answer({"parent": ref("Right"), "child": ref("Right")}),
    "FreezeRequest": request({"freeze_reason": _FREEZE, "reason": REASON}, required=("freeze_reason", "reason")),
    "UnfreezeRequest": request({"reason": REASON}, required=("reason",)),
    "Proposal": answer(
        {
            "id": public_id("prp"),
            "kind": TEXT,
            "act": {"type": "object"},
            "status": one_of("open", "approved", "rejected", "expired"),
            "reason": TEXT,
            "proposed_at": MOMENT,
            "expires_at": MOMENT,
        },
        description="An operator's act that is done when another operator approves it",
    ),
    "Frozen": answer({"right": ref("Right"), "orders_pulled": {"type": "integer", "minimum": 0}}),
    "Eligibility": answer(
        {
            "instrument": SYMBOL,
            "delivery_rule": one_of("exact", "dominance"),
            "eligible": {**FLAG, "description": "Every verdict passed: the right may be delivered into this book"},
            "verdicts": many(
                answer(
                    {
                        "field": TEXT,
                        "expected": {"description": "The instrument's value"},
                        "actual": {"description": "The right's value"},
                        "relation": one_of("equal", "better", "worse", "incomparable"),
                        "rule": {**TEXT, "description": "What would be better, in words"},
                        "passed": FLAG,
                    }
                )
            ),
        }
    ),
    "ManifestSchema": {"type": "object", "required": ["$schema", "properties"]},
    "ManifestExample": answer(
        {
            "name": TEXT,
            "about": {**TEXT, "description": "The rule it is an example of"},
            "valid": FLAG,
            "expect": {**many(answer({"field": TEXT, "code": TEXT})), "description": "Every fault; none of a valid one"},
            "terms_hash": maybe(HASH),
            "manifest": {"type": "object"},
        }
    ),
    "MergeRequest": request({"source_right_id": public_id("rgt")}, required=("source_right_id",)),
    "AmendRequest": request(
        {
            "amendment": one_of(*Amendment),
            "reason": REASON,
            "manifest": {"allOf": [ref("Manifest")], "description": "The whole manifest as it is to be"},
            "holder": {**public_id("acc"), "description": "For holder-reassignment only"},
        },
        required=("amendment", "reason"),
        one_of=(
            {"required": ["holder"], "properties": {"amendment": {"const": Amendment.HOLDER.value}, "manifest": False}},
            {"properties": {"amendment": {"const": Amendment.FREEZE.value}, "manifest": False, "holder": False}},
            {"required": ["manifest"], "properties": {"amendment": {"enum": _OF_TERMS}, "holder": False}},
        ),
    ),
    "FinalizeRequest": request(
        {"reason": REASON, "ref": maybe({"type": "string", "minLength": 1, "maxLength": 80, "description": "What it was settled by"})},
        required=("reason",),
    ),
    "ReplaceRequest": request(
        {"manifest": ref("Manifest"), "kind": {**one_of(*REPLACEMENTS), "default": "replaced"}, "reason": REASON},
        required=("manifest", "reason"),
    ),
    "Replaced": answer({"former": ref("Right"), "latter": ref("Right"), "kind": one_of(*REPLACEMENTS)}),
    "Role": answer(
        {
            "id": public_id("rol"),
            "participant": TEXT,
            "role": one_of(*ROLES),
            "issuer_id": maybe(TEXT),
            "granted_at": MOMENT,
            "revoked_at": maybe(MOMENT),
        }
    ),
    "RoleRequest": request(
        {
            "participant": {"type": "string", "minLength": 1, "maxLength": 64},
            "role": one_of(*ROLES),
            "issuer_id": maybe({"type": "string", "minLength": 1, "maxLength": 64}),
            "reason": REASON,
        },
        required=("participant", "role", "reason"),
    ),
    "TransferCheckRequest": request(
        {"right_id": public_id("rgt"), "units": POSITIVE, "buyer": public_id("acc")}, required=("right_id", "units", "buyer")
    ),
    "TransferCheck": answer({"allowed": FLAG, "gates": many(ref("Gate"))}),
}
