"""A member chooses a password; after somebody else made one for him, that is all he can do."""

from collections.abc import Callable

from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from exchange.models import Membership
from exchange.services import members
from exchange.services.operator_refusal import OperatorRefusal
from exchange.web.page import membership_of, page
from rights.kernel.clock import now_us

# The API and the sockets ask for themselves (services/identity.py): they know nobody by such a password.
_OPEN_PATHS = ("/password", "/logout", "/static/", "/api/")
_MOST = 256


@sensitive_post_parameters("old", "new", "again")
@require_http_methods(["GET", "POST"])
@login_required
def password(request: HttpRequest) -> HttpResponse:
    """Ask for the old password and twice for the new one."""
    membership = membership_of(request)
    if membership is None:
        return page(request, "web/password.html", "password", {"once": False, "stranger": True})
    failures = _change(request, membership) if request.method == "POST" else []
    if request.method == "POST" and not failures:
        return redirect("web:account")
    return page(
        request, "web/password.html", "password", {"once": membership.password_once, "failures": failures}, 422 if failures else 200
    )


def _change(request: HttpRequest, membership: Membership) -> list[str]:
    """What is wrong; empty when the password is changed and this session goes on."""
    old, new, again = (request.POST.get(name, "") for name in ("old", "new", "again"))
    user = membership.user
    if len(old) > _MOST or not user.check_password(old):
        return ["The present password is another one."]
    if new != again:
        return ["The new password and its repetition differ."]
    if new == old:
        return ["The new password is the present one."]
    try:
        members.choose_password(membership=membership, password=new, actor=f"user:{user.pk}", now_us=now_us())
    except OperatorRefusal as refusal:
        return [refusal.detail]
    user.refresh_from_db()
    update_session_auth_hash(request, user)
    return []


class FirstPasswordMiddleware:
    """Leads whoever still has somebody else's password to the page where he chooses his own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        has_session = bool(request.session.session_key)
        if has_session and not request.path.startswith(_OPEN_PATHS) and _is_once(request):
            return redirect(reverse("web:password"))
        return self.get_response(request)


def _is_once(request: HttpRequest) -> bool:
    user = request.user
    return user.is_authenticated and Membership.objects.filter(user=user, password_once=True).exists()
