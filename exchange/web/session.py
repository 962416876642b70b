"""Logging in and out. A failure never says which part of it was wrong."""

from django.conf import settings
from django.contrib.auth import authenticate, login, logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from exchange.web.page import page

FAILURE = "That user name and password do not fit, or there were too many attempts. Check both, or wait a while and try again."


def _next(request: HttpRequest) -> str:
    """Where to go after logging in: a page of this venue, whatever the address says."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return wanted if safe else str(settings.LOGIN_REDIRECT_URL)


def _form(request: HttpRequest, failure: str = "", status: int = 200) -> HttpResponse:
    username = request.POST.get("username", "")[:150] if failure else ""
    return page(request, "web/login.html", "login", {"failure": failure, "next": _next(request), "username": username}, status)


@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def log_in(request: HttpRequest) -> HttpResponse:
    if request.method == "GET":
        return redirect(_next(request)) if request.user.is_authenticated else _form(request)
    username, password = request.POST.get("username", ""), request.POST.get("password", "")
    # PostgreSQL keeps no NUL, and no name or password of ours is longer than these.
    plausible = 0 < len(username) <= 150 and 0 < len(password) <= 256 and "\0" not in username
    user = authenticate(request, username=username, password=password) if plausible else None
    if user is None:
        return _form(request, FAILURE, 401)
    login(request, user)  # a new session key: one fixed before by somebody else is worthless
    return redirect(_next(request))


@require_POST
def log_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect(settings.LOGOUT_REDIRECT_URL)


def locked_out(_request: HttpRequest, response: HttpResponse, _credentials: object) -> HttpResponse:
    """Axes' answer to too many attempts: the very page a wrong password gets."""
    return response
