"""Refusals in the shape that OpenAI's clients understand: {"error": {"message", "type", "code", "param"}}; the code is one of our table."""

import logging
from typing import Any

import psycopg
from django.db import DatabaseError
from psycopg_pool import PoolTimeout

from exchange.api.problems import Problem, problem_of
from exchange.api.request_refusals import of_ended
from exchange.services.key_standing import KeyEnded
from exchange.services.request_bounds import RequestBounded
from rights.services.refusals import LifecycleRefusedError
from settlement.adapters.base import Report
from settlement.services.proof_rows import ReceiptConflict, ReceiptRefused
from settlement.services.request_refusal import EnvelopeRefused, RequestRefused

MOST_MESSAGE = 2000
_LOG = logging.getLogger(__name__)
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


def error_body(problem: Problem) -> dict[str, Any]:
    """The answer's object. `param` is the first field that is wrong."""
    kind = "invalid_request_error" if 400 <= problem.status < 500 else "api_error"
    return {
        "error": {
            "message": problem.detail[:MOST_MESSAGE],
            "type": _TYPES.get(problem.status, kind),
            "code": problem.code,
            "param": problem.field_errors[0]["field"] if problem.field_errors else None,
        }
    }


def refusal_of(error: Exception) -> Problem:
    """Whatever went wrong before or beside the work, as a problem."""
    if isinstance(error, RequestRefused):
        return _of_request(error)
    if isinstance(error, EnvelopeRefused):
        errors = [{"field": fault.field, "code": "invalid", "detail": fault.detail} for fault in error.faults]
        return Problem("validation_failed", str(error), field_errors=errors)
    if isinstance(error, LifecycleRefusedError | RequestBounded):
        return Problem(error.refusals[0].code if isinstance(error, RequestBounded) else "right_refused", str(error))
    if isinstance(error, ReceiptConflict | ReceiptRefused):
        return Problem("supplier_failed", "the request had ended before its answer came; nothing is charged")
    if isinstance(error, DatabaseError | psycopg.Error | PoolTimeout | OSError):
        _LOG.warning("the gateway can't reach the database: %s", error)
        return Problem("unavailable")
    problem = of_ended(error) if isinstance(error, KeyEnded) else problem_of(error)
    if problem.code == "internal_error":
        _LOG.error("unforeseen error in the gateway", exc_info=error)
    return problem


def _of_request(refused: RequestRefused) -> Problem:
    """Every reason of every right and supplier. What passes by itself soon is 429, so that clients come again; the rest is final, also a
    window that may begin in hours.
    """
    passes = bool(refused.refusals) and all(one.reason.temporary and one.reason.code != "window_not_open" for one in refused.refusals)
    if passes:
        return Problem("right_busy", str(refused), headers={"Retry-After": "1"})
    return Problem("right_refused", str(refused))


def failure_of(report: Report, *, is_late: bool) -> Problem:
    """Work that came to nothing: the supplier's word where the caller is at fault, else what happened. Nothing is charged."""
    if report.is_callers:
        return Problem("supplier_refused", report.detail or "the supplier can't take the request as it is")
    if is_late:
        return Problem("work_too_late")
    return Problem("supplier_failed", f"no supplier could do it ({report.fault}: {report.detail}); nothing is charged")
