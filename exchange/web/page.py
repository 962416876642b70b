"""What every page is given: who looks, which colours they chose, which market they traded last."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import SimpleLazyObject

from exchange.domain.symbol import LONGEST
from exchange.models import Membership
from exchange.services.identity import Principal, principal_of_user
from exchange.web.desk_reads import is_issuer
from rights.models import Participant

THEMES = ("dark", "light")


def membership_of(request: HttpRequest) -> Membership | None:
    """For whom the browser's user acts, and with which scopes; None for visitors and for users without a participant."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return None
    return Membership.objects.select_related("participant").filter(user_id=user.pk).first()


def member_of(request: HttpRequest) -> Participant | None:
    membership = membership_of(request)
    return membership.participant if membership else None


def reader_of(request: HttpRequest) -> Principal | None:
    """The account the browser's user acts for, as the API would know it; None when it may not read there."""
    principal = principal_of_user(request.user)
    return principal if principal is not None and principal.may("read") else None


def frame(request: HttpRequest) -> dict[str, Any]:
    """Context processor: what the frame around every page shows. Costs nothing on pages that don't ask."""
    theme, last = request.COOKIES.get("theme", ""), request.COOKIES.get("last_symbol", "")
    return {
        "theme": theme if theme in THEMES else "",
        "symbol": last if 0 < len(last) <= LONGEST and last.isascii() and last.isprintable() and "/" not in last else "",
        "member": SimpleLazyObject(lambda: member_of(request)),
        "issues": SimpleLazyObject(lambda: is_issuer(member_of(request))),
        "demo": settings.DEMO,
    }


def page(request: HttpRequest, template: str, section: str, context: Mapping[str, Any] | None = None, status: int = 200) -> HttpResponse:
    """Render a page of the venue. Nothing of it may be kept by caches between the venue and its reader."""
    response = render(request, template, {"section": section, **(context or {})}, status=status)
    response["Cache-Control"] = "no-store"
    return response
