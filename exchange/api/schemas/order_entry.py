"""Routes that order entry serves in front of Django (exchange/api/order_entry), described as the others are."""

from typing import Any

from exchange.api.doc import Doc
from exchange.api.openapi import operation
from exchange.api.schemas.words import ref

_ROOT = "/api/v1/orders"
_PREFER = {
    "name": "Prefer",
    "in": "header",
    "description": "`wait=N` seconds for the outcome (2 unless given, at most 30), or `respond-async`",
    "schema": {"type": "string"},
}
_SEQ = {"X-Book-Seq": {"description": "How far the book had come", "schema": {"type": "string"}}}
_PENDING = {"description": "Accepted, not yet applied", "content": {"application/json": {"schema": ref("PlacedOrder")}}}
_REPLAYED = {
    "description": "The original, for the same client_order_id and body; with `validate_only` what would be",
    "content": {"application/json": {"schema": {"anyOf": [ref("PlacedOrder"), ref("Preview")]}}},
}


def _described(path: str, method: str, doc: Doc, scope: Any, queries: tuple[str, ...] = (), **responses: Any) -> dict[str, Any]:
    found = operation(doc, path=path, method=method, scope=scope, queries=queries, headers=(_PREFER,))
    for answer in found["responses"].values():
        if "headers" in answer:
            answer["headers"] = {**answer["headers"], **_SEQ}
    found["responses"].update({code.removeprefix("s"): answer for code, answer in responses.items()})
    return {method.lower(): found}


_PLACE = Doc(
    "Place an order",
    "PlacedOrder",
    body="PlaceOrder",
    status=201,
    description="Waits until the order has been applied. Refused by a rule: 422, and the order exists as rejected.",
    errors=("timeout",),
)
_AMEND = Doc("Amend an order; the answer says whether it kept its priority", "PlacedOrder", body="AmendOrder", errors=("timeout",))
_CANCEL = Doc("Cancel an order", "PlacedOrder", errors=("timeout",))
_BY_ID, _BY_CLIENT_ID = f"{_ROOT}/{{order_id}}", f"{_ROOT}/by-client-id/{{client_order_id}}"

PATHS: dict[str, dict[str, Any]] = {
    _ROOT: {
        **_described(_ROOT, "POST", _PLACE, "trade", ("validate_only",), s200=_REPLAYED, s202=_PENDING),
        **_described(
            _ROOT,
            "DELETE",
            Doc("Cancel everything that rests, narrowed by the parameters", "Cancelled", errors=("timeout",)),
            "cancel",
            ("instrument", "class", "side", "group"),
        ),
    },
    f"{_ROOT}/batch": _described(
        f"{_ROOT}/batch",
        "POST",
        Doc("Up to 500 operations, in order, one result each, never all or nothing", "BatchResult", body="Batch"),
        ("trade", "cancel"),
    ),
    f"{_ROOT}/preview": _described(
        f"{_ROOT}/preview", "POST", Doc("Fee, hold, worst price, rights and every gate's verdict", "Preview", body="PlaceOrder"), "trade"
    ),
    _BY_ID: {
        **_described(_BY_ID, "PATCH", _AMEND, "trade", s202=_PENDING),
        **_described(_BY_ID, "DELETE", _CANCEL, "cancel", s202=_PENDING),
    },
    _BY_CLIENT_ID: {
        **_described(_BY_CLIENT_ID, "PATCH", _AMEND, "trade", s202=_PENDING),
        **_described(_BY_CLIENT_ID, "DELETE", _CANCEL, "cancel", s202=_PENDING),
    },
}
