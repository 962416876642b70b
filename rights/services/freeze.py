"""Stop a right, and let it go on (SPEC §2). The venue pulls its resting asks: exchange/services/freeze.py."""

from django.db import transaction

from rights.domain import right_events
from rights.domain.lifecycle import FreezeReason, RightStatus, thawed_status
from rights.domain.reason import stated_reason
from rights.models import Right
from rights.selectors import right_window_end_us
from rights.services.refusals import lifecycle_refused
from rights.services.row import locked, move_status, remember


@transaction.atomic
def freeze_right(*, right_id: str, freeze_reason: str, note: str, actor: str, now_us: int) -> Right:
    """`issued` or `active` → `frozen`; what it was is kept. Raises LifecycleRefusedError, ReasonMissing."""
    note = stated_reason(note)
    if freeze_reason not in list(FreezeReason):
        raise lifecycle_refused("freeze_reason_unknown", f"a freeze reason is one of {', '.join(FreezeReason)}")
    right = locked(right_id)
    prior = right.status
    move_status(right, RightStatus.FROZEN, now_us)
    right.prior_status, right.freeze_reason = prior, freeze_reason
    # Meanwhile deliveries of the same root make another right, which takes in the next ones for good.
    right.netted = False
    right.save(update_fields=["status", "prior_status", "freeze_reason", "netted", "updated_at"])
    fact = right_events.frozen(right=str(right.pk), reason=freeze_reason, prior_status=prior, note=note)
    remember(right, (right_events.FROZEN, fact), actor=actor, now_us=now_us)
    return right


@transaction.atomic
def unfreeze_right(
    *, right_id: str, note: str, actor: str, now_us: int, freeze_reason: str | None = None, approved_by: str | None = None
) -> Right:
    """Back to what it was, or to `expired` or `fully_consumed` where that has come true. Raises LifecycleRefusedError, ReasonMissing.

    `right_changed` when it is frozen for another reason than `freeze_reason`; None: whichever it is.
    An expired one still has its units; whoever may touch the ledger takes them next (settlement/services/endings.py).
    """
    note = stated_reason(note)
    right = locked(right_id)
    if right.status != RightStatus.FROZEN:
        raise lifecycle_refused("lifecycle_refused", f"a right that is {right.status} is not frozen")
    if freeze_reason is not None and right.freeze_reason != freeze_reason:
        raise lifecycle_refused("right_changed", f"the right is frozen by {right.freeze_reason} now, not by {freeze_reason or 'anything'}")
    prior = RightStatus(right.prior_status)
    following = thawed_status(
        prior=prior,
        max_units=right.max_units,
        remaining_units=right.remaining_units,
        window_end_us=right_window_end_us(right),
        now_us=now_us,
    )
    move_status(right, following, now_us)
    right.prior_status = right.freeze_reason = ""
    right.save(update_fields=["status", "prior_status", "freeze_reason", "updated_at"])
    fact = right_events.unfrozen(right=str(right.pk), status=following, note=note, approved_by=approved_by)
    remember(right, (right_events.UNFROZEN, fact), actor=actor, now_us=now_us)
    return right
