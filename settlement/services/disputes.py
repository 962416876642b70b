"""Disputes (SPEC §9): a party challenges a settlement within its window, a reviewer who is no party decides. Locks: the request's row first.

Rejected, the settlement is final as it is. Upheld, it is reversed by opposite postings and nothing is charged. Reclassified, it comes to
another outcome, as far as that is proven.
"""

from collections.abc import Mapping
from uuid import UUID

import msgspec
from django.db import transaction

from rights.domain.canonical_json import sha256_of
from rights.kernel.clock import to_datetime
from rights.kernel.ids import Mint, public
from rights.models import Account, Participant
from rights.services.deliveries import lock_rights
from rights.services.journal import stream_for
from rights.services.locks import Lock, live_locks
from rights.services.use_locked import Take
from settlement.domain import settlement_events
from settlement.domain.classification import exact
from settlement.domain.dispute_rules import (
    DECISIONS,
    LONGEST_CLAIM,
    LONGEST_EVIDENCE,
    MOST_EVIDENCE,
    Parties,
    reclassification_fault,
    text_fault,
)
from settlement.domain.proofs import read_proofs, required
from settlement.domain.request_states import STAKES
from settlement.domain.settlement_states import Outcome, SettlementEvent, SettlementState
from settlement.models import Dispute, Evidence, Route, Settlement
from settlement.services.case import bounds_of
from settlement.services.finalize import Settled, finish, load_settled
from settlement.services.package_use import draw_locks, open_package
from settlement.services.packages import REGISTRY
from settlement.services.proof_rows import stored_proofs
from settlement.services.reissue import plan_grants
from settlement.services.settle import FIRST_REVERSED_LEG, Ending, Hands, about, conclude, reclassify_now, remember, step
from settlement.services.unit_locks import lock_units
from settlement.services.unit_moves import Fact

_S, _E = SettlementState, SettlementEvent


class DisputeRefused(Exception):
    """The dispute can't be opened, or go on so; nothing was written."""

    def __init__(self, code: str, detail: str, field: str = "") -> None:
        super().__init__(detail)
        self.code, self.detail, self.field = code, detail, field


class Opening(msgspec.Struct, frozen=True):
    """A challenge. `opener` None: the venue itself, where proofs contradict each other."""

    dispute_id: str
    opener: Account | None
    claim: str
    evidence: str | None = None


class Decision(msgspec.Struct, frozen=True):
    """`reject`, `uphold` or `reclassify` (to `outcome`), and why."""

    decision: str
    reason: str
    outcome: str | None = None


def parties_of(request_id: str) -> Parties:
    """Who has a stake in the request: of suppliers and issuers those whose route executed, and not who only had a lock for a time."""
    found = Route.objects.filter(request_id=request_id, state__in=STAKES).values_list(
        "supplier__participant_id", "right__issuer__participant_id", "request__holder__participant_id", "request__account__participant_id"
    )
    rows = list(found)
    return Parties(
        holders=frozenset(party for row in rows for party in row[2:]),
        suppliers=frozenset(row[0] for row in rows),
        issuers=frozenset(row[1] for row in rows),
    )


@transaction.atomic
def open_dispute(*, settlement_id: str, opening: Opening, actor: str, now_us: int) -> Dispute:
    """Challenge the settlement. Raises DisputeRefused `settlement_missing`, `dispute_text`, `not_a_party`, `dispute_window_over`."""
    settled = _settled(settlement_id)
    dispute, events = challenge(settled, opening, actor=actor, now_us=now_us)
    remember(events, actor=actor, now_us=now_us)
    return dispute


def challenge(settled: Settled, opening: Opening, *, actor: str, now_us: int) -> tuple[Dispute, list[Fact]]:
    """`open_dispute` for whoever has the request under lock and remembers the rest."""
    case, settlement = settled.case, settled.settlement
    _check_text(opening.claim, LONGEST_CLAIM, "claim")
    side = "coordinator" if opening.opener is None else parties_of(case.id).side_of(opening.opener.participant_id)
    if side is None:
        raise DisputeRefused("not_a_party", "a dispute is opened by the holder, the supplier or the issuer")
    if not is_open_to_challenge(settlement, now_us):
        raise DisputeRefused("dispute_window_over", f"the settlement is {settlement.state}; it may be challenged within its window only")
    dispute = Dispute.objects.create(
        id=UUID(opening.dispute_id),
        settlement=settlement,
        opener=opening.opener,
        side=side,
        opened_by=actor,
        claim=opening.claim.strip(),
        opened_at=to_datetime(now_us),
    )
    step(settlement, _E.CHALLENGED, _S.IN_DISPUTE, now_us)
    kept: list[Fact] = []
    if side != "holder":  # who says that more was done than was charged: that much must still be there when it is decided
        kept = _lock_disputed(settled, public("dsp", opening.dispute_id), now_us)
    opener = None if opening.opener is None else str(opening.opener.uuid)
    fact = settlement_events.disputed(dispute=opening.dispute_id, side=side, opener=opener, claim=dispute.claim)
    events = [(case.stream_id, about(settlement, settlement_events.DISPUTED, fact)), *kept]
    if opening.evidence is not None:
        events.append(_bring(settled, dispute, opening.evidence, actor, now_us))
    return dispute, events


def is_open_to_challenge(settlement: Settlement, now_us: int) -> bool:
    """Whether its window is still open."""
    ends_at = settlement.window_ends_at
    return settlement.state == _S.PENDING_DISPUTE_WINDOW and ends_at is not None and to_datetime(now_us) < ends_at


def _lock_disputed(settled: Settled, ref: str, now_us: int) -> list[Fact]:
    """Lock what the routes had locked beyond what was charged, as far as it is still there; out of the package it went back to, if it did."""
    open_units: dict[str, int] = {}
    for each in settled.slices():
        open_units[each.route.right_id] = open_units.get(each.route.right_id, 0) + each.share.released
    case = settled.case
    package = None if case.package_id is None else open_package(case.package_id)
    held = lock_rights(open_units)
    locks: list[Lock] = []
    packed: list[Lock] = []
    for right_id, units in sorted(open_units.items()):
        if package is not None and package.takes_back(right_id, case.holder_id):
            packed += [Lock(right_id, "dispute", ref, min(units, package.has(right_id)))]
            continue
        right = held[right_id]
        free = min(units, right.remaining - right.reserved)
        if free > 0 and right.status in ("issued", "active") and right.holder_id == case.holder_id:
            locks.append(Lock(right_id, "dispute", ref, free))
    lock_units(locks=locks, holder_id=case.holder_id, now_us=now_us)
    packed = [lock for lock in packed if lock.units]
    if package is None or not packed:
        return []
    return [(stream_for(REGISTRY), draw_locks(package=package, locks=packed, request=case.public_id, now_us=now_us))]


@transaction.atomic
def add_evidence(*, dispute_id: str, text: str, participant: Participant | None, actor: str, now_us: int) -> Evidence:
    """What a party, or the reviewer (`participant` None: the venue), brings forward. Raises DisputeRefused `dispute_text`,
    `dispute_decided`, `not_a_party`, `evidence_full`.
    """
    settled, dispute = _open(dispute_id)
    known = participant is None or participant.slug == dispute.reviewer
    if not known and participant is not None and parties_of(settled.case.id).side_of(participant.pk) is None:
        raise DisputeRefused("not_a_party", "only a party or the reviewer brings evidence")
    fact = _bring(settled, dispute, text, actor, now_us)
    remember([fact], actor=actor, now_us=now_us)
    return dispute.evidence.order_by("-number")[0]


def _bring(settled: Settled, dispute: Dispute, text: str, actor: str, now_us: int) -> Fact:
    _check_text(text, LONGEST_EVIDENCE, "evidence")
    number = dispute.evidence.count() + 1
    if number > MOST_EVIDENCE:
        raise DisputeRefused("evidence_full", f"a dispute has at most {MOST_EVIDENCE} pieces of evidence")
    row = Evidence.objects.create(
        dispute=dispute, number=number, by=actor, text=text.strip(), content_hash=sha256_of(text.strip()), at=to_datetime(now_us)
    )
    payload = settlement_events.evidence(dispute=str(dispute.pk), number=number, by=actor, text=row.text, content_hash=row.content_hash)
    return settled.case.stream_id, about(settled.settlement, settlement_events.EVIDENCE, payload)


@transaction.atomic
def assign_reviewer(*, dispute_id: str, reviewer: Participant, actor: str, now_us: int, reason: str | None = None) -> Dispute:
    """Who decides; another one may be assigned until it is decided. Raises DisputeRefused `dispute_decided`, `reviewer_is_party`."""
    settled, dispute = _open(dispute_id)
    if parties_of(settled.case.id).side_of(reviewer.pk) is not None:
        raise DisputeRefused("reviewer_is_party", f"{reviewer.slug} is a party to it", "reviewer")
    if reviewer.status != "active":
        raise DisputeRefused("reviewer_suspended", f"{reviewer.slug} is suspended", "reviewer")
    dispute.reviewer = reviewer.slug
    dispute.save(update_fields=["reviewer"])
    fact = settlement_events.assigned(dispute=dispute_id, reviewer=reviewer.slug, reason=reason)
    remember([(settled.case.stream_id, about(settled.settlement, settlement_events.ASSIGNED, fact))], actor=actor, now_us=now_us)
    return dispute


@transaction.atomic
def decide_dispute(*, dispute_id: str, reviewer: Participant, decision: Decision, mint: Mint, actor: str, now_us: int) -> Dispute:
    """The dispute, decided by who was assigned; its settlement is final. Raises DisputeRefused `dispute_decided`, `not_the_reviewer`,
    `reviewer_is_party`, `decision_unknown`, `dispute_text`, `outcome_unknown`, `outcome_unproven`, `units_unavailable`.
    """
    settled, dispute = _open(dispute_id)
    if dispute.reviewer != reviewer.slug:
        raise DisputeRefused("not_the_reviewer", "it is decided by the reviewer it was assigned to")
    if parties_of(settled.case.id).side_of(reviewer.pk) is not None:
        raise DisputeRefused("reviewer_is_party", f"{reviewer.slug} has become a party to it")
    if decision.decision not in DECISIONS:
        raise DisputeRefused("decision_unknown", f"a decision is one of {', '.join(DECISIONS)}", "decision")
    _check_text(decision.reason, LONGEST_CLAIM, "reason")
    acts = {"reject": _reject, "uphold": _uphold, "reclassify": _reclassify}
    states = {"reject": "rejected", "uphold": "upheld", "reclassify": "reclassified"}
    dispute.state, dispute.decision = states[decision.decision], decision.reason.strip()
    dispute.decided_by, dispute.decided_at = actor, to_datetime(now_us)
    dispute.save(update_fields=["state", "decision", "decided_by", "decided_at"])
    closed = settlement_events.decided(dispute=dispute_id, state=dispute.state, reason=dispute.decision)
    events = [(settled.case.stream_id, about(settled.settlement, settlement_events.DECIDED, closed))]
    events += acts[decision.decision](settled, dispute, decision, Hands(mint, actor, now_us))
    remember(events, actor=actor, now_us=now_us)
    return dispute


def _reject(settled: Settled, dispute: Dispute, _: Decision, hands: Hands) -> list[Fact]:
    """It stands as it was classified; what the dispute had locked is free again."""
    takes, _back = _turn(settled, dispute, {})
    return finish(settled, _E.DISPUTE_REJECTED, hands, takes)


def _uphold(settled: Settled, dispute: Dispute, _: Decision, hands: Hands) -> list[Fact]:
    """Reversed by the opposite of every posting; the correction charges nothing, and the escrow goes back to who paid it."""
    case, settlement = settled.case, settled.settlement
    takes, back = _turn(settled, dispute, {each.route.id: -each.share.used for each in settled.slices()})
    fact = settlement_events.reversed_(units=settlement.units)
    step(settlement, _E.DISPUTE_UPHELD, _S.REVERSED, hands.now_us)
    settlement.outcome, settlement.rule = str(Outcome.FAILED), "dispute_upheld"
    ending = Ending(_E.CORRECTION_APPLIED, settled.slices(), takes=takes, back=back, first_leg=FIRST_REVERSED_LEG)
    return [(case.stream_id, about(settlement, settlement_events.REVERSED, fact)), *conclude(case, settlement, ending, hands)]


def _reclassify(settled: Settled, dispute: Dispute, decision: Decision, hands: Hands) -> list[Fact]:
    """Another outcome on the same facts; units move by the difference, then it is final: it has had its dispute."""
    case, settlement = settled.case, settled.settlement
    outcome = _outcome(settled, decision)
    before = {each.route.id: each.share.used for each in settled.slices()}
    planned = settled.slices(str(outcome))
    slices, grants = plan_grants(case, planned, mint=hands.mint, now_us=hands.now_us)
    takes, back = _turn(settled, dispute, {each.route.id: each.share.used - before[each.route.id] for each in slices})
    settlement.outcome, settlement.rule = str(outcome), "reviewed"
    settlement.digest = sha256_of(exact({"before": settlement.digest, "dispute": str(dispute.pk), "outcome": str(outcome)}))
    fact = reclassify_now(case, settlement, slices, hands.now_us)
    ending = Ending(_E.NO_DISPUTE_WINDOW, slices, grants, takes=takes, back=back, first_leg=FIRST_REVERSED_LEG)
    return [fact, *conclude(case, settlement, ending, hands)]


def _outcome(settled: Settled, decision: Decision) -> Outcome:
    try:
        outcome = Outcome(decision.outcome or "")
    except ValueError:
        raise DisputeRefused("outcome_unknown", f"an outcome is one of {', '.join(Outcome)}", "outcome") from None
    bounds, receipt = bounds_of(settled.case), settled.receipt
    needed = required(profile=bounds.profile, requirements=bounds.requirements, status=receipt.status)
    reading = read_proofs(stored_proofs(settled.settlement), needed=needed)
    units = {route.id: route.units for route in settled.case.routes}
    fault = reclassification_fault(
        outcome=outcome,
        status=receipt.status,
        reading=reading,
        delivered_units=sum(leg.delivered_units for leg in receipt.legs),
        locks=[(leg.delivered_units, units[leg.route_id]) for leg in receipt.legs],
        is_capped=bounds.is_capped,
    )
    if fault is not None:
        raise DisputeRefused("outcome_unproven", f"it can't be {outcome}: {fault}", "outcome")
    return outcome


def _turn(settled: Settled, dispute: Dispute, change: Mapping[str, int]) -> tuple[list[Take], dict[str, int]]:
    """How units change by route: what is taken of the dispute's locks (the rest of them is let go), and what goes back by right.

    Raises DisputeRefused `units_unavailable`.
    """
    ref = public("dsp", str(dispute.pk))
    sums: dict[str, int] = {}
    since: dict[str, int] = {}
    for route in settled.case.routes:
        sums[route.right_id] = sums.get(route.right_id, 0) + change.get(route.id, 0)
        since[route.right_id] = route.locked_us
    locked = {lock.right_id: lock.units for lock in live_locks([ref])}
    missing = [right for right, units in sums.items() if units > locked.get(right, 0)]
    if missing:
        raise DisputeRefused("units_unavailable", f"what it would take of rgt_{missing[0]} is not there any more")
    takes = [Take(right, ref, units, max(0, sums[right]), since[right]) for right, units in sorted(locked.items())]
    return takes, {right: -units for right, units in sums.items() if units < 0}


def _settled(settlement_id: str) -> Settled:
    request_id = Settlement.objects.filter(pk=settlement_id).values_list("request_id", flat=True).first()
    if request_id is None:
        raise DisputeRefused("settlement_missing", "there is no such settlement")
    return load_settled(str(request_id))


def _open(dispute_id: str) -> tuple[Settled, Dispute]:
    """The dispute, with its request under lock. Raises DisputeRefused `dispute_missing`, `dispute_decided`."""
    found = Dispute.objects.filter(pk=dispute_id).values_list("settlement__request_id", flat=True).first()
    if found is None:
        raise DisputeRefused("dispute_missing", "there is no such dispute")
    settled = load_settled(str(found))
    dispute = Dispute.objects.get(pk=dispute_id)
    if dispute.state != "open":
        raise DisputeRefused("dispute_decided", f"the dispute was {dispute.state}")
    return settled, dispute


def _check_text(text: str, longest: int, field: str) -> None:
    fault = text_fault(text, longest)
    if fault is not None:
        raise DisputeRefused("dispute_text", f"the {field} {fault}", field)
