"""Requests, what came of them and who disputes it, in the console; an operator says who decides a dispute."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextInputWidget

from exchange.admin.acts import Act, ReasonForm, actor_of, answer, row_or_404
from exchange.admin.supply import events_link
from exchange.domain.amounts import decimal_text
from exchange.services.operator_refusal import OperatorRefusal
from rights.admin import ReadOnlyAdmin, may_operate, right_link
from rights.domain.reason import stated_reason
from rights.kernel.clock import now_us
from rights.kernel.ids import public
from rights.models import Participant
from settlement.models import Dispute, Request, Route, Settlement
from settlement.services.disputes import assign_reviewer

_REQUESTS = {"matched": "info", "executing": "warning", "settled": "success", "failed": "danger", "expired": "danger"}
_SETTLEMENTS = {"finalized": "success", "in_dispute": "danger", "pending_proof": "warning", "pending_dispute_window": "info"}
_DISPUTES = {"open": "warning", "rejected": "info", "upheld": "danger", "reclassified": "danger"}


def _link(name: str, key: object, text: str) -> SafeString:
    return format_html('<a href="{}">{}</a>', reverse(f"admin:settlement_{name}_change", args=[key]), text)


def _money(minor: int, route: Route | None) -> str:
    """An amount in the currency of the request's routes; without a route nothing was ever set aside."""
    return "0" if route is None else f"{decimal_text(minor, route.currency.scale)} {route.currency.code}"


@admin.register(Request)
class RequestAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "account", "workload", "operation", "expected_units", "shown_state", "created_at", "ended_at")
    list_select_related = ("account__participant",)
    search_fields = ("id",)
    search_help_text = "a whole request id, req_…"
    id_prefix = "req"
    ordering = ("-pk",)
    fields = (
        ("public_id", "shown_state"),
        ("account", "holder", "delegation"),
        ("workload", "operation", "expected_units"),
        ("budget", "delivery"),
        "ways",
        "came_to",
        "memory",
        "envelope_hash",
        ("created_at", "updated_at", "latest_at", "ended_at"),
    )
    readonly_fields = ("public_id", "shown_state", "ways", "came_to", "memory")

    @display(description="request")
    def public_id(self, request: Request) -> str:
        return public("req", str(request.pk))

    @display(description="state", label=_REQUESTS)
    def shown_state(self, request: Request) -> str:
        return request.state

    @display(description="routes")
    def ways(self, request: Request) -> SafeString:
        found = request.routes.select_related("supplier", "currency").order_by("number")
        lines = ((r.number, r.supplier.slug, r.units, right_link(r.right_id), r.state, _money(r.escrow_minor, r)) for r in found)
        return format_html_join("", "<div>{}. {} for {} units of {}: {}, {} set aside</div>", lines) or format_html("{}", "none")

    @display(description="settlement")
    def came_to(self, request: Request) -> SafeString:
        found = Settlement.objects.filter(request=request).first()
        return format_html("{}", "none yet") if found is None else _link("settlement", found.pk, public("stl", str(found.pk)))

    @display(description="events")
    def memory(self, request: Request) -> SafeString:
        return events_link(public("req", str(request.pk)))


@admin.register(Settlement)
class SettlementAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "shown_state", "outcome", "units", "missing", "proof_due_at", "window_ends_at", "created_at")
    list_filter = ("state",)
    search_fields = ("id",)
    search_help_text = "a whole settlement id, stl_…"
    id_prefix = "stl"
    ordering = ("-pk",)
    fields = (
        ("public_id", "of"),
        ("shown_state", "outcome", "rule"),
        ("reserved_units", "units"),
        ("set_aside", "paid", "compensated", "released"),
        ("missing", "proof_due_at"),
        "window_ends_at",
        "proven",
        "argued",
        "memory",
        ("created_at", "updated_at", "finalized_at"),
    )
    readonly_fields = ("public_id", "of", "shown_state", "set_aside", "paid", "compensated", "released", "proven", "argued", "memory")

    @display(description="settlement")
    def public_id(self, settlement: Settlement) -> str:
        return public("stl", str(settlement.pk))

    @display(description="request")
    def of(self, settlement: Settlement) -> SafeString:
        return _link("request", settlement.request_id, public("req", str(settlement.request_id)))

    @display(description="state", label=_SETTLEMENTS)
    def shown_state(self, settlement: Settlement) -> str:
        return settlement.state

    @display(description="set aside")
    def set_aside(self, settlement: Settlement) -> str:
        return _money(settlement.escrow_minor, _route(settlement))

    @display(description="to suppliers")
    def paid(self, settlement: Settlement) -> str:
        return _money(settlement.payout_minor, _route(settlement))

    @display(description="to the holder")
    def compensated(self, settlement: Settlement) -> str:
        return _money(settlement.compensation_minor, _route(settlement))

    @display(description="back to issuers")
    def released(self, settlement: Settlement) -> str:
        return _money(settlement.release_minor, _route(settlement))

    @display(description="proofs")
    def proven(self, settlement: Settlement) -> SafeString:
        found = settlement.receipt.proofs.order_by("number")
        lines = ((p.number, p.type, p.producer, "" if p.is_valid else " (its signature is not valid)") for p in found)
        return format_html_join("", "<div>{}. {} by {}{}</div>", lines) or format_html("{}", "none")

    @display(description="disputes")
    def argued(self, settlement: Settlement) -> SafeString:
        found = settlement.disputes.order_by("pk")
        lines = ((_link("dispute", d.pk, public("dsp", str(d.pk))), d.side, d.state) for d in found)
        return format_html_join("", "<div>{} by the {}: {}</div>", lines) or format_html("{}", "none")

    @display(description="events")
    def memory(self, settlement: Settlement) -> SafeString:
        return events_link(public("stl", str(settlement.pk)))


def _route(settlement: Settlement) -> Route | None:
    return Route.objects.filter(request_id=settlement.request_id, locked_at__isnull=False).select_related("currency").first()


class ReviewerForm(ReasonForm):
    """A participant, by its name in addresses."""

    reviewer = forms.CharField(label="Reviewer (a participant)", max_length=64, widget=UnfoldAdminTextInputWidget())
    field_order = ("reviewer", "reason")


@admin.register(Dispute)
class DisputeAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "side", "shown_state", "reviewer", "opened_at", "decided_at")
    list_filter = ("state",)
    search_fields = ("id",)
    search_help_text = "a whole dispute id, dsp_…"
    id_prefix = "dsp"
    ordering = ("-pk",)
    fields = (
        ("public_id", "about"),
        ("side", "opener", "opened_by"),
        "claim",
        "brought",
        ("shown_state", "reviewer"),
        ("decided_by", "decision"),
        "memory",
        ("opened_at", "decided_at"),
    )
    readonly_fields = ("public_id", "about", "brought", "shown_state", "memory")
    actions_detail = ("assign",)

    def has_assign_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        return may_operate(request.user) and row_or_404(Dispute, str(object_id)).state == "open"

    @display(description="dispute")
    def public_id(self, dispute: Dispute) -> str:
        return public("dsp", str(dispute.pk))

    @display(description="settlement")
    def about(self, dispute: Dispute) -> SafeString:
        return _link("settlement", dispute.settlement_id, public("stl", str(dispute.settlement_id)))

    @display(description="state", label=_DISPUTES)
    def shown_state(self, dispute: Dispute) -> str:
        return dispute.state

    @display(description="evidence")
    def brought(self, dispute: Dispute) -> SafeString:
        lines = ((one.number, one.by, one.text) for one in dispute.evidence.order_by("number"))
        return format_html_join("", "<div>{}. {}: {}</div>", lines) or format_html("{}", "none")

    @display(description="events")
    def memory(self, dispute: Dispute) -> SafeString:
        return events_link(public("stl", str(dispute.settlement_id)))

    @action(description="Assign a reviewer", permissions=["assign"], icon="gavel", variant=ActionVariant.PRIMARY)
    def assign(self, request: HttpRequest, object_id: str) -> HttpResponse:
        dispute = row_or_404(Dispute, object_id)

        def run(data: Mapping[str, Any]) -> str:
            reviewer = Participant.objects.filter(slug=data["reviewer"].strip()).first()
            if reviewer is None:
                raise OperatorRefusal("participant_unknown", f"there is no participant {data['reviewer'].strip()}")
            assign_reviewer(
                dispute_id=str(dispute.pk),
                reviewer=reviewer,
                reason=stated_reason(data["reason"]),
                actor=actor_of(request),
                now_us=now_us(),
            )
            return f"{reviewer.slug} decides it."

        explanation = "Who decides: somebody who is no party to it. Another one may be assigned until it is decided; the parties see who."
        facts = {"side": dispute.side, "claim": dispute.claim, "reviewer now": dispute.reviewer or "nobody"}
        back = reverse("admin:settlement_dispute_change", args=[dispute.pk])
        act = Act(f"Who decides {public('dsp', str(dispute.pk))}", explanation, "Assign", back, run, ReviewerForm, facts=facts)
        return answer(request, act)
