"""Orders that must leave because something else changed: a right froze or expired, an owner was suspended."""

from exchange.domain.command import Reason
from exchange.services.intake import cancel_command, submit
from rights.kernel import rows

_RESTING_ASKS = (
    "SELECT book_id, id::text FROM exchange_order WHERE is_open AND book_id = %s AND slice_rights @> ARRAY[%s::uuid] ORDER BY id"
)
_OWNED = "SELECT book_id, id::text FROM exchange_order WHERE is_open AND account_id = ANY(%s) ORDER BY id"


def pull_asks_of_right(*, right_id: str, reason: Reason, actor: str, now_us: int) -> int:
    """Cancel the resting asks that reserve this right (its UUID), as recorded commands; how many."""
    book = rows.fetch_one(
        "SELECT b.instrument_id FROM exchange_book b JOIN exchange_instrument i ON i.id = b.instrument_id "
        "JOIN rights_right r ON r.series_id = i.series_id WHERE r.id = %s",
        [right_id],
    )
    if book is None:
        return 0
    found = rows.fetch_all(_RESTING_ASKS, [book[0], right_id])
    return len(submit(commands=[cancel_command(book_id=b, order_id=o, reason=int(reason), actor=actor) for b, o in found], now_us=now_us))


def pull_orders_of_accounts(*, account_ids: list[int], reason: Reason, actor: str, now_us: int) -> int:
    """Cancel everything these accounts have resting; how many."""
    found = rows.fetch_all(_OWNED, [account_ids])
    return len(submit(commands=[cancel_command(book_id=b, order_id=o, reason=int(reason), actor=actor) for b, o in found], now_us=now_us))
