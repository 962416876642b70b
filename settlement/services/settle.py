"""What a receipt comes to (SPEC §9): classified by the pure rules, units and money moved accordingly, final at once or after a window.

Locks: the request's row (its settlement and routes with it), a package and a delegation, rights, balances, streams (ARCHITECTURE.md).
Units move when a settlement is classified, money when it is final; until then it sits in `venue:escrow`.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from rights.kernel import rows
from rights.kernel.clock import rfc3339, to_datetime
from rights.kernel.ids import Mint, public
from rights.kernel.trip import Answer, Trip
from rights.services.journal import NewEvent, ask_heads
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
from settlement.services.tally import Final, ask_counts
from settlement.services.unit_moves import NOTHING, Fact, UnitMove, move_units

ESCROW = "venue:escrow"
FIRST_CASH_LEG = 1_000  # a settlement's legs: units from 0, cash from here, what a reversal gives back from FIRST_REVERSED_LEG
FIRST_REVERSED_LEG = 2_000
_STEP = """
UPDATE settlement_settlement s SET state = w.state, last_event = w.event, outcome = w.outcome, rule = w.rule, digest = w.digest, units = w.units,
       payout_minor = w.payout, compensation_minor = w.compensation, release_minor = w.release, missing = w.missing,
       proof_due_at = w.proof_due_at, window_ends_at = w.window_ends_at, updated_at = w.updated_at, finalized_at = w.finalized_at
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::jsonb[],
            %s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[])
     AS w(id, state, event, outcome, rule, digest, units, payout, compensation, release, missing, proof_due_at, window_ends_at, updated_at, finalized_at)
WHERE s.id = w.id
"""
_ROUTE_ENDS = """
UPDATE settlement_route t SET state = w.state, ended_at = w.at FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[]) AS w(id, state, at) WHERE t.id = w.id
"""
# Its execution ends once; what is settled later has ended before.
_REQUEST_ENDS = """
UPDATE settlement_request q SET state = w.state, updated_at = w.at, ended_at = coalesce(q.ended_at, w.at)
FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[]) AS w(id, state, at) WHERE q.id = w.id
"""


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
    amounts = (settlement.units, settlement.payout_minor, settlement.compensation_minor, settlement.release_minor)
    missing = msgspec.json.encode(settlement.missing).decode()
    times = (settlement.proof_due_at, settlement.window_ends_at, settlement.updated_at, settlement.finalized_at)
    words = (settlement.state, settlement.last_event, settlement.outcome, settlement.rule, settlement.digest)
    rows.write_row(_STEP, str(settlement.id), (settlement.id, *words, *amounts, missing, *times))


def end_request(case: Case, state: str, now_us: int) -> None:
    """The request has come to an end, and is in this state; what comes to be known of it in the same transaction is all it is in."""
    rows.write_row(_REQUEST_ENDS, case.id, (case.id, state, rfc3339(now_us)), is_last_word=True)


def about(settlement: Settlement, kind: str, payload: told.Payload) -> NewEvent:
    """A fact about the settlement, found from its request and receipt too."""
    refs = {"receipt": public("rcp", str(settlement.receipt_id)), "request": public("req", str(settlement.request_id))}
    return NewEvent(kind, "settlement", public("stl", str(settlement.id)), payload, refs)


class Hands(msgspec.Struct, frozen=True):
    """Who acts, with what ids, when."""

    mint: Mint
    actor: str
    now_us: int


class Settling(msgspec.Struct, frozen=True):
    """What a settlement comes to: the facts so far, the units and the cash that move with it, and what follows when it is final."""

    facts: list[Fact]
    move: UnitMove
    ending: "Ending | None" = None


def classify_now(
    *, case: Case, settlement: Settlement, receipt: Told, verdict: Classified, cause: SettlementEvent, hands: Hands
) -> Settling:
    """Classify, and finalize or open the window; what `carry_out` is to do."""
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
    for each in slices:
        rows.write_row(_ROUTE_ENDS, each.route.id, (each.route.id, state, rfc3339(now_us)))
    if not window_s:
        ending = Ending(SettlementEvent.NO_DISPUTE_WINDOW, slices, grants, state=state, takes=takes_of(slices))
        concluding = _concluding(case, settlement, ending, now_us)
        return msgspec.structs.replace(concluding, facts=events + concluding.facts)
    settlement.window_ends_at = to_datetime(now_us + window_s * 1_000_000)
    step(settlement, SettlementEvent.DISPUTE_WINDOW_OPENED, SettlementState.PENDING_DISPUTE_WINDOW, now_us)
    until = rfc3339(now_us + window_s * 1_000_000)
    events.append((case.stream_id, about(settlement, told.WINDOW_OPENED, told.window_opened(until=until))))
    return Settling(events, UnitMove(case, settlement, takes=takes_of(slices), is_final=False))


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
    return carry_out([_concluding(case, settlement, ending, hands.now_us)], hands)


def _concluding(case: Case, settlement: Settlement, ending: Ending, now_us: int) -> Settling:
    slices = ending.slices
    weigh(settlement, slices)
    step(settlement, ending.cause, SettlementState.FINALIZED, now_us)
    end_request(case, "settled", now_us)
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
    move = UnitMove(
        case, settlement, takes=ending.takes, back=ending.back, cash=moves, closing=closing, first_leg=ending.first_leg, is_final=True
    )
    return Settling([(case.stream_id, about(settlement, told.FINALIZED, fact))], move, ending)


def carry_out(settlings: Sequence[Settling], hands: Hands) -> list[Fact]:
    """Move what settlements move, one or several plain ones (`UnitMove.is_plain`, and nothing to grant), and count the final ones.

    What is to be remembered, settlement by settlement.
    """
    return _carried_out(settlings, hands, lambda _: None)


def carry_out_and_remember(settlings: Sequence[Settling], hands: Hands) -> None:
    """The same, where nothing comes between: the streams are locked in the trip that locks what comes before them."""
    if any(settling.ending is not None and settling.ending.grants for settling in settlings):
        remember(carry_out(settlings, hands), actor=hands.actor, now_us=hands.now_us)
        return
    cases = [settling.move.case for settling in settlings]
    streams = {stream for case in cases for stream in (case.stream_id, *(route.stream_id for route in case.routes))}
    heads: dict[int, Answer] = {}
    facts = _carried_out(settlings, hands, lambda trip: heads.update(ask_heads(trip, streams)))
    remember_use(events=facts, actor=hands.actor, now_us=hands.now_us, heads=heads)


def _carried_out(settlings: Sequence[Settling], hands: Hands, last: Callable[[Trip], None]) -> list[Fact]:
    final = [(settling.move, settling.ending) for settling in settlings if settling.ending is not None]
    counted: list[Answer | None] = []

    def behind(trip: Trip) -> None:
        finals = [Final(move.settlement, ending.slices, ran=ending.state == "completed") for move, ending in final]
        counted.append(ask_counts(trip, finals))
        last(trip)

    moved = move_units([settling.move for settling in settlings], hands.now_us, behind)
    for answer in counted:
        if answer is not None:
            answer.count()
    for move, ending in final:
        issue_grants(move.case, move.settlement, ending.grants, mint=hands.mint, now_us=hands.now_us)
    return [fact for settling, facts in zip(settlings, moved, strict=True) for fact in (*settling.facts, *facts)]


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
