"""Requests to use rights, and their routes, on the wire."""

from exchange.api.schemas.words import (
    BPS,
    COUNT,
    DECIMAL,
    FLAG,
    GIVEN_MOMENT,
    HASH,
    MOMENT,
    POSITIVE,
    REASON,
    TEXT,
    Schema,
    answer,
    many,
    maybe,
    one_of,
    public_id,
    ref,
    request,
)
from rights.domain.capability import LATENCY_BANDS, QUALITY_BANDS, REGION, SLUG, WORKLOADS
from rights.domain.effective_policy import FALLBACKS, PRIVACY_ORDER
from rights.domain.package import MOST_PARTS, TIERS
from settlement.domain.envelope import MOST_BRANCH, MOST_WEIGHT, OPERATION, PREFERENCES, SHAPE
from settlement.domain.request_states import BUDGETS, DELIVERIES, REQUEST_STATES, ROUTE_STATES
from settlement.domain.settlement_states import Outcome

_PLACE: Schema = {"type": "string", "pattern": f"^{REGION.pattern}$"}
_SLUG: Schema = {"type": "string", "pattern": f"^{SLUG.pattern}$"}
_OPERATION: Schema = {"type": "string", "pattern": f"^{OPERATION.pattern}$", "examples": ["chat.completions"]}
_SHAPE: Schema = {"type": "string", "pattern": f"^{SHAPE.pattern}$"}
_WEIGHT: Schema = {"type": "integer", "minimum": 0, "maximum": MOST_WEIGHT}
_FALLBACKS: Schema = {
    **many(one_of(*FALLBACKS), 0, 64),
    "description": "Degradations that may be; null leaves it to the right, an empty list allows none",
}
_WEIGHTS = dict.fromkeys(PREFERENCES, _WEIGHT)
# Which part of a package the units come out of.
PART: dict[str, Schema] = {"package_id": maybe(public_id("pkg")), "tier": maybe(one_of(*TIERS[1:])), "branch": maybe(TEXT)}

COMPONENTS: dict[str, Schema] = {
    "Route": answer(
        {
            "id": public_id("rte"),
            "number": COUNT,
            "state": one_of(*ROUTE_STATES),
            "right_id": public_id("rgt"),
            **PART,
            "supplier": TEXT,
            "capability_id": public_id("cap"),
            "units": POSITIVE,
            "score": {**BPS, "description": "Of 10,000; the points of the reasons add up to it"},
            "reasons": many(answer({"code": TEXT, "detail": TEXT, "points": {"type": "integer"}}), 0),
            "fallbacks": many(one_of(*FALLBACKS)),
            "quality_loss_bps": BPS,
            "escrow": {**DECIMAL, "description": "Of the issuer's cash, set aside for the supplier while it is locked"},
            "currency": TEXT,
            "quoted_at": MOMENT,
            "locked_at": maybe(MOMENT),
            "expires_at": maybe(MOMENT),
            "ended_at": maybe(MOMENT),
        },
        description="One way to do a request or a part of it, chosen or refused",
    ),
    "EffectivePolicy": answer(
        {
            "latest_at": MOMENT,
            "privacy_class": one_of(*PRIVACY_ORDER),
            "jurisdictions": many(TEXT),
            "providers": many(TEXT),
            "denied_providers": many(TEXT),
            "tags": many(TEXT),
            "max_latency_class": one_of(*LATENCY_BANDS),
            "min_quality_band": one_of(*QUALITY_BANDS),
            "fallbacks": many(one_of(*FALLBACKS)),
            "max_quality_loss_bps": BPS,
            "max_latency_expansion_bps": COUNT,
            "max_units": POSITIVE,
            "min_full_rate_bps": BPS,
        },
        optional=(
            "latest_at",
            "privacy_class",
            "jurisdictions",
            "providers",
            "denied_providers",
            "tags",
            "max_latency_class",
            "min_quality_band",
            "fallbacks",
            "max_quality_loss_bps",
            "max_latency_expansion_bps",
            "max_units",
            "min_full_rate_bps",
        ),
        description="What is in force; what is left out is not bounded",
    ),
    "Request": answer(
        {
            "id": public_id("req"),
            "account_id": public_id("acc"),
            "holder_id": public_id("acc"),
            "state": one_of(*REQUEST_STATES),
            "workload": one_of(*WORKLOADS),
            "operation": _OPERATION,
            "units": POSITIVE,
            "rights": many(answer({"right_id": public_id("rgt"), "max_spend": maybe(POSITIVE)})),
            "delegation_id": maybe(public_id("dlg")),
            "package_id": maybe(public_id("pkg")),
            "branch": maybe(TEXT),
            "constraints": ref("EffectivePolicy"),
            "preferences": answer(_WEIGHTS, optional=PREFERENCES),
            "fallback_policy": maybe(many(one_of(*FALLBACKS))),
            "budget": one_of(*BUDGETS),
            "spill_over": FLAG,
            "delivery": one_of(*DELIVERIES),
            "route": one_of("auto", "manual"),
            "result_shape": maybe(_SHAPE),
            "payload_hash": HASH,
            "envelope_hash": HASH,
            "effective": many(
                answer(
                    {
                        "right_id": public_id("rgt"),
                        "policy": ref("EffectivePolicy"),
                        "narrowings": many(answer({"field": TEXT, "by": TEXT, "before": TEXT, "after": TEXT})),
                    }
                )
            ),
            "routes": many(ref("Route")),
            "receipt_id": maybe(public_id("rcp")),
            "settlement_id": maybe(public_id("stl")),
            "outcome": {**maybe(one_of(*Outcome)), "description": "Of its settlement; null until one is decided"},
            "latest_at": MOMENT,
            "created_at": MOMENT,
            "updated_at": MOMENT,
            "ended_at": maybe(MOMENT),
        }
    ),
    "RequestOutput": answer(
        {"request_id": public_id("req"), "output": {**maybe(TEXT), "description": "The text of a JSON object, as the supplier gave it"}}
    ),
    "RequestEnvelope": request(
        {
            "workload": one_of(*WORKLOADS),
            "operation": _OPERATION,
            "units": {**POSITIVE, "description": "What it is expected to take, at most; these are reserved"},
            "rights": {
                **many(request({"right_id": public_id("rgt"), "max_spend": maybe(POSITIVE)}, required=("right_id",)), 0, MOST_PARTS),
                "description": "In the order in which they are used. Beside a package, or a delegation of one: which of its parts, in its own order",
            },
            "package_id": {
                **maybe(public_id("pkg")),
                "description": "The parts of this package, in its own order, out of what it has locked",
            },
            "branch": {
                **maybe({"type": "string", "minLength": 1, "maxLength": MOST_BRANCH}),
                "description": "Of a strategy; else the first whose rule is for the workload",
            },
            "constraints": maybe(
                request(
                    {
                        "latest_at": maybe(GIVEN_MOMENT),
                        "privacy_class": maybe(one_of(*PRIVACY_ORDER)),
                        "jurisdictions": maybe(many(_PLACE, 0, 64)),
                        "max_latency_class": maybe(one_of(*LATENCY_BANDS)),
                        "tags": maybe(many(_SLUG, 0, 64)),
                        "providers": maybe(many(_SLUG, 0, 64)),
                        "denied_providers": maybe(many(_SLUG, 0, 64)),
                        "min_full_rate_bps": {
                            **maybe(BPS),
                            "description": "Of issuer and supplier: how many of 10,000 requests came out whole; without a record neither is taken",
                        },
                    },
                    description="Hard; they only tighten what the rights say",
                )
            ),
            "preferences": maybe(
                request({name: maybe(_WEIGHT) for name in PREFERENCES}, description="Weights; they only order what is allowed")
            ),
            "fallback_policy": maybe(_FALLBACKS),
            "budget": {
                **maybe(one_of(*BUDGETS)),
                "description": "What done work is charged: actual, what was delivered; reserved-draw, all that was reserved, also what was "
                "not used; quoted-cap, what was delivered, at most the units asked: more is done for nothing. actual unless said",
            },
            "spill_over": {**maybe(FLAG), "description": "Whether the next right gives what one has too little of; yes unless said"},
            "delivery": maybe(one_of(*DELIVERIES)),
            "payload": {
                **maybe({"type": "string", "minLength": 2, "maxLength": 200_000}),
                "description": "The text of the JSON object that goes to the supplier",
            },
            "payload_hash": {**maybe(HASH), "description": "Instead of the payload, where whoever executes it has it in hand"},
            "delegation_id": maybe(public_id("dlg")),
            "route": {
                **maybe(one_of("auto", "manual")),
                "description": "auto: the router locks the best; manual: the caller locks one of the quotes",
            },
            "result_shape": maybe(_SHAPE),
        },
        required=("workload", "operation", "units"),
    ),
    "RequestLock": request({"route_ids": maybe(many(public_id("rte"), 1, MOST_PARTS))}),
    "RequestReason": request({"reason": maybe(REASON)}),
}
