"""The matcher's timetable: a ring names a book, the task drains it (TRUST.md, known traps)."""

import time
from typing import Any

from celery import shared_task
from celery.signals import worker_process_init, worker_shutdown
from django.db import close_old_connections, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from exchange.services import bell
from exchange.services.batch import Matched, Outcome, match_once
from exchange.services.executor import executor
from exchange.services.lane import LaneMemory
from exchange.services.pending import is_waiting
from exchange.services.retention import forget_old as forget
from exchange.services.rules import rules_of
from exchange.services.run_policy import run_due
from rights.kernel.clock import now_us
from rights.kernel.ids import Mint
from rights.kernel.memory import MATCHING, settle
from rights.kernel.trip import is_lost

BUDGET_S = 0.25
_lane = LaneMemory()
_MINT = Mint()


@worker_process_init.connect
def settle_down(**_: Any) -> None:
    """Once per working process, before its first task."""
    settle(MATCHING)
    connection_created.connect(_plan_once)


def _plan_once(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """A batch asks the same few statements again and again; planning them for each list of ids costs more than running them."""
    with connection.cursor() as cursor:
        cursor.execute("SET plan_cache_mode = force_generic_plan")


def drain(book_id: int, lane: LaneMemory, budget_s: float) -> Matched:
    """Batches until the book has nothing pending or the budget is spent; the last batch's report.

    The bell is answered once, before the first look. Whoever commits later rings for a task that comes after this one.
    """
    deadline = time.monotonic() + budget_s
    bell.answered(book_id)
    while True:
        matched = match_once(lane, book_id=book_id, now_us=now_us())
        if matched.outcome is not Outcome.MATCHED or time.monotonic() >= deadline:
            return matched
        # Behind a lonely command there is seldom another: one look without the book's lock is enough to know.
        if matched.commands <= 1 and not is_waiting(book_id=book_id):
            return Matched(Outcome.IDLE)


@shared_task(name="exchange.tasks.match_book", acks_late=True, ignore_result=True)
def match_book(book_id: int) -> None:
    """Drain one book. Doubled, late or needless rings find nothing to do."""
    _drop_lost_connection()
    try:
        matched = drain(book_id, _lane, BUDGET_S)
    except BaseException:
        connection.close()  # back to the pool, which looks whether it still works
        raise
    if matched.outcome is Outcome.MATCHED:
        # Time is up with work left. (Busy needs no ring: whoever holds the book looks again before it stops.)
        bell.ring(book_id, rules_of(book_id).lane)


def _drop_lost_connection() -> None:
    """A lane keeps its connection from ring to ring, through which the database may have been started anew."""
    if connection.connection is not None and is_lost(connection.connection):
        connection.close()


@shared_task(name="exchange.tasks.run_requests", ignore_result=True)
def run_requests() -> None:
    """Execute what waits, beside what runs. Doubled, late or needless rings find nothing to do."""
    executor.look()


@worker_shutdown.connect
def let_executions_end(**_: Any) -> None:
    """Before the process goes."""
    executor.stop()


@shared_task(name="exchange.tasks.forget_old", acks_late=True, ignore_result=True)
def forget_old() -> None:
    """Drop what is kept for a time and no longer."""
    try:
        forget(now_us=now_us())
    finally:
        close_old_connections()


@shared_task(name="exchange.tasks.run_policies", acks_late=True, ignore_result=True)
def run_policies() -> None:
    """Let every standing policy that is due look and act."""
    try:
        run_due(mint=_MINT, now_us=now_us())
    finally:
        close_old_connections()
