"""Orders that must leave because something else changed: a right froze or expired, an owner was suspended."""

from exchange.domain.command import Reason
from exchange.services.intake import cancel_command, submit
from exchange.services.rules import DELIVERED
from rights.kernel import rows

_BOOKS = f"SELECT d.instrument_id FROM {DELIVERED} d JOIN rights_right r ON r.series_id = d.series_id WHERE r.id = %s"
_RESTING_ASKS = (
    "SELECT book_id, id::text FROM exchange_order WHERE is_open AND book_id = ANY(%s) AND slice_rights @> ARRAY[%s::uuid] ORDER BY id"
)
_OWNED = "SELECT book_id, id::text FROM exchange_order WHERE is_open AND account_id = ANY(%s) ORDER BY id"


def pull_asks_of_right(*, right_id: str, reason: Reason, actor: str, now_us: int) -> int:
    """Cancel the resting asks that reserve this right (its UUID) in any book, as recorded commands; how many."""
    books = [row[0] for row in rows.fetch_all(_BOOKS, [right_id])]
    if not books:
        return 0
    found = rows.fetch_all(_RESTING_ASKS, [books, right_id])
    return len(submit(commands=[cancel_command(book_id=b, order_id=o, reason=int(reason), actor=actor) for b, o in found], now_us=now_us))


def pull_orders_of_accounts(*, account_ids: list[int], reason: Reason, actor: str, now_us: int) -> int:
    """Cancel everything these accounts have resting; how many."""
    found = rows.fetch_all(_OWNED, [account_ids])
    return len(submit(commands=[cancel_command(book_id=b, order_id=o, reason=int(reason), actor=actor) for b, o in found], now_us=now_us))
