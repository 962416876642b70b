"""Requests to use rights over REST (SPEC §8): submit, look, quote, choose, call off."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from django.db.models import Exists, OuterRef
from rest_framework.request import Request as HttpRequest
from rest_framework.response import Response

from exchange.api import fields
from exchange.api.base import ApiView, listing, not_found, page
from exchange.api.doc import Doc
from exchange.api.form import Form
from exchange.api.problems import MOST_DETAIL, Problem
from exchange.api.refusals import as_problems
from exchange.api.views.rights import MINT
from exchange.selectors.requests import request_document, request_now, route_documents, visible_requests
from exchange.services.idempotency import Done
from exchange.services.redeem_bell import ring_after_commit
from exchange.services.request_bounds import RequestBounded, still_within_bounds, within_bounds
from rights.domain.capability import LATENCY_BANDS, REGION, SLUG, WORKLOADS
from rights.domain.effective_policy import FALLBACKS, PRIVACY_ORDER, Policy
from rights.domain.package import MOST_PARTS
from rights.kernel.ids import bare
from rights.kernel.planned import load_one
from rights.models import Account
from settlement.domain.envelope import HASH, MOST_WEIGHT, OPERATION, PREFERENCES, SHAPE, Candidate, Envelope, envelope_of
from settlement.domain.record import WHOLE_BPS
from settlement.domain.request_states import BUDGETS, DELIVERIES, REQUEST_STATES
from settlement.models import Request, RequestPayload, Route
from settlement.services.cancel import cancel_request
from settlement.services.request_refusal import EnvelopeRefused, RequestRefused, RequestStateRefused
from settlement.services.route import lock_routes, quote_routes, release_routes
from settlement.services.submit import submit_request

MOST_PAYLOAD = 200_000
MOST_PLACES = 64
_ANY_TEXT = re.compile(rf".{{1,{MOST_PAYLOAD}}}", re.DOTALL)
_ENVELOPE = (
    "workload", "operation", "units", "rights", "constraints", "preferences", "fallback_policy", "budget", "spill_over", "delivery",
    "payload", "payload_hash", "delegation_id", "route", "result_shape",
)  # fmt: skip
_CONSTRAINTS = (
    "latest_at",
    "privacy_class",
    "jurisdictions",
    "max_latency_class",
    "tags",
    "providers",
    "denied_providers",
    "min_full_rate_bps",
)


def _words(*names: str) -> dict[str, str]:
    return {name: name for name in names}


def _place(value: object, field: str) -> str:
    return fields.matching(value, field, REGION, "must be a region such as US or EU-WEST")


def _slug(value: object, field: str) -> str:
    return fields.matching(value, field, SLUG, "must be a name of a-z, 0-9, '.', '_', '-'")


def _set(value: object, field: str, one: Any) -> frozenset[str]:
    return frozenset(fields.items(value, field, 0, MOST_PLACES, one))


def _fallback(value: object, field: str) -> str:
    return fields.choice(value, field, _words(*FALLBACKS))


def _candidate(value: object, field: str) -> Candidate:
    found = fields.members(value, field, ("right_id", "max_spend"), ("right_id",))
    most = found.get("max_spend")
    return Candidate(
        fields.public_id(found["right_id"], f"{field}.right_id", "rgt"),
        None if most is None else fields.whole(most, f"{field}.max_spend", low=1),
    )


def _candidates(value: object, field: str) -> tuple[Candidate, ...]:
    found = tuple(fields.items(value, field, 0, MOST_PARTS, _candidate))
    if len({one.right_id for one in found}) < len(found):
        raise fields.FieldError(field, "names a right once", "conflict")
    return found


def _constraints(value: object, field: str) -> Policy:
    found = {name: said for name, said in fields.members(value, field, _CONSTRAINTS).items() if said is not None}

    def read(name: str, reader: Any, *arguments: Any) -> Any:
        return reader(found[name], f"{field}.{name}", *arguments) if name in found else None

    return Policy(
        latest_us=read("latest_at", fields.moment_us),
        privacy=read("privacy_class", fields.choice, _words(*PRIVACY_ORDER)),
        jurisdictions=read("jurisdictions", _set, _place),
        slowest=read("max_latency_class", fields.choice, _words(*LATENCY_BANDS)),
        tags=read("tags", _set, _slug) or frozenset(),
        providers=read("providers", _set, _slug),
        denied_providers=read("denied_providers", _set, _slug) or frozenset(),
        min_full_rate_bps=read("min_full_rate_bps", fields.integer, 0, WHOLE_BPS),
    )


def _preferences(value: object, field: str) -> Mapping[str, int]:
    found = fields.members(value, field, PREFERENCES)
    return {name: fields.integer(weight, f"{field}.{name}", 0, MOST_WEIGHT) for name, weight in found.items() if weight is not None}


def _payload(value: object, field: str) -> str:
    """The work as it goes to the supplier: the text of a JSON object, whose numbers are the supplier's affair."""
    text = fields.matching(value, field, _ANY_TEXT, f"must be the text of a JSON object, at most {MOST_PAYLOAD} characters")
    try:
        is_object = isinstance(json.loads(text, parse_constant=_no_number), dict)
    except (ValueError, RecursionError):
        is_object = False
    if not is_object:
        raise fields.FieldError(field, "must be the text of a JSON object", "not_json")
    return text


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _envelope(body: Mapping[str, Any]) -> tuple[Envelope, str | None, bool]:
    """(the envelope, the payload if it came along, whether the router chooses)."""
    form = Form(body, _ENVELOPE)
    payload = form.read("payload", "", _payload) if form.given("payload") else None
    given = form.read("payload_hash", "", fields.matching, HASH, "must be a SHA-256 in 64 hexadecimal digits")
    if payload is None and not form.given("payload_hash"):
        form.wrong("payload", "is required, or payload_hash when the work stays with whoever executes it", "required")
    if form.given("payload") and form.given("payload_hash"):
        form.wrong("payload_hash", "is not given beside payload")
    if not body.get("rights") and not form.given("delegation_id"):
        form.wrong("rights", "is required, unless delegation_id says which", "required")
    fallbacks = form.read("fallback_policy", frozenset[str](), _set, _fallback) if form.given("fallback_policy") else None
    route = form.read("route", "auto", fields.choice, _words("auto", "manual"))
    envelope = Envelope(
        workload=form.need("workload", WORKLOADS[0], fields.choice, _words(*WORKLOADS)),
        operation=form.need("operation", "", fields.matching, OPERATION, "must be 1 to 64 of a-z, 0-9, '.', '_', '/', '-'"),
        expected_units=form.need("units", 1, fields.whole, 1),
        candidates=form.read("rights", (), _candidates),
        payload_hash=hashlib.sha256(payload.encode()).hexdigest() if payload else given,
        constraints=form.read("constraints", Policy(), _constraints),
        preferences=form.read("preferences", {}, _preferences),
        fallbacks=fallbacks,
        budget=form.read("budget", "actual", fields.choice, _words(*BUDGETS)),
        spill_over=form.read("spill_over", True, fields.boolean),
        delivery=form.read("delivery", "sync", fields.choice, _words(*DELIVERIES)),
        delegation_id=form.read("delegation_id", "", fields.public_id, "dlg") or None,
        result_shape=form.read("result_shape", "", fields.matching, SHAPE, "must be a word such as json or text/plain"),
    )
    form.close()
    return envelope, payload, route == "auto"


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
        state, right = self.query.choice("state", _words(*REQUEST_STATES)), self.query.public_id("right", "rgt")
        if state:
            found = found.filter(state=state)
        if right:
            found = found.filter(Exists(Route.objects.filter(request=OuterRef("pk"), right_id=right)))
        if after:
            found = found.filter(pk__lt=after[0])
        return page(list(found.order_by("-pk")[: limit + 1]), limit, "requests", lambda row: (str(row.pk),), request_document)

    def post(self, _request: HttpRequest) -> Response:
        envelope, payload, choose = _envelope(self.body)

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
                ring_after_commit(str(made.pk))
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
                ring_after_commit(str(row.pk))
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
