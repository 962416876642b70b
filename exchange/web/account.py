"""The reader's cash, ledger and keys. The page is a frame; the numbers come from the API with the reader's session."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from exchange.web.page import membership_of, page


@require_safe
@login_required
def account(request: HttpRequest) -> HttpResponse:
    membership = membership_of(request)
    return page(request, "web/account.html", "account", {"scopes": membership.scopes if membership else []})
