"""Two persons for what one alone must not do (TRUST.md: deposits, unfreezing, listing; and what takes a right from its holder): one proposes, another approves.

The act is done by the same services as everything else, in the transaction of the approval; its event bears both names. What may be
proposed stands in proposal_kinds.py. The command line belongs to whoever holds the machine, and acts directly.
"""

from collections.abc import Mapping

from django.db import transaction

from exchange.models import Proposal
from exchange.selectors.people import people_behind
from exchange.services import standing
from exchange.services.operator_refusal import OperatorRefusal
from exchange.services.proposal_kinds import KINDS
from exchange.services.two_persons import Consent, Kind
from rights.domain.reason import stated_reason
from rights.kernel import rows
from rights.kernel.clock import rfc3339, to_datetime, to_us
from rights.kernel.ids import Mint, public
from rights.services import journal

LIFE_US = 3 * 86_400 * 1_000_000
CLOCK = "timetable"
_EXPIRED = """
UPDATE exchange_proposal SET status = 'expired', decided_by = %s, decided_at = %s
WHERE id IN (SELECT id FROM exchange_proposal WHERE status = 'open' AND expires_at <= %s ORDER BY id LIMIT 500 FOR NO KEY UPDATE SKIP LOCKED)
RETURNING id::text, kind, proposed_by
"""


@transaction.atomic
def propose(*, kind: str, payload: Mapping[str, str | None], reason: str, mint: Mint, actor: str, now_us: int) -> Proposal:
    """An open proposal. The act is tried at once and taken back, so that what would be refused is refused here.

    Raises OperatorRefusal `proposal_kind_unknown`, `proposer_not_allowed`, ReasonMissing, and whatever the act refuses.
    """
    stated = stated_reason(reason)
    known = _kind(kind)
    if not _may_propose(actor, known, now_us):
        raise OperatorRefusal("proposer_not_allowed", f"whoever proposes this needs the scope {' or '.join(known.scopes)}")
    with transaction.atomic():
        known.run(payload, Consent(actor, None, stated, mint, now_us))
        transaction.set_rollback(True)
    row = Proposal.objects.create(
        id=mint.uuid(now_us),
        kind=kind,
        payload=dict(payload),
        reason=stated,
        proposed_by=actor,
        proposed_at=to_datetime(now_us),
        expires_at=to_datetime(now_us + LIFE_US),
    )
    fact = {"act": row.payload, "by": actor, "expires_at": rfc3339(now_us + LIFE_US), "kind": kind, "reason": stated}
    _remember([_event("proposal.made", str(row.pk), fact)], actor, now_us)
    return row


@transaction.atomic
def approve(*, proposal_id: str, reason: str, mint: Mint, actor: str, now_us: int) -> Proposal:
    """Do what was proposed, once. `reason`: what the second person looked at.

    Raises OperatorRefusal `proposal_unknown`, `proposal_decided`, `proposal_expired`, `second_person_needed`, `approver_not_allowed`,
    `proposer_not_allowed`, ReasonMissing, and whatever the act refuses; the proposal then stays open.
    """
    stated = stated_reason(reason)
    row = _locked(proposal_id, now_us)
    known = _kind(row.kind)
    _check_second_person(row, known, actor, now_us)
    row.outcome = known.run(row.payload, Consent(row.proposed_by, actor, row.reason, mint, now_us))[:200]
    _decide(row, "approved", actor, stated, now_us)
    fact: dict[str, object] = {"approved_by": actor, "by": row.proposed_by, "kind": row.kind, "outcome": row.outcome, "reason": stated}
    _remember([_event("proposal.approved", proposal_id, fact)], actor, now_us)
    return row


@transaction.atomic
def reject(*, proposal_id: str, reason: str, actor: str, now_us: int) -> Proposal:
    """End the proposal without doing anything; whoever made it may take it back so.

    Raises OperatorRefusal `proposal_unknown`, `proposal_decided`, `proposal_expired`, `approver_not_allowed`, ReasonMissing.
    """
    stated = stated_reason(reason)
    row = _locked(proposal_id, now_us)
    if actor != row.proposed_by and not standing.may(actor, "operate", now_us):
        raise OperatorRefusal("approver_not_allowed", "only operators decide proposals")
    _decide(row, "rejected", actor, stated, now_us)
    fact: dict[str, object] = {"by": row.proposed_by, "kind": row.kind, "reason": stated, "rejected_by": actor}
    _remember([_event("proposal.rejected", proposal_id, fact)], actor, now_us)
    return row


@transaction.atomic
def expire_due(*, now_us: int) -> int:
    """Close what nobody decided in time; how many."""
    gone = rows.fetch_all(_EXPIRED, [CLOCK, rfc3339(now_us), rfc3339(now_us)])
    _remember([_event("proposal.expired", uuid, {"by": by, "kind": kind}) for uuid, kind, by in sorted(gone)], CLOCK, now_us)
    return len(gone)


def _kind(name: str) -> Kind:
    if name not in KINDS:
        raise OperatorRefusal("proposal_kind_unknown", f"what may be proposed is one of {', '.join(KINDS)}")
    return KINDS[name]


def _may_propose(actor: str, known: Kind, now_us: int) -> bool:
    return any(standing.may(actor, scope, now_us) for scope in known.scopes)


def _locked(proposal_id: str, now_us: int) -> Proposal:
    """The open proposal, locked: of two who decide at once the second finds it decided."""
    row = Proposal.objects.select_for_update(no_key=True).filter(pk=proposal_id).first()
    if row is None:
        raise OperatorRefusal("proposal_unknown", "there is no such proposal")
    if row.status != "open":
        raise OperatorRefusal("proposal_decided", f"the proposal is {row.status} already")
    if now_us >= to_us(row.expires_at):
        raise OperatorRefusal("proposal_expired", f"the proposal ran out at {row.expires_at:%Y-%m-%d %H:%M} UTC")
    return row


def _check_second_person(row: Proposal, known: Kind, actor: str, now_us: int) -> None:
    if not actor.startswith("user:") or not standing.may(actor, "operate", now_us):
        raise OperatorRefusal("approver_not_allowed", "only operators who are logged in approve proposals")
    if people_behind(actor) & people_behind(row.proposed_by):
        raise OperatorRefusal("second_person_needed", "somebody else than whoever proposed it has to approve")
    if not _may_propose(row.proposed_by, known, now_us):
        raise OperatorRefusal("proposer_not_allowed", "whoever proposed this may no longer do so")


def _decide(row: Proposal, status: str, actor: str, decision: str, now_us: int) -> None:
    row.status, row.decided_by, row.decided_at, row.decision = status, actor, to_datetime(now_us), decision
    row.save(update_fields=["status", "decided_by", "decided_at", "decision", "outcome"])


def _event(kind: str, proposal_id: str, payload: dict[str, object]) -> journal.NewEvent:
    return journal.NewEvent(type=kind, object_type="proposal", object_id=public("prp", proposal_id), payload=payload)


def _remember(events: list[journal.NewEvent], actor: str, now_us: int) -> None:
    if events:
        journal.append(stream_id=journal.stream_for("registry"), events=events, actor=actor, now_us=now_us)
