"""What the sweeper does each time: find books that wait, ring, and after a while do the work itself (TRUST.md)."""

import logging
import time

from django.db import connection

from exchange.services import bell
from exchange.services.batch import Outcome, match_once
from exchange.services.lane import LaneMemory
from exchange.services.pending import UNREAD
from rights.kernel import rows
from rights.kernel.clock import now_us as clock_now
from rights.kernel.clock import rfc3339

RING_AFTER_US = 1_000_000
DRAIN_AFTER_US = 3_000_000
DRAIN_BUDGET_S = 2.0
_LOG = logging.getLogger("sweeper")

# The oldest unapplied command of each book, and books whose next expiry has come.
_WAITING = f"""
{UNREAD}
SELECT b.instrument_id, b.lane, (extract(epoch from coalesce(w.oldest, b.next_expiry)) * 1000000)::bigint
FROM exchange_book b LEFT JOIN (SELECT book_id, min(accepted_at) AS oldest FROM unread GROUP BY book_id) w ON w.book_id = b.instrument_id
WHERE w.oldest IS NOT NULL OR b.next_expiry <= %s
"""


def waiting_books(now_us: int) -> list[tuple[int, int, int]]:
    """(book, lane, since when) of every book with something to do."""
    return [(row[0], row[1], row[2]) for row in rows.fetch_all(_WAITING, [rfc3339(now_us)])]


def sweep_once(lane: LaneMemory, *, now_us: int) -> int:
    """Ring what has waited a second, drain what has waited three; how many books waited."""
    waiting = waiting_books(now_us)
    for book_id, lane_number, since_us in waiting:
        age = now_us - since_us
        if age >= DRAIN_AFTER_US:
            _LOG.warning("book %s has waited %.1f s; draining it here", book_id, age / 1e6)
            _drain_or_tell(lane, book_id)
        elif age >= RING_AFTER_US:
            bell.ring(book_id, lane_number)
    return len(waiting)


def _drain_or_tell(lane: LaneMemory, book_id: int) -> None:
    """Drain a book; whatever is wrong with it, the others get their turn."""
    try:
        _drain(lane, book_id)
    except Exception:  # noqa: BLE001 - whatever it is, it is told, and must not stop the venue
        _LOG.exception("book %s can't be drained; the others go on", book_id)
        connection.close_if_unusable_or_obsolete()


def _drain(lane: LaneMemory, book_id: int) -> None:
    deadline = time.monotonic() + DRAIN_BUDGET_S
    while match_once(lane, book_id=book_id, now_us=clock_now()).outcome is Outcome.MATCHED:
        if time.monotonic() >= deadline:
            return
