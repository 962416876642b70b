"""Give a whole right to somebody else, by the registry's word (SPEC §2, holder-reassignment). Every gate is asked as for any transfer."""

from django.db import transaction

from rights.kernel.ids import Mint
from rights.models import Account, Right
from rights.services.amend import remember_reassignment
from rights.services.row import Seen, check_seen
from settlement.services.transfer import Part, transfer_units


@transaction.atomic
def reassign_right(
    *, right_id: str, seen: Seen, taker: Account, reason: str, mint: Mint, actor: str, now_us: int, approved_by: str | None = None
) -> None:
    """Its holder is `taker`. `seen`: the hands it was seen in, and the most it may have by now.

    Raises LifecycleRefusedError `right_changed`, TransferRefused, ReasonMissing.
    """
    right = Right.objects.select_related("holder").get(pk=right_id)
    check_seen(right, seen)
    # Looked at without a lock: the transfer asks under its own who holds it, and what remembers it, whether it went whole.
    transfer_units(parts=[Part(right_id, right.remaining_units)], giver=right.holder, taker=taker, mint=mint, actor=actor, now_us=now_us)
    remember_reassignment(right_id=right_id, holder_id=taker.pk, reason=reason, actor=actor, now_us=now_us, approved_by=approved_by)
