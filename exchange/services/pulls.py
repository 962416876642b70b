"""Orders that must leave because something else changed: a right froze or expired, an owner was suspended."""

from django.db import transaction

from exchange.domain.command import Reason
from exchange.models.book import CommandKind
from exchange.selectors.backing import SOUND_NOW
from exchange.services.intake import cancel_command, submit
from exchange.services.rules import DELIVERED
from rights.kernel import rows
from rights.kernel.clock import rfc3339

_BOOKS = f"SELECT d.instrument_id FROM {DELIVERED} d JOIN rights_right r ON r.series_id = d.series_id WHERE r.id = %s"
_RESTING_ASKS = (
    "SELECT book_id, id::text FROM exchange_order WHERE is_open AND book_id = ANY(%s) AND slice_rights @> ARRAY[%s::uuid] ORDER BY id"
)
# Those that no cancel, still unread, is on its way to.
_UNBACKED = f"""
SELECT o.id::text FROM exchange_order o JOIN exchange_book b ON b.instrument_id = o.book_id
WHERE o.book_id = %(book)s AND o.is_open AND o.side = 1 AND EXISTS (
    SELECT 1 FROM unnest(o.slice_rights) AS w(id) JOIN rights_right r ON r.id = w.id JOIN rights_assurance a ON a.id = r.assurance_id
    WHERE NOT ({SOUND_NOW}))
  AND NOT EXISTS (SELECT 1 FROM exchange_command c
    WHERE c.book_id = o.book_id AND c.xid >= b.scan_xid::text::xid8 AND c.kind = %(cancel)s AND c.order_id = o.id) ORDER BY o.id
"""
_OWNED = "SELECT book_id, id::text FROM exchange_order WHERE is_open AND account_id = ANY(%s) ORDER BY id"


def pull_asks_of_right(*, right_id: str, reason: Reason, actor: str, now_us: int) -> int:
    """Cancel the resting asks that reserve this right (its UUID) in any book, as recorded commands; how many."""
    books = [row[0] for row in rows.fetch_all(_BOOKS, [right_id])]
    if not books:
        return 0
    found = rows.fetch_all(_RESTING_ASKS, [books, right_id])
    return len(submit(commands=[cancel_command(book_id=b, order_id=o, reason=int(reason), actor=actor) for b, o in found], now_us=now_us))


def pull_unbacked_asks(*, book_id: int, actor: str, now_us: int) -> int:
    """Cancel the book's resting asks that reserve rights whose assurance isn't sound, each once; how many."""
    with transaction.atomic():
        found = rows.fetch_all(_UNBACKED, {"book": book_id, "now": rfc3339(now_us), "cancel": int(CommandKind.CANCEL)})
        reason = int(Reason.BACKING_UNSOUND)
        return len(
            submit(commands=[cancel_command(book_id=book_id, order_id=o, reason=reason, actor=actor) for (o,) in found], now_us=now_us)
        )


def pull_orders_of_accounts(*, account_ids: list[int], reason: Reason, actor: str, now_us: int) -> int:
    """Cancel everything these accounts have resting; how many."""
    found = rows.fetch_all(_OWNED, [account_ids])
    return len(submit(commands=[cancel_command(book_id=b, order_id=o, reason=int(reason), actor=actor) for b, o in found], now_us=now_us))
