"""Rights enter and leave the world with their units: the registry's act and the ledger's entry in one transaction.

The assurance or the right is locked first, then balances, then the series' stream (ARCHITECTURE.md, lock order). Issuing posts
before it takes the assurance: the balances of a new right's units are its own, and nobody else can be waiting for them.
"""

from collections.abc import Collection

from django.db import transaction

from rights.domain.manifest import read_manifest
from rights.kernel.ids import Mint
from rights.models import Account, Issuer, Right
from rights.services import expire
from rights.services.backing import locked_with_backing
from rights.services.issue import NewRight, find_assurance
from rights.services.issue import issue_right as register_right
from rights.services.journal import lock_streams
from rights.services.refusals import lifecycle_refused
from rights.services.row import Seen, check_seen, locked
from rights.services.venue import venue_account
from settlement.services.ledger import Move, new_unit_asset, post, unit_asset

ISSUED, EXPIRED, BURNED = "units:issued", "units:expired", "units:burned"


@transaction.atomic
def issue_right(
    *,
    issuer: Issuer,
    holder: Account,
    document: object,
    mint: Mint,
    actor: str,
    now_us: int,
    activate: bool = True,
    units: int | None = None,
) -> Right:
    """The right of the manifest `document`, its units in the holder's inventory; active unless told otherwise.

    The manifest names the assurance. `units`: fewer than it promises, of a right that stands for a part of another one. Raises ManifestRefusedError, IssuanceRefusedError, LifecycleRefusedError.
    """
    manifest = read_manifest(document)
    assurance = find_assurance(issuer=issuer, manifest=manifest)
    right_id = mint.uuid(now_us)
    count = manifest.units if units is None else units
    new = NewRight(right_id=right_id, issuer=issuer, holder=holder, manifest=manifest, assurance=assurance, units=count)
    issued = venue_account(code=ISSUED, now_us=now_us)
    move = Move(mint.uuid(now_us), 0, "issue", new_unit_asset(right_id), issued.pk, holder.pk, count)
    post(moves=[move], now_us=now_us)
    return register_right(new=new, actor=actor, now_us=now_us, activate=activate)


@transaction.atomic
def burn_right(
    *, right_id: str, reason: str, mint: Mint, actor: str, now_us: int, seen: Seen | None = None, approved_by: str | None = None
) -> Right:
    """The burned right; what remained of its units goes to the account of the burned. Raises LifecycleRefusedError.

    `seen`: as it was when this was decided; in other hands or grown it is refused as `right_changed`. `approved_by`: the second person.
    """
    take_back(right_id, BURNED, mint, now_us, seen)
    return expire.burn_right(right_id=right_id, reason=reason, actor=actor, now_us=now_us, approved_by=approved_by)[0]


@transaction.atomic
def finalize_right(
    *,
    right_id: str,
    ref: str,
    reason: str,
    mint: Mint,
    actor: str,
    now_us: int,
    streams: Collection[int] = (),
    seen: Seen | None = None,
    approved_by: str | None = None,
) -> Right:
    """The finalized right; what remained of its units goes to the account of the burned. Raises LifecycleRefusedError.

    `streams`: those that the caller appends to afterwards, the right's own among them; all are locked in order. `seen`, `approved_by`: as
    for burning.
    """
    take_back(right_id, BURNED, mint, now_us, seen)
    lock_streams(streams)
    return expire.finalize_right(right_id=right_id, ref=ref, reason=reason, actor=actor, now_us=now_us, approved_by=approved_by)[0]


def take_back(right_id: str, code: str, mint: Mint, now_us: int, seen: Seen | None = None) -> Right:
    """Lock the right, and post what remains of it from its holder to the venue's account `code`. Raises LifecycleRefusedError."""
    right = locked_with_backing(right_id) if code == BURNED else locked(right_id)
    check_seen(right, seen)
    if right.reserved_units:
        raise lifecycle_refused("units_reserved", f"{right.reserved_units} units are still reserved")
    if right.remaining_units:
        contra = venue_account(code=code, now_us=now_us)
        asset = unit_asset(str(right.root_id))
        move = Move(mint.uuid(now_us), 0, code.removeprefix("units:"), asset, right.holder_id, contra.pk, right.remaining_units)
        post(moves=[move], now_us=now_us)
    return right
