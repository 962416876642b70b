"""Units are used: they leave the holder for `units:consumed`, in one transaction with the registry's act (SPEC §2, TRUST L4)."""

from django.db import transaction

from rights.kernel.ids import Mint
from rights.models import Right
from rights.services import consume
from rights.services.row import locked
from rights.services.venue import venue_account
from settlement.services.ledger import Move, post, unit_asset

CONSUMED = "units:consumed"


@transaction.atomic
def consume_right(*, right_id: str, units: int, ref: str, mint: Mint, actor: str, now_us: int) -> Right:
    """The right after the use. Only the consumer's role does this. Raises LifecycleRefusedError; see rights/services/consume.py."""
    right = locked(right_id)
    if 0 < units <= right.remaining_units - right.reserved_units:  # otherwise the registry refuses below, with the reason
        contra = venue_account(code=CONSUMED, now_us=now_us)
        asset = unit_asset(str(right.root_id))
        post(moves=[Move(mint.uuid(now_us), 0, "consumed", asset.pk, right.holder_id, contra.pk, units)], now_us=now_us)
    return consume.consume_right(right_id=right_id, units=units, ref=ref, actor=actor, now_us=now_us)
