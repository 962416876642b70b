"""Divide a right among its holder's own hands, and put siblings together again (SPEC §2). Units are conserved."""

from uuid import UUID

from django.db import transaction

from rights.domain import right_events
from rights.domain.epoch import divided, together
from rights.domain.lifecycle import RightStatus
from rights.domain.transfer_policy import read_policy
from rights.kernel.clock import to_datetime, to_us
from rights.models import Right
from rights.selectors import right_window_end_us
from rights.services.refusals import lifecycle_refused
from rights.services.row import check_holder, locked, move_status, remember

_DIVISIBLE = (RightStatus.ISSUED, RightStatus.ACTIVE)


@transaction.atomic
def split_right(*, right_id: str, units: int, child_id: str, holder_id: int | None = None, actor: str, now_us: int) -> tuple[Right, Right]:
    """The parent with what it keeps, and a child of `units` with the same terms and window, in the same hands.

    `holder_id`: whose wish it is. Raises LifecycleRefusedError: `right_not_held`, `lifecycle_refused`, `not_splittable`, `units_unavailable`.
    """
    parent = locked(right_id)
    check_holder(parent, holder_id)
    if parent.status not in _DIVISIBLE:
        raise lifecycle_refused("lifecycle_refused", f"a right that is {parent.status} may not be split")
    if not read_policy(parent.terms.transfer_policy).splittable:
        raise lifecycle_refused("not_splittable", "its terms forbid a split")
    free = parent.remaining_units - parent.reserved_units
    if not 0 < units <= free or units == parent.remaining_units:
        raise lifecycle_refused("units_unavailable", f"a split takes 1 to {min(free, parent.remaining_units - 1)} units here")
    at = to_datetime(now_us)
    parent.epoch_used_units, used = divided(parent.epoch_used_units, units=units, max_units=parent.max_units)
    parent.max_units -= units
    parent.remaining_units -= units
    parent.updated_at = at
    parent.save(update_fields=["max_units", "remaining_units", "epoch_used_units", "updated_at"])
    child = Right.objects.create(
        id=UUID(child_id),
        series=parent.series,
        terms=parent.terms,
        issuer_id=parent.issuer_id,
        assurance_id=parent.assurance_id,
        holder=parent.holder,
        controller_id=parent.controller_id,
        status=parent.status,
        max_units=units,
        remaining_units=units,
        epoch_at=parent.epoch_at if used else None,
        epoch_used_units=used,
        parent=parent,
        root_id=parent.root_id,
        activated_at=parent.activated_at,
        ends_at=parent.ends_at,
        # Dividing does not shorten the time a right has been held.
        acquired_at=parent.acquired_at,
        created_at=at,
        updated_at=at,
    )
    fact = right_events.split(parent=str(parent.pk), child=child_id, units=units, to_account=str(parent.holder.uuid), netted=False)
    remember(parent, (right_events.SPLIT, fact), actor=actor, now_us=now_us)
    return parent, child


@transaction.atomic
def merge_rights(*, source_id: str, target_id: str, holder_id: int | None = None, actor: str, now_us: int) -> Right:
    """The target with all units of the source, which ends `finalized` and empty. Locks both in id order.

    `holder_id`: whose wish it is. Raises LifecycleRefusedError `right_not_held`, `not_siblings`, `window_over`, `units_reserved`,
    `units_unavailable` (nothing is left in the source), `lifecycle_refused`.
    """
    rights = {str(pk): locked(pk) for pk in sorted({source_id, target_id})}
    source, target = rights[source_id], rights[target_id]
    check_holder(target, holder_id)
    alike = ("parent_id", "terms_id", "holder_id", "controller_id", "series_id", "status", "activated_at")
    same = all(getattr(source, field) == getattr(target, field) for field in alike)
    if source.pk == target.pk or source.parent_id is None or not same:
        raise lifecycle_refused("not_siblings", "only children of one right, alike in terms, holder, status and activation, go together")
    if source.status != RightStatus.ACTIVE:
        raise lifecycle_refused("lifecycle_refused", f"a right that is {source.status} may not be merged")
    if now_us >= right_window_end_us(source):
        raise lifecycle_refused("window_over", "its window has ended")
    if not source.remaining_units:
        raise lifecycle_refused("units_unavailable", "nothing remains of the source")
    if source.reserved_units:
        raise lifecycle_refused("units_reserved", f"{source.reserved_units} units of the source are reserved")
    if target.reserved_units and source.acquired_at > target.acquired_at and read_policy(target.terms.transfer_policy).min_hold_s:
        # What was got later has to be held longer, and takes what it joins along: not while an order offers that.
        raise lifecycle_refused("units_reserved", f"{target.reserved_units} units are reserved of a right that would have to be held anew")
    units, spent = source.remaining_units, source.max_units - source.remaining_units
    at = to_datetime(now_us)
    _join_usage(source, target, units)
    source.max_units, source.remaining_units, source.netted = spent, 0, False
    move_status(source, RightStatus.FINALIZED, now_us)
    source.save(update_fields=["max_units", "remaining_units", "epoch_used_units", "status", "netted", "updated_at"])
    target.max_units += units
    target.remaining_units += units
    target.acquired_at, target.updated_at = max(target.acquired_at, source.acquired_at), at
    target.save(update_fields=["max_units", "remaining_units", "epoch_at", "epoch_used_units", "acquired_at", "updated_at"])
    fact = right_events.merged(source=source_id, target=target_id, units=units, source_status=RightStatus.FINALIZED)
    remember(target, (right_events.MERGED, fact), actor=actor, now_us=now_us)
    return target


def _join_usage(source: Right, target: Right, units: int) -> None:
    """What was used of the units in their epoch goes with them."""
    if not source.epoch_used_units or source.epoch_at is None:
        return
    source.epoch_used_units, used = divided(source.epoch_used_units, units=units, max_units=source.max_units)
    there = (0 if target.epoch_at is None else to_us(target.epoch_at), target.epoch_used_units)
    epoch_us, target.epoch_used_units = together(there, (to_us(source.epoch_at), used))
    target.epoch_at = to_datetime(epoch_us)
