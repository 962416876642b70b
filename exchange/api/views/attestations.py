"""What is vouched for about holders: operators attest and revoke, holders read their own (SPEC §4)."""

from typing import ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api import fields
from exchange.api.base import ApiView, not_found, page
from exchange.api.doc import Doc
from exchange.api.refusals import as_problems
from exchange.api.views.consents import MINT, optional, taker_of
from exchange.selectors import consents
from exchange.services.idempotency import Done
from rights.kernel.ids import bare
from rights.services import attestations as services


class AttestationsView(ApiView):
    scopes: ClassVar = {"GET": "read", "POST": "operate"}
    queries: ClassVar = {"GET": ("holder", "limit", "cursor")}
    docs: ClassVar = {
        "GET": Doc("Attestations of the caller (operators and auditors: of everybody), newest first", "Attestation", listed=True),
        "POST": Doc("Vouch for a fact about a holder", "Attestation", body="AttestationRequest", status=201, idempotent=True),
    }

    def get(self, _request: Request) -> Response:
        limit, after = self.query.limit(), self.query.cursor("attestations", "i")
        found = consents.visible_attestations(self.principal)
        holder = self.query.raw("holder")
        if holder is not None:
            uuid = self.principal.account_uuid if holder == "me" else fields.public_id(holder, "holder", "acc")
            found = found.filter(account__uuid=uuid)
        if after:
            found = found.filter(pk__lt=int(after[0]))
        shown = list(found.order_by("-pk")[: limit + 1])
        return page(shown, limit, "attestations", lambda row: (row.pk,), consents.attestation_document)

    def post(self, _request: Request) -> Response:
        body = fields.members(self.body, "", ("holder", "kind", "value", "evidence", "expires_at"), ("holder", "kind", "evidence"))
        account = taker_of(body["holder"], "holder")
        fact = services.Fact(
            kind=fields.text(body["kind"], "kind", high=40),
            evidence=fields.text(body["evidence"], "evidence", high=200),
            value=optional(body, "value", lambda value, field: fields.text(value, field, high=40), ""),
            expires_us=optional(body, "expires_at", fields.moment_us),
        )

        def act() -> Done:
            with as_problems():
                row = services.attest(
                    account=account, fact=fact, attestation_id=MINT.uuid(self.now_us), actor=self.principal.actor, now_us=self.now_us
                )
            return Done(201, consents.attestation_document(row))

        return self.once(act)


class AttestationRevokeView(ApiView):
    scopes: ClassVar = {"POST": "operate"}
    docs: ClassVar = {"POST": Doc("An attestation no longer holds", "Attestation", body="Reasoned", idempotent=True)}

    def post(self, _request: Request, attestation_id: str) -> Response:
        body = fields.members(self.body, "", ("reason",), ("reason",))
        reason = fields.text(body["reason"], "reason", high=500)
        uuid = bare("att", attestation_id)
        row = consents.visible_attestations(self.principal).filter(uuid=uuid).first() if uuid else None
        if row is None:
            raise not_found()

        def act() -> Done:
            with as_problems():
                ended = services.revoke_attestation(
                    attestation_id=str(row.uuid), note=reason, actor=self.principal.actor, now_us=self.now_us
                )
            return Done(200, consents.attestation_document(ended))

        return self.once(act)
