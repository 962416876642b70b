"""Using rights: the frame of the pages. What is in them is the API's, read and written by their scripts."""

import re

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from exchange.web.page import page, reader_of
from rights.domain.capability import LATENCY_BANDS, WORKLOADS
from rights.domain.effective_policy import FALLBACKS, PRIVACY_ORDER
from rights.kernel.ids import bare
from settlement.domain.request_states import BUDGETS, REQUEST_STATES
from settlement.models.outcome import DISPUTE_STATES

# What each degradation means to whoever allows it.
FALLBACK_WORDS = {
    "substitute_model_class": "another class of model",
    "substitute_providers": "another supplier",
    "downgrade_priority": "lower priority",
    "downgrade_latency_class": "slower",
    "defer_within_window": "later, within the window",
    "downgrade_quality": "lower quality",
}
BUDGET_WORDS = {
    "actual": "What was used is deducted, the rest is free again",
    "reserved-draw": "What was reserved is deducted, used or not",
    "quoted-cap": "What was used, at most what is asked; more is done for nothing",
}
_RIGHT = re.compile(r"rgt_[0-9a-f-]{36}", re.ASCII)


@require_safe
@login_required
def use(request: HttpRequest) -> HttpResponse:
    """Redeem a right, and what was asked so far."""
    wanted = request.GET.get("right", "")
    context = {
        "reader": reader_of(request),
        "wanted": wanted if _RIGHT.fullmatch(wanted) else "",
        "workloads": WORKLOADS,
        "latencies": LATENCY_BANDS,
        "privacies": PRIVACY_ORDER,
        "fallbacks": [(name, FALLBACK_WORDS[name]) for name in FALLBACKS],
        "budgets": [(name, BUDGET_WORDS[name]) for name in BUDGETS],
        "states": [(name, name.replace("_", " ").capitalize()) for name in REQUEST_STATES],
        "base": request.build_absolute_uri("/").rstrip("/"),
    }
    return page(request, "web/use.html", "use", context)


@require_safe
@login_required
def one(request: HttpRequest, request_id: str) -> HttpResponse:
    """One request, from what was asked to what it came to."""
    if bare("req", request_id) is None:
        raise Http404
    return page(request, "web/request.html", "use", {"reader": reader_of(request), "id": request_id})


@require_safe
@login_required
def disputes(request: HttpRequest) -> HttpResponse:
    """Challenged settlements: what the parties say, and the reviewer's desk."""
    reader = reader_of(request)
    context = {
        "reader": reader,
        "slug": reader.participant_slug if reader else "",
        "may_decide": reader is not None and reader.may("clearing"),
        "states": [(name, name.capitalize()) for name in DISPUTE_STATES],
    }
    return page(request, "web/disputes.html", "use", context)
