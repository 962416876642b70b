"""Problems, health, keys."""

from exchange.api.schemas.words import (
    BPS,
    COUNT,
    FLAG,
    GIVEN_MOMENT,
    MOMENT,
    MONEY,
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
from exchange.models.access import SCOPES

_SCOPE = one_of(*SCOPES)
_KEY: dict[str, Schema] = {
    "id": public_id("key"),
    "kind": one_of("bearer", "ed25519"),
    "label": TEXT,
    "scopes": many(_SCOPE),
    "expires_at": maybe(MOMENT),
    "revoked_at": maybe(MOMENT),
    "created_at": MOMENT,
    "networks": many(TEXT),
    "classes": many(SYMBOL),
    "max_order_notional": maybe(MONEY),
    "max_daily_notional": maybe(MONEY),
    "approval_above": maybe(MONEY),
}
_BYTE = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_NETWORK: Schema = {
    "anyOf": [
        {"type": "string", "pattern": rf"^({_BYTE}\.){{3}}{_BYTE}(/([0-9]|[12][0-9]|3[0-2]))?$"},
        {"type": "string", "format": "ipv6"},
    ],
    "description": "An address or a network",
}
_CASH: Schema = {**MONEY, "pattern": r"^(0|[1-9][0-9]{0,9})(\.[0-9]{1,6})?$"}
_STATE = answer({"state": one_of("up", "down", "late", "unknown")})

COMPONENTS: dict[str, Schema] = {
    "FieldError": answer({"field": TEXT, "code": TEXT, "detail": TEXT}),
    "Gate": answer({"code": TEXT, "passed": FLAG, "detail": TEXT}, description="One transfer gate's verdict"),
    "Problem": answer(
        {
            "type": TEXT,
            "title": TEXT,
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "code": {**TEXT, "description": "Stable; listed at /api/v1/errors"},
            "detail": TEXT,
            "retryable": FLAG,
            "field_errors": many(ref("FieldError")),
            "gates": many(ref("Gate")),
            "request_id": TEXT,
            "order_id": {**TEXT, "description": "Of `timeout`: the order to ask about"},
        },
        description="RFC 9457",
        optional=("order_id",),
    ),
    "ErrorRow": answer({"code": TEXT, "status": COUNT, "title": TEXT, "retryable": FLAG, "family": TEXT, "lifted_by": TEXT}),
    "Time": answer({"time": MOMENT}),
    "Status": answer(
        {
            "status": one_of("ok", "degraded", "down"),
            "ready": FLAG,
            "time": MOMENT,
            "components": answer({"database": _STATE, "redis": _STATE, "matcher": _STATE}),
            "books": {"type": "object", "additionalProperties": COUNT, "description": "Books by phase"},
        }
    ),
    "Fees": answer({"instrument": SYMBOL, "maker_bps": BPS, "taker_bps": BPS}),
    "Key": answer(_KEY),
    "NewKey": answer({**_KEY, "token": {**maybe(TEXT), "description": "Shown once; null when the request is repeated"}}),
    "KeyRequest": request(
        {
            "kind": one_of("bearer"),
            "label": {"type": "string", "maxLength": 80},
            "scopes": many(_SCOPE, 1, len(SCOPES)),
            "expires_at": maybe(GIVEN_MOMENT),
            "networks": {**many(_NETWORK, 0, 20), "description": "From where alone it may be used; from anywhere when empty"},
            "classes": {**many(SYMBOL, 0, 50), "description": "What it may trade; any class when empty"},
            "max_order_notional": maybe(_CASH),
            "max_daily_notional": maybe(_CASH),
            "approval_above": {**maybe(_CASH), "description": "Orders above this wait for a member's word (`/approvals`)"},
        },
        required=("scopes",),
    ),
    "Limits": answer(
        {
            "rate_limits": many(answer({"action": TEXT, "per_second": COUNT, "burst": COUNT})),
            "max_batch_operations": COUNT,
            "position_limits": many(answer({"instrument": SYMBOL, "limit": WHOLE, "held": WHOLE})),
        }
    ),
    "Empty": request({}),
    "OpenApiDocument": {"type": "object", "properties": {"openapi": TEXT}, "required": ["openapi", "paths"]},
}
