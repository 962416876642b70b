"""Freeze and unfreeze a right at the venue: its resting asks leave the book as recorded commands (SPEC §2).

The right is locked first. A batch that admits an ask locks it too, so the asks read here are all that will ever rest on it.
"""

from django.db import transaction

from exchange.domain.command import Reason
from exchange.services.operator_refusal import OperatorRefusal
from exchange.services.pulls import pull_asks_of_right
from rights.kernel.ids import Mint
from rights.models import Right
from rights.services import freeze
from rights.services.refusals import LifecycleRefusedError
from settlement.services import endings


@transaction.atomic
def freeze_right(*, right_id: str, freeze_reason: str, reason: str, actor: str, now_us: int) -> int:
    """Freeze the right and pull its asks; how many. `freeze_reason` is one of SPEC §2's, `reason` the operator's words.

    Raises OperatorRefusal, ReasonMissing.
    """
    try:
        freeze.freeze_right(right_id=right_id, freeze_reason=freeze_reason, note=reason, actor=actor, now_us=now_us)
    except LifecycleRefusedError as refusal:
        raise OperatorRefusal(refusal.code, str(refusal)) from refusal
    return pull_asks_of_right(right_id=right_id, reason=Reason.RIGHT_FROZEN, actor=actor, now_us=now_us)


@transaction.atomic
def unfreeze_right(
    *,
    right_id: str,
    reason: str,
    freeze_reason: str | None = None,
    mint: Mint | None = None,
    actor: str,
    now_us: int,
    approved_by: str | None = None,
) -> Right:
    """The right as it was before, or what has come true meanwhile. Raises OperatorRefusal, ReasonMissing.

    `freeze_reason`: the only freeze that is lifted; another one is refused as `right_changed`. None: whichever it is.
    An operator's wish comes here through a proposal, with the name of who approved it; an issuer lifts its own pause alone.
    """
    try:
        return endings.unfreeze_right(
            right_id=right_id,
            note=reason,
            freeze_reason=freeze_reason,
            mint=mint or Mint(),
            actor=actor,
            now_us=now_us,
            approved_by=approved_by,
        )
    except LifecycleRefusedError as refusal:
        raise OperatorRefusal(refusal.code, str(refusal)) from refusal
