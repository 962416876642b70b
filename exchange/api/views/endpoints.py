"""Where capabilities are executed, over REST: for the supplier's owner, and for the venue, which alone names addresses inside."""

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api import fields
from exchange.api.base import not_found, page
from exchange.api.doc import Doc
from exchange.api.form import Form
from exchange.api.problems import Problem
from exchange.api.refusals import as_problems
from exchange.api.views.capabilities import OneCapability
from exchange.api.views.rights import MINT
from exchange.selectors import endpoints as found_endpoints
from exchange.selectors.endpoints import EndpointRow
from exchange.selectors.registry import EVERYTHING
from exchange.selectors.supply import SupplierRow
from exchange.services.idempotency import Done
from rights.kernel.clock import rfc3339
from rights.kernel.ids import bare
from settlement.models import Endpoint
from settlement.models.request import ADAPTERS
from settlement.services import endpoints
from settlement.services.endpoints import ATTEMPTS, MOST_MODEL, MOST_SECRET, TIMEOUT_MS, Setup

_ADAPTERS = {name: name for name in ADAPTERS}
_STATUSES = {"active": "active", "paused": "paused"}
_READERS = frozenset({"supply", "operate", "audit"})
_WRITERS = frozenset({"supply", "operate"})
_OPERATORS = frozenset({"operate"})


def shown(row: EndpointRow, now_us: int) -> dict[str, Any]:
    """The endpoint as its owner sees it. The secret is never shown."""
    is_open = row.opened_until_us is not None and row.opened_until_us > now_us
    return {
        "id": f"end_{row.uuid}",
        "supplier_id": f"sup_{row.supplier_uuid}",
        "capability_id": f"cap_{row.capability_uuid}",
        "adapter": row.adapter,
        "base_url": row.base_url,
        "model": row.model,
        "with_secret": row.with_secret,
        "timeout_ms": row.timeout_ms,
        "max_attempts": row.max_attempts,
        "inside": row.inside,
        "status": row.status,
        "health": {
            "breaker": "open" if is_open else "closed",
            "opened_until": rfc3339(row.opened_until_us) if is_open and row.opened_until_us is not None else None,
            "failures_in_a_row": row.failures_in_a_row,
            "latency_ms": None if row.latency_us is None else row.latency_us // 1000,
        },
        "created_at": rfc3339(row.created_us),
    }


class OneEndpoint(OneCapability):
    """Views of the endpoints of one supplier."""

    def concerned(self, supplier_id: str, staff: frozenset[str]) -> SupplierRow:
        """The supplier, for its owner and those of the venue who have one of the scopes."""
        found = self.supplier(supplier_id)
        is_owner = found.participant_id == self.principal.participant_id and self.principal.may("supply")
        if not is_owner and not self.principal.scopes & staff:
            raise Problem("forbidden", "a supplier's endpoints are for its owner")
        return found

    def endpoint(self, supplier_id: str, endpoint_id: str) -> EndpointRow:
        uuid = bare("end", endpoint_id)
        found = found_endpoints.endpoint(uuid) if uuid else None
        if found is None or f"sup_{found.supplier_uuid}" != supplier_id:
            raise not_found()
        return found

    def shown_endpoint(self, uuid: str) -> dict[str, Any]:
        found = found_endpoints.endpoint(uuid)
        if found is None:
            raise not_found()
        return shown(found, self.now_us)


def _setup(form: Form, before: Setup) -> Setup:
    """What the form says, over what was before."""
    return Setup(
        adapter=before.adapter,
        base_url=form.read("base_url", before.base_url, fields.text, 1, 300),
        model=form.read("model", before.model, fields.text, 1, MOST_MODEL),
        secret=form.read("secret", "", fields.text, 0, MOST_SECRET) if form.given("secret") else None,
        timeout_ms=form.read("timeout_ms", before.timeout_ms, fields.integer, *TIMEOUT_MS),
        max_attempts=form.read("max_attempts", before.max_attempts, fields.integer, *ATTEMPTS),
        inside=form.read("inside", before.inside, fields.boolean),
    )


_FIELDS = ("base_url", "model", "secret", "timeout_ms", "max_attempts", "inside")


class EndpointsView(OneEndpoint):
    scopes: ClassVar = {"GET": _READERS, "POST": _WRITERS}
    queries: ClassVar = {"GET": ("limit", "cursor")}
    docs: ClassVar = {
        "GET": Doc("A supplier's endpoints, newest first; for its owner and the venue", "Endpoint", listed=True),
        "POST": Doc(
            "Say where a capability is executed and how it is called", "Endpoint", body="EndpointRequest", status=201, idempotent=True
        ),
    }

    def get(self, _request: Request, supplier_id: str) -> Response:
        row = self.concerned(supplier_id, EVERYTHING)
        limit, before = self.query.limit(), self.query.cursor("endpoints", "i")
        found = found_endpoints.endpoints(supplier_id=row.id, limit=limit, before=int(before[0]) if before else None)
        return page(found, limit, "endpoints", lambda one: (one.id,), lambda one: shown(one, self.now_us))

    def post(self, _request: Request, supplier_id: str) -> Response:
        form = Form(self.body, ("capability_id", "adapter", *_FIELDS))
        capability = form.need("capability_id", "", fields.public_id, "cap")
        said = _setup(form, Setup(form.need("adapter", "openai", fields.choice, _ADAPTERS)))
        form.close()
        self.concerned(supplier_id, _OPERATORS)
        capability = self.capability(supplier_id, f"cap_{capability}").uuid
        endpoint_id, principal = MINT.uuid(self.now_us), self.principal

        def act() -> Done:
            with as_problems():
                endpoints.register_endpoint(
                    capability_id=capability,
                    said=said,
                    endpoint_id=endpoint_id,
                    is_operator=principal.may("operate"),
                    actor=principal.actor,
                    now_us=self.now_us,
                )
            return Done(201, self.shown_endpoint(endpoint_id))

        return self.once(act)


class EndpointView(OneEndpoint):
    scopes: ClassVar = {"GET": _READERS, "PATCH": _WRITERS}
    docs: ClassVar = {
        "GET": Doc("One endpoint", "Endpoint"),
        "PATCH": Doc("Call an endpoint otherwise, or pause it", "Endpoint", body="EndpointChange", idempotent=True),
    }

    def get(self, _request: Request, supplier_id: str, endpoint_id: str) -> Response:
        self.concerned(supplier_id, EVERYTHING)
        return Response(shown(self.endpoint(supplier_id, endpoint_id), self.now_us))

    def patch(self, _request: Request, supplier_id: str, endpoint_id: str) -> Response:
        self.concerned(supplier_id, _OPERATORS)
        found = self.endpoint(supplier_id, endpoint_id)
        before = endpoints.setup_of(Endpoint.objects.get(uuid=found.uuid))
        form = Form(self.body, (*_FIELDS, "status", "reason"))
        said = _setup(form, before)
        status = form.read("status", found.status, fields.choice, _STATUSES)
        reason = form.read("reason", "", fields.text, 1, 500) or None
        form.close()

        def act() -> Done:
            with as_problems():
                endpoints.change_endpoint(
                    endpoint_id=found.uuid,
                    said=said,
                    status=status,
                    is_operator=self.principal.may("operate"),
                    actor=self.principal.actor,
                    now_us=self.now_us,
                    reason=reason,
                )
            return Done(200, self.shown_endpoint(found.uuid))

        return self.once(act)
