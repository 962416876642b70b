"""Errors as RFC 9457 problems: one exception, one body, one way out for DRF and for everything else under /api."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import Http404, HttpResponse
from psycopg_pool import PoolTimeout
from rest_framework import exceptions
from rest_framework.response import Response

from exchange.api.error_table import row_of
from exchange.api.fields import BadFields, FieldError
from exchange.api.strict_json import Malformed
from exchange.services.rate_limit import RateLimited

CONTENT_TYPE = "application/problem+json"
TYPE_BASE = "/api/v1/errors#"
MOST_DETAIL = 1000
_log = logging.getLogger(__name__)


# What HTTP wants beside the status.
_ALWAYS = {"unauthenticated": {"WWW-Authenticate": "Bearer"}, "unavailable": {"Retry-After": "1"}, "busy": {"Retry-After": "1"}}


class Problem(Exception):
    """A refusal on its way to the caller. `status` and `retryable` come from the error table unless given.

    `order_id` is that of an order whose fate is not known (API.md: to ask about).
    """

    def __init__(
        self,
        code: str,
        detail: str = "",
        status: int | None = None,
        field_errors: Iterable[Mapping[str, str]] = (),
        gates: Iterable[Mapping[str, Any]] = (),
        retryable: bool | None = None,  # noqa: FBT001
        headers: Mapping[str, str] | None = None,
        order_id: str = "",
    ) -> None:
        row = row_of(code)
        super().__init__(detail or row.title)
        self.code, self.title, self.detail = code, row.title, detail or row.title
        self.status = row.status if status is None else status
        self.retryable = row.retryable if retryable is None else retryable
        self.field_errors = [dict(error) for error in field_errors]
        self.gates = [dict(gate) for gate in gates]
        self.order_id = order_id
        self.headers = {**_ALWAYS.get(code, {}), **(headers or {})}


def of_fields(errors: Sequence[FieldError]) -> Problem:
    """What is wrong with one field or several as a whole answer."""
    rows = [{"field": error.field, "code": error.code, "detail": error.rule} for error in errors]
    code = "unknown_parameter" if errors[0].code == "unknown_parameter" else "validation_failed"
    return Problem(code, "; ".join(str(error) for error in errors)[:MOST_DETAIL], field_errors=rows)


def of_malformed(error: Malformed) -> Problem:
    fields = [{"field": error.field, "code": "malformed", "detail": error.detail}] if error.field else []
    return Problem("malformed_json", error.detail, field_errors=fields)


def problem_body(problem: Problem, request_id: str) -> dict[str, Any]:
    """The members of the answer, in the order people read them."""
    body = {
        "type": TYPE_BASE + problem.code,
        "title": problem.title,
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
        "retryable": problem.retryable,
        "field_errors": problem.field_errors,
        "gates": problem.gates,
        "request_id": request_id,
    }
    return body | {"order_id": f"ord_{problem.order_id}"} if problem.order_id else body


def problem_response(problem: Problem, request_id: str) -> HttpResponse:
    """For answers that are given outside DRF."""
    body = orjson.dumps(problem_body(problem, request_id))
    return HttpResponse(body, status=problem.status, content_type=CONTENT_TYPE, headers=problem.headers)


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response:
    """DRF's hook: whatever a view raised becomes a problem; what nobody foresaw is logged and told generically."""
    problem = problem_of(error)
    if problem.status >= 500 and problem.code == "internal_error":
        _log.exception("unforeseen error in %s", context.get("view"), exc_info=error)
    request = context["request"]
    return Response(
        problem_body(problem, getattr(request, "request_id", "")),
        status=problem.status,
        headers=problem.headers,
        content_type=CONTENT_TYPE,
    )


def problem_of(error: Exception) -> Problem:
    """The problem that tells of `error` without giving away what is behind it."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, FieldError | BadFields):
        return of_fields(error.errors if isinstance(error, BadFields) else [error])
    if isinstance(error, Malformed):
        return of_malformed(error)
    if isinstance(error, RateLimited):
        return Problem("rate_limited", str(error), headers=error.decision.headers())
    for kind, code in _CODES.items():
        if isinstance(error, kind):
            if code == "unavailable":
                _log.warning("the database did not answer: %s", error)
            return Problem(code)
    if isinstance(error, DatabaseError):
        _log.error("the database refused: %s", error)
    return Problem("internal_error")


# The first kind that fits counts.
_CODES: dict[type[Exception], str] = {
    Http404: "not_found",
    exceptions.NotFound: "not_found",
    exceptions.AuthenticationFailed: "unauthenticated",
    exceptions.NotAuthenticated: "unauthenticated",
    exceptions.MethodNotAllowed: "method_not_allowed",
    exceptions.UnsupportedMediaType: "unsupported_media_type",
    exceptions.NotAcceptable: "not_acceptable",
    exceptions.PermissionDenied: "forbidden",
    exceptions.ParseError: "malformed_request",
    PermissionDenied: "forbidden",
    SuspiciousOperation: "malformed_request",
    BadRequest: "malformed_request",
    OperationalError: "unavailable",
    InterfaceError: "unavailable",
    PoolTimeout: "unavailable",
}
