"""Which database errors mean "try the whole transaction again" (TRUST.md, known traps)."""

import logging
from collections.abc import Callable
from typing import TypeVar

from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.utils import InternalError
from psycopg import errors

from rights.kernel.trip import waiting_at_most

CONFLICTS = (OperationalError, InternalError, IntegrityError)
# deadlock, serialization failure, lock not available
_TRANSIENT = frozenset({"40P01", "40001", "55P03"})
_DUPLICATE = "23505"
# Two books that deliver one right to one buyer at the same time both make his child: the second finds it when it looks again.
_RACED = frozenset({"right_netted_once"})

# The server is gone, or says so: whatever it was doing may be done.
_LOST = ("08", "57", "58", "XX")
_LOG = logging.getLogger(__name__)

ATTEMPTS = 3
PATIENCE_MS = 500  # so long a transaction of several parties waits for a lock
Answer = TypeVar("Answer")


def is_transient(error: BaseException) -> bool:
    cause = error.__cause__
    state = getattr(cause, "sqlstate", None)
    return state in _TRANSIENT or (state == _DUPLICATE and getattr(getattr(cause, "diag", None), "constraint_name", None) in _RACED)


def begun_again(act: Callable[[], Answer], *, is_patient: bool = False) -> Answer:
    """What `act`, a whole transaction, answers; one that lost against another is begun again, twice at most.

    Not one that has waited for a lock as long as it may: its caller has waited too. `is_patient`: that one too, for what was done outside
    would be lost with it.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return act()
        except CONFLICTS as error:
            waited = isinstance(error.__cause__, errors.LockNotAvailable) and not is_patient
            if waited or not is_transient(error) or attempt == ATTEMPTS or connection.in_atomic_block:
                raise
    raise AssertionError


def in_one(act: Callable[[], Answer], *, of: int) -> Answer | None:
    """What `act`, one transaction of so many parties, answers; None where nothing of it was done and each is to be done by itself.

    It does not wait long for a lock: what one party is stuck at would hold up the others and whoever comes behind them. Raises what came of
    a COMMIT that may be in all the same, for that is not to be done again.
    """
    is_acted = False
    try:
        with waiting_at_most(PATIENCE_MS), transaction.atomic():
            answer = act()
            is_acted = True
    except Exception as error:
        if is_acted and not _is_undone(error):
            raise
        _LOG.warning("%d could not be done in one transaction: %s", of, error)
        return None
    return answer


def _is_undone(error: BaseException) -> bool:
    """Whether the server has said that it has not committed."""
    state = getattr(error.__cause__, "sqlstate", None)
    return state is not None and not state.startswith(_LOST)
