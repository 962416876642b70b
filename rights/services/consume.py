"""Units of a right are used (SPEC §2): the registry's half of a consumption; the ledger's is settlement/services/consume.py."""

from django.db import transaction

from rights.domain import right_events
from rights.domain.epoch import allowance_units, usage_after
from rights.domain.lifecycle import RightStatus
from rights.domain.manifest import stored_manifest
from rights.kernel.clock import rfc3339, to_datetime, to_us
from rights.models import Right
from rights.selectors import right_window_end_us
from rights.services.refusals import lifecycle_refused
from rights.services.row import locked, move_status, remember


@transaction.atomic
def consume_right(*, right_id: str, units: int, ref: str, actor: str, now_us: int) -> Right:
    """The right with `units` fewer; `fully_consumed` when nothing remains. `ref` names what used them.

    Raises LifecycleRefusedError: `lifecycle_refused` unless active, `window_over`, `window_not_open`, `units_unavailable`, `epoch_exhausted`.
    """
    right = locked(right_id)
    if right.status != RightStatus.ACTIVE:
        raise lifecycle_refused("lifecycle_refused", f"a right that is {right.status} is not used")
    if now_us >= right_window_end_us(right):
        raise lifecycle_refused("window_over", "its window has ended")
    if now_us < to_us(right.series.window_start):
        raise lifecycle_refused("window_not_open", "its window has not begun")
    free = right.remaining_units - right.reserved_units
    if not 0 < units <= free:
        raise lifecycle_refused("units_unavailable", f"{units} units asked, {free} are free")
    manifest = stored_manifest(right.terms.manifest, right.terms_id)
    usage = usage_after(
        manifest=manifest,
        max_units=right.max_units,
        epoch_us=0 if right.epoch_at is None else to_us(right.epoch_at),
        used_units=right.epoch_used_units,
        units=units,
        now_us=now_us,
    )
    if usage is None:
        raise lifecycle_refused(
            "epoch_exhausted", f"an epoch lets {allowance_units(manifest, right.max_units)} units be used; wait for the next one"
        )
    right.remaining_units -= units
    right.epoch_at = to_datetime(usage.epoch_us) if usage.epoch_us else None
    right.epoch_used_units = usage.used_units
    right.updated_at = to_datetime(now_us)
    fact = right_events.partially_consumed(
        right=str(right.pk),
        units=units,
        epoch_at=rfc3339(usage.epoch_us) if usage.epoch_us else None,
        epoch_used_units=usage.used_units,
        ref=ref,
    )
    facts = [(right_events.PARTIALLY_CONSUMED, fact)]
    if right.remaining_units == 0:
        move_status(right, RightStatus.FULLY_CONSUMED, now_us)
        right.netted = False
        facts.append((right_events.FULLY_CONSUMED, right_events.fully_consumed(right=str(right.pk))))
    right.save(update_fields=["remaining_units", "epoch_at", "epoch_used_units", "status", "netted", "updated_at"])
    remember(right, *facts, actor=actor, now_us=now_us)
    return right
