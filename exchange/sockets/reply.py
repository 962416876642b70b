"""The way back for one operation: exactly one answer with its id."""

import logging
from typing import Any

import psycopg
from psycopg_pool import PoolTimeout

from exchange.api.problems import Problem, problem_body, problem_of
from exchange.api.request_id import request_id
from exchange.sockets import frames
from exchange.sockets.closing import Close
from exchange.sockets.connection import Connection

LOG = logging.getLogger(__name__)
CLOSING = {"unauthenticated": Close.UNAUTHENTICATED, "scope_missing": Close.SCOPE_MISSING}


class Reply:
    """The way back for one operation: exactly one answer with its id."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.op: str | None = None
        self.id: Any = None

    def ok(self, result: Any) -> None:
        self._connection.outbox.put(frames.answer(self.op or "", self.id, result))

    def refuse(self, error: Exception, **more: Any) -> None:
        """Answer with a problem. Lacking a valid key or a scope also ends the socket (4001, 4003)."""
        problem = _problem_of(error)
        body = problem_body(problem, request_id(None)) | more
        connection = self._connection
        connection.outbox.put(frames.refusal(self.op, self.id, body))
        if problem.code in CLOSING:
            connection.end(CLOSING[problem.code], problem.detail, flush=True)


def _problem_of(error: Exception) -> Problem:
    if isinstance(error, psycopg.Error | PoolTimeout | OSError):
        return Problem("unavailable")
    problem = problem_of(error)
    if problem.code == "internal_error":
        LOG.error("unforeseen error on a socket", exc_info=error)
    return problem
