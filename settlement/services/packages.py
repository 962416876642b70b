"""Packages (SPEC §6): compose, amend, split, move as a whole, take apart. What is in one is locked on its rights under the package's id.

Locks: the package's row, then rights by id, balances, streams, the registry's stream last.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from django.db import transaction

from rights.domain import package_events
from rights.domain.issuance import Refusal
from rights.domain.package import PartFacts, loosened_fields, part_refusals, policy_faults
from rights.domain.reason import stated_reason
from rights.domain.transfer_policy import TransferPolicy, read_policy
from rights.kernel import rows
from rights.kernel.clock import to_datetime
from rights.kernel.ids import Mint, public
from rights.models import Account, Package, PackagePart, Right
from rights.selectors import right_window_end_us
from rights.services.deliveries import lock_rights
from rights.services.journal import NewEvent, append, stream_for
from rights.services.locks import Lock
from rights.services.refusals import CompositionRefusedError, lifecycle_refused
from settlement.services.ledger import Move
from settlement.services.transfer import Moved, Part, Tell, transfer_units
from settlement.services.unit_locks import lock_units, release_units

REGISTRY = "registry"
LOCK = "attached_slice"


class Composition(msgspec.Struct, frozen=True):
    """What a package is made of. `policy` is any part of a transfer policy; `rules` say what a strategy's branches are for."""

    type: str
    label: str
    parts: Sequence[PartFacts]
    policy: dict[str, Any] = {}
    rules: dict[str, Any] = {}


@transaction.atomic
def create_package(
    *, holder: Account, composition: Composition, package_id: str, parent: Package | None = None, actor: str, now_us: int
) -> Package:
    """The package; its parts are locked in the holder's hands. Raises LifecycleRefusedError with every reason."""
    _check(composition)
    row = Package.objects.create(
        uuid=package_id,
        type=composition.type,
        holder=holder,
        controller=holder,
        label=composition.label,
        policy=composition.policy,
        rules=composition.rules,
        parent=parent,
        created_at=to_datetime(now_us),
        updated_at=to_datetime(now_us),
    )
    _fill(row, composition.parts, now_us)
    _remember(row, package_events.CREATED, _composed(row), actor, now_us)
    return row


@transaction.atomic
def amend_package(*, package_id: str, holder_id: int, composition: Composition, actor: str, now_us: int) -> Package:
    """Another label, policy, rules or parts for what stays this package.

    Raises LifecycleRefusedError `package_ended`, `right_not_held` when somebody else than `holder_id` holds it, and as create.
    """
    row = _held(package_id, holder_id)
    if composition.type != row.type:
        raise CompositionRefusedError([Refusal("package_type", "a package keeps its type", "type")])
    _check(composition)
    lock_rights(sorted({part.right_id for part in (*parts_of(row), *composition.parts)}))  # all of them before any balance
    row.label, row.policy, row.rules = composition.label, composition.policy, composition.rules
    _empty(row, now_us)
    _fill(row, composition.parts, now_us)
    _revise(row, now_us)
    _remember(row, package_events.AMENDED, _composed(row), actor, now_us)
    return row


@transaction.atomic
def split_package(
    *, package_id: str, holder_id: int, parts: Sequence[PartFacts], label: str, child_id: str, actor: str, now_us: int
) -> tuple[Package, Package]:
    """(what is left, a new package of `parts` under the same policy).

    Raises LifecycleRefusedError `package_ended`, `right_not_held`, `package_split`, and what the package's policy says
    of dividing it: `not_splittable`, `below_min_transfer`.
    """
    row = _held(package_id, holder_id)
    policy = read_policy(row.policy)
    if not policy.splittable:
        raise CompositionRefusedError([Refusal("not_splittable", "the package's policy forbids a split")])
    held = {part.right_id: part for part in parts_of(row)}
    if len({part.right_id for part in parts}) < len(parts):
        raise CompositionRefusedError([Refusal("package_split", "a right is named once", "parts")])
    for position, part in enumerate(parts):
        where = f"parts.{position}.units"
        if part.units < policy.min_transfer_units:
            words = f"the package's policy lets no fewer than {policy.min_transfer_units} units leave it"
            raise CompositionRefusedError([Refusal("below_min_transfer", words, where)])
        if part.right_id not in held or part.units > held[part.right_id].units:
            raise CompositionRefusedError(
                [Refusal("package_split", f"the package has no {part.units} units of rgt_{part.right_id}", where)]
            )
    taken = {part.right_id: part.units for part in parts}
    left = [
        msgspec.structs.replace(part, units=part.units - taken.get(part.right_id, 0))
        for part in held.values()
        if part.units > taken.get(part.right_id, 0) or is_at_work(row, part.right_id)
    ]
    if not left:
        raise CompositionRefusedError([Refusal("package_split", "something has to stay in the package", "parts")])
    shapeless = part_refusals(row.type, left)
    if shapeless:
        raise CompositionRefusedError([Refusal("package_split", f"what stays would be no {row.type}: {shapeless[0].detail}", "parts")])
    leaving = [msgspec.structs.replace(held[part.right_id], units=part.units) for part in parts]
    _empty(row, now_us)
    _fill(row, left, now_us)
    _revise(row, now_us)
    _remember(row, package_events.SPLIT, _composed(row), actor, now_us)
    composition = Composition(row.type, label, leaving, row.policy, row.rules)
    child = create_package(holder=row.holder, composition=composition, package_id=child_id, parent=row, actor=actor, now_us=now_us)
    return row, child


@transaction.atomic
def transfer_package(
    *,
    package_id: str,
    holder_id: int,
    taker: Account,
    mint: Mint,
    actor: str,
    now_us: int,
    payment: Sequence[Move] = (),
    entry_id: str | None = None,
    tell: Tell | None = None,
) -> Moved:
    """The whole package from its holder to `taker`, every component through its gate, and the package's own policy too.

    `tell` as in `transfer_units`. Raises TransferRefused, LifecycleRefusedError `package_ended`, `right_not_held`.
    """
    row = _held(package_id, holder_id)
    giver, parts = row.holder, [part for part in parts_of(row) if part.units]
    if not parts:
        raise lifecycle_refused("units_unavailable", "everything in the package is at work")
    moved = transfer_units(
        parts=[Part(part.right_id, part.units) for part in parts],
        giver=giver,
        taker=taker,
        mint=mint,
        actor=actor,
        now_us=now_us,
        payment=payment,
        entry_id=entry_id,
        unlock=[public("pkg", str(row.uuid))],
        own=_own_policy(row),
        tell=tell,
    )
    row.holder = row.controller = taker
    row.parts.filter(removed_at=None).update(removed_at=to_datetime(now_us))
    received = [msgspec.structs.replace(part, right_id=moved.receives[part.right_id]) for part in parts]
    _fill(row, received, now_us)
    _revise(row, now_us)
    fact = package_events.transferred(giver=str(giver.uuid), taker=str(taker.uuid), entry=moved.entry_id, parts=received)
    _remember(row, package_events.TRANSFERRED, fact, actor, now_us)
    return moved


@transaction.atomic
def finalize_package(*, package_id: str, holder_id: int, reason: str, actor: str, now_us: int) -> Package:
    """Take it apart; its units are free again. Raises LifecycleRefusedError `package_ended`, `right_not_held`, ReasonMissing."""
    row = _held(package_id, holder_id)
    reason = stated_reason(reason)
    _empty(row, now_us)
    row.state = "finalized"
    _revise(row, now_us)
    _remember(row, package_events.FINALIZED, package_events.finalized(reason=reason), actor, now_us)
    return row


def draw(*, row: Package, right_id: str, units: int, now_us: int) -> list[PartFacts]:
    """Free what the package, which is under lock, holds, for a use of `units` of one of its rights; what it has after that: see `refill`.

    Raises LifecycleRefusedError `units_unavailable`.
    """
    parts = parts_of(row)
    have = sum(part.units for part in parts if part.right_id == right_id)
    if units > have:
        raise lifecycle_refused("units_unavailable", f"{units} units asked of rgt_{right_id}, the package has {have}")
    _empty(row, now_us)
    left = [msgspec.structs.replace(part, units=part.units - units * (part.right_id == right_id)) for part in parts]
    return [part for part in left if part.units or is_at_work(row, part.right_id)]


def refill(*, row: Package, parts: Sequence[PartFacts], actor: str, now_us: int) -> None:
    """Hold again what is left in a package that something was drawn from; one that was used up has ended."""
    if parts:
        _fill(row, parts, now_us)
    else:
        row.state = "finalized"
    kind, fact = revised(row, parts, now_us)
    _remember(row, kind, fact, actor, now_us)


def revised(row: Package, parts: Sequence[PartFacts], now_us: int) -> tuple[str, package_events.Payload]:
    """The package, of which something was used, has another revision with these parts; the fact, by type."""
    _revise(row, now_us)
    if row.state == "finalized":
        return package_events.FINALIZED, package_events.finalized(reason="used up")
    return package_events.AMENDED, _composed(row, parts)


_AT_WORK = "SELECT 1 FROM settlement_route WHERE package_id = %s AND right_id = %s AND state IN ('locked', 'executing') LIMIT 1"


def is_at_work(row: Package, right_id: str) -> bool:
    """Whether a route has taken units of the right out of the package, which is under lock, and may bring some back."""
    return rows.fetch_one(_AT_WORK, [row.pk, right_id]) is not None


@transaction.atomic
def drop_ended_parts(*, package_id: str, actor: str, now_us: int) -> Package:
    """Let go of what is in it of rights whose time is over: nothing may be locked for ever, and a locked right can't expire.

    What is left stays the package if it still has its type's shape; otherwise it is taken apart. Raises LifecycleRefusedError
    `package_ended`.
    """
    row = locked_package(package_id)
    parts = parts_of(row)
    rights = Right.objects.select_related("series").filter(pk__in=[part.right_id for part in parts]).order_by("pk")
    locked = rights.select_for_update(of=("self",), no_key=True)  # what is in a package is never amended, so it keeps its series
    over = {str(right.pk) for right in locked if right_window_end_us(right) <= now_us}
    left = [part for part in parts if part.right_id not in over]
    if len(left) == len(parts):
        return row
    if part_refusals(row.type, left):
        _empty(row, now_us)
        row.state = "finalized"
        kind, fact = package_events.FINALIZED, package_events.finalized(reason="the windows of its parts are over")
    else:
        release_units(refs=[public("pkg", str(row.uuid))], now_us=now_us, only=over)
        row.parts.filter(removed_at=None, right_id__in=over).update(removed_at=to_datetime(now_us))
        kind, fact = package_events.AMENDED, _composed(row)
    _revise(row, now_us)
    _remember(row, kind, fact, actor, now_us)
    return row


def locked_package(package_id: str) -> Package:
    """The package under lock. Raises Package.DoesNotExist, LifecycleRefusedError `package_ended`."""
    # Without joins: a row that changed hands while this waited for it would no longer meet the holder it was joined to.
    row = Package.objects.select_for_update(no_key=True).get(uuid=package_id)
    if row.state != "active":
        raise lifecycle_refused("package_ended", "the package was taken apart")
    return row


def _held(package_id: str, holder_id: int) -> Package:
    row = locked_package(package_id)
    if row.holder_id != holder_id:
        raise lifecycle_refused("right_not_held", "the package is in other hands")
    return row


def parts_of(row: Package) -> list[PartFacts]:
    """The parts it has now, in order."""
    return [
        PartFacts(str(part.right_id), part.units, part.tier, part.branch) for part in row.parts.filter(removed_at=None).order_by("position")
    ]


def _check(composition: Composition) -> None:
    refusals = part_refusals(composition.type, composition.parts)
    refusals += [Refusal("package_policy", f.detail, f"policy.{f.field}".rstrip(".")) for f in policy_faults(composition.policy)]
    if not refusals:
        policies = Right.objects.filter(pk__in=[part.right_id for part in composition.parts]).values_list(
            "terms__transfer_policy", flat=True
        )
        loosened = loosened_fields(composition.policy, list(policies))
        words = "is looser than a component has it; a package's policy only tightens"
        refusals += [Refusal("package_policy", words, f"policy.{field}") for field in loosened]
    if refusals:
        raise CompositionRefusedError(refusals)


# Of a package's own policy these two are about dividing it, not about what moves with it.
_OF_A_SPLIT = ("splittable", "min_transfer_units")


def _own_policy(row: Package) -> TransferPolicy | None:
    """What the package's policy adds to the terms of every right that moves with it; what it leaves open it leaves to them."""
    stated = {field: value for field, value in row.policy.items() if field not in _OF_A_SPLIT}
    return read_policy({"pre_activation_transfer": True, **stated}) if stated else None


def _fill(row: Package, parts: Sequence[PartFacts], now_us: int) -> None:
    ref = public("pkg", str(row.uuid))
    lock_units(locks=[Lock(part.right_id, LOCK, ref, part.units) for part in parts if part.units], holder_id=row.holder_id, now_us=now_us)
    PackagePart.objects.bulk_create(
        PackagePart(package=row, position=n, right_id=part.right_id, units=part.units, tier=part.tier, branch=part.branch)
        for n, part in enumerate(parts)
    )


def _empty(row: Package, now_us: int) -> None:
    release_units(refs=[public("pkg", str(row.uuid))], now_us=now_us)
    row.parts.filter(removed_at=None).update(removed_at=to_datetime(now_us))


def _revise(row: Package, now_us: int) -> None:
    row.revision += 1
    row.updated_at = to_datetime(now_us)
    row.save(update_fields=["label", "policy", "rules", "holder", "controller", "state", "revision", "updated_at"])


def _composed(row: Package, parts: Sequence[PartFacts] | None = None) -> package_events.Payload:
    return package_events.composed(
        package_type=row.type,
        holder=str(row.holder.uuid),
        label=row.label,
        policy=row.policy,
        rules=row.rules,
        parts=parts_of(row) if parts is None else parts,
        parent=None if row.parent is None else str(row.parent.uuid),
    )


def _remember(row: Package, kind: str, payload: package_events.Payload, actor: str, now_us: int) -> None:
    event = NewEvent(kind, "package", public("pkg", str(row.uuid)), payload)
    append(stream_id=stream_for(REGISTRY), events=[event], actor=actor, now_us=now_us)
