"""A receipt is recorded: exactly one for every request, and what it proves decides (SPEC §8, §9)."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from uuid import UUID

import orjson
from django.db import transaction

from rights.kernel import rows
from rights.kernel.apart import apart
from rights.kernel.clock import rfc3339, to_datetime, to_us
from rights.kernel.ids import Mint, public
from rights.kernel.trip import Trip
from rights.services.journal import NewEvent
from settlement.domain import settlement_events
from settlement.domain.classification import Classified, Pending, classify
from settlement.domain.consequences import WHOLE_BPS
from settlement.domain.proofs import Proof as ProofRead
from settlement.domain.proofs import read_proofs
from settlement.domain.receipt_body import STATUSES, SUCCESSES, NewProof, Told, body_of, told_in
from settlement.domain.request_states import may_become
from settlement.domain.settlement_states import SettlementEvent, SettlementState
from settlement.models import Proof, Receipt, Settlement
from settlement.services.case import Case, ask_case, bounds_of, facts_of
from settlement.services.disputes import Opening, challenge, is_open_to_challenge
from settlement.services.finalize import load_settled
from settlement.services.proof_rows import ReceiptConflict, ReceiptRefused, check_proofs, read_new, read_row, stored_proofs, write_proofs
from settlement.services.reissue import may_grant
from settlement.services.settle import Hands, about, classify_now, remember, step
from settlement.services.unit_moves import Fact

PROOF_S = 300  # so long after a receipt its proofs may still come
_LIVE = """
SELECT c.id::text, c.hash, c.body, s.id::text FROM settlement_receipt c JOIN settlement_settlement s ON s.receipt_id = c.id
WHERE c.request_id = %s AND c.invalidated_at IS NULL
"""
_KEEP_OUTPUT = "UPDATE settlement_requestpayload SET output = %s WHERE request_id = %s"
_STILL = "UPDATE settlement_settlement SET missing = %s, updated_at = %s WHERE id = %s"
_EXECUTED = "UPDATE settlement_request SET state = %s, updated_at = %s, ended_at = %s WHERE id = %s"


@transaction.atomic
def record_receipt(
    *,
    request_id: str,
    told: Told,
    proofs: Sequence[NewProof],
    mint: Mint,
    actor: str,
    now_us: int,
    receipt_id: str | None = None,
    output: str | None = None,
    begun: Sequence[Fact] = (),
) -> Settlement:
    """The settlement of the request's one receipt; classified when the proofs suffice. The same receipt again adds what proofs are new.

    `receipt_id` for whoever has named the receipt before it is there; else it is minted. `output`: the answer that it is about, where that is
    kept for the caller. `begun`: what began in the same transaction, to be remembered before it.

    Raises ReceiptRefused `request_missing`, `request_not_executing`, `receipt_malformed`, `receipt_route`, `receipt_proofs`, and
    ReceiptConflict.
    """
    trip = Trip()
    asked = ask_case(trip, request_id=request_id)
    live = trip.ask(_LIVE, [request_id])
    trip.go()
    case, known = asked.read(), live.one()
    if case is None:
        raise ReceiptRefused("request_missing", "there is no such request")
    body, body_hash = body_of(request_id=request_id, told=told)
    if known is not None:
        receipt_id, stored_hash, _, settlement_id = known
        if stored_hash != body_hash:
            raise ReceiptConflict(receipt_id)
        settlement = Settlement.objects.get(pk=settlement_id)
        return _add(case, settlement, told, proofs, Hands(mint, actor, now_us))
    _check(case, told, proofs)
    receipt = Receipt(id=UUID(receipt_id or mint.uuid(now_us)), request_id=UUID(request_id), status=told.status, body=body, hash=body_hash)
    settlement = Settlement(
        id=UUID(mint.uuid(now_us)),
        request_id=UUID(request_id),
        receipt_id=receipt.id,
        reserved_units=case.reserved_units,
        escrow_minor=case.escrow_minor,
        created_at=to_datetime(now_us),
    )
    with _writing(case):
        if output is not None:
            rows.write(_KEEP_OUTPUT, [output, request_id])
        events = [*begun, *_record(case, receipt, settlement, proofs, now_us)]
        events += _decide(case, settlement, told, read_new(proofs), hands=Hands(mint, actor, now_us))
        remember(events, actor=actor, now_us=now_us)
    return settlement


@transaction.atomic
def add_proofs(*, receipt_id: str, proofs: Sequence[NewProof], mint: Mint, actor: str, now_us: int) -> Settlement:
    """Proofs that come later; those that are there already are left alone. Classifies when they suffice now.

    Raises ReceiptRefused `receipt_missing`, `receipt_proofs`, `settlement_final`.
    """
    found = Receipt.objects.filter(pk=receipt_id).values_list("request_id", "body").first()
    if found is None:
        raise ReceiptRefused("receipt_missing", "there is no such receipt")
    request_id, body = found
    trip = Trip()
    asked = ask_case(trip, request_id=str(request_id))
    trip.go()
    case = asked.read()
    if case is None:
        raise ReceiptRefused("request_missing", "there is no such request")
    settlement = Settlement.objects.get(request_id=request_id)
    return _add(case, settlement, told_in(orjson.loads(body)), proofs, Hands(mint, actor, now_us))


def proof_deadlines_due(*, mint: Mint, actor: str, now_us: int, most: int = 100) -> int:
    """What is still not proven at its deadline has failed; how many. Each in its own transaction; one that is locked waits for the next look."""
    due = Settlement.objects.filter(state="pending_proof", proof_due_at__lte=to_datetime(now_us)).order_by("proof_due_at")
    done = 0
    for pk in due.values_list("request_id", flat=True)[:most]:
        with apart(f"the proof deadline of req_{pk}"):
            done += _overdue(str(pk), mint=mint, actor=actor, now_us=now_us)
    return done


_FREE = "SELECT 1 FROM settlement_request WHERE id = %s FOR NO KEY UPDATE SKIP LOCKED"


@transaction.atomic
def _overdue(request_id: str, *, mint: Mint, actor: str, now_us: int) -> bool:
    if rows.fetch_one(_FREE, [request_id]) is None:
        return False
    trip = Trip()
    asked = ask_case(trip, request_id=request_id)
    trip.go()
    case = asked.read()
    settlement = Settlement.objects.select_related("receipt").get(request_id=request_id)
    due_at = settlement.proof_due_at
    if case is None or settlement.state != SettlementState.PENDING_PROOF or due_at is None or due_at > to_datetime(now_us):
        return False
    told = told_in(orjson.loads(settlement.receipt.body))
    with _writing(case):
        events = _decide(case, settlement, told, stored_proofs(settlement), hands=Hands(mint, actor, now_us), is_over=True)
        remember(events, actor=actor, now_us=now_us)
    return True


def _add(case: Case, settlement: Settlement, told: Told, proofs: Sequence[NewProof], hands: Hands) -> Settlement:
    """Record the proofs that are new, and decide if that was what it waited for. The request's row is locked."""
    stored = list(Proof.objects.filter(receipt_id=settlement.receipt_id).order_by("number"))
    there = {(p.type, p.reference, p.content_hash, p.producer, p.units, p.signature) for p in stored}
    fresh = [p for p in proofs if (p.type, p.reference, p.content_hash, p.producer, p.units, p.signature) not in there]
    if not fresh:
        return settlement
    if settlement.state == SettlementState.FINALIZED:
        raise ReceiptRefused("settlement_final", "the settlement is final; no proof changes it")
    check_proofs(fresh, len(stored))
    with _writing(case):
        lines = write_proofs(str(settlement.receipt_id), fresh, len(stored), hands.now_us)
        events: list[Fact] = [(case.stream_id, _of_receipt(settlement, settlement_events.PROVEN, settlement_events.proven(proofs=lines)))]
        if settlement.state == SettlementState.PENDING_PROOF:
            events += _decide(case, settlement, told, [*map(read_row, stored), *read_new(fresh)], hands=hands)
        elif settlement.state == SettlementState.PENDING_DISPUTE_WINDOW:
            events += _contradicted(settlement, [*map(read_row, stored), *read_new(fresh)], hands)
        remember(events, actor=hands.actor, now_us=hands.now_us)
    return settlement


def _contradicted(settlement: Settlement, proofs: Sequence[ProofRead], hands: Hands) -> list[Fact]:
    """Proofs that came late and contradict the others open a dispute by themselves (SPEC §9)."""
    conflicts = read_proofs(proofs, needed=()).conflicts
    settled = load_settled(str(settlement.request_id))
    if not conflicts or not is_open_to_challenge(settled.settlement, hands.now_us):
        return []
    opening = Opening(hands.mint.uuid(hands.now_us), None, f"proofs contradict each other: {', '.join(conflicts)}")
    _, events = challenge(settled, opening, actor=hands.actor, now_us=hands.now_us)
    settlement.state, settlement.last_event = settled.settlement.state, settled.settlement.last_event
    return events


def _writing(case: Case) -> AbstractContextManager[None]:
    """Writes go together, unless a right may have to be issued, which reads what it has written."""
    return nullcontext() if may_grant(case) else rows.together()


def _check(case: Case, told: Told, proofs: Sequence[NewProof]) -> None:
    """Raise ReceiptRefused when the request can't end so now, or the receipt says what can't be."""
    if told.status not in STATUSES:
        raise ReceiptRefused("receipt_malformed", f"a status is one of {', '.join(STATUSES)}", "status")
    if not may_become(case.state, told.status) or (told.status in SUCCESSES and not case.routes):
        raise ReceiptRefused("request_not_executing", f"a request that is {case.state} can't end as {told.status}")
    routes = {route.id for route in case.routes}
    named = [leg.route_id for leg in told.legs]
    if len(set(named)) < len(named) or not routes >= set(named):
        raise ReceiptRefused("receipt_route", "each leg is of one route of the request that is under lock", "legs")
    for number, leg in enumerate(told.legs):
        amounts = (leg.delivered_units, leg.billable_units, leg.latency_us, leg.queue_us, leg.latency_expansion_bps)
        if min(amounts) < 0 or max(amounts) >= 2**63 or not 0 <= leg.quality_loss_bps <= WHOLE_BPS:
            raise ReceiptRefused("receipt_malformed", "amounts are not below zero, losses at most 10000 bps", f"legs.{number}")
    check_proofs(proofs, 0)


def _record(case: Case, receipt: Receipt, settlement: Settlement, proofs: Sequence[NewProof], now_us: int) -> list[Fact]:
    """Write receipt, proofs and an unsettled settlement; the request has come to an end."""
    at = rfc3339(now_us)
    rows.copy_rows(
        "settlement_receipt",
        "id, request_id, status, body, hash, recorded_at",
        [f"{receipt.id}\t{case.id}\t{receipt.status}\t{rows.escape(receipt.body)}\t{receipt.hash}\t{at}"],
    )
    told = write_proofs(str(receipt.id), proofs, 0, now_us)
    columns = "id, request_id, receipt_id, state, last_event, outcome, rule, digest, reserved_units, units, escrow_minor"
    amounts = f"{settlement.reserved_units}\t0\t{settlement.escrow_minor}"
    rows.copy_rows(
        "settlement_settlement",
        f"{columns}, payout_minor, compensation_minor, release_minor, missing, created_at, updated_at",
        [f"{settlement.id}\t{case.id}\t{receipt.id}\tunsettled\t\t\t\t\t{amounts}\t0\t0\t0\t[]\t{at}\t{at}"],
    )
    rows.write(_EXECUTED, [receipt.status, at, at, case.id])
    executed = NewEvent(settlement_events.EXECUTED, "request", case.public_id, settlement_events.executed(status=receipt.status))
    payload = settlement_events.recorded(request=case.id, status=receipt.status, body=receipt.body, body_hash=receipt.hash, proofs=told)
    return [(case.stream_id, executed), (case.stream_id, _of_receipt(settlement, settlement_events.RECORDED, payload))]


def _decide(
    case: Case,
    settlement: Settlement,
    told: Told,
    proofs: Sequence[ProofRead],
    *,
    hands: Hands,
    is_over: bool = False,
) -> list[Fact]:
    """Classify, or wait for what is missing; what is to be remembered."""
    verdict = classify(bounds=bounds_of(case), facts=facts_of(case, told), proofs=proofs, is_over=is_over)
    if isinstance(verdict, Classified):
        cause = SettlementEvent.PROOF_DEADLINE_PASSED if is_over else SettlementEvent.PROOFS_SUFFICIENT
        return classify_now(case=case, settlement=settlement, receipt=told, verdict=verdict, cause=cause, hands=hands)
    return _wait(case, settlement, verdict, hands.now_us)


def _wait(case: Case, settlement: Settlement, verdict: Pending, now_us: int) -> list[Fact]:
    """Nothing is decided: what the routes locked stays locked, until the proofs come or their time is over."""
    missing = [*verdict.missing, *(f"conflict:{kind}" for kind in verdict.conflicts)]
    due_at = settlement.proof_due_at or to_datetime(now_us + PROOF_S * 1_000_000)
    if settlement.state == SettlementState.PENDING_PROOF:
        if missing == settlement.missing:
            return []
        settlement.missing = missing
        rows.write(_STILL, [orjson.dumps(missing).decode(), rfc3339(now_us), str(settlement.id)])
    else:
        settlement.missing, settlement.proof_due_at = missing, due_at
        step(settlement, SettlementEvent.PROOFS_INCOMPLETE, SettlementState.PENDING_PROOF, now_us)
    fact = settlement_events.pending_proof(
        request=case.id,
        receipt=str(settlement.receipt_id),
        reserved_units=settlement.reserved_units,
        escrow_minor=settlement.escrow_minor,
        missing=missing,
        due_at=rfc3339(to_us(due_at)),
    )
    return [(case.stream_id, about(settlement, settlement_events.PENDING_PROOF, fact))]


def _of_receipt(settlement: Settlement, kind: str, payload: settlement_events.Payload) -> NewEvent:
    refs = {"request": public("req", str(settlement.request_id))}
    return NewEvent(kind, "receipt", public("rcp", str(settlement.receipt_id)), payload, refs)
