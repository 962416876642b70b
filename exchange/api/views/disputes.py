"""Disputes over REST (SPEC §9): opened by a party, decided by the reviewer they are assigned to."""

from typing import Any, ClassVar

from rest_framework.request import Request as HttpRequest
from rest_framework.response import Response

from exchange.api import fields
from exchange.api.base import ApiView, not_found, page
from exchange.api.doc import Doc
from exchange.api.views.rights import MINT
from exchange.api.views.settlements import OUTCOMES, OneSettlement, settling_problems
from exchange.selectors.settlements import dispute_document, visible_disputes
from exchange.services.idempotency import Done
from rights.kernel.ids import bare
from rights.models import Account, Participant
from settlement.domain.dispute_rules import DECISIONS, LONGEST_CLAIM, LONGEST_EVIDENCE
from settlement.models import Dispute
from settlement.models.outcome import DISPUTE_STATES
from settlement.services.disputes import Decision, Opening, add_evidence, assign_reviewer, decide_dispute, open_dispute

_STATES = {state: state for state in DISPUTE_STATES}
_DECISIONS = {decision: decision for decision in DECISIONS}


class OneDispute(ApiView):
    """Views of one dispute."""

    def row(self, dispute_id: str) -> Dispute:
        uuid = bare("dsp", dispute_id)
        found = visible_disputes(self.principal).filter(pk=uuid).first() if uuid else None
        if found is None:
            raise not_found()
        return found

    def shown(self, dispute_id: str) -> dict[str, Any]:
        return dispute_document(self.row(dispute_id))

    def participant(self) -> Participant:
        return Participant.objects.get(pk=self.principal.participant_id)


class SettlementDisputesView(OneSettlement):
    scopes: ClassVar = {"POST": frozenset({"redeem", "supply", "issue"})}
    docs: ClassVar = {
        "POST": Doc(
            "Challenge a settlement within its window",
            "Dispute",
            body="DisputeRequest",
            status=201,
            idempotent=True,
            errors=("not_found", "not_a_party", "dispute_window_over"),
        )
    }

    def post(self, _request: HttpRequest, settlement_id: str) -> Response:
        body = fields.members(self.body, "", ("claim", "evidence"), ("claim",))
        claim = fields.text(body["claim"], "claim", high=LONGEST_CLAIM)
        evidence = None if body.get("evidence") is None else fields.text(body["evidence"], "evidence", high=LONGEST_EVIDENCE)
        row = self.row(settlement_id)

        def act() -> Done:
            opener = Account.objects.get(pk=self.principal.account_id)
            opening = Opening(MINT.uuid(self.now_us), opener, claim, evidence)
            with settling_problems():
                made = open_dispute(settlement_id=str(row.pk), opening=opening, actor=self.principal.actor, now_us=self.now_us)
            return Done(201, dispute_document(visible_disputes(self.principal).get(pk=made.pk)))

        return self.once(act)


class DisputesView(OneDispute):
    scopes: ClassVar = {"GET": "read"}
    queries: ClassVar = {"GET": ("state", "limit", "cursor")}
    docs: ClassVar = {"GET": Doc("Disputes the caller is a party to or reviews, newest first", "Dispute", listed=True)}

    def get(self, _request: HttpRequest) -> Response:
        limit, after = self.query.limit(), self.query.cursor("disputes", "u")
        found, state = visible_disputes(self.principal), self.query.choice("state", _STATES)
        if state:
            found = found.filter(state=state)
        if after:
            found = found.filter(pk__lt=after[0])
        return page(list(found.order_by("-pk")[: limit + 1]), limit, "disputes", lambda row: (str(row.pk),), dispute_document)


class DisputeView(OneDispute):
    scopes: ClassVar = {"GET": "read"}
    docs: ClassVar = {"GET": Doc("One dispute with its evidence", "Dispute")}

    def get(self, _request: HttpRequest, dispute_id: str) -> Response:
        return Response(self.shown(dispute_id))


class DisputeEvidenceView(OneDispute):
    scopes: ClassVar = {"POST": frozenset({"redeem", "supply", "issue", "clearing"})}
    docs: ClassVar = {
        "POST": Doc(
            "Bring something forward, as a party or the reviewer",
            "Dispute",
            body="EvidenceRequest",
            status=201,
            idempotent=True,
            errors=("not_found", "not_a_party", "dispute_decided", "evidence_full"),
        )
    }

    def post(self, _request: HttpRequest, dispute_id: str) -> Response:
        body = fields.members(self.body, "", ("text",), ("text",))
        text, row = fields.text(body["text"], "text", high=LONGEST_EVIDENCE), self.row(dispute_id)

        def act() -> Done:
            who = self.participant()
            with settling_problems():
                add_evidence(dispute_id=str(row.pk), text=text, participant=who, actor=self.principal.actor, now_us=self.now_us)
            return Done(201, self.shown(dispute_id))

        return self.once(act)


class DisputeAssignView(OneDispute):
    scopes: ClassVar = {"POST": "clearing"}
    docs: ClassVar = {
        "POST": Doc(
            "Say who decides: a participant who is no party to it",
            "Dispute",
            body="ReviewerRequest",
            idempotent=True,
            errors=("not_found", "forbidden", "dispute_decided", "reviewer_is_party", "reviewer_suspended"),
        )
    }

    def post(self, _request: HttpRequest, dispute_id: str) -> Response:
        body = fields.members(self.body, "", ("reviewer",), ("reviewer",))
        slug, row = fields.text(body["reviewer"], "reviewer", high=64), self.row(dispute_id)
        reviewer = Participant.objects.filter(slug=slug).first()
        if reviewer is None:
            raise fields.FieldError("reviewer", "is no participant")

        def act() -> Done:
            with settling_problems():
                assign_reviewer(dispute_id=str(row.pk), reviewer=reviewer, actor=self.principal.actor, now_us=self.now_us)
            return Done(200, self.shown(dispute_id))

        return self.once(act)


class DisputeDecideView(OneDispute):
    scopes: ClassVar = {"POST": "clearing"}
    docs: ClassVar = {
        "POST": Doc(
            "Decide it, as the reviewer it was assigned to; the settlement is final",
            "Dispute",
            body="DecisionRequest",
            idempotent=True,
            errors=("not_found", "not_the_reviewer", "reviewer_is_party", "dispute_decided", "outcome_unproven", "units_unavailable"),
        )
    }

    def post(self, _request: HttpRequest, dispute_id: str) -> Response:
        body = fields.members(self.body, "", ("decision", "outcome", "reason"), ("decision", "reason"))
        decision = fields.choice(body["decision"], "decision", _DECISIONS)
        outcome = None if body.get("outcome") is None else fields.choice(body["outcome"], "outcome", OUTCOMES)
        if (decision == "reclassify") != (outcome is not None):
            raise fields.FieldError("outcome", "is given when, and only when, it is reclassified", "conflict")
        said, row = Decision(decision, fields.text(body["reason"], "reason", high=LONGEST_CLAIM), outcome), self.row(dispute_id)

        def act() -> Done:
            who = self.participant()
            with settling_problems():
                decide_dispute(
                    dispute_id=str(row.pk), reviewer=who, decision=said, mint=MINT, actor=self.principal.actor, now_us=self.now_us
                )
            return Done(200, self.shown(dispute_id))

        return self.once(act)
