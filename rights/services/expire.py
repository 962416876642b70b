"""A right's time is over, or it is taken out of existence: what remained leaves its holder."""

import msgspec
from django.db import transaction

from rights.domain import right_events
from rights.domain.lifecycle import RightStatus
from rights.domain.reason import stated_reason
from rights.models import Right
from rights.selectors import right_window_end_us
from rights.services.backing import give_back, locked_with_backing
from rights.services.refusals import lifecycle_refused
from rights.services.row import locked, move_status, remember


class Fate(msgspec.Struct, frozen=True):
    """What the terms make of what remains: `carried_units` of it are another right now; `why` the others are not, where they should be."""

    policy: str
    carried_units: int = 0
    why: str | None = None


@transaction.atomic
def expire_right(*, right_id: str, fate: Fate, actor: str, now_us: int) -> tuple[Right, int]:
    """The expired right and the units that remained in it. Raises LifecycleRefusedError.

    Refused as `units_reserved` while an order or a lock still reserves units: those are pulled first. A right that
    was unfrozen after its end is `expired` already and only gives up its units.
    """
    right = locked(right_id)
    if now_us < right_window_end_us(right):
        raise lifecycle_refused("window_open", "its window has not ended")
    if right.status == RightStatus.EXPIRED and right.remaining_units == 0:
        raise lifecycle_refused("lifecycle_refused", "a right that is expired may not expire again")
    if right.reserved_units:
        raise lifecycle_refused("units_reserved", f"{right.reserved_units} units are still reserved")
    if right.status != RightStatus.EXPIRED:
        if right.status == RightStatus.FROZEN:
            raise lifecycle_refused("lifecycle_refused", "a right that is frozen expires when it is unfrozen")
        move_status(right, RightStatus.EXPIRED, now_us)
    units = _empty(right)
    fact = right_events.expired(right=right_id, units=units, policy=fate.policy, carried_units=fate.carried_units, why=fate.why)
    remember(right, (right_events.EXPIRED, fact), actor=actor, now_us=now_us)
    return right, units


@transaction.atomic
def burn_right(*, right_id: str, reason: str, actor: str, now_us: int, approved_by: str | None = None) -> tuple[Right, int]:
    """The burned right and the units that remained in it; its assurance may back others instead.

    Raises LifecycleRefusedError, `units_reserved` too, ReasonMissing.
    """
    reason = stated_reason(reason)
    right = locked_with_backing(right_id)
    if right.reserved_units:
        raise lifecycle_refused("units_reserved", f"{right.reserved_units} units are still reserved")
    move_status(right, RightStatus.BURNED, now_us)
    right.prior_status = right.freeze_reason = ""
    give_back(right, right.remaining_units)
    units = _empty(right)
    fact = right_events.burned(right=right_id, units=units, reason=reason, approved_by=approved_by)
    remember(right, (right_events.BURNED, fact), actor=actor, now_us=now_us)
    return right, units


@transaction.atomic
def finalize_right(*, right_id: str, ref: str, reason: str, actor: str, now_us: int, approved_by: str | None = None) -> tuple[Right, int]:
    """The finalized right and the units that remained in it; its assurance may back others instead.

    Raises LifecycleRefusedError, `units_reserved` too, ReasonMissing. `ref` names what it was settled by, at most 80 characters; it is kept with the right.
    """
    reason = stated_reason(reason)
    right = locked_with_backing(right_id)
    if right.reserved_units:
        raise lifecycle_refused("units_reserved", f"{right.reserved_units} units are still reserved")
    move_status(right, RightStatus.FINALIZED, now_us)
    give_back(right, right.remaining_units)
    right.prior_status = right.freeze_reason = ""
    right.finalization_ref = ref
    units, right.remaining_units, right.netted = right.remaining_units, 0, False
    right.save(update_fields=["status", "prior_status", "freeze_reason", "finalization_ref", "remaining_units", "netted", "updated_at"])
    fact = right_events.finalized(right=right_id, units=units, ref=ref, reason=reason, approved_by=approved_by)
    remember(right, (right_events.FINALIZED, fact), actor=actor, now_us=now_us)
    return right, units


def _empty(right: Right) -> int:
    units, right.remaining_units, right.netted = right.remaining_units, 0, False
    right.save(update_fields=["status", "prior_status", "freeze_reason", "remaining_units", "netted", "updated_at"])
    return units
