"""What the reader owns and did. The pages are frames; the numbers come from the API with the reader's session."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from exchange.models import Membership
from exchange.web.page import page


@require_safe
@login_required
def rights(request: HttpRequest) -> HttpResponse:
    return page(request, "web/rights.html", "rights")


@require_safe
@login_required
def account(request: HttpRequest) -> HttpResponse:
    membership = Membership.objects.filter(user_id=request.user.pk).first()
    return page(request, "web/account.html", "account", {"scopes": membership.scopes if membership else []})
