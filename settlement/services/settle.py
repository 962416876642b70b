"""What a receipt comes to (SPEC §9): classified by the pure rules, units and money moved accordingly, final at once or after a window.

Locks: the request's row (its settlement and routes with it), a package and a delegation, rights, balances, streams (ARCHITECTURE.md).
Units move when a settlement is classified, money when it is final; until then it sits in `venue:escrow`.
"""

from collections.abc import Sequence

import msgspec

from rights.domain import package_events
from rights.kernel import rows
from rights.kernel.clock import rfc3339, to_datetime
from rights.kernel.ids import public
from rights.kernel.trip import Trip
from rights.services.delegations import count_use
from rights.services.deliveries import Held
from rights.services.journal import NewEvent, append_each
from rights.services.use_locked import Take, Taken, ask_take, use_locked
from rights.services.venue import venue_account
from settlement.domain import settlement_events as told
from settlement.domain.classification import Classified
from settlement.domain.consequences import Lock, Share, share_of
from settlement.domain.receipt_body import LegTold, Told
from settlement.domain.settlement_states import CLASSIFIED, Outcome, SettlementEvent, SettlementState, may_move
from settlement.models import Settlement
from settlement.services.case import Case, LockedRoute
from settlement.services.compensation import custom_minor
from settlement.services.deliver import asset_ids
from settlement.services.ledger import Key, Move, ask_post

CONSUMED, ESCROW = "units:consumed", "venue:escrow"
FIRST_CASH_LEG = 1_000  # a settlement's legs: units from 0, cash from here, what a reversal gives back from FIRST_REVERSED_LEG
FIRST_REVERSED_LEG = 2_000
_STEP = """
UPDATE settlement_settlement SET state = %s, last_event = %s, outcome = %s, rule = %s, digest = %s, units = %s, payout_minor = %s,
       compensation_minor = %s, release_minor = %s, missing = %s, proof_due_at = %s, window_ends_at = %s, updated_at = %s, finalized_at = %s
WHERE id = %s
"""
_ROUTES_END = "UPDATE settlement_route SET state = %s, ended_at = %s WHERE id = ANY(%s::uuid[])"
_SETTLED = "UPDATE settlement_request SET state = 'settled', updated_at = %s WHERE id = %s"
# Other requests that used units of the right and are not final: some of that may come back to it.
_TENTATIVE = """
SELECT DISTINCT t.right_id::text FROM settlement_route t JOIN settlement_settlement s ON s.request_id = t.request_id
WHERE t.right_id = ANY(%s::uuid[]) AND t.state = 'completed' AND s.state <> 'finalized' AND t.request_id <> %s
"""

Fact = tuple[int, NewEvent]  # an event and the stream it goes to


class StepRefused(Exception):
    """The table of SPEC §9 has no such step; nothing was written."""

    def __init__(self, settlement: Settlement, event: SettlementEvent) -> None:
        super().__init__(f"a settlement that is {settlement.state} knows no {event}")
        self.state, self.event = settlement.state, event


class Slice(msgspec.Struct, frozen=True):
    """A route with what becomes of its lock."""

    route: LockedRoute
    share: Share
    leg: LegTold | None


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


def slices_of(case: Case, receipt: Told, outcome: Outcome) -> list[Slice]:
    """What an outcome does to every route's lock."""
    legs = {leg.route_id: leg for leg in receipt.legs}
    manifests = case.manifests()
    found = []
    for route in case.routes:
        leg = legs.get(route.id)
        policy = manifests[route.id].document["settlement_policy"]["refund_policy"]
        loss = 0 if leg is None else leg.quality_loss_bps
        lock = Lock(route.units, route.escrow_minor, policy)
        own = custom_minor(case=case, route=route, leg=leg) if policy == "custom" and outcome is Outcome.FALLBACK else None
        units = 0 if leg is None else leg.delivered_units
        share = share_of(outcome=outcome, lock=lock, delivered_units=units, quality_loss_bps=loss, custom_minor=own)
        found.append(Slice(route, share, leg))
    return found


def shares_told(slices: Sequence[Slice], state: str) -> list[told.ShareTold]:
    """The slices as events tell them; `state` is what their routes have become."""
    return [
        told.ShareTold(
            each.route.id,
            each.route.right_id,
            state,
            each.route.units,
            each.share.used,
            each.share.payout_minor,
            each.share.compensation_minor,
            each.share.release_minor,
        )
        for each in slices
    ]


def weigh(settlement: Settlement, slices: Sequence[Slice]) -> None:
    """The settlement's amounts: the sums of its slices."""
    settlement.units = sum(each.share.used for each in slices)
    settlement.payout_minor = sum(each.share.payout_minor for each in slices)
    settlement.compensation_minor = sum(each.share.compensation_minor for each in slices)
    settlement.release_minor = sum(each.share.release_minor for each in slices)


def about(settlement: Settlement, kind: str, payload: told.Payload) -> NewEvent:
    """A fact about the settlement, found from its request and receipt too."""
    refs = {"receipt": public("rcp", str(settlement.receipt_id)), "request": public("req", str(settlement.request_id))}
    return NewEvent(kind, "settlement", public("stl", str(settlement.id)), payload, refs)


def classify_now(
    *, case: Case, settlement: Settlement, receipt: Told, verdict: Classified, cause: SettlementEvent, now_us: int
) -> list[Fact]:
    """Classify, move the units, and finalize or open the window; what is to be remembered. Inside `rows.together`."""
    slices = slices_of(case, receipt, verdict.outcome)
    settlement.outcome, settlement.rule, settlement.digest = str(verdict.outcome), verdict.rule, verdict.digest
    settlement.missing, settlement.proof_due_at = [], None
    weigh(settlement, slices)
    step(settlement, cause, CLASSIFIED[verdict.outcome], now_us)
    ran = any(route.state == "executing" for route in case.routes)
    window_s = case.dispute_window_s if ran else 0
    # Only what was executed can be argued about: a lock that nobody used is simply let go.
    state = "completed" if ran else "released"
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
    events: list[Fact] = [(case.stream_id, about(settlement, told.CLASSIFIED, fact))]
    moves: list[Move] = []
    if window_s:
        settlement.window_ends_at = to_datetime(now_us + window_s * 1_000_000)
        step(settlement, SettlementEvent.DISPUTE_WINDOW_OPENED, SettlementState.PENDING_DISPUTE_WINDOW, now_us)
        until = rfc3339(now_us + window_s * 1_000_000)
        events.append((case.stream_id, about(settlement, told.WINDOW_OPENED, told.window_opened(until=until))))
    else:
        moves, more = finalize_now(case, settlement, slices, SettlementEvent.NO_DISPUTE_WINDOW, state, now_us)
        events += more
    if slices:
        rows.write(_ROUTES_END, [state, rfc3339(now_us), rows.array(each.route.id for each in slices)])
        events += _move_units(case, settlement, slices, moves, is_final=not window_s, now_us=now_us)
    return events


def finalize_now(
    case: Case, settlement: Settlement, slices: Sequence[Slice], cause: SettlementEvent, state: str, now_us: int
) -> tuple[list[Move], list[Fact]]:
    """Make it final: the cash to move, and what is to be remembered. The request is settled with it."""
    step(settlement, cause, SettlementState.FINALIZED, now_us)
    rows.write(_SETTLED, [rfc3339(now_us), case.id])
    moves, cash = cash_moves(case, str(settlement.id), slices, now_us)
    fact = told.finalized(
        request=case.id,
        cause=str(cause),
        shares=shares_told(slices, state),
        moves=cash,
        outcome=settlement.outcome,
        rule=settlement.rule,
    )
    return moves, [(case.stream_id, about(settlement, told.FINALIZED, fact))]


def cash_moves(case: Case, entry_id: str, slices: Sequence[Slice], now_us: int) -> tuple[list[Move], list[told.CashTold]]:
    """Every route's escrow, to whom it belongs."""
    moves: list[Move] = []
    cash: list[told.CashTold] = []
    if not any(each.route.escrow_minor for each in slices):
        return moves, cash
    escrow = venue_account(code=ESCROW, now_us=now_us).pk
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


def _move_units(
    case: Case, settlement: Settlement, slices: Sequence[Slice], moves: list[Move], *, is_final: bool, now_us: int
) -> list[Fact]:
    """The used units leave their holder, all locks are let go, and the cash that is due moves in the same entry."""
    takes = [Take(each.route.right_id, each.route.public_id, each.route.units, each.share.used, each.route.locked_us) for each in slices]
    right_ids = sorted({take.right_id for take in takes})
    ref = public("stl", str(settlement.id))
    streams = {each.route.right_id: each.route.stream_id for each in slices}
    events: list[Fact] = []
    for take in takes:
        if case.delegation_id is not None and take.used:
            events += _delegated(case, take, ref, streams[take.right_id])
    trip = Trip()
    taken = ask_take(trip, right_ids=right_ids, refs=[take.ref for take in takes], now_us=now_us)
    trip.go()
    held = _checked(taken, takes)
    assets = asset_ids({right.root_id for right in held.values()})
    holds: dict[Key, int] = {}
    consumed = venue_account(code=CONSUMED, now_us=now_us).pk if any(take.used for take in takes) else 0
    legs: list[Move] = []
    for take in takes:
        right = held[take.right_id]
        key = (right.holder_id, assets[right.root_id])
        holds[key] = holds.get(key, 0) - take.units
        if take.used:
            legs.append(Move(str(settlement.id), len(legs), "consumed", key[1], right.holder_id, consumed, take.used))
    ask_post(trip, moves=[*legs, *moves], holds=holds, now_us=now_us)
    trip.do()
    emptied = [r for r in right_ids if held[r].remaining == sum(take.used for take in takes if take.right_id == r)]
    facts = use_locked(takes=takes, held=held, ref=ref, tentative=_tentative(case, emptied) if is_final else None, now_us=now_us)
    return events + [(streams[event.object_id.removeprefix("rgt_")], event) for event in facts]


def _tentative(case: Case, right_ids: Sequence[str]) -> frozenset[str]:
    """Those of the rights to which something may yet come back."""
    return frozenset(row[0] for row in rows.fetch_all(_TENTATIVE, [rows.array(right_ids), case.id])) if right_ids else frozenset()


def _checked(taken: Taken, takes: Sequence[Take]) -> dict[str, Held]:
    """The rights under lock; every route's lock was there, whole."""
    found = taken.units()
    for take in takes:
        if found.get((take.right_id, take.ref)) != take.units:
            raise AssertionError(f"{take.ref} should lock {take.units} of rgt_{take.right_id}")
    return taken.held()


def _delegated(case: Case, take: Take, ref: str, stream_id: int) -> list[Fact]:
    """What a delegate used counts against the delegation; one that ended meanwhile has its account closed."""
    if case.delegation_id is None or not count_use(delegation_id=case.delegation_id, units=take.used):
        return []
    fact = package_events.used(right=take.right_id, units=take.used, ref=ref)
    return [(stream_id, NewEvent(package_events.USED, "delegation", public("dlg", case.delegation_id), fact))]


def remember(events: Sequence[Fact], *, actor: str, now_us: int) -> None:
    """Append everything of a transaction, last of all."""
    append_each(events=events, actor=actor, now_us=now_us)
