"""The matcher's timetable: a ring names a book, the task drains it (TRUST.md, known traps)."""

import time

from celery import shared_task

from exchange.services import bell
from exchange.services.batch import Matched, Outcome, match_once
from exchange.services.lane import LaneMemory
from exchange.services.rules import rules_of
from rights.kernel.clock import now_us

BUDGET_S = 0.25
_lane = LaneMemory()


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
    matched = drain(book_id, _lane, BUDGET_S)
    if matched.outcome is Outcome.MATCHED:
        # Time is up with work left. (Busy needs no ring: whoever holds the book looks again before it stops.)
        bell.ring(book_id, rules_of(book_id).lane)
