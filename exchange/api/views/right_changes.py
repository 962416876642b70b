"""What changes a right that exists: activate, split, freeze, unfreeze. The rules are the registry's services'."""

from typing import ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api import fields
from exchange.api.base import not_found
from exchange.api.doc import Doc
from exchange.api.problems import Problem
from exchange.api.refusals import as_problems
from exchange.api.render import proposal
from exchange.api.views.rights import MINT, OneRight
from exchange.services import freeze, proposals
from exchange.services.authority import check_role
from exchange.services.idempotency import Done
from exchange.services.proposal_kinds import UNFREEZE, unfreeze_payload
from rights.domain.lifecycle import FreezeReason
from rights.models import Right
from rights.services.activate import activate_right
from rights.services.split import split_right

FREEZE_REASONS = {reason.value: reason.value for reason in FreezeReason}
_FREEZERS = frozenset({"operate", "issue"})


class ActivateView(OneRight):
    scopes: ClassVar = {"POST": "issue"}
    docs: ClassVar = {"POST": Doc("Make an issued right usable", "Right", body="Empty", idempotent=True)}

    def post(self, _request: Request, right_id: str) -> Response:
        fields.members(self.body, "", ())
        right = self.right(right_id)
        if not self.is_issuer_of(right):
            raise not_found()

        def act() -> Done:
            with as_problems():
                check_role(participant_id=self.principal.participant_id, role="issuer", issuer_id=right.issuer_id)
                activate_right(right_id=str(right.pk), actor=self.principal.actor, now_us=self.now_us)
            return Done(200, self.shown(str(right.pk)))

        return self.once(act)


class SplitView(OneRight):
    scopes: ClassVar = {"POST": frozenset({"transfer", "issue"})}
    docs: ClassVar = {"POST": Doc("Divide a right the caller holds", "Split", body="SplitRequest", status=201, idempotent=True)}

    def post(self, _request: Request, right_id: str) -> Response:
        body = fields.members(self.body, "", ("units",), ("units",))
        units = fields.whole(body["units"], "units", low=1)
        right = self.right(right_id)
        if right.holder_id != self.principal.account_id:
            raise not_found()
        child_id = MINT.uuid(self.now_us)

        def act() -> Done:
            with as_problems():
                split_right(
                    right_id=str(right.pk),
                    units=units,
                    child_id=child_id,
                    holder_id=self.principal.account_id,
                    actor=self.principal.actor,
                    now_us=self.now_us,
                )
            return Done(201, {"parent": self.shown(str(right.pk)), "child": self.shown(child_id)})

        return self.once(act)


class FreezeView(OneRight):
    scopes: ClassVar = {"POST": _FREEZERS}
    docs: ClassVar = {"POST": Doc("Stop a right; its resting asks are pulled", "Frozen", body="FreezeRequest", idempotent=True)}

    def post(self, _request: Request, right_id: str) -> Response:
        body = fields.members(self.body, "", ("freeze_reason", "reason"), ("freeze_reason", "reason"))
        freeze_reason = fields.choice(body["freeze_reason"], "freeze_reason", FREEZE_REASONS)
        reason = fields.text(body["reason"], "reason", high=500)
        right = self.right(right_id)
        if not self.is_operator():
            if not self.is_issuer_of(right):
                raise not_found()
            if freeze_reason != FreezeReason.ISSUER_PAUSE:
                raise Problem("forbidden", "an issuer freezes by issuer_pause only")

        def act() -> Done:
            with as_problems():
                role = "freezer" if self.is_operator() else "issuer"
                check_role(participant_id=self.principal.participant_id, role=role, issuer_id=right.issuer_id)
                pulled = freeze.freeze_right(
                    right_id=str(right.pk), freeze_reason=freeze_reason, reason=reason, actor=self.principal.actor, now_us=self.now_us
                )
            return Done(200, {"right": self.shown(str(right.pk)), "orders_pulled": pulled})

        return self.once(act)


class UnfreezeView(OneRight):
    scopes: ClassVar = {"POST": _FREEZERS}
    docs: ClassVar = {
        "POST": Doc(
            "Let a frozen right go on",
            "Right",
            body="UnfreezeRequest",
            idempotent=True,
            also={202: "Proposal"},
            description="An issuer lifts its own pause at once. What an operator asks for waits until another one approves it: 202.",
        )
    }

    def post(self, _request: Request, right_id: str) -> Response:
        body = fields.members(self.body, "", ("reason",), ("reason",))
        reason = fields.text(body["reason"], "reason", high=500)
        right = self.right(right_id)
        # Read without a lock: the service looks again, and lifts no other freeze than this.
        own_pause = self.is_issuer_of(right) and right.freeze_reason in {"", FreezeReason.ISSUER_PAUSE}
        if not self.is_operator():
            if not self.is_issuer_of(right):
                raise not_found()
            if not own_pause:
                raise Problem("forbidden", "an issuer lifts its own pause only")

        def act() -> Done:
            if not own_pause:
                return self._propose(right, reason)
            with as_problems():
                freeze.unfreeze_right(
                    right_id=str(right.pk),
                    freeze_reason=FreezeReason.ISSUER_PAUSE,
                    reason=reason,
                    mint=MINT,
                    actor=self.principal.actor,
                    now_us=self.now_us,
                )
            return Done(200, self.shown(str(right.pk)))

        return self.once(act)

    def _propose(self, right: Right, reason: str) -> Done:
        payload = unfreeze_payload(right_id=str(right.pk), freeze_reason=right.freeze_reason)
        with as_problems():
            check_role(participant_id=self.principal.participant_id, role="freezer", issuer_id=right.issuer_id)
            made = proposals.propose(
                kind=UNFREEZE, payload=payload, reason=reason, mint=MINT, actor=self.principal.actor, now_us=self.now_us
            )
        return Done(202, proposal(made))
