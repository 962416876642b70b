"""A right becomes usable and, by its terms, transferable."""

from django.db import transaction

from rights.domain import right_events
from rights.domain.lifecycle import RightStatus
from rights.kernel.clock import to_datetime
from rights.models import Right
from rights.selectors import right_window_end_us
from rights.services.refusals import lifecycle_refused
from rights.services.row import locked, move_status, remember


@transaction.atomic
def activate_right(*, right_id: str, actor: str, now_us: int) -> Right:
    """`issued` → `active`. Raises LifecycleRefusedError; also when its window is over."""
    right = locked(right_id)
    fact = become_active(right, now_us)
    right.save(update_fields=["status", "activated_at", "ends_at", "netted", "updated_at"])
    remember(right, fact, actor=actor, now_us=now_us)
    return right


def become_active(right: Right, now_us: int) -> tuple[str, dict[str, object]]:
    """Make it active in memory; the fact to remember. Raises LifecycleRefusedError."""
    if right.status != RightStatus.ISSUED:
        raise lifecycle_refused("lifecycle_refused", f"a right that is {right.status} may not become active")
    if now_us >= right_window_end_us(right):
        raise lifecycle_refused("window_over", "its window has ended")
    move_status(right, RightStatus.ACTIVE, now_us)
    right.activated_at = to_datetime(now_us)
    right.ends_at = to_datetime(right_window_end_us(right))
    # From here on it may differ from others of its root in when it ends, so that what they deliver does not join it.
    right.netted = False
    return right_events.ACTIVATED, right_events.activated(right=str(right.pk))
