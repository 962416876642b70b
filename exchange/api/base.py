"""What every REST view shares: strict queries, scopes, buckets, problems, and the shape of lists."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from django.db import transaction
from django.http import HttpRequest
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from exchange.api import cursors
from exchange.api.doc import Doc
from exchange.api.idempotency_key import keyed_as
from exchange.api.json_place import is_clean
from exchange.api.openapi import OperationSchema
from exchange.api.permissions import check_scope
from exchange.api.problems import Problem
from exchange.api.query import Query
from exchange.services import idempotency
from exchange.services.idempotency import Done, Keyed
from exchange.services.identity import Principal
from exchange.services.rate_limit import check
from rights.kernel.clock import now_us
from rights.kernel.retry import begun_again

T = TypeVar("T")
JSON = "application/json"
Scope = str | frozenset[str]
_YES_NO = {"true": True, "false": False}


class JsonOnly(BaseContentNegotiation):
    """There is one representation; Accept headers and `?format=` choose nothing."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        kind = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == kind), None)

    def select_renderer(
        self,
        request: Request,  # noqa: ARG002 - DRF's signature
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,  # noqa: ARG002
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type or "application/json"


class ApiView(APIView):
    """`scopes`: method → scope (or PUBLIC); `queries`: method → the parameters it knows; `actions`: method → bucket."""

    content_negotiation_class = JsonOnly
    schema = OperationSchema()
    scopes: ClassVar[Mapping[str, Scope]] = {}
    queries: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    actions: ClassVar[Mapping[str, str]] = {}
    docs: ClassVar[Mapping[str, Doc]] = {}
    now_us: int
    query: Query
    # Methods of the same path that order entry serves in front of Django.
    elsewhere: ClassVar[tuple[str, ...]] = ()
    _rate: Mapping[str, str] = {}

    @property
    def default_response_headers(self) -> dict[str, str]:
        return {"Allow": ", ".join([*self.scopes, *self.elsewhere])}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse what the resource has no method for and what can't be read; then authenticate, check the scope, draw from the bucket."""
        self.now_us = now_us()
        method = "GET" if request.method in {"HEAD", None} else str(request.method)
        if method not in self.scopes:
            raise Problem("method_not_allowed")
        check_text(request)
        check_media_type(request)
        super().initial(request, *args, **kwargs)
        self.query = Query.read(request.META.get("QUERY_STRING", ""), self.queries.get(method, ()))
        if isinstance(request.user, Principal):
            default = "read" if method in {"GET", "OPTIONS"} else "write"
            self._rate = check(request.user.account_id, self.actions.get(method, default))
            self._replay(method)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Response:
        answer = super().finalize_response(request, response, *args, **kwargs)
        for name, value in self._rate.items():
            answer.headers.setdefault(name, value)
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer

    def options(self, request: HttpRequest, *_args: Any, **_kwargs: Any) -> Response:  # noqa: ARG002 - DRF's signature
        raise Problem("method_not_allowed")

    def _replay(self, method: str) -> None:
        """Let a request that was done under its key before be answered as it was then, whatever has become of what it acts upon."""
        doc = self.docs.get(method)
        keyed = self.keyed() if doc is not None and doc.idempotent else None
        if keyed is None:
            return
        try:
            kept = idempotency.kept(account_id=keyed.account_id, key=keyed.key, print_hex=keyed.print_hex, now_us=self.now_us)
        except idempotency.KeyReusedError:
            raise Problem("idempotency_key_reused") from None
        if kept is not None:
            setattr(self, method.lower(), lambda *_args, **_kwargs: answer_of(kept))

    def keyed(self) -> Keyed | None:
        """The request's Idempotency-Key and its fingerprint; None without. Raises FieldError."""
        said, path = self.request.headers.get("Idempotency-Key"), self.request.get_full_path()
        if said is None:
            return None
        return keyed_as(said, account_id=self.principal.account_id, method=str(self.request.method), path=path, body=self.body)

    def once(self, act: Callable[[], Done]) -> Response:
        """Answer a write: under an `Idempotency-Key` at most once, and always in one transaction. With `validate_only` it is taken back."""
        return begun_again(lambda: self._once(act))

    def _once(self, act: Callable[[], Done]) -> Response:
        if self.only_looks():
            with transaction.atomic():
                would = act()
                transaction.set_rollback(True)
            return Response(would.body)
        keyed = self.keyed()
        if keyed is None:
            with transaction.atomic():
                return answer_of(act())
        try:
            done = idempotency.once(account_id=keyed.account_id, key=keyed.key, print_hex=keyed.print_hex, act=act, now_us=self.now_us)
        except idempotency.KeyReusedError:
            raise Problem("idempotency_key_reused") from None
        except idempotency.KeyInUseError:
            raise Problem("idempotency_key_in_use", headers={"Retry-After": "1"}) from None
        return answer_of(done)

    def only_looks(self) -> bool:
        """Whether what it does is taken back (`validate_only`)."""
        return bool(self.query.choice("validate_only", _YES_NO))

    @property
    def principal(self) -> Principal:
        """The caller; only for methods that need a scope."""
        return check_scope(self.request.user, self.scopes.get("GET" if self.request.method == "HEAD" else str(self.request.method)))

    @property
    def body(self) -> dict[str, Any]:
        """The request's object."""
        data = self.request.data
        if not isinstance(data, dict):
            raise Problem("malformed_json", "the body must be a JSON object")
        return data


def check_text(request: Request) -> None:
    """Paths and headers are ASCII here; NUL and broken UTF-8 (which Django leaves percent-encoded) never get further."""
    if "%" in request.path or not is_clean(request.path) or any(ord(c) < 32 for c in request.path):
        raise Problem("malformed_request", "the path holds characters that can't be taken")
    for name, value in request.META.items():
        if name.startswith("HTTP_") and not is_clean(str(value)):
            raise Problem("malformed_request", "a header holds characters that can't be taken")


def check_media_type(request: Request) -> None:
    """A body is JSON. Said before anything else looks at it: Django would parse a form to find its CSRF token."""
    kind = str(request.content_type or "").partition(";")[0].strip().lower()
    if kind != JSON and request.META.get("CONTENT_LENGTH") not in {None, "", "0"}:
        raise Problem("unsupported_media_type")


def answer_of(done: Done) -> Response:
    return Response(done.body, status=done.status, headers={"Idempotent-Replayed": "true"} if done.replayed else None)


def listing(data: Sequence[Any], next_cursor: str | None = None) -> Response:
    return Response({"data": data, "next_cursor": next_cursor})


def page(found: Sequence[T], limit: int, kind: str, key: Callable[[T], cursors.Key], show: Callable[[T], Any]) -> Response:
    """A list answer from `limit` + 1 rows at most: the one too many only tells that there are more."""
    shown = found[:limit]
    following = cursors.encode(kind, key(shown[-1])) if len(found) > limit else None
    return listing([show(row) for row in shown], following)


def not_found() -> Problem:
    """The one answer for what is missing and for what is somebody else's."""
    return Problem("not_found")
