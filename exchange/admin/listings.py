"""Listing requests in the console: one operator reads the disclosure sheet, another one approves."""

import json
from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from exchange.admin.acts import Act, actor_of, answer, name_of
from exchange.admin.supply import events_link, span
from exchange.domain.amounts import decimal_text, fixed_text
from exchange.models import ListingRequest
from exchange.selectors.listings import ListingRow, listing
from exchange.services.listing import price_decimals
from exchange.services.listing_requests import STEPS
from rights.admin import ReadOnlyAdmin
from rights.kernel.clock import now_us
from rights.kernel.ids import public

STATE_COLOURS = {"submitted": "info", "reviewed": "warning", "approved": "success", "rejected": "danger", "withdrawn": "danger"}
_EFFECTS = {
    "review": "You have read the sheet, which is computed anew now and kept. Another operator has to approve.",
    "approve": "A book is made at once by these rules, which never change. The reviewer can't approve.",
    "reject": "The issuer is told your reason, and may ask again.",
}


@admin.register(ListingRequest)
class ListingRequestAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "issuer", "compute_class", "shown_window", "shown_state", "requested_at", "reviewer", "decider")
    list_select_related = ("issuer", "series__compute_class")
    list_filter = ("state",)
    search_fields = ("issuer__slug__startswith",)
    ordering = ("-pk",)
    fields = (
        ("public_id", "shown_state"),
        ("issuer", "shown_window"),
        "compute_class",
        ("tick", "collar", "fees"),
        ("quantities", "delivery_rule"),
        ("deliverable", "headroom"),
        "note",
        "behind",
        "shown_sheet",
        ("asker", "requested_at"),
        ("reviewer", "reviewed_at"),
        ("decider", "decided_at"),
        "decision_note",
        "instrument",
        "memory",
    )
    readonly_fields = (
        "public_id", "shown_state", "compute_class", "shown_window", "tick", "collar", "fees", "quantities", "deliverable", "headroom",
        "behind", "shown_sheet", "asker", "reviewer", "decider", "memory",
    )  # fmt: skip
    actions_detail = ("review", "approve", "reject")

    @display(description="listing")
    def public_id(self, row: ListingRequest) -> str:
        return public("lst", str(row.uuid))

    @display(description="state", label=STATE_COLOURS)
    def shown_state(self, row: ListingRequest) -> str:
        return row.state

    @display(description="class")
    def compute_class(self, row: ListingRequest) -> str:
        return row.series.compute_class.key

    @display(description="window")
    def shown_window(self, row: ListingRequest) -> str:
        return span(row.series.window_start, row.series.window_end)

    @display(description="tick size")
    def tick(self, row: ListingRequest) -> str:
        found = _found(row)
        return f"{decimal_text(found.rules['trading']['tick_minor'], found.scale)} {found.rules['currency']}"

    @display(description="collar")
    def collar(self, row: ListingRequest) -> str:
        found = _found(row)
        rules = found.rules["trading"]
        tick = rules["tick_minor"]
        low, high = (
            fixed_text(rules[name] * tick, found.scale, price_decimals(tick, found.scale))
            for name in ("collar_low_ticks", "collar_high_ticks")
        )
        return f"{low} - {high}"

    @display(description="fees, maker / taker")
    def fees(self, row: ListingRequest) -> str:
        rules = row.rules["trading"]
        return f"{rules['maker_bps']} / {rules['taker_bps']} bps"

    @display(description="quantity, position limit")
    def quantities(self, row: ListingRequest) -> str:
        rules = row.rules["trading"]
        limit = rules["position_limit_lots"]
        return f"{rules['min_quantity_lots']} - {rules['max_quantity_lots']} lots, {'no limit' if limit is None else f'at most {limit}'}"

    @display(description="deliverable now (lots)")
    def deliverable(self, row: ListingRequest) -> int:
        found = _found(row)
        return found.deliverable_units // found.lot_size

    @display(description="headroom (lots)")
    def headroom(self, row: ListingRequest) -> int:
        found = _found(row)
        return found.headroom_units // found.lot_size

    @display(description="disclosure sheet")
    def shown_sheet(self, row: ListingRequest) -> SafeString:
        """As it was asked with, or as it was reviewed."""
        text = json.dumps(json.loads(row.sheet), indent=2, ensure_ascii=False)
        return format_html('<pre class="record-body" tabindex="0" aria-label="Disclosure sheet">{}</pre>', text)

    @display(description="what stands behind it")
    def behind(self, row: ListingRequest) -> SafeString:
        """The assurances of the sheet, a line each."""
        found = json.loads(row.sheet)["assurances"]
        lines = ((a["reference"], a["issuer"], a["status"], int(a["usable_units"]), int(a["issued_units"])) for a in found)
        words = ((ref, f"of {issuer}, {status}: {issued:,} of {usable:,} usable issued") for ref, issuer, status, usable, issued in lines)
        return format_html_join("", "<div><strong>{}</strong> {}</div>", words) or format_html("{}", "nothing")

    @display(description="requested by")
    def asker(self, row: ListingRequest) -> str:
        return name_of(row.requested_by)

    @display(description="reviewed by")
    def reviewer(self, row: ListingRequest) -> str:
        return name_of(row.reviewed_by) if row.reviewed_by else "nobody yet"

    @display(description="decided by")
    def decider(self, row: ListingRequest) -> str:
        return name_of(row.decided_by) if row.decided_by else "nobody yet"

    @display(description="events")
    def memory(self, row: ListingRequest) -> SafeString:
        return events_link(public("lst", str(row.uuid)))

    @action(description="Review", permissions=["operate"], icon="rate_review", variant=ActionVariant.PRIMARY)
    def review(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._step(request, object_id, "review")

    @action(description="Approve", permissions=["operate"], icon="check_circle", variant=ActionVariant.SUCCESS)
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._step(request, object_id, "approve")

    @action(description="Reject", permissions=["operate"], icon="cancel", variant=ActionVariant.DANGER)
    def reject(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._step(request, object_id, "reject")

    def _step(self, request: HttpRequest, object_id: str, step: str) -> HttpResponse:
        row = get_object_or_404(ListingRequest.objects.select_related("issuer", "series__compute_class"), pk=object_id)

        def run(data: Mapping[str, Any]) -> str:
            done = STEPS[step](request_id=str(row.uuid), reason=data["reason"], actor=actor_of(request), now_us=now_us())
            return f"{done.instrument.symbol} is listed." if done.instrument else f"The request is {done.state}."

        title = f"{step.capitalize()} the listing of {row.series.compute_class.key} by {row.issuer.slug}"
        back = reverse("admin:exchange_listingrequest_change", args=[row.pk])
        return answer(request, Act(title, _EFFECTS[step], step.capitalize(), back, run))


def _found(row: ListingRequest) -> ListingRow:
    """What the wire shows of it, read once per page."""
    known: ListingRow | None = getattr(row, "_found", None)
    if known is None:
        known = listing(str(row.uuid), now_us=now_us())
        if known is None:
            raise LookupError(f"no listing {row.uuid}")
        row._found = known  # type: ignore[attr-defined]  # noqa: SLF001 - a memory on the object of this request
    return known
