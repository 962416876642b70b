"""Ends and new beginnings of a right: merge, amend, finalize, burn, replace. Who may do which is a role's matter (SPEC §2)."""

from collections.abc import Callable
from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api import fields
from exchange.api.base import not_found
from exchange.api.doc import Doc
from exchange.api.refusals import as_problems
from exchange.api.render import proposal
from exchange.api.views.consents import optional, taker_of
from exchange.api.views.rights import MINT, OneRight
from exchange.services import freeze, proposals
from exchange.services.authority import check_role
from exchange.services.idempotency import Done
from exchange.services.reassign import reassign_right
from exchange.services.right_proposals import (
    BURN,
    FINALIZE,
    REASSIGN,
    REPLACE,
    ending_payload,
    may_alone,
    reassign_payload,
    replace_payload,
    seen_of,
)
from exchange.services.two_persons import Payload
from rights.domain.amendment import Amendment
from rights.models import Right
from rights.models.right import REPLACEMENTS
from rights.selectors.roles import has_role
from rights.services.amend import Change, amend_right
from rights.services.split import merge_rights
from settlement.services import issuance
from settlement.services.replace import replace_right

AMENDMENTS = {amendment.value: amendment for amendment in Amendment}
KINDS = {kind: kind for kind in REPLACEMENTS}
_OPERATORS = "operate"
_ISSUERS = frozenset({"issue", "operate"})
_BY_TWO = "What lies in other hands waits until another operator approves it: 202."


def _reason(value: object) -> str:
    return fields.text(value, "reason", high=500)


class RoleView(OneRight):
    """Views whose act needs a role over the right."""

    def check(self, role: str, right: Right) -> None:
        check_role(participant_id=self.principal.participant_id, role=role, issuer_id=right.issuer_id)

    def has(self, role: str, right: Right) -> bool:
        return has_role(participant_id=self.principal.participant_id, role=role, issuer_id=right.issuer_id)

    def alone(self, right: Right) -> bool:
        """Whether the caller may do it at once. Read without a lock: the service is told what was seen, and looks again."""
        return may_alone(right=right, participant_id=self.principal.participant_id)

    def proposed(self, kind: str, payload: Payload, reason: str) -> Done:
        """Left to a second person."""
        made = proposals.propose(kind=kind, payload=payload, reason=reason, mint=MINT, actor=self.principal.actor, now_us=self.now_us)
        return Done(202, proposal(made))


class MergeView(OneRight):
    scopes: ClassVar = {"POST": frozenset({"transfer", "issue"})}
    docs: ClassVar = {"POST": Doc("Put a sibling's units into this right", "Right", body="MergeRequest", idempotent=True)}

    def post(self, _request: Request, right_id: str) -> Response:
        body = fields.members(self.body, "", ("source_right_id",), ("source_right_id",))
        source = fields.public_id(body["source_right_id"], "source_right_id", "rgt")
        target = self.right(right_id)
        mine = Right.objects.filter(pk=source, holder_id=self.principal.account_id).exists()
        if target.holder_id != self.principal.account_id or not mine:
            raise not_found()

        def act() -> Done:
            with as_problems():
                merge_rights(
                    source_id=source,
                    target_id=str(target.pk),
                    holder_id=self.principal.account_id,
                    actor=self.principal.actor,
                    now_us=self.now_us,
                )
            return Done(200, self.shown(str(target.pk)))

        return self.once(act)


class FinalizeView(RoleView):
    scopes: ClassVar = {"POST": _OPERATORS}
    docs: ClassVar = {
        "POST": Doc(
            "Close a right for good; what remains is burned",
            "Right",
            body="FinalizeRequest",
            idempotent=True,
            also={202: "Proposal"},
            description=_BY_TWO,
        )
    }

    def post(self, _request: Request, right_id: str) -> Response:
        body = fields.members(self.body, "", ("reason", "ref"), ("reason",))
        reason = _reason(body["reason"])
        ref = optional(body, "ref", lambda value, field: fields.text(value, field, high=80), "")
        right = self.right(right_id)

        def act() -> Done:
            with as_problems():
                self.check("finalizer", right)
                if not self.alone(right):
                    return self.proposed(FINALIZE, ending_payload(right=right, ref=ref), reason)
                issuance.finalize_right(
                    right_id=str(right.pk),
                    ref=ref,
                    reason=reason,
                    mint=MINT,
                    actor=self.principal.actor,
                    now_us=self.now_us,
                    seen=seen_of(right),
                )
            return Done(200, self.shown(str(right.pk)))

        return self.once(act)


class BurnView(RoleView):
    scopes: ClassVar = {"POST": _OPERATORS}
    docs: ClassVar = {
        "POST": Doc(
            "Take a right out of existence",
            "Right",
            body="Reasoned",
            idempotent=True,
            also={202: "Proposal"},
            description=_BY_TWO,
        )
    }

    def post(self, _request: Request, right_id: str) -> Response:
        body = fields.members(self.body, "", ("reason",), ("reason",))
        reason = _reason(body["reason"])
        right = self.right(right_id)

        def act() -> Done:
            with as_problems():
                self.check("burner", right)
                if not self.alone(right):
                    return self.proposed(BURN, ending_payload(right=right), reason)
                issuance.burn_right(
                    right_id=str(right.pk),
                    reason=reason,
                    mint=MINT,
                    actor=self.principal.actor,
                    now_us=self.now_us,
                    seen=seen_of(right),
                )
            return Done(200, self.shown(str(right.pk)))

        return self.once(act)


class AmendView(RoleView):
    scopes: ClassVar = {"POST": _ISSUERS}
    docs: ClassVar = {
        "POST": Doc(
            "Amend a right, by class of amendment",
            "Right",
            body="AmendRequest",
            idempotent=True,
            also={202: "Proposal"},
            description="Another holder for what lies in other hands waits until another operator approves it: 202.",
        )
    }

    def post(self, _request: Request, right_id: str) -> Response:
        body = fields.members(self.body, "", ("amendment", "reason", "manifest", "holder"), ("amendment", "reason"))
        amendment = fields.choice(body["amendment"], "amendment", AMENDMENTS)
        reason = _reason(body["reason"])
        needs = {Amendment.HOLDER: "holder", Amendment.FREEZE: ""}.get(amendment, "manifest")
        for field in ("manifest", "holder"):
            if (field in body) != (field == needs):
                raise fields.FieldError(field, f"{'is required' if field == needs else 'is not taken'} for {amendment}")
        right = self.right(right_id)
        run: Callable[..., Done | None] = {Amendment.HOLDER: self._reassign, Amendment.FREEZE: self._freeze}.get(amendment, self._amend)

        def act() -> Done:
            with as_problems():
                waits = run(right, amendment, body, reason)
            return waits or Done(200, self.shown(str(right.pk)))

        return self.once(act)

    def _amend(self, right: Right, amendment: Amendment, body: dict[str, Any], reason: str) -> None:
        self.check("issuer", right)
        change = Change(amendment, body["manifest"], reason)
        amend_right(right_id=str(right.pk), change=change, actor=self.principal.actor, now_us=self.now_us)

    def _reassign(self, right: Right, amendment: Amendment, body: dict[str, Any], reason: str) -> Done | None:  # noqa: ARG002 - one shape for all three
        self.check("registry_admin", right)
        taker = taker_of(body["holder"], "holder")
        if not self.alone(right):
            return self.proposed(REASSIGN, reassign_payload(right=right, taker=taker), reason)
        reassign_right(
            right_id=str(right.pk),
            seen=seen_of(right),
            taker=taker,
            reason=reason,
            mint=MINT,
            actor=self.principal.actor,
            now_us=self.now_us,
        )
        return None

    def _freeze(self, right: Right, amendment: Amendment, body: dict[str, Any], reason: str) -> None:  # noqa: ARG002
        self.check("freezer", right)
        freeze.freeze_right(
            right_id=str(right.pk), freeze_reason="governance", reason=reason, actor=self.principal.actor, now_us=self.now_us
        )


class ReplaceView(RoleView):
    scopes: ClassVar = {"POST": _ISSUERS}
    docs: ClassVar = {
        "POST": Doc(
            "End a right and issue another one for it, linked both ways",
            "Replaced",
            body="ReplaceRequest",
            status=201,
            idempotent=True,
            also={202: "Proposal"},
            description=_BY_TWO,
        )
    }

    def post(self, _request: Request, right_id: str) -> Response:
        body = fields.members(self.body, "", ("manifest", "kind", "reason"), ("manifest", "reason"))
        kind = fields.choice(body.get("kind", "replaced"), "kind", KINDS)
        reason = _reason(body["reason"])
        right = self.right(right_id)

        def act() -> Done:
            with as_problems():
                self.check("issuer", right)
                # The old right is finalized: an issuer alone decides that over what it holds itself.
                own = right.holder.participant_id == right.issuer.participant_id
                if not own and self.has("finalizer", right):
                    return self.proposed(REPLACE, replace_payload(right=right, document=body["manifest"], kind=kind), reason)
                former, latter = replace_right(
                    right_id=str(right.pk),
                    issuer=right.issuer,
                    document=body["manifest"],
                    kind=kind,
                    reason=reason,
                    mint=MINT,
                    actor=self.principal.actor,
                    now_us=self.now_us,
                )
            return Done(201, {"former": self.shown(str(former.pk)), "latter": self.shown(str(latter.pk)), "kind": kind})

        return self.once(act)
