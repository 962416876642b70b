"""What a receipt comes to (SPEC §9): classified by the pure rules, units and money moved accordingly, final at once or after a window.

Locks: the request's row (its settlement and routes with it), a package and a delegation, rights, balances, streams (ARCHITECTURE.md).
Units move when a settlement is classified, money when it is final; until then it sits in `venue:escrow`.
"""

from collections.abc import Mapping, Sequence

import msgspec

from rights.kernel import rows
from rights.kernel.clock import rfc3339, to_datetime
from rights.kernel.ids import Mint, public
from rights.services.journal import NewEvent
from rights.services.use_locked import Take
from rights.services.venue import venue_account
from settlement.domain import settlement_events as told
from settlement.domain.classification import Classified
from settlement.domain.receipt_body import Told
from settlement.domain.settlement_states import CLASSIFIED, Outcome, SettlementEvent, SettlementState, may_move
from settlement.models import Settlement
from settlement.services.case import Case
from settlement.services.grants import Grant
from settlement.services.ledger import Move
from settlement.services.reissue import issue_grants, plan_grants
from settlement.services.remember import remember_use
from settlement.services.slices import Slice, shares_told, slices_of, takes_of, weigh
from settlement.services.tally import count_outcome
from settlement.services.unit_moves import NOTHING, Fact, move_units

ESCROW = "venue:escrow"
FIRST_CASH_LEG = 1_000  # a settlement's legs: units from 0, cash from here, what a reversal gives back from FIRST_REVERSED_LEG
FIRST_REVERSED_LEG = 2_000
_STEP = """
UPDATE settlement_settlement SET state = %s, last_event = %s, outcome = %s, rule = %s, digest = %s, units = %s, payout_minor = %s,
       compensation_minor = %s, release_minor = %s, missing = %s, proof_due_at = %s, window_ends_at = %s, updated_at = %s, finalized_at = %s
WHERE id = %s
"""
_ROUTES_END = "UPDATE settlement_route SET state = %s, ended_at = %s WHERE id = ANY(%s::uuid[])"
_SETTLED = "UPDATE settlement_request SET state = 'settled', updated_at = %s WHERE id = %s"


class StepRefused(Exception):
    """The table of SPEC §9 has no such step; nothing was written."""

    def __init__(self, settlement: Settlement, event: SettlementEvent) -> None:
        super().__init__(f"a settlement that is {settlement.state} knows no {event}")
        self.state, self.event = settlement.state, event


def step(settlement: Settlement, event: SettlementEvent, following: SettlementState, now_us: int) -> None:
    """Move the settlement on, with all its fields as they are in memory. Raises StepRefused."""
    if not may_move(SettlementState(settlement.state), event, following):
        raise StepRefused(settlement, event)
    settlement.state, settlement.last_event, settlement.updated_at = str(following), str(event), to_datetime(now_us)
    if following is SettlementState.FINALIZED:
        settlement.finalized_at = settlement.updated_at
    fields = (
        *(settlement.state, settlement.last_event, settlement.outcome, settlement.rule, settlement.digest, settlement.units),
        *(
            settlement.payout_minor,
            settlement.compensation_minor,
            settlement.release_minor,
            msgspec.json.encode(settlement.missing).decode(),
        ),
        *(settlement.proof_due_at, settlement.window_ends_at, settlement.updated_at, settlement.finalized_at, str(settlement.id)),
    )
    rows.write(_STEP, fields)


def about(settlement: Settlement, kind: str, payload: told.Payload) -> NewEvent:
    """A fact about the settlement, found from its request and receipt too."""
    refs = {"receipt": public("rcp", str(settlement.receipt_id)), "request": public("req", str(settlement.request_id))}
    return NewEvent(kind, "settlement", public("stl", str(settlement.id)), payload, refs)


class Hands(msgspec.Struct, frozen=True):
    """Who acts, with what ids, when."""

    mint: Mint
    actor: str
    now_us: int


def classify_now(
    *, case: Case, settlement: Settlement, receipt: Told, verdict: Classified, cause: SettlementEvent, hands: Hands
) -> list[Fact]:
    """Classify, move the units, and finalize or open the window; what is to be remembered."""
    now_us = hands.now_us
    slices = slices_of(case, receipt, verdict.outcome)
    ran = any(route.state == "executing" for route in case.routes)
    # Only what was executed can be argued about: a lock that nobody used is simply let go.
    window_s, state = (case.dispute_window_s, "completed") if ran else (0, "released")
    grants: Sequence[Grant] = ()
    if not window_s:
        slices, grants = plan_grants(case, slices, mint=hands.mint, now_us=now_us)
    settlement.outcome, settlement.rule, settlement.digest = str(verdict.outcome), verdict.rule, verdict.digest
    settlement.missing, settlement.proof_due_at = [], None
    events = [_classified(case, settlement, slices, cause, state, now_us)]
    if slices:
        rows.write(_ROUTES_END, [state, rfc3339(now_us), rows.array(each.route.id for each in slices)])
    if not window_s:
        ending = Ending(SettlementEvent.NO_DISPUTE_WINDOW, slices, grants, state=state, takes=takes_of(slices))
        return events + conclude(case, settlement, ending, hands)
    settlement.window_ends_at = to_datetime(now_us + window_s * 1_000_000)
    step(settlement, SettlementEvent.DISPUTE_WINDOW_OPENED, SettlementState.PENDING_DISPUTE_WINDOW, now_us)
    until = rfc3339(now_us + window_s * 1_000_000)
    events.append((case.stream_id, about(settlement, told.WINDOW_OPENED, told.window_opened(until=until))))
    return events + move_units(case=case, settlement=settlement, takes=takes_of(slices), is_final=False, now_us=now_us)


def reclassify_now(case: Case, settlement: Settlement, slices: Sequence[Slice], now_us: int) -> Fact:
    """The settlement has another outcome, by a reviewer's decision; the fact."""
    return _classified(case, settlement, slices, SettlementEvent.RECLASSIFIED, "completed", now_us)


def _classified(case: Case, settlement: Settlement, slices: Sequence[Slice], cause: SettlementEvent, state: str, now_us: int) -> Fact:
    weigh(settlement, slices)
    step(settlement, cause, CLASSIFIED[Outcome(settlement.outcome)], now_us)
    fact = told.classified(
        request=case.id,
        receipt=str(settlement.receipt_id),
        cause=str(cause),
        outcome=settlement.outcome,
        rule=settlement.rule,
        digest=settlement.digest,
        shares=shares_told(slices, state),
        reserved_units=settlement.reserved_units,
        escrow_minor=settlement.escrow_minor,
    )
    return case.stream_id, about(settlement, told.CLASSIFIED, fact)


class Ending(msgspec.Struct, frozen=True):
    """How a settlement becomes final: by which event, what it does to every route, and what units move with it."""

    cause: SettlementEvent
    slices: Sequence[Slice]
    grants: Sequence[Grant] = ()
    state: str = "completed"  # of its routes
    takes: Sequence[Take] = ()
    back: Mapping[str, int] = NOTHING
    first_leg: int = 0


def conclude(case: Case, settlement: Settlement, ending: Ending, hands: Hands) -> list[Fact]:
    """Make it final: the escrow goes where it belongs, the request is settled, what is empty is used up. What is to be remembered."""
    now_us, slices = hands.now_us, ending.slices
    weigh(settlement, slices)
    step(settlement, ending.cause, SettlementState.FINALIZED, now_us)
    rows.write(_SETTLED, [rfc3339(now_us), case.id])
    moves, cash = cash_moves(case, str(settlement.id), slices, now_us)
    fact = told.finalized(
        request=case.id,
        cause=str(ending.cause),
        shares=shares_told(slices, ending.state),
        moves=cash,
        outcome=settlement.outcome,
        rule=settlement.rule,
    )
    # What is used only now is closed with its use.
    used_now = {take.right_id for take in ending.takes if take.used}
    closing = sorted({each.route.right_id for each in slices if each.share.used} - used_now)
    moved = move_units(
        case=case,
        settlement=settlement,
        takes=ending.takes,
        back=ending.back,
        cash=moves,
        closing=closing,
        first_leg=ending.first_leg,
        is_final=True,
        now_us=now_us,
    )
    count_outcome(settlement, slices, ran=ending.state == "completed")
    issue_grants(case, settlement, ending.grants, mint=hands.mint, now_us=now_us)
    return [(case.stream_id, about(settlement, told.FINALIZED, fact)), *moved]


def cash_moves(case: Case, entry_id: str, slices: Sequence[Slice], now_us: int) -> tuple[list[Move], list[told.CashTold]]:
    """Every route's escrow, to whom it belongs."""
    moves: list[Move] = []
    cash: list[told.CashTold] = []
    if not any(each.route.escrow_minor for each in slices):
        return moves, cash
    escrow = case.escrow_id or venue_account(code=ESCROW, now_us=now_us).pk
    for each in slices:
        route, share = each.route, each.share
        parts = (
            ("payout", share.payout_minor, route.payee_id, route.payee),
            ("compensation", share.compensation_minor, case.holder_id, f"acc_{case.holder}"),
            ("release", share.release_minor, route.payer_id, route.payer),
        )
        for kind, amount, account_id, account in parts:
            if amount and account_id is not None and account is not None:
                moves.append(Move(entry_id, FIRST_CASH_LEG + len(moves), kind, route.currency_id, escrow, account_id, amount))
                cash.append(told.CashTold(kind, ESCROW, account, route.currency, amount))
    return moves, cash


def remember(events: Sequence[Fact], *, actor: str, now_us: int) -> None:
    """Append everything of a transaction, last of all."""
    remember_use(events=events, actor=actor, now_us=now_us)
