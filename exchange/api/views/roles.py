"""Roles over rights: who has which, granted and taken back by registry admins (SPEC §2)."""

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api import fields
from exchange.api.base import ApiView, not_found, page
from exchange.api.doc import Doc
from exchange.api.refusals import as_problems
from exchange.api.views.rights import MINT
from exchange.services.authority import check_role
from exchange.services.idempotency import Done
from rights.kernel.clock import rfc3339, to_us
from rights.kernel.ids import bare, public
from rights.models import Issuer, Participant, RoleGrant
from rights.models.role import ROLES
from rights.services.roles import grant_role, revoke_role

NAMES = {role: role for role in ROLES}


def document(row: RoleGrant) -> dict[str, Any]:
    """A grant as the API shows it."""
    return {
        "id": public("rol", str(row.uuid)),
        "participant": row.participant.slug,
        "role": row.role,
        "issuer_id": None if row.issuer is None else row.issuer.slug,
        "granted_at": rfc3339(to_us(row.granted_at)),
        "revoked_at": None if row.revoked_at is None else rfc3339(to_us(row.revoked_at)),
    }


class RolesView(ApiView):
    scopes: ClassVar = {"GET": "read", "POST": "operate"}
    queries: ClassVar = {"GET": ("participant", "limit", "cursor")}
    docs: ClassVar = {
        "GET": Doc("Roles of the caller (operators and auditors: of everybody), newest first", "Role", listed=True),
        "POST": Doc("Grant a role; a registry admin's act", "Role", body="RoleRequest", status=201, idempotent=True),
    }

    def get(self, _request: Request) -> Response:
        limit, after = self.query.limit(), self.query.cursor("roles", "i")
        found = RoleGrant.objects.select_related("participant", "issuer")
        if not self.principal.scopes & {"operate", "audit"}:
            found = found.filter(participant_id=self.principal.participant_id)
        slug = self.query.text("participant")
        if slug is not None:
            found = found.filter(participant__slug=slug)
        if after:
            found = found.filter(pk__lt=int(after[0]))
        return page(list(found.order_by("-pk")[: limit + 1]), limit, "roles", lambda row: (row.pk,), document)

    def post(self, _request: Request) -> Response:
        body = fields.members(self.body, "", ("participant", "role", "issuer_id", "reason"), ("participant", "role", "reason"))
        slug = fields.text(body["participant"], "participant", high=64)
        role = fields.choice(body["role"], "role", NAMES)
        reason = fields.text(body["reason"], "reason", high=500)
        participant = Participant.objects.filter(slug=slug).first()
        if participant is None:
            raise fields.FieldError("participant", "is no participant here", "unknown_value")
        issuer = None
        if body.get("issuer_id") is not None:
            issuer = Issuer.objects.filter(slug=fields.text(body["issuer_id"], "issuer_id", high=64)).first()
            if issuer is None:
                raise fields.FieldError("issuer_id", "is no issuer here", "unknown_value")

        def act() -> Done:
            with as_problems():
                check_role(participant_id=self.principal.participant_id, role="registry_admin")
                row = grant_role(
                    participant=participant,
                    role=role,
                    issuer=issuer,
                    grant_id=MINT.uuid(self.now_us),
                    reason=reason,
                    actor=self.principal.actor,
                    now_us=self.now_us,
                )
            return Done(201, document(row))

        return self.once(act)


class RoleRevokeView(ApiView):
    scopes: ClassVar = {"POST": "operate"}
    docs: ClassVar = {"POST": Doc("Take a role back", "Role", body="Reasoned", idempotent=True)}

    def post(self, _request: Request, role_id: str) -> Response:
        body = fields.members(self.body, "", ("reason",), ("reason",))
        reason = fields.text(body["reason"], "reason", high=500)
        uuid = bare("rol", role_id)
        if uuid is None or not RoleGrant.objects.filter(uuid=uuid).exists():
            raise not_found()

        def act() -> Done:
            with as_problems():
                check_role(participant_id=self.principal.participant_id, role="registry_admin")
                revoke_role(grant_id=uuid, reason=reason, actor=self.principal.actor, now_us=self.now_us)
            return Done(200, document(RoleGrant.objects.select_related("participant", "issuer").get(uuid=uuid)))

        return self.once(act)
