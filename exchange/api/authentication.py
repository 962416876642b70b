"""Two doors: a bearer key for programs, a session with an enforced CSRF token for browsers. Nodes have one of their own (exchange/api/node_entry)."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.request import Request

from exchange.api.problems import Problem
from exchange.services.identity import Principal, principal_by_bearer, principal_of_user
from rights.kernel.clock import now_us


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer key_….<secret>`. Once the header is there, it alone decides."""

    def authenticate(self, request: Request) -> tuple[Principal, None] | None:
        header = get_authorization_header(request)
        if not header:
            return None
        scheme, _, token = header.partition(b" ")
        principal = None
        if scheme.lower() == b"bearer" and token.isascii():
            principal = principal_by_bearer(token.decode("ascii"), now_us())
        if principal is None:
            raise Problem("unauthenticated")
        if not principal.may_come_from(request.META.get("REMOTE_ADDR", "")):
            raise Problem("address_not_allowed")
        return principal, None

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - DRF's signature
        return "Bearer"


class BrowserAuthentication(BaseAuthentication):
    """The session of a logged-in member; writing needs the CSRF token too."""

    def authenticate(self, request: Request) -> tuple[Principal, None] | None:
        inner: HttpRequest = request._request  # noqa: SLF001 - DRF's own session authentication reads it so
        user = getattr(inner, "user", None)
        if user is None or not user.is_authenticated or not user.is_active:
            return None
        check_csrf(inner)
        principal = principal_of_user(user)
        return (principal, None) if principal else None


class _CsrfCheck(CsrfViewMiddleware):
    def _reject(self, _request: HttpRequest, reason: str) -> Any:
        return reason


def check_csrf(request: HttpRequest) -> None:
    """Raise the problem `csrf_failed` unless the request is safe or bears the session's token."""
    check = _CsrfCheck(lambda _request: HttpResponse())
    check.process_request(request)
    if check.process_view(request, lambda _request: HttpResponse(), (), {}):
        raise Problem("csrf_failed")
