"""Rights enter and leave the world with their units: the registry's act and the ledger's entry in one transaction.

The ledger locks balances first, then the registry locks the right or the assurance (ARCHITECTURE.md, lock order).
"""

from django.db import transaction

from rights.domain.manifest import read_manifest
from rights.kernel.ids import Mint
from rights.models import Account, Issuer, Right
from rights.selectors import right_window_end_us
from rights.services import expire, freeze
from rights.services.activate import activate_right
from rights.services.issue import NewRight, find_assurance
from rights.services.issue import issue_right as register_right
from rights.services.refusals import lifecycle_refused
from rights.services.venue import venue_account
from settlement.services.ledger import Move, post, unit_asset

ISSUED, EXPIRED, BURNED = "units:issued", "units:expired", "units:burned"


@transaction.atomic
def issue_right(*, issuer: Issuer, holder: Account, document: object, mint: Mint, actor: str, now_us: int, activate: bool = True) -> Right:
    """The right of the manifest `document`, its units in the holder's inventory; active unless told otherwise.

    The manifest names the assurance. Raises ManifestRefusedError, IssuanceRefusedError, LifecycleRefusedError.
    """
    manifest = read_manifest(document)
    assurance = find_assurance(issuer=issuer, manifest=manifest)
    right_id = mint.uuid(now_us)
    new = NewRight(right_id=right_id, issuer=issuer, holder=holder, manifest=manifest, assurance=assurance)
    issued = venue_account(code=ISSUED, now_us=now_us)
    move = Move(mint.uuid(now_us), 0, "issue", unit_asset(right_id).pk, issued.pk, holder.pk, manifest.units)
    post(moves=[move], now_us=now_us)
    right = register_right(new=new, actor=actor, now_us=now_us)
    return activate_right(right_id=right_id, actor=actor, now_us=now_us) if activate else right


@transaction.atomic
def expire_right(*, right_id: str, mint: Mint, actor: str, now_us: int) -> Right:
    """The expired right; what remained of its units goes to the account of the expired.

    Raises LifecycleRefusedError: `window_open`, `units_reserved` while an order or a lock holds units of it, and others.
    """
    taken = _take_back(right_id, EXPIRED, mint, now_us)
    right, units = expire.expire_right(right_id=right_id, actor=actor, now_us=now_us)
    _check_taken(taken, units)
    return right


@transaction.atomic
def burn_right(*, right_id: str, mint: Mint, actor: str, now_us: int) -> Right:
    """The burned right; what remained of its units goes to the account of the burned. Raises LifecycleRefusedError."""
    taken = _take_back(right_id, BURNED, mint, now_us)
    right, units = expire.burn_right(right_id=right_id, actor=actor, now_us=now_us)
    _check_taken(taken, units)
    return right


@transaction.atomic
def unfreeze_right(*, right_id: str, note: str, mint: Mint, actor: str, now_us: int) -> Right:
    """The right as it was; when its window ended meanwhile it is expired, and its units leave the holder.

    Raises LifecycleRefusedError, ReasonMissing.
    """
    seen = Right.objects.select_related("series").get(pk=right_id)
    if now_us < right_window_end_us(seen):
        return freeze.unfreeze_right(right_id=right_id, note=note, actor=actor, now_us=now_us)
    taken = _take_back(right_id, EXPIRED, mint, now_us)
    freeze.unfreeze_right(right_id=right_id, note=note, actor=actor, now_us=now_us)
    right, units = expire.expire_right(right_id=right_id, actor=actor, now_us=now_us)
    _check_taken(taken, units)
    return right


def _take_back(right_id: str, code: str, mint: Mint, now_us: int) -> int:
    """Post what remains of the right from its holder to the venue's account `code`; how many units.

    Balances lock before rights, so the amount is read without a lock and compared once the right is locked.
    """
    right = Right.objects.get(pk=right_id)
    if right.reserved_units:
        raise lifecycle_refused("units_reserved", f"{right.reserved_units} units are still reserved")
    if right.remaining_units:
        contra = venue_account(code=code, now_us=now_us)
        asset = unit_asset(str(right.root_id))
        move = Move(mint.uuid(now_us), 0, code.removeprefix("units:"), asset.pk, right.holder_id, contra.pk, right.remaining_units)
        post(moves=[move], now_us=now_us)
    return right.remaining_units


def _check_taken(taken: int, units: int) -> None:
    if taken != units:
        raise lifecycle_refused("right_changed", "the right changed at the same moment; ask again")
