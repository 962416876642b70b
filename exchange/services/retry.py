"""Which database errors mean "try the whole transaction again" (TRUST.md, known traps)."""

from django.db import IntegrityError, OperationalError
from django.db.utils import InternalError

CONFLICTS = (OperationalError, InternalError, IntegrityError)
# deadlock, serialization failure, lock not available
_TRANSIENT = frozenset({"40P01", "40001", "55P03"})
_DUPLICATE = "23505"
# Two books that deliver one right to one buyer at the same time both make his child: the second finds it when it looks again.
_RACED = frozenset({"right_netted_once"})


def is_transient(error: BaseException) -> bool:
    cause = error.__cause__
    state = getattr(cause, "sqlstate", None)
    return state in _TRANSIENT or (state == _DUPLICATE and getattr(getattr(cause, "diag", None), "constraint_name", None) in _RACED)
