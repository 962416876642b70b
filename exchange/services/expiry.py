"""Rights whose window has ended: asks still resting on them are pulled, then the rights expire."""

from django.db import transaction

from exchange.domain.command import Reason
from exchange.services.pulls import pull_asks_of_right
from rights.kernel import rows
from rights.kernel.clock import rfc3339
from rights.kernel.ids import Mint
from rights.services.refusals import LifecycleRefusedError
from settlement.services import issuance
from settlement.services.ledger import LedgerRefusal

ACTOR = "timetable"
_ENDED = """
SELECT r.id::text, r.reserved_units FROM rights_right r JOIN rights_series s ON s.id = r.series_id
WHERE r.status IN ('issued', 'active') AND (
    s.window_end <= %s
    OR (s.window_mode = 'rolling' AND r.activated_at + make_interval(secs => s.epoch_size_s) <= %s))
ORDER BY r.id LIMIT %s
"""


def expire_due(*, mint: Mint, now_us: int, most: int = 200) -> int:
    """Expire rights whose time is over, each in its own transaction; how many. At most `most` are looked at.

    One that is still reserved waits until its asks have left the book; one that changes meanwhile waits for the next call.
    """
    with transaction.atomic():
        ended = rows.fetch_all(_ENDED, [rfc3339(now_us), rfc3339(now_us), most])
    return sum(_expire(right_id, reserved, mint, now_us) for right_id, reserved in ended)


def _expire(right_id: str, reserved: int, mint: Mint, now_us: int) -> bool:
    if reserved:
        with transaction.atomic():
            pull_asks_of_right(right_id=right_id, reason=Reason.RIGHT_EXPIRED, actor=ACTOR, now_us=now_us)
        return False
    try:
        issuance.expire_right(right_id=right_id, mint=mint, actor=ACTOR, now_us=now_us)
    except (LifecycleRefusedError, LedgerRefusal):
        return False
    return True
