"""Packages, delegations and block offers: the frame of the pages. What is in them is the API's, read and written by their scripts."""

import re

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from exchange.web.page import page, reader_of
from rights.domain.capability import WORKLOADS
from rights.kernel.ids import bare, public
from rights.models import Package

KINDS = (
    ("bundle", "Rights that go together."),
    ("slice", "A part of one right, which stays governed by it. To make that part a right of its own, split the right instead."),
    ("tranche", "In layers: the baseline is drawn first, then the overflow."),
    ("delegation", "A pool to lend from."),
    ("strategy", "Branches to choose from; each part names its branch."),
)
# Fields of a transfer policy that take more than a tick: name, label, how it is read, an example.
POLICY = (
    ("transfer_cutoff_seconds", "No transfer in the last seconds of the window", "count", "such as 3600"),
    ("min_hold_seconds", "Seconds each holder keeps it at least", "count", "such as 600"),
    ("lockup_until", "No transfer before, UTC", "moment", ""),
    ("min_transfer_units", "Least units that move at once", "units", "such as 1000000"),
    ("max_holders", "Holders at most", "count", "such as 5"),
    ("max_units_per_holder", "Units in one holder's hands at most", "units", "such as 50000000"),
    ("eligible_holder_types", "Kinds of holders", "list", "such as app, vault"),
    ("eligible_jurisdictions", "Holders' jurisdictions", "list", "such as US, DE"),
    ("required_attestations", "A receiver has to have proven", "list", "such as kyc"),
    ("denied_holders", "Never to these accounts", "list", "acc_…, acc_…"),
)
_ID = re.compile(r"(rgt|pkg|dlg)_[0-9a-f-]{36}", re.ASCII)


@require_safe
@login_required
def packages(request: HttpRequest) -> HttpResponse:
    """What the reader made and lent, and what is on offer."""
    reader, wanted = reader_of(request), request.GET.get("of", "")
    context = {
        "reader": reader,
        "account": public("acc", reader.account_uuid) if reader else "",
        "workloads": WORKLOADS,
        "wanted": wanted if _ID.fullmatch(wanted) else "",
    }
    return page(request, "web/packages.html", "packages", context)


@require_safe
@login_required
def compose(request: HttpRequest) -> HttpResponse:
    """The package builder."""
    return page(request, "web/compose.html", "packages", {"reader": reader_of(request), "kinds": KINDS, "policy": POLICY})


@require_safe
@login_required
def change(request: HttpRequest, package_id: str) -> HttpResponse:
    """The builder with what a package of the reader's is now; nobody else's is there."""
    reader, uuid = reader_of(request), bare("pkg", package_id)
    mine = Package.objects.filter(uuid=uuid, holder_id=reader.account_id, state="active") if reader and uuid else Package.objects.none()
    row = mine.first()
    if row is None:
        raise Http404
    package = {"id": package_id, "label": row.label, "kind": row.type, "words": dict(KINDS)[row.type]}
    return page(request, "web/compose.html", "packages", {"reader": reader, "package": package, "policy": POLICY})
