"""One of many in a row: what is wrong with it keeps no other waiting."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import InterfaceError, OperationalError

_LOG = logging.getLogger("timetable")


@contextmanager
def apart(what: str) -> Iterator[None]:
    """Tell on the log what goes wrong inside and go on behind it. That the database is away is for whoever calls."""
    try:
        yield
    except (OperationalError, InterfaceError):
        raise
    except Exception:  # noqa: BLE001 - whatever it is, it is told
        _LOG.exception("%s could not be done; the others go on", what)
