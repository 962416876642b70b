"""An issuer's record: the frame of the page. What is in it is the API's, read by its script."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from exchange.web.page import page
from rights.models import Issuer


@require_safe
@login_required
def issuer(request: HttpRequest, slug: str) -> HttpResponse:
    """What became of requests against its rights, and what it stands on."""
    found = Issuer.objects.select_related("participant").filter(slug=slug).first() if slug.isascii() and slug.isprintable() else None
    if found is None:
        raise Http404
    return page(request, "web/issuer.html", "markets", {"issuer": found})
