"""Which database errors mean "try the whole transaction again" (TRUST.md, known traps)."""

from collections.abc import Callable
from typing import TypeVar

from django.db import IntegrityError, OperationalError, connection
from django.db.utils import InternalError
from psycopg import errors

CONFLICTS = (OperationalError, InternalError, IntegrityError)
# deadlock, serialization failure, lock not available
_TRANSIENT = frozenset({"40P01", "40001", "55P03"})
_DUPLICATE = "23505"
# Two books that deliver one right to one buyer at the same time both make his child: the second finds it when it looks again.
_RACED = frozenset({"right_netted_once"})

ATTEMPTS = 3
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
