"""Packages, delegations, block offers."""

from exchange.api.schemas.rights import COMPONENTS as RIGHTS
from exchange.api.schemas.words import (
    BPS,
    COUNT,
    FLAG,
    GIVEN_MOMENT,
    MOMENT,
    MONEY,
    POSITIVE,
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
from exchange.models.listing import OFFER_STATES
from rights.domain.capability import WORKLOADS
from rights.domain.package import MOST_PARTS, TIERS, TYPES
from rights.models.package import DELEGATION_STATES, PACKAGE_STATES

_LABEL: Schema = {"type": "string", "minLength": 1, "maxLength": 120}
_OBJECT: Schema = {"type": "object"}
_POLICY: Schema = RIGHTS["Manifest"]["properties"]["transfer_policy"]
_PART: Schema = request(
    {
        "right_id": public_id("rgt"),
        "units": POSITIVE,
        "tier": maybe(one_of(*TIERS[1:])),
        "branch": maybe({"type": "string", "minLength": 1, "maxLength": 40}),
    },
    required=("right_id", "units"),
)
_BOUNDS: dict[str, Schema] = {
    "delegate": public_id("acc"),
    "max_units": POSITIVE,
    "valid_from": GIVEN_MOMENT,
    "valid_until": GIVEN_MOMENT,
    "workload_classes": many(one_of(*WORKLOADS), 0, len(WORKLOADS)),
    "fallback_allowed": {**FLAG, "default": False},
    "subdelegation_allowed": {**FLAG, "default": False},
}
_PARTS = many(_PART, 1, MOST_PARTS)
_MADE_OF = {
    "label": _LABEL,
    "parts": _PARTS,
    "policy": {**maybe(_POLICY), "description": "Any part of a transfer policy; it may only tighten"},
    "rules": maybe(_OBJECT),
}

COMPONENTS: dict[str, Schema] = {
    "Package": answer(
        {
            "id": public_id("pkg"),
            "type": one_of(*TYPES),
            "label": TEXT,
            "holder": public_id("acc"),
            "controller": public_id("acc"),
            "state": one_of(*PACKAGE_STATES),
            "revision": COUNT,
            "parent_package_id": maybe(public_id("pkg")),
            "policy": _OBJECT,
            "rules": _OBJECT,
            "units": WHOLE,
            "parts": many(answer({"right_id": public_id("rgt"), "units": WHOLE, "tier": maybe(TEXT), "branch": maybe(TEXT)})),
            "created_at": MOMENT,
            "updated_at": MOMENT,
        }
    ),
    "PackageRequest": request({"type": one_of(*TYPES), **_MADE_OF}, required=("type", "label", "parts")),
    "PackageAmendment": request(_MADE_OF, required=("label", "parts")),
    "PackageSplitRequest": request({"label": _LABEL, "parts": _PARTS}, required=("label", "parts")),
    "PackageSplit": answer({"package": ref("Package"), "child": ref("Package")}),
    "PackageTransferRequest": request({"to": public_id("acc")}, required=("to",)),
    "PackageTransferred": answer(
        {
            "package_id": public_id("pkg"),
            "to": public_id("acc"),
            "entry_id": TEXT,
            "received": many(answer({"right_id": public_id("rgt"), "received_right_id": public_id("rgt")})),
        }
    ),
    "Delegation": answer(
        {
            "id": public_id("dlg"),
            "right_id": maybe(public_id("rgt")),
            "package_id": maybe(public_id("pkg")),
            "delegator": public_id("acc"),
            "delegate": public_id("acc"),
            "parent_delegation_id": maybe(public_id("dlg")),
            "max_units": POSITIVE,
            "used_units": WHOLE,
            "passed_units": WHOLE,
            "left_units": WHOLE,
            "workload_classes": many(one_of(*WORKLOADS)),
            "valid_from": MOMENT,
            "valid_until": MOMENT,
            "fallback_allowed": FLAG,
            "subdelegation_allowed": FLAG,
            "state": one_of(*DELEGATION_STATES),
            "created_at": MOMENT,
            "ended_at": maybe(MOMENT),
        }
    ),
    # Of a right, of a package, or of a part of another delegation: exactly one.
    "DelegationRequest": {
        "oneOf": [
            request({name: public_id(prefix), **_BOUNDS}, required=(name, "delegate", "max_units", "valid_from", "valid_until"))
            for name, prefix in (("right_id", "rgt"), ("package_id", "pkg"), ("parent_delegation_id", "dlg"))
        ]
    },
    "BlockOffer": answer(
        {
            "id": public_id("ofr"),
            "package_id": public_id("pkg"),
            "seller": public_id("acc"),
            "buyer": maybe(public_id("acc")),
            "price": TEXT,
            "currency": TEXT,
            "fee_bps": BPS,
            "state": one_of(*OFFER_STATES),
            "disclosure": _OBJECT,
            "created_at": MOMENT,
            "expires_at": MOMENT,
            "ended_at": maybe(MOMENT),
            "accepted_by": maybe(public_id("acc")),
        }
    ),
    "BlockOfferRequest": request(
        {
            "package_id": public_id("pkg"),
            "price": MONEY,
            "currency": {"type": "string", "minLength": 1, "maxLength": 8, "default": "USD"},
            "expires_at": GIVEN_MOMENT,
            "buyer": maybe(public_id("acc")),
        },
        required=("package_id", "price", "expires_at"),
    ),
}
