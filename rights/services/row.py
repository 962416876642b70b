"""A right under lock, and the one way to write its status."""

import msgspec

from rights.domain import right_events
from rights.domain.lifecycle import RightStatus, may_become
from rights.kernel.clock import to_datetime
from rights.kernel.ids import public
from rights.kernel.planned import load_one
from rights.models import Right
from rights.services.journal import NewEvent, append
from rights.services.refusals import lifecycle_refused


def locked(right_id: str) -> Right:
    """The right, locked until the transaction ends. Raises Right.DoesNotExist.

    Without joins: a right that changed its series while this waited for it would no longer meet the one it was joined to.
    """
    return load_one(Right, "id = %s::uuid", [right_id], lock=True)


def check_holder(right: Right, holder_id: int | None) -> None:
    """Raise LifecycleRefusedError `right_not_held` when the right, which is under lock, has gone into other hands than those that act."""
    if holder_id is not None and right.holder_id != holder_id:
        raise lifecycle_refused("right_not_held", "the right is in other hands")


class Seen(msgspec.Struct, frozen=True):
    """The hands a right was in, and its units, when an act on it was decided."""

    holder_id: int
    units: int


def check_seen(right: Right, seen: Seen | None) -> None:
    """Raise LifecycleRefusedError `right_changed` when the right has gone into other hands since, or has more units."""
    if seen is not None and (right.holder_id != seen.holder_id or right.remaining_units > seen.units):
        raise lifecycle_refused("right_changed", "it has changed hands or grown since it was looked at; look at it again")


def move_status(right: Right, following: RightStatus, now_us: int) -> None:
    """Set the status in memory along the lifecycle. Raises LifecycleRefusedError with the present status."""
    if not may_become(RightStatus(right.status), following):
        raise lifecycle_refused("lifecycle_refused", f"a right that is {right.status} may not become {following}")
    right.status = following
    right.updated_at = to_datetime(now_us)


def remember(right: Right, *facts: tuple[str, dict[str, object]], actor: str, now_us: int) -> None:
    """Append (type, payload) facts about the right to its series' stream."""
    own_id = public("rgt", str(right.pk))
    events = [NewEvent(kind, "right", own_id, payload, right_events.refs(kind, payload)) for kind, payload in facts]
    append(stream_id=right.series.stream_id, events=events, actor=actor, now_us=now_us)
