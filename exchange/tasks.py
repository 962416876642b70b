"""The matcher's timetable: a ring names a book, the task drains it (TRUST.md, known traps)."""

import time
from typing import Any

from celery import shared_task
from celery.signals import worker_process_init
from django.db import close_old_connections

from exchange.services import bell
from exchange.services.batch import Matched, Outcome, match_once
from exchange.services.lane import LaneMemory
from exchange.services.retention import forget_old as forget
from exchange.services.rules import rules_of
from rights.kernel.clock import now_us
from rights.kernel.memory import MATCHING, settle

BUDGET_S = 0.25
_lane = LaneMemory()


@worker_process_init.connect
def settle_memory(**_: Any) -> None:
    """Once per matching process, after the fork."""
    settle(MATCHING)


def drain(book_id: int, lane: LaneMemory, budget_s: float) -> Matched:
    """Batches until the book has nothing pending or the budget is spent; the last batch's report."""
    deadline = time.monotonic() + budget_s
    while True:
        bell.answered(book_id)
        matched = match_once(lane, book_id=book_id, now_us=now_us())
        if matched.outcome is not Outcome.MATCHED or time.monotonic() >= deadline:
            return matched


@shared_task(name="exchange.tasks.match_book", acks_late=True, ignore_result=True)
def match_book(book_id: int) -> None:
    """Drain one book. Doubled, late or needless rings find nothing to do."""
    try:
        matched = drain(book_id, _lane, BUDGET_S)
    finally:
        close_old_connections()  # back to the pool; a broken one is dropped
    if matched.outcome is Outcome.MATCHED:
        # Time is up with work left. (Busy needs no ring: whoever holds the book looks again before it stops.)
        bell.ring(book_id, rules_of(book_id).lane)


@shared_task(name="exchange.tasks.forget_old", acks_late=True, ignore_result=True)
def forget_old() -> None:
    """Drop what is kept for a time and no longer."""
    try:
        forget(now_us=now_us())
    finally:
        close_old_connections()
