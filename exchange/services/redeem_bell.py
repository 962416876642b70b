"""The doorbell of requests that are executed in the background: after the commit, and it names none of them.

Whoever hears it takes all that wait, so that many requests cost one ring. A lost ring costs a second or two: the timetable rings again.
"""

import contextlib
from time import monotonic_ns
from typing import cast

import redis
from django.db import transaction
from kombu.exceptions import OperationalError

from exchange.celery import app
from exchange.services import bell
from rights.kernel import rows
from rights.kernel.clock import rfc3339
from settlement.services.begin import WAITING

QUEUE = "redeem"
WAITED_US = 2_000_000
AWAY_NS = 1_000_000_000  # so long a bell that was out of order is left alone: each try may take seconds
_FLAG = "bell:redeem"
_WAITED = f"SELECT 1 {WAITING} AND q.updated_at <= %s LIMIT 1"
_away_until_ns = 0


def ring() -> bool:
    """Ask a worker to look, unless that is asked already. False when the doorbell is out of order, or was a moment ago."""
    global _away_until_ns  # noqa: PLW0603 - what this process has seen of it
    if monotonic_ns() < _away_until_ns:
        return False
    try:
        if bell.client().set(_FLAG, 1, nx=True, px=bell.FLAG_MS):
            app.send_task("exchange.tasks.run_requests", queue=QUEUE, retry=False)
    except (redis.RedisError, OperationalError, OSError):
        _away_until_ns = monotonic_ns() + AWAY_NS
        return False
    return True


def ring_after_commit() -> None:
    """Ring once the present transaction has committed."""
    transaction.on_commit(lambda: cast("None", ring()))


def answered() -> None:
    """A worker is about to look: what is committed after this needs a new ring."""
    with contextlib.suppress(redis.RedisError, OSError):
        bell.client().delete(_FLAG)


def ring_waiting(*, now_us: int) -> bool:
    """Ring again where something has waited; whether it has."""
    has_waited = rows.fetch_one(_WAITED, [rfc3339(now_us - WAITED_US)]) is not None
    if has_waited:
        ring()
    return has_waited
