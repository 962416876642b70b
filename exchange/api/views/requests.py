"""Requests to use rights over REST (SPEC §8): submit, look, quote, choose, call off."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from django.db.models import Exists, OuterRef
from rest_framework.request import Request as HttpRequest
from rest_framework.response import Response

from exchange.api import fields
from exchange.api.base import ApiView, listing, not_found, page
from exchange.api.doc import Doc
from exchange.api.problems import MOST_DETAIL, Problem
from exchange.api.refusals import as_problems
from exchange.api.views.request_form import read_envelope, words
from exchange.api.views.rights import MINT
from exchange.selectors.requests import request_document, request_now, route_documents, visible_requests
from exchange.services.idempotency import Done
from exchange.services.redeem_bell import ring_after_commit
from exchange.services.request_bounds import RequestBounded, still_within_bounds, within_bounds
from rights.domain.package import MOST_PARTS
from rights.kernel.ids import bare
from rights.kernel.planned import load_one
from rights.models import Account
from settlement.domain.envelope import envelope_of
from settlement.domain.request_states import REQUEST_STATES
from settlement.models import Request, RequestPayload, Route
from settlement.services.cancel import cancel_request
from settlement.services.request_refusal import EnvelopeRefused, RequestRefused, RequestStateRefused
from settlement.services.route import lock_routes, quote_routes, release_routes
from settlement.services.submit import submit_request


@contextmanager
def _as_problems() -> Iterator[None]:
    """What using a right refuses, as problems: every reason of every candidate stands in `gates`."""
    try:
        with as_problems():
            yield
    except EnvelopeRefused as refused:
        errors = [{"field": fault.field, "code": "conflict", "detail": fault.detail} for fault in refused.faults]
        raise Problem("validation_failed", str(refused)[:MOST_DETAIL], field_errors=errors) from refused
    except RequestRefused as refused:
        gates = [
            {
                "right_id": f"rgt_{one.right_id}" if one.right_id else None,
                "supplier": one.supplier,
                "code": one.reason.code,
                "passed": False,
                "detail": one.reason.detail,
            }
            for one in refused.refusals
        ]
        raise Problem("request_refused", str(refused)[:MOST_DETAIL], gates=gates, retryable=refused.is_retryable) from refused
    except RequestStateRefused as refused:
        raise Problem(refused.code, refused.detail) from refused
    except RequestBounded as refused:
        told = [{"code": one.code, "passed": False, "detail": one.detail} for one in refused.refusals]
        raise Problem(refused.refusals[0].code, str(refused)[:MOST_DETAIL], gates=told) from refused


class OneRequest(ApiView):
    """Views of one request."""

    def row(self, request_id: str) -> Request:
        uuid = bare("req", request_id)
        found = visible_requests(self.principal).filter(pk=uuid).first() if uuid else None
        if found is None:
            raise not_found()
        return found

    def own(self, request_id: str) -> Request:
        """For whoever asked, and for the holder whose rights it uses; staff only look."""
        found = self.row(request_id)
        if self.principal.account_id not in {found.account_id, found.holder_id}:
            raise not_found()
        return found


class RequestsView(OneRequest):
    scopes: ClassVar = {"GET": "read", "POST": "redeem"}
    queries: ClassVar = {"GET": ("state", "right", "limit", "cursor"), "POST": ("validate_only",)}
    docs: ClassVar = {
        "GET": Doc("Requests of the caller, and those that use its rights, newest first", "Request", listed=True),
        "POST": Doc(
            "Use rights: the best routes are locked, or quoted when the caller chooses",
            "Request",
            body="RequestEnvelope",
            status=201,
            idempotent=True,
            errors=("request_refused", "lifecycle_refused"),
            also={202: "Request"},
            description="202: no route is free now, and the rights let it wait within their windows.",
        ),
    }

    def get(self, _request: HttpRequest) -> Response:
        limit, after = self.query.limit(), self.query.cursor("requests", "u")
        found = visible_requests(self.principal)
        state, right = self.query.choice("state", words(*REQUEST_STATES)), self.query.public_id("right", "rgt")
        if state:
            found = found.filter(state=state)
        if right:
            found = found.filter(Exists(Route.objects.filter(request=OuterRef("pk"), right_id=right)))
        if after:
            found = found.filter(pk__lt=after[0])
        return page(list(found.order_by("-pk")[: limit + 1]), limit, "requests", lambda row: (str(row.pk),), request_document)

    def post(self, _request: HttpRequest) -> Response:
        envelope, payload, choose = read_envelope(self.body)

        def act() -> Done:
            with _as_problems():
                made = submit_request(
                    envelope=within_bounds(key_id=self.principal.key_id, envelope=envelope, now_us=self.now_us),
                    account=load_one(Account, "id = %s", [self.principal.account_id]),
                    payload=payload,
                    request_id=MINT.uuid(self.now_us),
                    mint=MINT,
                    actor=self.principal.actor,
                    now_us=self.now_us,
                    choose=choose,
                )
            if payload is not None and made.state == "matched":
                ring_after_commit()
            return Done(202 if made.state == "deferred" else 201, request_document(request_now(str(made.pk))))

        return self.once(act)


class RequestView(OneRequest):
    scopes: ClassVar = {"GET": "read"}
    docs: ClassVar = {"GET": Doc("One request with its routes", "Request")}

    def get(self, _request: HttpRequest, request_id: str) -> Response:
        return Response(request_document(self.row(request_id)))


class RequestOutputView(OneRequest):
    """For whoever asked and whose rights were used, nobody else: what came back is theirs."""

    scopes: ClassVar = {"GET": "read"}
    docs: ClassVar = {
        "GET": Doc(
            "What the supplier gave back",
            "RequestOutput",
            description="Kept for seven days after the request for work that came with its payload; null before, after, and for other work.",
        )
    }

    def get(self, _request: HttpRequest, request_id: str) -> Response:
        row = self.own(request_id)
        kept = RequestPayload.objects.filter(request=row).values_list("output", flat=True).first()
        return Response({"request_id": f"req_{row.pk}", "output": kept})


class RequestQuotesView(OneRequest):
    scopes: ClassVar = {"POST": "redeem"}
    docs: ClassVar = {
        "POST": Doc(
            "Look again at what may do it; nothing is locked",
            "Route",
            listed=True,
            body="Empty",
            idempotent=True,
            errors=("not_found", "request_refused", "request_state", "lifecycle_refused"),
        )
    }

    def post(self, _request: HttpRequest, request_id: str) -> Response:
        fields.members(self.body, "", ())
        row = self.own(request_id)

        def act() -> Done:
            with _as_problems():
                routes = quote_routes(request_id=str(row.pk), mint=MINT, actor=self.principal.actor, now_us=self.now_us)
            return Done(200, listing(route_documents(routes)).data)

        return self.once(act)


def _route_id(value: object, field: str) -> str:
    return fields.public_id(value, field, "rte")


class RequestLockView(OneRequest):
    scopes: ClassVar = {"POST": "redeem"}
    docs: ClassVar = {
        "POST": Doc(
            "Lock routes that were quoted, in this order, or what the router picks; what was locked before is replaced",
            "Request",
            body="RequestLock",
            idempotent=True,
            errors=("not_found", "request_refused", "request_state", "route_state", "lifecycle_refused"),
        )
    }

    def post(self, _request: HttpRequest, request_id: str) -> Response:
        body = fields.members(self.body, "", ("route_ids",))
        said = body.get("route_ids")
        chosen = None if said is None else fields.items(said, "route_ids", 1, MOST_PARTS, _route_id)
        if chosen is not None and len(set(chosen)) < len(chosen):
            raise fields.FieldError("route_ids", "names a route once", "conflict")
        row = self.own(request_id)

        def act() -> Done:
            with _as_problems():
                # Whoever submitted it may have been bound by less than who locks it.
                still_within_bounds(key_id=self.principal.key_id, envelope=envelope_of(json.loads(row.envelope)), now_us=self.now_us)
                lock_routes(request_id=str(row.pk), route_ids=chosen, mint=MINT, actor=self.principal.actor, now_us=self.now_us)
            if RequestPayload.objects.filter(request=row).exists():
                ring_after_commit()
            return Done(200, request_document(self.row(request_id)))

        return self.once(act)


class RequestReleaseView(OneRequest):
    scopes: ClassVar = {"POST": "redeem"}
    docs: ClassVar = {
        "POST": Doc(
            "Let go of the routes that are locked; the request stays, and others may be locked",
            "Request",
            body="RequestReason",
            idempotent=True,
            errors=("not_found", "request_state"),
        )
    }

    def post(self, _request: HttpRequest, request_id: str) -> Response:
        reason, row = _reason(self.body, "let go"), self.own(request_id)

        def act() -> Done:
            with _as_problems():
                release_routes(request_id=str(row.pk), reason=reason, actor=self.principal.actor, now_us=self.now_us)
            return Done(200, request_document(self.row(request_id)))

        return self.once(act)


def _reason(body: Mapping[str, Any], default: str) -> str:
    said = fields.members(body, "", ("reason",)).get("reason")
    return default if said is None else fields.text(said, "reason", high=500)


class RequestCancelView(OneRequest):
    scopes: ClassVar = {"POST": "redeem"}
    actions: ClassVar = {"POST": "cancel"}
    docs: ClassVar = {
        "POST": Doc(
            "Call a request off before its execution begins",
            "Request",
            body="RequestReason",
            idempotent=True,
            errors=("not_found", "request_state", "request_executing"),
        )
    }

    def post(self, _request: HttpRequest, request_id: str) -> Response:
        reason, row = _reason(self.body, "called off"), self.own(request_id)

        def act() -> Done:
            with _as_problems():
                cancel_request(request_id=str(row.pk), reason=reason, mint=MINT, actor=self.principal.actor, now_us=self.now_us)
            return Done(200, request_document(self.row(request_id)))

        return self.once(act)
