"""Consents and acknowledgments: ask, answer, let stand, take back (SPEC §4)."""

from collections.abc import Callable
from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api import fields
from exchange.api.base import ApiView, not_found, page
from exchange.api.doc import Doc
from exchange.api.refusals import as_problems
from exchange.selectors import consents, registry
from exchange.services.authority import check_role
from exchange.services.idempotency import Done
from exchange.services.identity import Principal
from rights.kernel.ids import Mint, bare
from rights.models import Account, Consent, Issuer, Right
from rights.models.consent import CONSENT_KINDS, CONSENT_STATES
from rights.services import consents as services

MINT = Mint()
KINDS = {kind: kind for kind in CONSENT_KINDS}
STATES = {state: state for state in CONSENT_STATES}
# An issuer's word is its own to give; the registry's is the operators'.
ANSWERERS = frozenset({"consent", "operate"})


def may_answer(principal: Principal, *, kind: str, issuer: Issuer) -> bool:
    """Whether the caller speaks for whoever is asked."""
    if kind == "acknowledgment":
        return principal.may("operate")
    return principal.may("consent") and issuer.participant_id == principal.participant_id


def check_speaker(principal: Principal, *, kind: str, issuer: Issuer) -> None:
    """Raise a Problem unless the caller's participant has the role that answers: the issuer's own, or the registry's."""
    role, issuer_id = ("registry_admin", None) if kind == "acknowledgment" else ("issuer", issuer.pk)
    with as_problems():
        check_role(participant_id=principal.participant_id, role=role, issuer_id=issuer_id)


def taker_of(value: object, field: str) -> Account:
    found = registry.account(fields.public_id(value, field, "acc"))
    if found is None:
        raise fields.FieldError(field, "is no holder here", "unknown_value")
    return found


def optional(body: dict[str, Any], field: str, read: Callable[[object, str], Any], default: Any = None) -> Any:
    """A member that may be missing or null."""
    return default if body.get(field) is None else read(body[field], field)


def _note(value: object, field: str) -> str:
    return fields.text(value, field, high=500)


class ConsentsView(ApiView):
    scopes: ClassVar = {"GET": frozenset({"read", "consent"}), "POST": "transfer"}
    queries: ClassVar = {"GET": ("state", "kind", "issuer", "limit", "cursor")}
    docs: ClassVar = {
        "GET": Doc("Consents the caller asked for, gave, or is asked for; newest first", "Consent", listed=True),
        "POST": Doc(
            "Ask the issuer (or the registry) for a transfer's consent",
            "Consent",
            body="ConsentRequest",
            status=201,
            idempotent=True,
            errors=("not_found",),
        ),
    }

    def get(self, _request: Request) -> Response:
        limit, after = self.query.limit(), self.query.cursor("consents", "i")
        found = consents.consents(
            self.principal,
            state=self.query.choice("state", STATES),
            kind=self.query.choice("kind", KINDS),
            issuer=self.query.text("issuer"),
            limit=limit,
            after=int(after[0]) if after else None,
        )
        return page(found, limit, "consents", lambda row: (row.pk,), lambda row: consents.consent_document(row, self.principal))

    def post(self, _request: Request) -> Response:
        body = fields.members(self.body, "", ("right_id", "taker", "units", "kind", "note", "deadline_at"), ("right_id", "taker", "units"))
        right_uuid = fields.public_id(body["right_id"], "right_id", "rgt")
        asked = {
            "taker": taker_of(body["taker"], "taker"),
            "units": fields.whole(body["units"], "units", low=1),
            "kind": fields.choice(body.get("kind", "consent"), "kind", KINDS),
            "note": optional(body, "note", _note, ""),
            "deadline_us": optional(body, "deadline_at", fields.moment_us),
        }
        right = registry.right(self.principal, right_uuid)
        if right is None or right.holder_id != self.principal.account_id:
            raise not_found()

        def act() -> Done:
            with as_problems():
                row = services.request_consent(
                    asked=services.Asked(right=right, **asked),
                    consent_id=MINT.uuid(self.now_us),
                    actor=self.principal.actor,
                    now_us=self.now_us,
                )
            return Done(201, consents.consent_document(row, self.principal))

        return self.once(act)


class OneConsent(ApiView):
    """Views of one consent."""

    def consent(self, consent_id: str) -> Consent:
        uuid = bare("cns", consent_id)
        row = consents.visible_consents(self.principal).filter(uuid=uuid).first() if uuid else None
        if row is None:
            raise not_found()
        return row

    def answerable(self, consent_id: str) -> Consent:
        """One whose answer is the caller's to give."""
        row = self.consent(consent_id)
        if not may_answer(self.principal, kind=row.kind, issuer=row.issuer):
            raise not_found()
        check_speaker(self.principal, kind=row.kind, issuer=row.issuer)
        return row

    def shown(self, row: Consent) -> dict[str, Any]:
        related = Consent.objects.select_related("issuer", "right", "giver__participant", "taker__participant")
        return consents.consent_document(related.get(pk=row.pk), self.principal)


class ConsentView(OneConsent):
    scopes: ClassVar = {"GET": frozenset({"read", "consent"})}
    docs: ClassVar = {"GET": Doc("One consent", "Consent")}

    def get(self, _request: Request, consent_id: str) -> Response:
        return Response(consents.consent_document(self.consent(consent_id), self.principal))


class ConsentApproveView(OneConsent):
    scopes: ClassVar = {"POST": ANSWERERS}
    docs: ClassVar = {"POST": Doc("Grant what is asked for", "Consent", body="ConsentApproval", idempotent=True)}

    def post(self, _request: Request, consent_id: str) -> Response:
        body = fields.members(self.body, "", ("note", "expires_at"))
        note = optional(body, "note", _note, "")
        expires_us = optional(body, "expires_at", fields.moment_us)
        row = self.answerable(consent_id)

        def act() -> Done:
            with as_problems():
                services.answer_consent(
                    consent_id=str(row.uuid),
                    granted=True,
                    note=note,
                    expires_us=expires_us,
                    actor=self.principal.actor,
                    now_us=self.now_us,
                )
            return Done(200, self.shown(row))

        return self.once(act)


class ConsentDenyView(OneConsent):
    scopes: ClassVar = {"POST": ANSWERERS}
    docs: ClassVar = {"POST": Doc("Deny what is asked for, with a reason", "Consent", body="Reasoned", idempotent=True)}

    def post(self, _request: Request, consent_id: str) -> Response:
        body = fields.members(self.body, "", ("reason",), ("reason",))
        reason = _note(body["reason"], "reason")
        row = self.answerable(consent_id)

        def act() -> Done:
            with as_problems():
                services.answer_consent(
                    consent_id=str(row.uuid), granted=False, note=reason, actor=self.principal.actor, now_us=self.now_us
                )
            return Done(200, self.shown(row))

        return self.once(act)


class ConsentRevokeView(OneConsent):
    scopes: ClassVar = {"POST": ANSWERERS | {"transfer"}}
    docs: ClassVar = {"POST": Doc("Take back a consent, or withdraw a request", "Consent", body="Reasoned", idempotent=True)}

    def post(self, _request: Request, consent_id: str) -> Response:
        body = fields.members(self.body, "", ("reason",), ("reason",))
        reason = _note(body["reason"], "reason")
        row = self.consent(consent_id)
        withdraws = row.state == "pending" and row.giver_id == self.principal.account_id and self.principal.may("transfer")
        if not withdraws and not may_answer(self.principal, kind=row.kind, issuer=row.issuer):
            raise not_found()
        if not withdraws:
            check_speaker(self.principal, kind=row.kind, issuer=row.issuer)

        def act() -> Done:
            with as_problems():
                services.revoke_consent(
                    consent_id=str(row.uuid), note=reason, actor=self.principal.actor, now_us=self.now_us, only_pending=withdraws
                )
            return Done(200, self.shown(row))

        return self.once(act)


class StandingConsentsView(ApiView):
    scopes: ClassVar = {"PUT": ANSWERERS}
    docs: ClassVar = {
        "PUT": Doc(
            "Let a consent stand for one taker or for everybody; what stood for the same is replaced", "Consent", body="StandingConsent"
        )
    }

    def put(self, _request: Request) -> Response:
        names = ("issuer_id", "kind", "taker", "root_right_id", "terms_hash", "expires_at", "note")
        body = fields.members(self.body, "", names, ("issuer_id",))
        kind = fields.choice(body.get("kind", "consent"), "kind", KINDS)
        slug = fields.text(body["issuer_id"], "issuer_id", high=64)
        taker = optional(body, "taker", taker_of)
        root = optional(body, "root_right_id", lambda value, field: fields.public_id(value, field, "rgt"))
        terms_hash = optional(body, "terms_hash", _hash, "")
        expires_us = optional(body, "expires_at", fields.moment_us)
        note = optional(body, "note", _note, "")
        if root and terms_hash:
            raise fields.FieldError("terms_hash", "may not be given together with root_right_id")
        issuer = Issuer.objects.select_related("participant").filter(slug=slug).first()
        if issuer is None or not may_answer(self.principal, kind=kind, issuer=issuer):
            raise fields.FieldError("issuer_id", "is no issuer the caller may speak for", "unknown_value")
        check_speaker(self.principal, kind=kind, issuer=issuer)
        if root and not Right.objects.filter(pk=root, issuer=issuer, parent=None).exists():
            raise fields.FieldError("root_right_id", "is no right this issuer has issued", "unknown_value")

        def act() -> Done:
            with as_problems():
                row = services.grant_standing(
                    issuer=issuer,
                    kind=kind,
                    coverage=services.Coverage(root, terms_hash),
                    taker=taker,
                    expires_us=expires_us,
                    note=note,
                    consent_id=MINT.uuid(self.now_us),
                    actor=self.principal.actor,
                    now_us=self.now_us,
                )
            return Done(200, consents.consent_document(row, self.principal))

        return self.once(act)


def _hash(value: object, field: str) -> str:
    found = fields.text(value, field, low=64, high=64)
    if not all(c in "0123456789abcdef" for c in found):
        raise fields.FieldError(field, "must be 64 hexadecimal digits")
    return found
