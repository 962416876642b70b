"""Every code an error can bear, in one table: problems are built from it, and GET /errors shows it.

Three sources: what the API itself says (below), why a book refused (`Reason`), which transfer gate refused.
"""

import msgspec

from exchange.domain.command import Reason


class ErrorRow(msgspec.Struct, frozen=True):
    """`retryable`: the very same request may succeed later. `family`: api, order or gate."""

    code: str
    status: int
    title: str
    retryable: bool = False
    family: str = "api"


_API = [
    ErrorRow("malformed_json", 400, "The body is not JSON that can be taken"),
    ErrorRow("validation_failed", 400, "A field can't be taken as it is"),
    ErrorRow("unknown_parameter", 400, "A query parameter is not known here"),
    ErrorRow("malformed_request", 400, "The request can't be read"),
    ErrorRow("unsupported_media_type", 415, "The body has to be application/json"),
    ErrorRow("unauthenticated", 401, "A valid key or session is needed"),
    ErrorRow("csrf_failed", 403, "The CSRF token is missing or wrong"),
    ErrorRow("scope_missing", 403, "The key or member lacks the scope for this"),
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
    ErrorRow("lifecycle_refused", 409, "The right's status does not allow this"),
    ErrorRow("transfer_refused", 422, "A transfer gate refused"),
    ErrorRow("issuance_refused", 422, "The right may not be issued"),
    ErrorRow("order_refused", 422, "The order was refused"),
    ErrorRow("rate_limited", 429, "Too many requests of this class", retryable=True),
    ErrorRow("internal_error", 500, "Something broke on our side"),
    ErrorRow("busy", 503, "Too many commands wait for this book", retryable=True),
    ErrorRow("unavailable", 503, "A part of the venue does not answer", retryable=True),
    ErrorRow("timeout", 504, "No outcome in time: ask by the id, or send the same again", retryable=True),
]

_REASON_TITLES = {
    Reason.USER: "Cancelled by its owner",
    Reason.SELF_TRADE: "Self-trade prevention took it",
    Reason.GATE_CLOSED: "The instrument's gate has closed",
    Reason.RIGHT_FROZEN: "A right behind the order is frozen",
    Reason.ORDER_EXPIRED: "The order's time is over",
    Reason.IOC_REMAINDER: "What an immediate order could not take at once",
    Reason.FOK_UNFILLABLE: "A fill-or-kill order could not be filled whole",
    Reason.POST_ONLY_WOULD_TAKE: "A post-only order would have taken liquidity",
    Reason.GATE_REFUSED: "A transfer gate refused",
    Reason.PHASE_CLOSED: "The instrument is closed",
    Reason.PHASE_HALTED: "Trading is halted; only cancels are taken",
    Reason.PHASE_PRE_OPEN: "Before the opening only resting limit orders are taken",
    Reason.ORDER_UNKNOWN: "No open order has this id",
    Reason.ORDER_TERMINAL: "The order has already ended",
    Reason.QUANTITY_BELOW_FILLED: "The new quantity is not above what is already filled",
    Reason.INSUFFICIENT_FUNDS: "The account has too little available cash",
    Reason.INSUFFICIENT_RIGHTS: "The account has too few deliverable units",
    Reason.PRICE_OUTSIDE_COLLAR: "The price is outside the instrument's collar",
    Reason.POSITION_LIMIT: "The position limit would be passed",
    Reason.DEADLINE_PASSED: "The order's deadline passed before it could be applied",
    Reason.RIGHT_EXPIRED: "A right behind the order has expired",
    Reason.TRANSFER_CUTOFF: "A right behind the order may no longer be transferred",
    Reason.HOLDER_SUSPENDED: "The account or its participant is suspended",
    Reason.KILL_SWITCH: "An operator pulled the order",
    Reason.RIGHT_SPENT: "A right behind the order has too little left",
    Reason.NOTHING_TO_AMEND: "The amendment changes nothing",
    Reason.QUANTITY_LIMIT: "The quantity is outside the instrument's limits",
    Reason.NO_MARKET: "There is nothing to trade against",
}
_RETRYABLE = {Reason.PHASE_HALTED, Reason.PHASE_PRE_OPEN, Reason.NO_MARKET}


def _order_rows() -> list[ErrorRow]:
    return [
        ErrorRow(reason.name.lower(), 422, _REASON_TITLES[reason], reason in _RETRYABLE, "order")
        for reason in Reason
        if reason is not Reason.NONE
    ]


TABLE: dict[str, ErrorRow] = {row.code: row for row in [*_order_rows(), *_API]}


def row_of(code: str) -> ErrorRow:
    """The code's row; KeyError when somebody forgot to list it, so that a test finds it."""
    return TABLE[code]
