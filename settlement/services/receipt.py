"""A receipt is recorded: exactly one for every request, and what it proves decides (SPEC §8, §9)."""

import logging
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from uuid import UUID

import msgspec
import orjson
from django.db import DatabaseError, transaction

from rights.kernel import rows
from rights.kernel.apart import apart
from rights.kernel.clock import rfc3339, to_datetime, to_us
from rights.kernel.ids import Mint, public
from rights.kernel.retry import begun_again, in_one
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
from settlement.services.case import Case, ask_cases, bounds_of, facts_of
from settlement.services.disputes import Opening, challenge, is_open_to_challenge
from settlement.services.finalize import load_settled
from settlement.services.gathered import Apart
from settlement.services.proof_rows import ReceiptConflict, ReceiptRefused, check_proofs, read_new, read_row, stored_proofs, write_proofs
from settlement.services.reissue import may_grant
from settlement.services.settle import Hands, Settling, about, carry_out, carry_out_and_remember, classify_now, end_request, remember, step
from settlement.services.unit_moves import Fact, UnitMove

PROOF_S = 300  # so long after a receipt its proofs may still come
_LIVE = """
SELECT c.request_id::text, c.id::text, c.hash, s.id::text FROM settlement_receipt c
JOIN settlement_settlement s ON s.receipt_id = c.id AND s.request_id = c.request_id
WHERE c.request_id = ANY(%s::uuid[]) AND c.invalidated_at IS NULL
"""
_KEEP_OUTPUT = """
UPDATE settlement_requestpayload p SET output = w.output FROM unnest(%s::uuid[], %s::text[]) AS w(id, output) WHERE p.request_id = w.id
"""
_STILL = "UPDATE settlement_settlement SET missing = %s, updated_at = %s WHERE id = %s"
_LOG = logging.getLogger(__name__)


class NewReceipt(msgspec.Struct, frozen=True):
    """What is told of a request, with its proofs.

    `receipt_id` for whoever has named the receipt before it is there; else it is minted. `output`: the answer that it is about, where that is
    kept for the caller. `begun`: what began in the same transaction, to be remembered before it.
    """

    request_id: str
    told: Told
    proofs: Sequence[NewProof]
    receipt_id: str | None = None
    output: str | None = None
    begun: Sequence[Fact] = ()


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
    """The settlement of the request's one receipt (`NewReceipt`); classified when the proofs suffice. The same receipt again adds what proofs
    are new.

    Raises ReceiptRefused `request_missing`, `request_not_executing`, `receipt_malformed`, `receipt_route`, `receipt_proofs`, and
    ReceiptConflict.
    """
    new, hands = NewReceipt(request_id, told, proofs, receipt_id, output, begun), Hands(mint, actor, now_us)
    cases, live = _locked([request_id])
    case = cases.get(request_id)
    if case is None:
        raise ReceiptRefused("request_missing", "there is no such request")
    if request_id in live:
        return _again(case, new, live[request_id], hands)
    _check(case, told, proofs)
    with _writing(case):
        return _recorded([(case, new)], hands)[0]


def record_receipts(*, receipts: Sequence[NewReceipt], mint: Mint, actor: str, now_us: int) -> list[Settlement | Exception]:
    """As `record_receipt`, of each receipt: its settlement or why there is none, whether it goes with the others or by itself."""
    found = record_together(receipts=receipts, mint=mint, actor=actor, now_us=now_us)
    return [_by_itself(new, mint, actor, now_us) if isinstance(one, Apart) else one for new, one in zip(receipts, found, strict=True)]


def record_together(*, receipts: Sequence[NewReceipt], mint: Mint, actor: str, now_us: int) -> list[Settlement | Exception]:
    """As `record_receipt`, of each receipt that is plain, in one transaction, set by set; Apart of those that are to be done by themselves."""
    hands = Hands(mint, actor, now_us)
    try:
        found = in_one(lambda: _record_plain(receipts, hands), of=len(receipts))
    except DatabaseError:
        _LOG.warning("%d receipts may be recorded or not: each is looked at by itself", len(receipts), exc_info=True)
        found = None
    return [Apart() if found is None or place not in found else found[place] for place in range(len(receipts))]


def record_alone(*, new: NewReceipt, mint: Mint, actor: str, now_us: int) -> Settlement:
    """As `record_receipt`, begun again where it lost against another transaction."""

    def act() -> Settlement:
        return record_receipt(
            request_id=new.request_id,
            told=new.told,
            proofs=new.proofs,
            mint=mint,
            actor=actor,
            now_us=now_us,
            receipt_id=new.receipt_id,
            output=new.output,
            begun=new.begun,
        )

    return begun_again(act, is_patient=True)


def _record_plain(receipts: Sequence[NewReceipt], hands: Hands) -> dict[int, Settlement | Exception]:
    """What became of those that need no other locks than they share, by their place. Of two about one request the first."""
    first: dict[str, int] = {}
    for place, new in enumerate(receipts):
        first.setdefault(new.request_id, place)
    cases, live = _locked(first)
    found: dict[int, Settlement | Exception] = {}
    plain: dict[int, tuple[Case, NewReceipt]] = {}
    for request_id, place in first.items():
        case, new = cases.get(request_id), receipts[place]
        if (
            case is None
            or request_id in live
            or new.begun
            or case.package_id is not None
            or case.delegation_id is not None
            or may_grant(case)
        ):
            continue
        try:
            _check(case, new.told, new.proofs)
        except ReceiptRefused as refused:
            found[place] = refused
        else:
            plain[place] = case, new
    if plain:
        with rows.together():
            found.update(zip(plain, _recorded(list(plain.values()), hands), strict=True))
    return found


def _by_itself(new: NewReceipt, mint: Mint, actor: str, now_us: int) -> Settlement | Exception:
    try:
        return record_alone(new=new, mint=mint, actor=actor, now_us=now_us)
    except Exception as error:  # noqa: BLE001 - whatever it is, whoever told of it is told
        return error


def _locked(request_ids: Collection[str]) -> tuple[dict[str, Case], dict[str, Sequence[str]]]:
    """The requests under lock, and what is known of the receipts that they have, by their ids."""
    trip = Trip()
    asked = ask_cases(trip, request_ids=request_ids)
    live = trip.ask(_LIVE, [rows.array(request_ids)])
    trip.go()
    return asked.read(), {row[0]: row[1:] for row in live.rows()}


def _again(case: Case, new: NewReceipt, known: Sequence[str], hands: Hands) -> Settlement:
    """The settlement of a receipt that is there already, with what proofs are new. Raises ReceiptConflict."""
    receipt_id, stored_hash, settlement_id = known
    if stored_hash != body_of(request_id=case.id, told=new.told)[1]:
        raise ReceiptConflict(receipt_id)
    return _add(case, Settlement.objects.get(pk=settlement_id), new.told, new.proofs, hands)


def _recorded(checked: Sequence[tuple[Case, NewReceipt]], hands: Hands) -> list[Settlement]:
    """Record receipts, each as if those before it were there; one of them may be any, several are plain."""
    settlements: list[Settlement] = []
    settlings: list[Settling] = []
    for case, new in checked:
        settlement, events = _record(case, new, hands)
        settling = _decide(case, settlement, new.told, read_new(new.proofs), hands=hands)
        settlements.append(settlement)
        settlings.append(msgspec.structs.replace(settling, facts=[*new.begun, *events, *settling.facts]))
    carry_out_and_remember(settlings, hands)
    return settlements


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
    asked = ask_cases(trip, request_ids=[str(request_id)])
    trip.go()
    case = asked.one()
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
    asked = ask_cases(trip, request_ids=[request_id])
    trip.go()
    case = asked.one()
    settlement = Settlement.objects.select_related("receipt").get(request_id=request_id)
    due_at = settlement.proof_due_at
    if case is None or settlement.state != SettlementState.PENDING_PROOF or due_at is None or due_at > to_datetime(now_us):
        return False
    told = told_in(orjson.loads(settlement.receipt.body))
    with _writing(case):
        hands = Hands(mint, actor, now_us)
        settling = _decide(case, settlement, told, stored_proofs(settlement), hands=hands, is_over=True)
        carry_out_and_remember([settling], hands)
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
            events += carry_out([_decide(case, settlement, told, [*map(read_row, stored), *read_new(fresh)], hands=hands)], hands)
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


def _record(case: Case, new: NewReceipt, hands: Hands) -> tuple[Settlement, list[Fact]]:
    """Write receipt, proofs and an unsettled settlement; the request has come to an end. The settlement, and the facts."""
    now_us, at, status = hands.now_us, rfc3339(hands.now_us), new.told.status
    body, body_hash = body_of(request_id=case.id, told=new.told)
    settlement = Settlement(
        receipt_id=UUID(new.receipt_id or hands.mint.uuid(now_us)),
        id=UUID(hands.mint.uuid(now_us)),
        request_id=UUID(case.id),
        reserved_units=case.reserved_units,
        escrow_minor=case.escrow_minor,
        created_at=to_datetime(now_us),
    )
    receipt_id = settlement.receipt_id
    if new.output is not None:
        rows.write_row(_KEEP_OUTPUT, case.id, (case.id, new.output))
    rows.copy_rows(
        "settlement_receipt",
        "id, request_id, status, body, hash, recorded_at",
        [f"{receipt_id}\t{case.id}\t{status}\t{rows.escape(body)}\t{body_hash}\t{at}"],
    )
    proofs = write_proofs(str(receipt_id), new.proofs, 0, now_us)
    columns = "id, request_id, receipt_id, state, last_event, outcome, rule, digest, reserved_units, units, escrow_minor"
    amounts = f"{settlement.reserved_units}\t0\t{settlement.escrow_minor}"
    rows.copy_rows(
        "settlement_settlement",
        f"{columns}, payout_minor, compensation_minor, release_minor, missing, created_at, updated_at",
        [f"{settlement.id}\t{case.id}\t{receipt_id}\tunsettled\t\t\t\t\t{amounts}\t0\t0\t0\t[]\t{at}\t{at}"],
    )
    end_request(case, status, now_us)
    executed = NewEvent(settlement_events.EXECUTED, "request", case.public_id, settlement_events.executed(status=status))
    payload = settlement_events.recorded(request=case.id, status=status, body=body, body_hash=body_hash, proofs=proofs)
    return settlement, [(case.stream_id, executed), (case.stream_id, _of_receipt(settlement, settlement_events.RECORDED, payload))]


def _decide(
    case: Case,
    settlement: Settlement,
    told: Told,
    proofs: Sequence[ProofRead],
    *,
    hands: Hands,
    is_over: bool = False,
) -> Settling:
    """Classify, or wait for what is missing; what `carry_out` is to do."""
    verdict = classify(bounds=bounds_of(case), facts=facts_of(case, told), proofs=proofs, is_over=is_over)
    if isinstance(verdict, Classified):
        cause = SettlementEvent.PROOF_DEADLINE_PASSED if is_over else SettlementEvent.PROOFS_SUFFICIENT
        return classify_now(case=case, settlement=settlement, receipt=told, verdict=verdict, cause=cause, hands=hands)
    return Settling(_wait(case, settlement, verdict, hands.now_us), UnitMove(case, settlement, is_final=False))


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
