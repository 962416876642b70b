"""What suppliers can do, and how much of it in which window, over REST."""

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api import fields, supply_render
from exchange.api.base import not_found, page
from exchange.api.doc import Doc
from exchange.api.form import Form
from exchange.api.problems import Problem
from exchange.api.refusals import as_problems
from exchange.api.views.rights import MINT
from exchange.api.views.suppliers import OneSupplier
from exchange.selectors import supply
from exchange.selectors.registry import EVERYTHING
from exchange.selectors.supply import CapabilityRow
from exchange.services.idempotency import Done
from rights.domain.capability import CONSTRAINT, SLUG
from rights.kernel.ids import bare
from rights.models import Issuer, Supplier
from rights.services import capabilities
from rights.services.capabilities import AXES, MOST_CONSTRAINTS, MOST_MINOR, NewCapability
from rights.services.capacity import MOST_ISSUERS, MOST_UNITS, Posting, post_capacity
from settlement.models import Asset

STATES = {"live": False, "retired": True}


def window_of(value: object, field: str) -> tuple[int, int]:
    """A window's two moments in microseconds."""
    found = fields.members(value, field, ("start", "end"), ("start", "end"))
    return fields.moment_us(found["start"], f"{field}.start"), fields.moment_us(found["end"], f"{field}.end")


def _tariff(value: object, field: str) -> tuple[int, int, str]:
    """Minor units, the units they are the price of, and the currency."""
    found = fields.members(value, field, ("amount", "units", "currency"), ("amount",))
    code = found.get("currency", "USD")
    asset = Asset.objects.filter(code=code, kind="cash").first() if isinstance(code, str) and "\0" not in code else None
    if asset is None:
        raise fields.FieldError(f"{field}.currency", "is no currency of this venue", "unknown_value")
    minor = fields.decimal_scaled(found["amount"], f"{field}.amount", asset.scale, 0, MOST_MINOR)
    return minor, fields.whole(found.get("units", "1"), f"{field}.units", 1, MOST_MINOR), asset.code


def _constraint(value: object, field: str) -> str:
    return fields.matching(value, field, CONSTRAINT, "must be words of a-z 0-9 joined by hyphens, such as region-us-only")


def _slug(value: object, field: str) -> str:
    return fields.matching(value, field, SLUG, "must be an issuer's slug")


class OneCapability(OneSupplier):
    """Views of one capability of one supplier."""

    def capability(self, supplier_id: str, capability_id: str) -> CapabilityRow:
        uuid = bare("cap", capability_id)
        found = supply.capability(uuid) if uuid else None
        if found is None or f"sup_{found.supplier_uuid}" != supplier_id:
            raise not_found()
        return found

    def shown_capability(self, uuid: str) -> dict[str, Any]:
        found = supply.capability(uuid)
        if found is None:
            raise not_found()
        return supply_render.capability(found)


class CapabilitiesView(OneCapability):
    scopes: ClassVar = {"GET": "read", "POST": "supply"}
    queries: ClassVar = {"GET": ("status", "limit", "cursor")}
    docs: ClassVar = {
        "GET": Doc("A supplier's capabilities, newest first", "Capability", listed=True),
        "POST": Doc("Post a capability of the caller's supplier", "Capability", body="CapabilityRequest", status=201, idempotent=True),
    }

    def get(self, _request: Request, supplier_id: str) -> Response:
        row = self.supplier(supplier_id)
        limit, before = self.query.limit(), self.query.cursor("capabilities", "i")
        found = supply.capabilities(
            supplier_id=row.id, limit=limit, before=int(before[0]) if before else None, retired=self.query.choice("status", STATES)
        )
        return page(found, limit, "capabilities", lambda one: (one.id,), supply_render.capability)

    def post(self, _request: Request, supplier_id: str) -> Response:
        form = Form(self.body, (*AXES, "constraints", "tariff"))
        axes = {axis: form.need(axis, "", fields.choice, dict(zip(words, words, strict=True))) for axis, words in AXES.items()}
        constraints: list[str] = form.read("constraints", [], fields.items, 0, MOST_CONSTRAINTS, _constraint)
        minor, units, currency = form.read("tariff", (0, 1, "USD"), _tariff)
        form.close()
        row, capability_id = self.owned(supplier_id), MINT.uuid(self.now_us)
        new = NewCapability(**axes, constraints=constraints, tariff_minor=minor, tariff_units=units, currency=currency)

        def act() -> Done:
            with as_problems():
                capabilities.post_capability(
                    supplier=Supplier.objects.get(pk=row.id),
                    new=new,
                    capability_id=capability_id,
                    actor=self.principal.actor,
                    now_us=self.now_us,
                )
            return Done(201, self.shown_capability(capability_id))

        return self.once(act)


class CapabilityView(OneCapability):
    scopes: ClassVar = {"GET": "read", "DELETE": "supply"}
    docs: ClassVar = {
        "GET": Doc("One capability", "Capability"),
        "DELETE": Doc("Retire a capability for good; what it had posted for windows to come is withdrawn", "Capability"),
    }

    def get(self, _request: Request, supplier_id: str, capability_id: str) -> Response:
        return Response(supply_render.capability(self.capability(supplier_id, capability_id)))

    def delete(self, _request: Request, supplier_id: str, capability_id: str) -> Response:
        self.owned(supplier_id)
        row = self.capability(supplier_id, capability_id)
        with as_problems():
            capabilities.retire_capability(capability_id=row.uuid, actor=self.principal.actor, now_us=self.now_us)
        return Response(self.shown_capability(row.uuid))


class MeasureView(OneCapability):
    scopes: ClassVar = {"POST": "operate"}
    docs: ClassVar = {"POST": Doc("How reliable a capability was found", "Capability", body="Measurement", idempotent=True)}

    def post(self, _request: Request, supplier_id: str, capability_id: str) -> Response:
        form = Form(self.body, ("reliability_bps", "reason"))
        reliability = form.need("reliability_bps", 0, fields.integer, 0, 10_000)
        reason = form.need("reason", "", fields.text, 1, 500)
        form.close()
        row = self.capability(supplier_id, capability_id)

        def act() -> Done:
            with as_problems():
                capabilities.measure_capability(
                    capability_id=row.uuid, reliability_bps=reliability, reason=reason, actor=self.principal.actor, now_us=self.now_us
                )
            return Done(200, self.shown_capability(row.uuid))

        return self.once(act)


class CapacityView(OneCapability):
    scopes: ClassVar = {"GET": "read", "POST": "supply"}
    queries: ClassVar = {"GET": ("window_from", "window_to", "limit", "cursor")}
    docs: ClassVar = {
        "GET": Doc("What a capability has posted, by window", "PostedCapacity", listed=True),
        "POST": Doc(
            "Post what a capability can deliver in a window, in the place of what was posted for it before",
            "PostedCapacity",
            body="PostedCapacityRequest",
            status=201,
            idempotent=True,
            description="Less than is pledged takes pledges back by their shares; assurances that no longer carry what stands issued are degraded.",
        ),
    }

    def get(self, _request: Request, supplier_id: str, capability_id: str) -> Response:
        row = self.capability(supplier_id, capability_id)
        limit, after = self.query.limit(), self.query.cursor("capacity", "ii")
        found = supply.capacity(
            capability_id=row.id,
            limit=limit,
            after=(int(after[0]), int(after[1])) if after else None,
            from_us=self.query.moment_us("window_from"),
            to_us=self.query.moment_us("window_to"),
        )
        seen = self._may_see(supplier_id)
        return page(found, limit, "capacity", lambda one: (one.start_us, one.id), lambda one: supply_render.capacity(one, row.uuid, seen))

    def post(self, _request: Request, supplier_id: str, capability_id: str) -> Response:
        form = Form(self.body, ("window", "units", "issuers"))
        start_us, end_us = form.need("window", (0, 1), window_of)
        units = form.need("units", 0, fields.whole, 0, MOST_UNITS)
        issuers: list[str] = form.read("issuers", [], fields.items, 0, MOST_ISSUERS, _slug)
        form.close()
        self.owned(supplier_id)
        row = self.capability(supplier_id, capability_id)
        posting = Posting(start_us, end_us, units, tuple(issuers))

        def act() -> Done:
            with as_problems():
                post_capacity(capability_id=row.uuid, posting=posting, actor=self.principal.actor, now_us=self.now_us)
            found = supply.one_capacity(capability_id=row.id, start_us=start_us, end_us=end_us)
            if found is None:
                raise Problem("internal_error")
            return Done(201, supply_render.capacity(found, row.uuid, None))

        return self.once(act)

    def _may_see(self, supplier_id: str) -> frozenset[str] | None:
        """The owner, operators and auditors see all issuers that a posting names; others those they act for."""
        principal = self.principal
        if principal.scopes & EVERYTHING or self.supplier(supplier_id).participant_id == principal.participant_id:
            return None
        return frozenset(Issuer.objects.filter(participant_id=principal.participant_id).values_list("slug", flat=True))
