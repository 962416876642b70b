"""Requests to use rights over REST (SPEC §8): submit, look, quote, choose, call off."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import Exists, OuterRef
from rest_framework.request import Request as HttpRequest
from rest_framework.response import Response

from exchange.api import fields
from exchange.api.base import ApiView, answer_of, listing, not_found, page
from exchange.api.doc import Doc
from exchange.api.request_refusals import request_problems
from exchange.api.views.request_form import read_envelope, words
from exchange.api.views.rights import MINT
from exchange.selectors.requests import request_document, route_documents, visible_requests
from exchange.services.idempotency import Done
from exchange.services.redeem_bell import ring_after_commit
from exchange.services.request_bounds import still_within_bounds
from exchange.services.submissions import Submission, answer_alone, would_be
from rights.domain.package import MOST_PARTS
from rights.kernel.ids import bare
from settlement.domain.envelope import envelope_of
from settlement.domain.request_states import REQUEST_STATES
from settlement.models import Request, RequestPayload, Route
from settlement.services.cancel import cancel_request
from settlement.services.route import lock_routes, quote_routes, release_routes


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
        """What comes with parameters; exchange/api/request_entry answers the others."""
        submission = Submission(self.principal, *read_envelope(self.body), self.keyed())
        with request_problems():
            if self.only_looks():
                return Response(would_be(submission, mint=MINT, now_us=self.now_us).body)
            return answer_of(answer_alone(submission, mint=MINT, now_us=self.now_us))


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
            with request_problems():
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
            with request_problems():
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
            with request_problems():
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
            with request_problems():
                cancel_request(request_id=str(row.pk), reason=reason, mint=MINT, actor=self.principal.actor, now_us=self.now_us)
            return Done(200, request_document(self.row(request_id)))

        return self.once(act)
