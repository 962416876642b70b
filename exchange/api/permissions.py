"""Each view names the scope that each of its methods needs; `PUBLIC` is said aloud, never left out."""

from typing import TYPE_CHECKING, Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from exchange.api.problems import Problem
from exchange.services.identity import Principal

if TYPE_CHECKING:
    from rest_framework.views import APIView

PUBLIC = ""


class ScopePermission(BasePermission):
    """Reads the view's `scopes`: method → scope, a set of which one is enough, or PUBLIC. A missing entry is closed to all."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        required = getattr(view, "scopes", {}).get("GET" if request.method == "HEAD" else request.method)
        if required == PUBLIC:
            return True
        check_scope(request.user, required)
        return True


def check_scope(principal: Any, required: str | frozenset[str] | None) -> Principal:
    """The principal, if it has (one of) the scope(s); raises `unauthenticated` or `scope_missing`."""
    if not isinstance(principal, Principal):
        raise Problem("unauthenticated")
    names = frozenset({required} if isinstance(required, str) else required or ())
    if not names & principal.scopes:
        raise Problem("scope_missing", f"needs the scope {' or '.join(sorted(names)) or 'that nobody has'}")
    return principal
