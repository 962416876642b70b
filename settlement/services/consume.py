"""Units are used: they leave the holder for `units:consumed`, in one transaction with the registry's act (SPEC §2, TRUST L4)."""

from django.db import transaction

from rights.domain import package_events
from rights.kernel.ids import Mint, public
from rights.models import Delegation, Package, Right
from rights.services import consume
from rights.services.delegations import Use, covers, owner_of, use_delegation
from rights.services.journal import NewEvent, append
from rights.services.refusals import lifecycle_refused
from rights.services.row import locked
from rights.services.venue import venue_account
from settlement.services.ledger import Move, post, unit_asset
from settlement.services.packages import draw, locked_package, refill

CONSUMED = "units:consumed"


@transaction.atomic
def consume_right(*, right_id: str, units: int, ref: str, mint: Mint, actor: str, now_us: int, under: Use | None = None) -> Right:
    """The right after the use. Only the consumer's role does this. `under` the delegation of somebody who is not the holder.

    A delegation of a package uses what the package has of the right. Raises LifecycleRefusedError; see rights/services/consume.py and
    delegations.py.
    """
    package = None if under is None else _package_of(under)
    used = None if under is None else use_delegation(use=under, units=units, now_us=now_us)
    if used is not None and not covers(used, right_id):
        raise lifecycle_refused("delegation_right", "the delegation is of another right")
    left = None if package is None else draw(row=package, right_id=right_id, units=units, now_us=now_us)
    right = locked(right_id)
    if used is not None and right.holder_id != owner_of(used):
        raise lifecycle_refused("delegation_ended", "the right has gone into other hands since it was delegated")
    if 0 < units <= right.remaining_units - right.reserved_units:  # otherwise the registry refuses below, with the reason
        contra = venue_account(code=CONSUMED, now_us=now_us)
        asset = unit_asset(str(right.root_id))
        post(moves=[Move(mint.uuid(now_us), 0, "consumed", asset, right.holder_id, contra.pk, units)], now_us=now_us)
    consumed = consume.consume_right(right_id=right_id, units=units, ref=ref, actor=actor, now_us=now_us)
    if used is not None:
        fact = package_events.used(right=right_id, units=units, ref=ref)
        event = NewEvent(package_events.USED, "delegation", public("dlg", str(used.uuid)), fact)
        append(stream_id=consumed.series.stream_id, events=[event], actor=actor, now_us=now_us)
    if package is not None and left is not None:
        refill(row=package, parts=left, actor=actor, now_us=now_us)
    return consumed


def _package_of(under: Use) -> Package | None:
    """The package whose delegation this is, under lock: it comes before the delegation."""
    found = Delegation.objects.select_related("package").get(uuid=under.delegation_id)
    return None if found.package is None else locked_package(str(found.package.uuid))
