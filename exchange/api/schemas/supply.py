"""Suppliers, capabilities, posted capacity, assurances."""

from exchange.api.schemas.words import (
    BPS,
    COUNT,
    DECIMAL,
    FLAG,
    GIVEN_MOMENT,
    MOMENT,
    MONEY,
    POSITIVE,
    REASON,
    SLUG,
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
from rights.domain import capability
from rights.domain.assurance import MODES, PLANS, STATUSES
from rights.domain.capability import (
    AVAILABILITIES,
    CONSTRAINT,
    ENVIRONMENTS,
    LATENCY_BANDS,
    PRIVACY_MODES,
    QUALITY_BANDS,
    REGION,
    UNITS,
    WORKLOADS,
)
from rights.services import post_assurance

_NOTE: Schema = {**REASON, "description": "What was looked at; operators have to say it"}
_SLUG: Schema = {"type": "string", "pattern": f"^{capability.SLUG.pattern}$"}
_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 200}
_REGION: Schema = {"type": "string", "pattern": f"^{REGION.pattern}$", "examples": ["US-EAST"]}
_KEY: Schema = {
    "type": "string",
    "minLength": 44,
    "maxLength": 44,
    "description": "Base64 of an Ed25519 public key that signs results; once there it can be replaced, not taken out",
}
_WINDOW = answer({"start": MOMENT, "end": MOMENT})
_WINDOW_ASKED = request({"start": GIVEN_MOMENT, "end": GIVEN_MOMENT}, required=("start", "end"))
_AXES: dict[str, Schema] = {
    "workload": one_of(*WORKLOADS),
    "quality_band": one_of(*QUALITY_BANDS),
    "latency_band": one_of(*LATENCY_BANDS),
    "privacy_mode": one_of(*PRIVACY_MODES),
    "environment": one_of(*ENVIRONMENTS),
    "availability": one_of(*AVAILABILITIES),
    "constraints": many({"type": "string", "pattern": f"^{CONSTRAINT.pattern}$"}, high=20),
    "unit": one_of(*UNITS),
}
_TARIFF = {"amount": {**DECIMAL, "description": "The price of `units`"}, "units": POSITIVE, "currency": TEXT}
_SOURCE = {"capability_id": public_id("cap"), "window": _WINDOW, "units": POSITIVE}

COMPONENTS: dict[str, Schema] = {
    "Supplier": answer(
        {
            "id": public_id("sup"),
            "slug": TEXT,
            "name": TEXT,
            "region": _REGION,
            "trust_bps": BPS,
            "status": one_of("active", "suspended"),
            "public_key": maybe(TEXT),
            "mine": FLAG,
            "created_at": MOMENT,
        },
        description="Who executes work",
    ),
    "SupplierRequest": request({"slug": _SLUG, "name": _NAME, "region": _REGION, "public_key": _KEY}, required=("slug", "name", "region")),
    "SupplierChange": request({"name": _NAME, "region": _REGION, "public_key": _KEY}),
    "SupplierAssessment": request({"trust_bps": BPS, "reason": REASON}, required=("trust_bps", "reason")),
    "StandingRequest": request({"reason": REASON}, required=("reason",)),
    "Capability": answer(
        {
            "id": public_id("cap"),
            "supplier_id": public_id("sup"),
            "supplier": TEXT,
            **_AXES,
            "tariff": answer(_TARIFF),
            "reliability_bps": maybe(BPS),
            "status": one_of("live", "retired"),
            "created_at": MOMENT,
            "retired_at": maybe(MOMENT),
        },
        description="What a supplier can do, on seven axes, its price and what was measured of it",
    ),
    "CapabilityRequest": request(
        {**_AXES, "tariff": request({**_TARIFF, "amount": {**MONEY, "description": "The price of `units`"}}, required=("amount",))},
        required=tuple(name for name in _AXES if name != "constraints"),
    ),
    "Measurement": request({"reliability_bps": BPS, "reason": REASON}, required=("reliability_bps", "reason")),
    "PostedCapacity": answer(
        {
            "capability_id": public_id("cap"),
            "window": _WINDOW,
            "units": WHOLE,
            "pledged_units": WHOLE,
            "free_units": WHOLE,
            "issuers": {
                **many(TEXT),
                "description": "Who may pledge it beside the supplier's own; others than the owner see themselves only",
            },
            "revision": COUNT,
            "posted_at": MOMENT,
        }
    ),
    "OfferedCapacity": answer(
        {
            "capability_id": public_id("cap"),
            "supplier_id": public_id("sup"),
            "supplier": TEXT,
            "region": _REGION,
            **_AXES,
            "reliability_bps": maybe(BPS),
            "window": _WINDOW,
            "units": WHOLE,
            "free_units": WHOLE,
            "own": FLAG,
        },
        description="Posted capacity that an issuer of the caller's may pledge",
    ),
    "PostedCapacityRequest": request(
        {"window": _WINDOW_ASKED, "units": WHOLE, "issuers": many(_SLUG, high=50)}, required=("window", "units")
    ),
    "Assurance": answer(
        {
            "id": public_id("ast"),
            "issuer_id": TEXT,
            "mode": one_of(*MODES),
            "reference": TEXT,
            "class": TEXT,
            "window": _WINDOW,
            "unit": TEXT,
            "gross_units": WHOLE,
            "haircut_bps": BPS,
            "usable_units": WHOLE,
            "overbook_bps": BPS,
            "justification": maybe(TEXT),
            "issuable_units": WHOLE,
            "issued_units": WHOLE,
            "listed_units": WHOLE,
            "headroom_units": WHOLE,
            "status": one_of(*STATUSES),
            "degradation_plan": one_of(*PLANS),
            "degraded_at": maybe(MOMENT),
            "plan_done": answer({"rights_frozen": COUNT, "books_halted": many(SYMBOL)}),
            "refreshed_at": MOMENT,
            "refresh_due_at": MOMENT,
            "revision": COUNT,
            "sources": many(answer(_SOURCE)),
        },
        optional=("listed_units",),
        description="What backs rights; lists leave out `listed_units`",
    ),
    "AssuranceRequest": request(
        {
            "issuer": {**SLUG, "description": "Which of the caller's issuers; the only one unless given"},
            "terms": {**ref("Manifest"), "description": "A right to be issued under it: gives class, window, mode and reference"},
            "class": {**SYMBOL, "description": "A class's key, with `window`, `mode` and `reference`, in the place of `terms`"},
            "window": _WINDOW_ASKED,
            "mode": one_of(*MODES),
            "reference": {"type": "string", "pattern": f"^{post_assurance.REFERENCE.pattern}$", "description": "What manifests name it by"},
            "gross_units": POSITIVE,
            "haircut_bps": BPS,
            "overbook_bps": BPS,
            "justification": {"type": "string", "minLength": 1, "maxLength": 500},
            "degradation_plan": one_of(*PLANS),
            "stale_after_seconds": {"type": "integer", "minimum": 1, "maximum": 31_622_400},
            "sources": many(ref("AssuranceSource"), 1, 100),
            "note": _NOTE,
        },
        required=("gross_units", "sources"),
        one_of=(
            {"required": ["terms"], "properties": {"class": False, "window": False}},
            {"required": ["class", "window", "mode", "reference"], "properties": {"terms": False}},
        ),
    ),
    "AssuranceSource": request(
        {**_SOURCE, "window": {**_WINDOW_ASKED, "description": "The assurance's unless given"}}, required=("capability_id", "units")
    ),
    "AssuranceRefresh": request(
        {"gross_units": WHOLE, "haircut_bps": BPS, "sources": many(ref("AssuranceSource"), high=100), "note": _NOTE},
        description="What is left out is found as it was",
    ),
}
