"""The doorbell: says "look at this book", never what to do (TRUST.md, design consequence 1).

A ring is skipped while one is known to be on its way; the flag is cleared by the lane before it reads, and
expires by itself, so a lost ring costs at most a sweep.
"""

import contextlib
from collections.abc import Iterable
from typing import cast

import redis
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError

from exchange.celery import app
from exchange.services.rules import rules_of

FLAG_MS = 1000
_client: redis.Redis | None = None


def client() -> redis.Redis:
    """This process's connection pool to the doorbell."""
    global _client  # noqa: PLW0603 - one pool per process, made after fork
    if _client is None:
        _client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)
    return _client


def queue(lane: int) -> str:
    return f"match.{lane:02d}"


def ring(book_id: int, lane: int) -> bool:
    """Ask the lane to look at the book. False when the doorbell is out of order: the sweeper will find the command."""
    try:
        if not client().set(f"bell:{book_id}", 1, nx=True, px=FLAG_MS):
            return True
        app.send_task("exchange.tasks.match_book", args=[book_id], queue=queue(lane), retry=False)
    except (redis.RedisError, OperationalError, OSError):
        return False
    return True


def ring_book(book_id: int) -> None:
    """Ring a book whose rules this process knows; for threads beside an event loop."""
    ring(book_id, rules_of(book_id).lane)


def ring_after_commit(book_id: int, lane: int) -> None:
    """Ring once the present transaction has committed (at once when there is none)."""
    transaction.on_commit(lambda: cast("None", ring(book_id, lane)))


def answered(book_id: int) -> None:
    """The lane is about to read the book: a command committed after this needs a new ring."""
    with contextlib.suppress(redis.RedisError, OSError):
        client().delete(f"bell:{book_id}")


def notify(book_id: int, seq: int) -> None:
    """Tell the publishing rooms that a batch has committed."""
    with contextlib.suppress(redis.RedisError, OSError):
        client().publish("notices", f"{book_id}:{seq}")


def notify_accounts(told: Iterable[tuple[int, int]]) -> None:
    """Say that these accounts' feeds have grown to these numbers; readers look by themselves should this be lost."""
    if text := ":".join(f"{account_id}:{seq}" for account_id, seq in told):
        with contextlib.suppress(redis.RedisError, OSError):
            client().publish("notices", f"account:{text}")
