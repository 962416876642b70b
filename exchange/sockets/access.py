"""Who opens a socket, and whether he still may have it.

A browser's session counts only when the page's Origin is one of ours: any page can open a socket, and cookies go along.
"""

import hashlib
from typing import Any
from urllib.parse import urlsplit

import msgspec
from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest
from django.http.cookie import parse_cookie
from django.http.request import split_domain_port, validate_host

from exchange.services.identity import Principal, principal_by_bearer, principal_of_user
from rights.kernel.clock import now_us

Scope = dict[str, Any]


class Session(msgspec.Struct, frozen=True):
    """A browser's log-in. `mark` changes with the password."""

    key: str
    user_id: int
    mark: str


def header(scope: Scope, name: bytes) -> str | None:
    """A handshake header's first value."""
    return next((str(value, "latin-1") for key, value in scope["headers"] if key == name), None)


def origin_allowed(scope: Scope) -> bool | None:
    """Whether the page that opens the socket may; None when no page does (programs send no Origin)."""
    origin = header(scope, b"origin")
    if origin is None:
        return None
    if settings.SOCKET_ORIGINS:
        return origin in settings.SOCKET_ORIGINS
    host = header(scope, b"host") or ""
    domain, _ = split_domain_port(host)
    allowed = settings.ALLOWED_HOSTS or (["localhost", "127.0.0.1", "[::1]"] if settings.DEBUG else [])
    page = urlsplit(origin)
    return page.scheme in ("http", "https") and page.netloc == host and validate_host(domain, allowed)


async def by_session(scope: Scope) -> tuple[Principal, Session] | None:
    """The member whose session cookie came with the handshake."""
    key = parse_cookie(header(scope, b"cookie") or "").get(settings.SESSION_COOKIE_NAME)
    return await database_sync_to_async(_member, thread_sensitive=False)(key) if key else None


def _member(session_key: str) -> tuple[Principal, Session] | None:
    request = HttpRequest()
    request.session = SessionStore(session_key)
    user = get_user(request)
    principal = principal_of_user(user)
    if principal is None or user.pk is None:
        return None
    return principal, Session(session_key, user.pk, hashlib.md5(user.password.encode(), usedforsecurity=False).hexdigest())


def address(scope: Scope) -> str:
    """Where the caller is."""
    return str((scope.get("client") or ("",))[0])


async def by_key(token: str, address: str) -> Principal | None:
    """The principal of a bearer key, read anew each time; None too where it may not be used from this address."""
    principal = await database_sync_to_async(principal_by_bearer, thread_sensitive=False)(token, now_us())
    return principal if principal is not None and principal.may_come_from(address) else None


# What the open sockets were opened by, as far as it still stands: a scope list and whether the owner is suspended.
LIVE_KEYS = """
SELECT k.uuid::text, k.scopes, a.status <> 'active' OR p.status <> 'active'
FROM exchange_apikey k JOIN rights_account a ON a.id = k.account_id JOIN rights_participant p ON p.id = a.participant_id
WHERE k.uuid = ANY(%s::uuid[]) AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
"""
LIVE_SESSIONS = """
SELECT w.key, m.scopes, a.status <> 'active' OR p.status <> 'active'
FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::bigint[]) AS w(key, user_id, mark, account_id)
JOIN django_session s ON s.session_key = w.key AND s.expire_date > now()
JOIN auth_user u ON u.id = w.user_id AND u.is_active AND md5(u.password) = w.mark
JOIN exchange_membership m ON m.user_id = u.id AND NOT m.password_once JOIN rights_participant p ON p.id = m.participant_id
JOIN rights_account a ON a.id = w.account_id AND a.participant_id = p.id
"""
