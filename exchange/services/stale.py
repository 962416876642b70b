"""Which resting orders to pull when their right or their owner turned out not to be what it was."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from exchange.domain.command import Reason
from exchange.services.intake import NewCommand, cancel_command
from exchange.services.lane import LaneMemory
from rights.kernel import rows

ACTOR = "venue:matcher"
_BY_STATUS = {"frozen": Reason.RIGHT_FROZEN, "expired": Reason.RIGHT_EXPIRED}
_RESTING = "SELECT id::text, account_id, slice_rights::text[] FROM exchange_order WHERE book_id = %s AND is_open ORDER BY joined"


def pulls_for(
    lane: LaneMemory, book_id: int, *, rights: Mapping[str, str] | None = None, accounts: AbstractSet[int] = frozenset()
) -> list[NewCommand]:
    """Cancels for resting orders that reserve one of `rights` (by present status) or belong to one of `accounts`."""
    lane.drop(book_id)
    pulls = []
    for order_id, account, slices in rows.fetch_all(_RESTING, [book_id]):
        stale = [right for right in slices if rights and right in rights]
        if account in accounts:
            reason = Reason.HOLDER_SUSPENDED
        elif stale and rights:
            reason = _BY_STATUS.get(rights[stale[0]], Reason.RIGHT_SPENT)
        else:
            continue
        pulls.append(cancel_command(book_id=book_id, order_id=order_id, reason=int(reason), actor=ACTOR))
    return pulls
