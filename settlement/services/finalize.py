"""A settlement becomes final (SPEC §9): its window has passed, or its dispute is over. The escrow goes where it belongs."""

from collections.abc import Sequence

import msgspec
import orjson
from django.db import transaction

from rights.kernel import rows
from rights.kernel.apart import apart
from rights.kernel.clock import to_datetime
from rights.kernel.ids import Mint
from rights.kernel.trip import Trip
from rights.services.use_locked import Take
from settlement.domain.receipt_body import Told, told_in
from settlement.domain.settlement_states import Outcome, SettlementEvent, SettlementState
from settlement.models import Settlement
from settlement.services.case import USED, Case, ask_cases
from settlement.services.reissue import plan_grants
from settlement.services.settle import FIRST_REVERSED_LEG, Ending, Hands, conclude, remember
from settlement.services.slices import Slice, slices_of
from settlement.services.unit_moves import Fact

_FREE = "SELECT 1 FROM settlement_request WHERE id = %s FOR NO KEY UPDATE SKIP LOCKED"


class Settled(msgspec.Struct):
    """A settlement that was classified, with its case under lock and the receipt it rests on."""

    case: Case
    settlement: Settlement
    receipt: Told

    def slices(self, outcome: str | None = None) -> list[Slice]:
        """What the outcome, or another one, does to every route."""
        return slices_of(self.case, self.receipt, Outcome(outcome or self.settlement.outcome))


def load_settled(request_id: str) -> Settled:
    """Lock the request and read its settlement. Raises Settlement.DoesNotExist."""
    trip = Trip()
    asked = ask_cases(trip, request_ids=[request_id], states=USED)
    trip.go()
    case = asked.one()
    settlement = Settlement.objects.select_related("receipt").get(request_id=request_id)
    if case is None:
        raise Settlement.DoesNotExist
    return Settled(case, settlement, told_in(orjson.loads(settlement.receipt.body)))


def finalize_due(*, mint: Mint, actor: str, now_us: int, most: int = 100) -> int:
    """Finalize what nobody challenged within its window; how many. Each in its own transaction; what is locked waits for the next look."""
    due = Settlement.objects.filter(state="pending_dispute_window", window_ends_at__lte=to_datetime(now_us)).order_by("window_ends_at")
    done = 0
    for pk in due.values_list("request_id", flat=True)[:most]:
        with apart(f"finalizing what came of req_{pk}"):
            done += _finalize(str(pk), mint=mint, actor=actor, now_us=now_us)
    return done


@transaction.atomic
def _finalize(request_id: str, *, mint: Mint, actor: str, now_us: int) -> bool:
    if rows.fetch_one(_FREE, [request_id]) is None:
        return False
    settled = load_settled(request_id)
    ends_at = settled.settlement.window_ends_at
    if settled.settlement.state != SettlementState.PENDING_DISPUTE_WINDOW or ends_at is None or ends_at > to_datetime(now_us):
        return False
    hands = Hands(mint, actor, now_us)
    remember(finish(settled, SettlementEvent.DISPUTE_WINDOW_PASSED, hands), actor=actor, now_us=now_us)
    return True


def finish(settled: Settled, cause: SettlementEvent, hands: Hands, takes: Sequence[Take] = ()) -> list[Fact]:
    """Make it final as it was classified; `takes` of locks that a dispute held. What is to be remembered."""
    case = settled.case
    slices, grants = plan_grants(case, settled.slices(), mint=hands.mint, now_us=hands.now_us)
    ending = Ending(cause, slices, grants, takes=takes, first_leg=FIRST_REVERSED_LEG)
    return conclude(case, settled.settlement, ending, hands)
