"""Who is calling the order entry: a bearer key or a browser's session, read off the raw ASGI scope.

A key's rights are remembered for KEEP_S; that it has not been revoked is checked again by the very INSERT that
accepts its commands, so memory never lets a dead key trade.
"""

import hashlib
import time
from http.cookies import CookieError, SimpleCookie
from typing import Any

from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware

from exchange.api.problems import Problem
from exchange.services.identity import Principal, principal_by_bearer, principal_of_user
from rights.kernel.clock import now_us

KEEP_S = 5.0
MOST = 10_000
SAFE = frozenset(("GET", "HEAD"))
_known: dict[bytes, tuple[float, Principal]] = {}


def header(scope: dict[str, Any], name: bytes) -> str | None:
    """A header's value, or None; the first when it stands more than once."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return None


def address(scope: dict[str, Any]) -> str:
    """Where the caller is."""
    return str((scope.get("client") or ("",))[0])


async def principal_of(scope: dict[str, Any]) -> Principal:
    """Who calls. Raises Problem `unauthenticated`, or `csrf_failed` for a browser without its token."""
    given = header(scope, b"authorization")
    if given is not None:
        kind, _, token = given.partition(" ")
        if kind.lower() != "bearer" or not token:
            raise Problem("unauthenticated")
        principal = await _by_key(token)
        if not principal.may_come_from(address(scope)):
            raise Problem("address_not_allowed")
        return principal
    return await _by_session(scope)


async def _by_key(token: str) -> Principal:
    mark = hashlib.sha256(token.encode("latin-1", "replace")).digest()
    found = _known.get(mark)
    if found is not None and found[0] > time.monotonic():
        return found[1]
    principal = await database_sync_to_async(principal_by_bearer, thread_sensitive=False)(token, now_us())
    if principal is None:
        _known.pop(mark, None)
        raise Problem("unauthenticated")
    if len(_known) >= MOST:
        _known.clear()
    _known[mark] = (time.monotonic() + KEEP_S, principal)
    return principal


async def _by_session(scope: dict[str, Any]) -> Principal:
    try:
        cookies = SimpleCookie(header(scope, b"cookie") or "")
    except CookieError:
        raise Problem("unauthenticated") from None
    session_key = cookies.get(settings.SESSION_COOKIE_NAME)
    if session_key is None:
        raise Problem("unauthenticated")
    principal = await database_sync_to_async(_member, thread_sensitive=False)(session_key.value)
    if principal is None:
        raise Problem("unauthenticated")
    if scope["method"] not in SAFE:
        _check_csrf(scope, cookies)
    return principal


def _member(session_key: str) -> Principal | None:
    """Who is logged in under this session."""
    request = HttpRequest()
    request.session = SessionStore(session_key)
    user = get_user(request)
    return principal_of_user(user) if user.is_authenticated else None


def _nothing(*_: object) -> HttpResponse:
    """The view that is never reached."""
    return HttpResponse()


def _check_csrf(scope: dict[str, Any], cookies: SimpleCookie) -> None:
    """Django's own check, on a request with just what it looks at."""
    request = HttpRequest()
    request.method = scope["method"]
    request.COOKIES = {name: morsel.value for name, morsel in cookies.items()}
    request.META = {"SERVER_NAME": scope["server"][0], "SERVER_PORT": str(scope["server"][1])}
    names = {
        b"host": "HTTP_HOST",
        b"origin": "HTTP_ORIGIN",
        b"referer": "HTTP_REFERER",
        b"x-csrftoken": settings.CSRF_HEADER_NAME,
    }
    for key, value in scope["headers"]:
        if key in names:
            request.META[names[key]] = str(value, "latin-1")
    check = CsrfViewMiddleware(_nothing)
    check.process_request(request)
    if check.process_view(request, _nothing, (), {}) is not None:
        raise Problem("csrf_failed")


def need(principal: Principal, *scopes: str) -> None:
    """Raise Problem unless the caller has one of the scopes."""
    if not principal.scopes.intersection(scopes):
        raise Problem("scope_missing", f"the scope {' or '.join(scopes)} is needed")
