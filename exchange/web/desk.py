"""The issuer's desk: assurances, rights issued, listings, consents and supply. Frames; the numbers come from the API with the reader's session."""

from typing import Any

import msgspec
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from exchange.models import Membership
from exchange.web import desk_terms
from exchange.web.desk_reads import issuers_of, unlisted
from exchange.web.page import membership_of, page
from rights.domain import assurance, capability
from rights.domain.issuance import PATHS
from rights.kernel.clock import now_us
from rights.models import Issuer


class Sheet(msgspec.Struct, frozen=True):
    """One page of the desk: its name in addresses, its title, the scope its acts need."""

    name: str
    title: str
    scope: str

    @property
    def address(self) -> str:
        """What its address is called (exchange/web/urls.py)."""
        return f"web:desk-{self.name}"


SHEETS = (
    Sheet("assurances", "Assurances", "issue"),
    Sheet("issued", "Rights issued", "issue"),
    Sheet("listings", "Listings", "issue"),
    Sheet("consents", "Consents", "consent"),
    Sheet("supply", "Supply", "supply"),
)
_BY_NAME = {sheet.name: sheet for sheet in SHEETS}


def _desk(request: HttpRequest, name: str, more: Any = None) -> HttpResponse:
    """A page of the desk for one issuer of the reader's; everybody else is told what an issuer is."""
    membership, sheet = membership_of(request), _BY_NAME[name]
    mine = issuers_of(membership.participant_id) if membership else []
    if membership is None or not mine:
        return page(request, "web/desk_none.html", "desk")
    issuer = next((one for one in mine if one.slug == request.GET.get("issuer")), mine[0])
    context = {
        "sheets": SHEETS,
        "sheet": sheet,
        "issuers": mine,
        "issuer": issuer,
        "modes": sorted(PATHS[issuer.issuance_path].modes, key=assurance.MODES.index) if issuer.issuance_path in PATHS else [],
        "may_act": sheet.scope in membership.scopes,
        "may_read": _may_read(membership, sheet),
        **(more(issuer) if more else {}),
    }
    return page(request, f"web/desk_{name}.html", "desk", context)


def _may_read(membership: Membership, sheet: Sheet) -> bool:
    """Whether the API shows this page's lists to the member at all."""
    needed = {"issued": {"read"}, "listings": {"issue"}, "consents": {"consent"}, "supply": {"read"}}.get(sheet.name, set())
    return needed <= set(membership.scopes)


@require_safe
@login_required
def assurances(request: HttpRequest) -> HttpResponse:
    return _desk(request, "assurances", lambda _: {"groups": desk_terms.CLASS, "plans": assurance.PLANS})


@require_safe
@login_required
def issued(request: HttpRequest) -> HttpResponse:
    return _desk(request, "issued", lambda _: {"groups": desk_terms.CLASS, "terms": desk_terms.TERMS})


@require_safe
@login_required
def listings(request: HttpRequest) -> HttpResponse:
    def more(issuer: Issuer) -> dict[str, Any]:
        return {"unlisted": unlisted(issuer.pk, now_us=now_us())}

    return _desk(request, "listings", more)


@require_safe
@login_required
def consents(request: HttpRequest) -> HttpResponse:
    return _desk(request, "consents")


@require_safe
@login_required
def supply(request: HttpRequest) -> HttpResponse:
    axes = (
        ("workload", "Workload", capability.WORKLOADS),
        ("quality_band", "Quality", capability.QUALITY_BANDS),
        ("latency_band", "Latency", capability.LATENCY_BANDS),
        ("privacy_mode", "Privacy mode", capability.PRIVACY_MODES),
        ("environment", "Environment", capability.ENVIRONMENTS),
        ("availability", "Availability", capability.AVAILABILITIES),
        ("unit", "Unit", capability.UNITS),
    )
    return _desk(request, "supply", lambda _: {"axes": axes})
