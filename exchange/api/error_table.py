"""Every code an error can bear, in one table: problems are built from it, and GET /errors shows it.

Sources: what the API itself says (below), why a book refused (`Reason`), which transfer gate or rule of the registry refused.
"""

import msgspec

from exchange.api import refusal_titles
from exchange.domain.command import Reason
from rights.domain.gates import LIFTED_BY


class ErrorRow(msgspec.Struct, frozen=True):
    """`retryable`: the very same request may succeed later. `family`: api, order, gate, registry, supply, policy or route.

    `lifted_by`: of a transfer gate, what would open it.
    """

    code: str
    status: int
    title: str
    retryable: bool = False
    family: str = "api"
    lifted_by: str = ""


_API = [
    ErrorRow("malformed_json", 400, "The body is not JSON that can be taken"),
    ErrorRow("validation_failed", 400, "A field can't be taken as it is"),
    ErrorRow("unknown_parameter", 400, "A query parameter is not known here"),
    ErrorRow("malformed_request", 400, "The request can't be read"),
    ErrorRow("unsupported_media_type", 415, "The body has to be application/json"),
    ErrorRow("unauthenticated", 401, "A valid key or session is needed"),
    ErrorRow("csrf_failed", 403, "The CSRF token is missing or wrong"),
    ErrorRow("scope_missing", 403, "The key or member lacks the scope for this"),
    ErrorRow("address_not_allowed", 403, "The key may not be used from this address: call from one of its networks"),
    ErrorRow("forbidden", 403, "The caller may not do this"),
    ErrorRow("not_found", 404, "There is nothing here"),
    ErrorRow("method_not_allowed", 405, "The resource does not take this method"),
    ErrorRow("not_acceptable", 406, "The resource has no such representation"),
    ErrorRow("client_order_id_reused", 409, "The client order id already belongs to another order"),
    ErrorRow("idempotency_key_reused", 409, "The idempotency key came before with another body"),
    ErrorRow("idempotency_key_in_use", 409, "The first request with this idempotency key is still at work", retryable=True),
    ErrorRow("not_supported", 400, "The venue does not offer this yet"),
    ErrorRow("resync_required", 409, "What was asked for again is not kept: begin anew"),
    ErrorRow("conflict", 409, "The present state does not allow this"),
    ErrorRow("lease_over", 409, "The lease is over, or was never this node's"),
    ErrorRow("lifecycle_refused", 409, "It is not in a state that allows this: `gates` says why"),
    ErrorRow("package_refused", 422, "A package can't be composed or divided like this: `gates` says why"),
    ErrorRow("transfer_refused", 422, "A transfer gate refused"),
    ErrorRow("issuance_refused", 422, "The right may not be issued"),
    ErrorRow("supply_refused", 422, "A supplier, a capability or capacity can't be so"),
    ErrorRow("order_refused", 422, "The order was refused"),
    ErrorRow("request_refused", 422, "No route for the request: `gates` says why of each right and supplier"),
    ErrorRow("request_state", 409, "The request's state does not allow this: look at it again"),
    ErrorRow("request_executing", 409, "Execution has begun: wait for its receipt"),
    ErrorRow("route_state", 409, "The route is no open quote of this request: ask for new quotes"),
    ErrorRow("right_missing", 403, "The caller holds no right that could be used for this"),
    ErrorRow("right_refused", 403, "No right of the caller's may be used for this now"),
    ErrorRow("right_busy", 429, "The rights or their suppliers have no room at this moment", retryable=True),
    ErrorRow("supplier_refused", 400, "The supplier can't take the request as it is"),
    ErrorRow("supplier_failed", 502, "No supplier could do the work; what was not delivered is not charged", retryable=True),
    ErrorRow("supplier_away", 503, "The supplier can't be called at this moment", retryable=True),
    ErrorRow("work_under_way", 422, "Nodes are still at it: ask for the request's output later, and don't send it again"),
    ErrorRow("work_too_late", 504, "The deadline came before the work was done; nothing is charged"),
    ErrorRow("receipt_conflict", 409, "Another receipt of the request stands"),
    ErrorRow("request_not_executing", 409, "The request can't end so now: look at its state"),
    ErrorRow("receipt_not_awaited", 409, "The venue puts this receipt together by itself"),
    ErrorRow("supplier_key_missing", 422, "The supplier has no key to sign with: register one, or ask the venue if it is suspended"),
    ErrorRow("signature_invalid", 422, "The supplier's key did not sign this: sign the canonical JSON of {proofs, receipt}"),
    ErrorRow("settlement_final", 409, "The settlement is final: nothing changes it any more"),
    ErrorRow("dispute_window_over", 409, "The settlement may be challenged within its window only, and once"),
    ErrorRow("dispute_decided", 409, "The dispute was decided"),
    ErrorRow("not_a_party", 403, "Only the holder, the supplier and the issuer may do this"),
    ErrorRow("not_the_reviewer", 403, "The dispute is decided by the reviewer it was assigned to"),
    ErrorRow("reviewer_is_party", 422, "A party can't decide: name another reviewer"),
    ErrorRow("reviewer_suspended", 422, "A suspended participant can't decide: name another reviewer"),
    ErrorRow("outcome_unproven", 422, "What is not proven is not charged: decide on an outcome that the proofs bear out"),
    ErrorRow("evidence_full", 409, "The dispute has as much evidence as one may have"),
    ErrorRow("rate_limited", 429, "Too many requests of this class", retryable=True),
    ErrorRow("internal_error", 500, "Something broke on our side"),
    ErrorRow("busy", 503, "Too many commands wait for this book", retryable=True),
    ErrorRow("unavailable", 503, "A part of the venue does not answer", retryable=True),
    ErrorRow("timeout", 504, "No outcome in time: ask by the id, or send the same again", retryable=True),
]


def _rows() -> list[ErrorRow]:
    """The first row of a code counts: an order's reason before the gate of the same name."""
    orders = [
        ErrorRow(
            code := reason.name.lower(),
            422,
            refusal_titles.REASONS[reason],
            reason in refusal_titles.RETRYABLE,
            "order",
            LIFTED_BY.get(code, ""),
        )
        for reason in Reason
        if reason is not Reason.NONE
    ]
    gates = [ErrorRow(code, 422, title, family="gate", lifted_by=LIFTED_BY[code]) for code, title in refusal_titles.GATES.items()]
    registry = [ErrorRow(code, 422, title, family="registry") for code, title in refusal_titles.REGISTRY.items()]
    supply = [ErrorRow(code, 422, title, family="supply") for code, title in refusal_titles.SUPPLY.items()]
    policies = [ErrorRow(code, 422, title, family="policy") for code, title in refusal_titles.POLICIES.items()]
    routes = [ErrorRow(code, 422, title, code in refusal_titles.PASSING, family="route") for code, title in refusal_titles.ROUTES.items()]
    return [*_API, *orders, *gates, *registry, *supply, *policies, *routes]


TABLE: dict[str, ErrorRow] = {}
for _row in _rows():
    TABLE.setdefault(_row.code, _row)


def row_of(code: str) -> ErrorRow:
    """The code's row; KeyError when somebody forgot to list it, so that a test finds it."""
    return TABLE[code]
