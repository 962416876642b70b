"""Orders as the journal leaves them, against their rows."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from exchange.replay.book_source import BookRow
from exchange.replay.finding import Findings
from exchange.replay.order_story import OrderStory
from exchange.replay.snapshot import stream_rows
from rights.kernel import rows

CHUNK = 2000
_ORDERS = """
SELECT id::text, side::int, price_ticks, quantity_lots, filled_lots, remaining_lots, cancelled_lots, notional_minor, fee_minor,
       status::int, reason::int
FROM exchange_order WHERE id = ANY(%s::uuid[])
"""
_COUNT = "SELECT count(*) FROM exchange_order WHERE book_id = %s"
_RESTING = """
SELECT id::text, account_id, participant_id, price_ticks, filled_lots, remaining_lots, stp::int, tif::int, post_only::int,
       coalesce((extract(epoch from valid_until) * 1000000)::bigint, 0), valid_reason::int, policy, holder_profile, "group"
FROM exchange_order WHERE book_id = %s AND side = %s AND is_open ORDER BY price_ticks * CASE WHEN side = 0 THEN -1 ELSE 1 END, joined
"""
_FIELDS = (
    "order_id",
    "account",
    "participant",
    "price_ticks",
    "filled_lots",
    "remaining_lots",
    "stp",
    "tif",
    "post_only",
    "expire_at",
    "expire_reason",
    "policy",
    "holder",
    "group",
)


class OrderChecks:
    """Compares ended orders in groups, open ones at the end."""

    def __init__(self, book: BookRow, findings: Findings, check: str) -> None:
        self._book, self._findings, self._check = book, findings, check
        self._waiting: list[OrderStory] = []
        self.count = 0

    def ended(self, stories: Iterable[OrderStory]) -> None:
        """Orders that have left the book for good."""
        self._waiting += stories
        if len(self._waiting) >= CHUNK:
            self._compare()

    def end(self, still_open: Iterable[OrderStory]) -> Iterator[str]:
        """Compare the rest; yields what is stored beyond the journal."""
        self._waiting += still_open
        self._compare()
        stored = rows.fetch_all(_COUNT, [self._book.book_id])[0][0]
        if stored != self.count:
            yield f"{stored} orders are stored, the journal has {self.count}"

    def _compare(self) -> None:
        waiting, self._waiting = self._waiting, []
        self.count += len(waiting)
        found = {row[0]: OrderStory(*row) for row in rows.fetch_all(_ORDERS, [[story.id for story in waiting]])}
        for story in waiting:
            stored = found.get(story.id)
            if stored != story:
                difference: Any = "not stored" if stored is None else _difference(story, stored)
                self._findings.add(self._check, book=self._book.symbol, order=f"ord_{story.id}", fault=difference)


def _difference(rebuilt: OrderStory, stored: OrderStory) -> dict[str, Any]:
    pairs = zip(msgspec.structs.asdict(rebuilt).items(), msgspec.structs.astuple(stored), strict=True)
    return {field: {"journal": says, "stored": has} for (field, says), has in pairs if says != has}


def compare_resting(book_id: int, side: int, resting: Sequence[Any]) -> Iterator[str]:
    """Differences between a side of an engine's book, in priority order, and the open orders of that side."""
    stored = stream_rows(_RESTING, [book_id, side], expected=len(resting))
    place = 0
    for place, order in enumerate(resting, 1):
        told = tuple(getattr(order, field) for field in _FIELDS)
        row = next(stored, None)
        if row is None:
            yield f"ord_{told[0]} rests in the journal's book only"
            return
        if row != told:
            parts = {field: (says, has) for field, says, has in zip(_FIELDS, told, row, strict=True) if says != has}
            yield f"place {place} of side {side}: journal and row differ in {parts}"
            return
    extra = next(stored, None)
    if extra is not None:
        yield f"ord_{extra[0]} is open, and not in the journal's book (place {place + 1} of side {side})"
