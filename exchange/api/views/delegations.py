"""Delegations over REST: grant bounded use, pass it on, take it back (SPEC §6)."""

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api import fields
from exchange.api.base import ApiView, not_found, page
from exchange.api.doc import Doc
from exchange.api.refusals import as_problems
from exchange.api.views.consents import taker_of
from exchange.api.views.rights import MINT
from exchange.selectors import packages as selectors
from exchange.services.idempotency import Done
from rights.domain.capability import WORKLOADS
from rights.kernel.ids import bare
from rights.models import Account, Delegation, Package, Right
from rights.services import delegations as services
from settlement.services.delegate import delegate

_WORKLOADS = {workload: workload for workload in WORKLOADS}
_OF = {"right_id": "rgt", "package_id": "pkg", "parent_delegation_id": "dlg"}
_FIELDS = ("delegate", "max_units", "valid_from", "valid_until", "workload_classes", "fallback_allowed", "subdelegation_allowed")


def _workload(value: object, field: str) -> str:
    return fields.choice(value, field, _WORKLOADS)


class DelegationsView(ApiView):
    scopes: ClassVar = {"GET": "read", "POST": "transfer"}
    queries: ClassVar = {"GET": ("limit", "cursor")}
    docs: ClassVar = {
        "GET": Doc("Delegations the caller gave and took, newest first", "Delegation", listed=True),
        "POST": Doc(
            "Let somebody use a right, a package, or a part of a delegation",
            "Delegation",
            body="DelegationRequest",
            status=201,
            idempotent=True,
            errors=("not_found",),
        ),
    }

    def get(self, _request: Request) -> Response:
        limit, after = self.query.limit(), self.query.cursor("delegations", "i")
        found = selectors.visible_delegations(self.principal)
        if after:
            found = found.filter(pk__lt=int(after[0]))
        rows = list(found.order_by("-pk")[: limit + 1])
        documents = dict(zip((row.pk for row in rows), selectors.delegation_documents(rows), strict=True))
        return page(rows, limit, "delegations", lambda row: (row.pk,), lambda row: documents[row.pk])

    def post(self, _request: Request) -> Response:
        body = fields.members(self.body, "", (*_OF, *_FIELDS), ("delegate", "max_units", "valid_from", "valid_until"))
        named = [name for name in _OF if body.get(name) is not None]
        if len(named) != 1:
            raise fields.FieldError("right_id", "is given, or else package_id or parent_delegation_id: exactly one")
        uuid = fields.public_id(body[named[0]], named[0], _OF[named[0]])
        bounds = services.Bounds(
            max_units=fields.whole(body["max_units"], "max_units", low=1),
            valid_from_us=fields.moment_us(body["valid_from"], "valid_from"),
            valid_until_us=fields.moment_us(body["valid_until"], "valid_until"),
            workload_classes=fields.items(body.get("workload_classes", []), "workload_classes", 0, len(WORKLOADS), _workload),
            fallback_allowed=fields.boolean(body.get("fallback_allowed", False), "fallback_allowed"),
            subdelegation_allowed=fields.boolean(body.get("subdelegation_allowed", False), "subdelegation_allowed"),
        )
        to = taker_of(body["delegate"], "delegate")
        of = self._of(named[0], uuid)

        def act() -> Done:
            with as_problems():
                row = delegate(
                    **of,
                    delegator=Account.objects.get(pk=self.principal.account_id),
                    to=to,
                    bounds=bounds,
                    delegation_id=MINT.uuid(self.now_us),
                    actor=self.principal.actor,
                    now_us=self.now_us,
                )
            return Done(201, selectors.delegation_documents([row])[0])

        return self.once(act)

    def _of(self, name: str, uuid: str) -> dict[str, Any]:
        """What is delegated; the same 404 for what is missing and what is somebody else's."""
        me = self.principal.account_id
        right = Right.objects.select_related("terms").filter(pk=uuid, holder_id=me).first() if name == "right_id" else None
        package = Package.objects.filter(uuid=uuid, holder_id=me).first() if name == "package_id" else None
        parent = Delegation.objects.filter(uuid=uuid, delegate_id=me).first() if name == "parent_delegation_id" else None
        if right is None and package is None and parent is None:
            raise not_found()
        return {"right": right, "package": package, "parent": parent}


class DelegationView(ApiView):
    scopes: ClassVar = {"GET": "read", "DELETE": "transfer"}
    docs: ClassVar = {
        "GET": Doc("One delegation", "Delegation"),
        "DELETE": Doc("Revoke a delegation and all passed on from it, at once", "Delegation", idempotent=True),
    }

    def _row(self, delegation_id: str) -> Delegation:
        uuid = bare("dlg", delegation_id)
        row = selectors.visible_delegations(self.principal).filter(uuid=uuid).first() if uuid else None
        if row is None:
            raise not_found()
        return row

    def get(self, _request: Request, delegation_id: str) -> Response:
        return Response(selectors.delegation_documents([self._row(delegation_id)])[0])

    def delete(self, _request: Request, delegation_id: str) -> Response:
        row = self._row(delegation_id)
        if row.delegator_id != self.principal.account_id:
            raise not_found()

        def act() -> Done:
            with as_problems():
                services.revoke_delegation(
                    delegation_id=str(row.uuid), reason="revoked by its giver", actor=self.principal.actor, now_us=self.now_us
                )
            return Done(200, selectors.delegation_documents([self._row(delegation_id)])[0])

        return self.once(act)
