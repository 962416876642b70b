"""Which database errors mean "try the whole transaction again" (TRUST.md, known traps)."""

from django.db import OperationalError
from django.db.utils import InternalError

CONFLICTS = (OperationalError, InternalError)
# deadlock, serialization failure, lock not available
_TRANSIENT = frozenset({"40P01", "40001", "55P03"})


def is_transient(error: BaseException) -> bool:
    return getattr(error.__cause__, "sqlstate", None) in _TRANSIENT
