"""Suppliers, capabilities and posted capacity over REST: everybody sees them, only the owner writes, trust is the venue's."""

from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api import fields, supply_render
from exchange.api.base import ApiView, not_found, page
from exchange.api.doc import Doc
from exchange.api.form import Form
from exchange.api.problems import Problem
from exchange.api.refusals import as_problems
from exchange.api.views.rights import MINT
from exchange.selectors import supply
from exchange.selectors.supply import SupplierRow
from exchange.services.idempotency import Done
from rights.domain.capability import REGION, SLUG
from rights.kernel.ids import bare
from rights.models import Participant
from rights.services import suppliers
from rights.services.suppliers import Description

STATUSES = {"active": "active", "suspended": "suspended"}
_SLUG_RULE = "must be 1 to 64 of a-z 0-9 . _ - and begin with a letter or a digit"
_REGION_RULE = "must be a code such as US or EU-WEST"


class OneSupplier(ApiView):
    """Views of one supplier."""

    def supplier(self, supplier_id: str) -> SupplierRow:
        uuid = bare("sup", supplier_id)
        found = supply.supplier(uuid) if uuid else None
        if found is None:
            raise not_found()
        return found

    def owned(self, supplier_id: str) -> SupplierRow:
        """The supplier, if the caller's participant owns it; everybody may know that it is there."""
        found = self.supplier(supplier_id)
        if found.participant_id != self.principal.participant_id:
            raise Problem("forbidden", "only its owner changes a supplier")
        return found

    def shown(self, uuid: str) -> dict[str, Any]:
        found = supply.supplier(uuid)
        if found is None:
            raise not_found()
        return supply_render.supplier(found, self.principal)


class SuppliersView(OneSupplier):
    scopes: ClassVar = {"GET": "read", "POST": "supply"}
    queries: ClassVar = {"GET": ("status", "owner", "limit", "cursor")}
    docs: ClassVar = {
        "GET": Doc("Suppliers, newest first; `owner=me`: the caller's own", "Supplier", listed=True),
        "POST": Doc("Register a supplier of the caller's", "Supplier", body="SupplierRequest", status=201, idempotent=True),
    }

    def get(self, _request: Request) -> Response:
        limit, before = self.query.limit(), self.query.cursor("suppliers", "i")
        mine = self.query.choice("owner", {"me": self.principal.participant_id})
        found = supply.suppliers(
            limit=limit, before=int(before[0]) if before else None, status=self.query.choice("status", STATUSES), owner=mine
        )
        return page(found, limit, "suppliers", lambda row: (row.id,), lambda row: supply_render.supplier(row, self.principal))

    def post(self, _request: Request) -> Response:
        form = Form(self.body, ("slug", "name", "region", "public_key"))
        slug = form.need("slug", "", fields.matching, SLUG, _SLUG_RULE)
        said = Description(
            form.need("name", "", fields.text),
            form.need("region", "", fields.matching, REGION, _REGION_RULE),
            form.read("public_key", "", fields.text, 44, 44),
        )
        form.close()
        principal, supplier_id = self.principal, MINT.uuid(self.now_us)

        def act() -> Done:
            participant = Participant.objects.get(pk=principal.participant_id)
            with as_problems():
                suppliers.register_supplier(
                    participant=participant, slug=slug, said=said, supplier_id=supplier_id, actor=principal.actor, now_us=self.now_us
                )
            return Done(201, self.shown(supplier_id))

        return self.once(act)


class SupplierView(OneSupplier):
    scopes: ClassVar = {"GET": "read", "PATCH": "supply"}
    docs: ClassVar = {
        "GET": Doc("One supplier", "Supplier"),
        "PATCH": Doc("Describe a supplier of the caller's anew", "Supplier", body="SupplierChange", idempotent=True),
    }

    def get(self, _request: Request, supplier_id: str) -> Response:
        return Response(supply_render.supplier(self.supplier(supplier_id), self.principal))

    def patch(self, _request: Request, supplier_id: str) -> Response:
        form = Form(self.body, ("name", "region", "public_key"))
        name = form.read("name", "", fields.text)
        region = form.read("region", "", fields.matching, REGION, _REGION_RULE)
        key = form.read("public_key", "", fields.text, 44, 44)
        form.close()
        row = self.owned(supplier_id)
        said = Description(name or row.name, region or row.region, key or row.public_key)

        def act() -> Done:
            with as_problems():
                suppliers.change_supplier(supplier_id=row.uuid, said=said, actor=self.principal.actor, now_us=self.now_us)
            return Done(200, self.shown(row.uuid))

        return self.once(act)


class SupplierAssessView(OneSupplier):
    scopes: ClassVar = {"POST": "operate"}
    docs: ClassVar = {"POST": Doc("How far the venue trusts a supplier", "Supplier", body="SupplierAssessment", idempotent=True)}

    def post(self, _request: Request, supplier_id: str) -> Response:
        form = Form(self.body, ("trust_bps", "reason"))
        trust = form.need("trust_bps", 0, fields.integer, 0, 10_000)
        reason = form.need("reason", "", fields.text, 1, 500)
        form.close()
        row = self.supplier(supplier_id)

        def act() -> Done:
            with as_problems():
                suppliers.assess_supplier(
                    supplier_id=row.uuid, trust_bps=trust, reason=reason, actor=self.principal.actor, now_us=self.now_us
                )
            return Done(200, self.shown(row.uuid))

        return self.once(act)


class _StandingView(OneSupplier):
    """Suspend and reinstate differ in the service alone."""

    scopes: ClassVar = {"POST": "operate"}
    service: ClassVar[Any]

    def post(self, _request: Request, supplier_id: str) -> Response:
        body: Mapping[str, Any] = fields.members(self.body, "", ("reason",), ("reason",))
        reason = fields.text(body["reason"], "reason", high=500)
        row = self.supplier(supplier_id)

        def act() -> Done:
            with as_problems():
                type(self).service(supplier_id=row.uuid, reason=reason, actor=self.principal.actor, now_us=self.now_us)
            return Done(200, self.shown(row.uuid))

        return self.once(act)


class SupplierSuspendView(_StandingView):
    docs: ClassVar = {
        "POST": Doc("Withdraw a supplier and what it has posted for windows to come", "Supplier", body="StandingRequest", idempotent=True)
    }
    service = staticmethod(suppliers.suspend_supplier)


class SupplierReinstateView(_StandingView):
    docs: ClassVar = {"POST": Doc("Let a supplier post capacity again", "Supplier", body="StandingRequest", idempotent=True)}
    service = staticmethod(suppliers.reinstate_supplier)
