"""Delegations (SPEC §6): bounded use without ownership. A use locks the delegation's row, and so does a revocation: one comes first.

Locks: delegations by id (parents before children, for they are older), then rights, then streams.
"""

from collections.abc import Mapping, Sequence

import msgspec
from django.db import transaction

from rights.domain import package_events
from rights.domain.capability import WORKLOADS
from rights.domain.reason import stated_reason
from rights.kernel.clock import rfc3339, to_datetime, to_us
from rights.kernel.ids import public
from rights.models import Account, Delegation, Package, Right
from rights.selectors.delegations import first_lost
from rights.services.journal import NewEvent, append, stream_for
from rights.services.refusals import lifecycle_refused
from rights.services.row import locked

REGISTRY = "registry"


class Bounds(msgspec.Struct, frozen=True):
    """What the delegate may do. `workload_classes` empty: any."""

    max_units: int
    valid_from_us: int
    valid_until_us: int
    workload_classes: Sequence[str] = ()
    fallback_allowed: bool = False
    subdelegation_allowed: bool = False


class Use(msgspec.Struct, frozen=True):
    """A use somebody wants to make of a delegation."""

    delegation_id: str
    delegate_id: int
    workload: str
    fallback: bool = False


class Counted(msgspec.Struct, frozen=True):
    """How many units count, and the delegation that lives on whose room they took, where the one they were used under had ended."""

    units: int
    taken_from: str | None = None


@transaction.atomic
def delegate(
    *,
    right: Right | None,
    package: Package | None,
    parent: Delegation | None,
    delegator: Account,
    to: Account,
    bounds: Bounds,
    delegation_id: str,
    actor: str,
    now_us: int,
    pending_units: int = 0,
) -> Delegation:
    """Let `to` use a right or a package within `bounds`, or pass on a part of what `parent` allows beside `pending_units` under way.

    Raises LifecycleRefusedError: `delegation_bounds`, `not_delegable`, `right_not_held`, `delegation_looser`, `delegation_exhausted`.
    """
    _check_bounds(bounds, now_us)
    if to.pk == delegator.pk:
        raise lifecycle_refused("delegation_bounds", "a delegation goes to somebody else")
    if parent is not None:
        held = _locked(str(parent.uuid))
        _check_parent(held, delegator, bounds, pending_units)
        held.passed_units += bounds.max_units
        held.save(update_fields=["passed_units"])
        right, package = held.right, held.package
    else:
        right, package = _locked_object(right, package)
        _check_owner(right, package, delegator, bounds)
    row = Delegation.objects.create(
        uuid=delegation_id,
        right=right,
        package=package,
        delegator=delegator,
        delegate=to,
        parent=parent,
        max_units=bounds.max_units,
        workload_classes=sorted(set(bounds.workload_classes)),
        valid_from=to_datetime(bounds.valid_from_us),
        valid_until=to_datetime(bounds.valid_until_us),
        fallback_allowed=bounds.fallback_allowed,
        subdelegation_allowed=bounds.subdelegation_allowed,
        created_at=to_datetime(now_us),
    )
    fact = package_events.delegated(
        right=None if right is None else str(right.pk),
        package=None if package is None else str(package.uuid),
        delegator=str(delegator.uuid),
        delegate=str(to.uuid),
        parent=None if parent is None else str(parent.uuid),
        max_units=row.max_units,
        workload_classes=row.workload_classes,
        valid_from=rfc3339(bounds.valid_from_us),
        valid_until=rfc3339(bounds.valid_until_us),
        fallback_allowed=row.fallback_allowed,
        subdelegation_allowed=row.subdelegation_allowed,
    )
    _remember([(row, package_events.DELEGATED, fact)], actor, now_us)
    return row


def admit_use(*, use: Use, units: int, now_us: int, pending_units: int = 0) -> Delegation:
    """The delegation, under lock, when `units` may be used of it beside `pending_units` under way. Raises LifecycleRefusedError:

    `delegation_ended`, `delegation_time`, `delegation_workload`, `delegation_fallback`, `delegation_exhausted`.
    """
    row = _locked(use.delegation_id)
    if row.delegate_id != use.delegate_id or row.state != "active":
        raise lifecycle_refused("delegation_ended", f"the delegation is {row.state if row.delegate_id == use.delegate_id else 'not yours'}")
    if not to_us(row.valid_from) <= now_us < to_us(row.valid_until):
        raise lifecycle_refused(
            "delegation_time", f"it may be used from {row.valid_from:%Y-%m-%d %H:%M} to {row.valid_until:%Y-%m-%d %H:%M} UTC"
        )
    if row.workload_classes and use.workload not in row.workload_classes:
        raise lifecycle_refused("delegation_workload", f"it covers {', '.join(row.workload_classes)}")
    if use.fallback and not row.fallback_allowed:
        raise lifecycle_refused("delegation_fallback", "it allows no fallback")
    left = row.max_units - row.used_units - row.passed_units - pending_units
    if not 0 < units <= left:
        raise lifecycle_refused("delegation_exhausted", f"{units} units asked, {left} may still be used")
    return row


def use_delegation(*, use: Use, units: int, now_us: int) -> Delegation:
    """Count `units` against the delegation, in the caller's transaction. Raises LifecycleRefusedError as `admit_use` does."""
    row = admit_use(use=use, units=units, now_us=now_us)
    row.used_units += units
    row.save(update_fields=["used_units"])
    return row


def count_use(*, delegation_id: str, units: int) -> Counted:
    """Count units that were used under a lock the delegation allowed, in the caller's transaction.

    What ended meanwhile has given back what it had not used, with what was under way: that is counted where it went, too. Never is more
    counted than is allowed, or less than nothing: the work is done, and what a dispute had given back may have been passed on since.
    """
    row = _locked(delegation_id)
    heir = None if row.state == "active" else _heir(row)
    low, high = -row.used_units, row.max_units - row.used_units - row.passed_units
    if heir is not None:
        low, high = max(low, -heir.passed_units), min(high, heir.max_units - heir.used_units - heir.passed_units)
    counted = max(low, min(units, high))
    row.used_units += counted
    row.save(update_fields=["used_units"])
    if heir is None:
        return Counted(counted)
    heir.passed_units += counted
    heir.save(update_fields=["passed_units"])
    return Counted(counted, str(heir.uuid))


def _heir(row: Delegation) -> Delegation | None:
    """To whom went what an ended one had not used: the nearest above it that lives on, under lock; None where it was the giver's own."""
    while row.parent is not None:
        row = _locked(str(row.parent.uuid))
        if row.state == "active":
            return row
    return None


def lock_delegation(delegation_id: str) -> Delegation:
    """The delegation, under lock, for whoever counts what is under way before it passes on. Raises Delegation.DoesNotExist."""
    return _locked(delegation_id)


def covers(row: Delegation, right_id: str) -> bool:
    """Whether the delegation is of this right, or of a package it is in now."""
    if row.right_id is not None:
        return str(row.right_id) == right_id
    return row.package is not None and row.package.parts.filter(right_id=right_id, removed_at=None).exists()


def owner_of(row: Delegation) -> int:
    """The account whose right or package it is about: whoever delegated first."""
    while row.parent is not None:
        row = row.parent
    return row.delegator_id


@transaction.atomic
def revoke_delegation(*, delegation_id: str, reason: str, actor: str, now_us: int) -> int:
    """End it and everything passed on from it, at once; how many ended. Raises LifecycleRefusedError `delegation_ended`, ReasonMissing."""
    row = _locked(delegation_id)
    if row.state != "active":
        raise lifecycle_refused("delegation_ended", f"the delegation is {row.state}")
    return len(_end([row], "revoked", stated_reason(reason), actor, now_us))


@transaction.atomic
def expire_delegations_due(*, actor: str, now_us: int, most: int = 200) -> int:
    """End those whose time is over; how many."""
    due = Delegation.objects.filter(state="active", valid_until__lte=to_datetime(now_us))
    rows = list(due.select_for_update(of=("self",), no_key=True, skip_locked=True).order_by("pk")[:most])
    return len(_end(rows, "expired", "its time is over", actor, now_us))


@transaction.atomic
def end_lost_delegations(*, actor: str, now_us: int, most: int = 200) -> int:
    """End those whose giver no longer holds what they are of, or it has ended, with all that was passed on; how many."""
    waiting = Delegation.objects.filter(pk__in=first_lost(most), state="active")
    found = list(waiting.select_for_update(of=("self",), no_key=True, skip_locked=True).order_by("pk"))
    return len(_end(found, "revoked", "its giver no longer holds it, or it has ended", actor, now_us))


def _end(rows: Sequence[Delegation], state: str, reason: str, actor: str, now_us: int) -> list[Delegation]:
    """End these and their live descendants; what was passed on and not used goes back to a parent that lives on."""
    ending = {row.pk: row for row in rows}
    level = list(ending)
    while level:
        children = (
            Delegation.objects.select_for_update(of=("self",), no_key=True).filter(parent_id__in=level, state="active").order_by("pk")
        )
        level = [child.pk for child in children if child.pk not in ending]
        ending |= {child.pk: child for child in children}
    unused = _unused(ending)
    events = []
    for row in sorted(ending.values(), key=lambda row: row.pk):
        row.state, row.ended_at = state, to_datetime(now_us)
        row.save(update_fields=["state", "ended_at"])
        returned = unused[row.pk]
        if row.parent_id is not None and row.parent_id not in ending:
            parent = Delegation.objects.select_for_update(no_key=True).get(pk=row.parent_id)
            parent.passed_units -= returned
            parent.save(update_fields=["passed_units"])
        kind = package_events.REVOKED if state == "revoked" else package_events.EXPIRED
        events.append((row, kind, package_events.delegation_ended(reason=reason, returned_units=returned)))
    _remember(events, actor, now_us)
    return list(ending.values())


def _unused(ending: Mapping[int, Delegation]) -> dict[int, int]:
    """What nobody used of each of these, by id: what it passed on counts as far as those it went to did not use it and end with it."""
    unused = {pk: row.max_units - row.used_units - row.passed_units for pk, row in ending.items()}
    for pk in sorted(ending, reverse=True):  # what was passed on came later
        parent = ending[pk].parent_id
        if parent is not None and parent in unused:
            unused[parent] += unused[pk]
    return unused


def _locked(delegation_id: str) -> Delegation:
    return (
        Delegation.objects.select_for_update(of=("self",), no_key=True)
        .select_related("right", "package", "delegator", "delegate", "parent")
        .get(uuid=delegation_id)
    )


def _locked_object(right: Right | None, package: Package | None) -> tuple[Right | None, Package | None]:
    """In whose hands it is now, and not when the caller looked."""
    return (
        None if right is None else locked(str(right.pk)),
        None if package is None else Package.objects.select_for_update(no_key=True).get(pk=package.pk),
    )


def _check_bounds(bounds: Bounds, now_us: int) -> None:
    unknown = sorted(set(bounds.workload_classes) - set(WORKLOADS))
    checks = (
        (bounds.max_units > 0, "max_units is above zero"),
        (bounds.valid_from_us < bounds.valid_until_us, "it ends after it begins"),
        (bounds.valid_until_us > now_us, "its end lies ahead"),
        (not unknown, f"no such workload class: {', '.join(unknown)}"),
    )
    for holds, words in checks:
        if not holds:
            raise lifecycle_refused("delegation_bounds", words)


def _check_parent(parent: Delegation, delegator: Account, bounds: Bounds, pending_units: int) -> None:
    """What is passed on is never more than what there is."""
    if parent.state != "active" or parent.delegate_id != delegator.pk or not parent.subdelegation_allowed:
        raise lifecycle_refused("not_delegable", "this delegation may not be passed on")
    looser = (
        bounds.valid_from_us < to_us(parent.valid_from)
        or bounds.valid_until_us > to_us(parent.valid_until)
        or (bounds.fallback_allowed and not parent.fallback_allowed)
        or (parent.workload_classes and not (set(bounds.workload_classes) and set(bounds.workload_classes) <= set(parent.workload_classes)))
    )
    if looser:
        raise lifecycle_refused("delegation_looser", "its bounds are wider than those of the delegation it is passed on from")
    left = parent.max_units - parent.used_units - parent.passed_units - pending_units
    if bounds.max_units > left:
        raise lifecycle_refused("delegation_exhausted", f"{bounds.max_units} units asked, {left} may still be passed on")


def _check_owner(right: Right | None, package: Package | None, delegator: Account, bounds: Bounds) -> None:
    if right is not None:
        if right.holder_id != delegator.pk:
            raise lifecycle_refused("right_not_held", "the right is in other hands")
        if not right.terms.transfer_policy.get("delegable", True):
            raise lifecycle_refused("not_delegable", "its terms forbid delegation")
        if bounds.max_units > right.remaining_units:
            raise lifecycle_refused("units_unavailable", f"{right.remaining_units} units remain")
    elif package is not None:
        if package.holder_id != delegator.pk or package.state != "active":
            raise lifecycle_refused("right_not_held", "the package is in other hands, or was taken apart")
        parts = package.parts.filter(removed_at=None).select_related("right__terms")
        if not all(part.right.terms.transfer_policy.get("delegable", True) for part in parts) or not package.policy.get("delegable", True):
            raise lifecycle_refused("not_delegable", "the terms of a component, or the package's policy, forbid delegation")
        held = sum(part.units for part in parts)
        if bounds.max_units > held:
            raise lifecycle_refused("units_unavailable", f"the package holds {held} units")


def _remember(facts: Sequence[tuple[Delegation, str, package_events.Payload]], actor: str, now_us: int) -> None:
    events = [NewEvent(kind, "delegation", public("dlg", str(row.uuid)), payload) for row, kind, payload in facts]
    append(stream_id=stream_for(REGISTRY), events=events, actor=actor, now_us=now_us)
