"""A right's time is over: what remained leaves its holder, and goes over into another right where its terms say so, in one transaction.

Locks: the assurances of the windows to come, the right, balances, the streams of both series in order.
"""

from django.db import transaction

from rights.kernel.ids import Mint
from rights.models import Right
from rights.selectors import right_window_end_us
from rights.services import expire, freeze
from rights.services.refusals import lifecycle_refused
from rights.services.row import locked
from settlement.services.issuance import EXPIRED, take_back
from settlement.services.succession import CarriedOver, carry_over, keep_link, lock_coming


@transaction.atomic
def expire_right(*, right_id: str, mint: Mint, actor: str, now_us: int) -> Right:
    """The expired right; what remained of its units goes to the account of the expired, and is a right of a later window by its terms.

    Raises LifecycleRefusedError: `window_open`, `units_reserved` while an order or a lock holds units of it, `right_changed`, and others.
    """
    coming = lock_coming(right_id=right_id, now_us=now_us)
    right = take_back(right_id, EXPIRED, mint, now_us)
    carried = carry_over(right=right, coming=coming, mint=mint, now_us=now_us)
    return _expire(right_id, carried, actor, now_us)


@transaction.atomic
def unfreeze_right(
    *, right_id: str, note: str, mint: Mint, actor: str, now_us: int, freeze_reason: str | None = None, approved_by: str | None = None
) -> Right:
    """The right as it was; when its window ended meanwhile it is expired, and its units, where it has any, leave the holder as at any end.

    `freeze_reason`: the only freeze that is lifted; None: whichever it is. Raises LifecycleRefusedError, ReasonMissing.
    """
    seen = Right.objects.select_related("series").get(pk=right_id)
    coming = lock_coming(right_id=right_id, now_us=now_us) if now_us >= right_window_end_us(seen) else None
    right, carried = locked(right_id), None
    if (coming is not None) != (now_us >= right_window_end_us(right)):
        raise lifecycle_refused("right_changed", "its window has become another since it was looked at; look at it again")
    if coming is not None:
        right = take_back(right_id, EXPIRED, mint, now_us)
        carried = carry_over(right=right, coming=coming, mint=mint, now_us=now_us) if right.remaining_units else None
    thawed = freeze.unfreeze_right(
        right_id=right_id, note=note, freeze_reason=freeze_reason, actor=actor, now_us=now_us, approved_by=approved_by
    )
    return thawed if carried is None else _expire(right_id, carried, actor, now_us)


def _expire(right_id: str, carried: CarriedOver, actor: str, now_us: int) -> Right:
    right, _ = expire.expire_right(right_id=right_id, fate=carried.fate, actor=actor, now_us=now_us)
    keep_link(right=right, carried=carried, now_us=now_us)
    return right
