"""Assurances in the console: a gauge of what stands issued, and operators who answer for what they have looked at."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextInputWidget,
)

from exchange.admin.acts import Act, ReasonForm, actor_of, answer
from exchange.admin.supply import FEW, events_link, number, span
from rights.admin import STATUS_COLOURS, ReadOnlyAdmin
from rights.domain.assurance import MODES, PLANS
from rights.domain.units import WHOLE_BPS, issuable_units, usable_units
from rights.kernel.clock import now_us, to_us
from rights.kernel.ids import Mint, public
from rights.models import Assurance, ComputeClass, Issuer
from rights.services.post_assurance import Capacity, post_assurance
from rights.services.refresh_assurance import Refresh, refresh_assurance

MINT = Mint()


def _issuers() -> list[tuple[int, str]]:
    return list(Issuer.objects.order_by("slug").values_list("pk", "slug")[:500])


def _classes() -> list[tuple[int, str]]:
    return [(row.pk, f"{row.key} ({row.unit})") for row in ComputeClass.objects.order_by("key")[:500]]


class AssuranceForm(ReasonForm):
    """Capacity an operator has checked: what rights of this class and window may be issued against."""

    issuer = forms.TypedChoiceField(coerce=int, choices=_issuers, widget=UnfoldAdminSelectWidget())
    compute_class = forms.TypedChoiceField(label="Class", coerce=int, choices=_classes, widget=UnfoldAdminSelectWidget())
    mode = forms.ChoiceField(choices=[(m, m) for m in MODES], widget=UnfoldAdminSelectWidget())
    reference = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget(), help_text="What manifests name it by.")
    window_start = forms.SplitDateTimeField(label="Window starts (UTC)", widget=UnfoldAdminSplitDateTimeWidget())
    window_end = forms.SplitDateTimeField(label="Window ends (UTC)", widget=UnfoldAdminSplitDateTimeWidget())
    gross_units = forms.IntegerField(min_value=1, widget=UnfoldAdminIntegerFieldWidget())
    haircut_bps = number("Haircut (bps)", 1000, most=WHOLE_BPS)
    degradation_plan = forms.ChoiceField(
        label="When it falls short",
        choices=[(p, p) for p in PLANS],
        widget=UnfoldAdminSelectWidget(),
        help_text="Issuing pauses in any case.",
    )
    overbook_bps = number("Overbooking (bps)", 0, most=WHOLE_BPS)
    justification = forms.CharField(label="Why it may be overbooked", max_length=500, required=False, widget=UnfoldAdminTextInputWidget())
    field_order = (
        "issuer", "compute_class", "mode", "reference", "window_start", "window_end", "gross_units", "haircut_bps", "degradation_plan",
        "overbook_bps", "justification", "reason",
    )  # fmt: skip


class RefreshForm(ReasonForm):
    gross_units = number("Gross units, if they have changed", required=False)
    haircut_bps = number("Haircut (bps), if it has changed", most=WHOLE_BPS, required=False)
    field_order = ("gross_units", "haircut_bps", "reason")


def _post(data: Mapping[str, Any], actor: str) -> str:
    moment = now_us()
    capacity = Capacity(
        mode=data["mode"],
        reference=data["reference"],
        window_start_us=to_us(data["window_start"]),
        window_end_us=to_us(data["window_end"]),
        gross_units=data["gross_units"],
        haircut_bps=data["haircut_bps"],
        overbook_bps=data["overbook_bps"],
        justification=data["justification"],
        degradation_plan=data["degradation_plan"],
    )
    post_assurance(
        issuer=Issuer.objects.get(pk=data["issuer"]),
        compute_class=ComputeClass.objects.get(pk=data["compute_class"]),
        capacity=capacity,
        assurance_id=MINT.uuid(moment),
        actor=actor,
        now_us=moment,
        note=data["reason"],
    )
    return f"{capacity.reference} is posted."


def gauge(assurance: Assurance) -> SafeString:
    """How much of what may be issued stands issued."""
    most = issuable_units(assurance.gross_units, assurance.haircut_bps, assurance.overbook_bps)
    words = f"{assurance.issued_units:,} of {most:,} issued"
    return format_html(
        '<span class="gauge"><meter min="0" max="{}" high="{}" value="{}" aria-label="{}"></meter>{}</span>',
        max(most, 1),
        max(most * 9 // 10, 1),
        min(assurance.issued_units, max(most, 1)),
        words,
        words,
    )


@admin.register(Assurance)
class AssuranceAdmin(ReadOnlyAdmin):
    list_display = ("reference", "issuer", "compute_class", "shown_window", "gross_units", "usable", "issued", "headroom", "shown")
    list_select_related = ("issuer", "compute_class")
    list_filter = ("status", "mode")
    search_fields = ("reference__startswith",)
    ordering = ("-pk",)
    fields = (
        ("public_id", "shown"),
        ("reference", "mode"),
        ("issuer", "compute_class"),
        ("shown_window", "unit"),
        ("gross_units", "haircut_bps", "usable"),
        ("overbook_bps", "justification"),
        ("issued", "headroom"),
        "behind",
        ("degradation_plan", "degraded_at", "done"),
        ("refreshed_at", "stale_after_s", "revision"),
        "memory",
    )
    readonly_fields = ("public_id", "shown_window", "usable", "justification", "issued", "headroom", "behind", "done", "shown", "memory")
    actions_list = ("post_new",)
    actions_detail = ("refresh",)

    @action(description="Post an assurance", permissions=["operate"], icon="add", variant=ActionVariant.PRIMARY)
    def post_new(self, request: HttpRequest) -> HttpResponse:
        explanation = "Capacity you have checked yourself, of one class and window. Issuing stops where gross less the haircut ends."
        back = reverse("admin:rights_assurance_changelist")

        def run(data: Mapping[str, Any]) -> str:
            return _post(data, actor_of(request))

        return answer(request, Act("Post an assurance", explanation, "Post", back, run, AssuranceForm))

    @action(description="Refresh", permissions=["operate"], icon="refresh", variant=ActionVariant.SUCCESS)
    def refresh(self, request: HttpRequest, object_id: str) -> HttpResponse:
        assurance = get_object_or_404(Assurance, pk=object_id)

        def run(data: Mapping[str, Any]) -> str:
            row = refresh_assurance(
                assurance_id=str(assurance.uuid),
                refresh=Refresh(gross_units=data["gross_units"], haircut_bps=data["haircut_bps"]),
                attested=True,
                actor=actor_of(request),
                now_us=now_us(),
                note=data["reason"],
            )
            return f"{row.reference} is {row.status}."

        explanation = "You have looked at the capacity again. Less than what stands issued degrades it, and its plan is followed; nothing issued changes."
        back = reverse("admin:rights_assurance_change", args=[assurance.pk])
        return answer(request, Act(f"Refresh {assurance.reference}", explanation, "Refresh", back, run, RefreshForm))

    @display(description="assurance")
    def public_id(self, assurance: Assurance) -> str:
        return public("ast", str(assurance.uuid))

    @display(description="window")
    def shown_window(self, assurance: Assurance) -> str:
        return span(assurance.window_start, assurance.window_end)

    @display(description="usable")
    def usable(self, assurance: Assurance) -> int:
        """Gross less the haircut, rounded down, as the database counts it."""
        return usable_units(assurance.gross_units, assurance.haircut_bps)

    @display(description="justification")
    def justification(self, assurance: Assurance) -> str:
        return str((assurance.overbook_policy or {}).get("justification", "-"))

    @display(description="issued")
    def issued(self, assurance: Assurance) -> SafeString:
        return gauge(assurance)

    @display(description="headroom")
    def headroom(self, assurance: Assurance) -> str:
        most = issuable_units(assurance.gross_units, assurance.haircut_bps, assurance.overbook_bps)
        return f"{max(0, most - assurance.issued_units):,}"

    @display(description="status", label=STATUS_COLOURS)
    def shown(self, assurance: Assurance) -> str:
        return assurance.status

    @display(description="sources")
    def behind(self, assurance: Assurance) -> SafeString:
        found = assurance.sources.select_related("capacity__capability__supplier").order_by("pk")[:FEW]
        lines = (
            (
                reverse("admin:rights_postedcapacity_change", args=[s.capacity_id]),
                s.capacity.capability.supplier.slug,
                span(s.capacity.window_start, s.capacity.window_end),
                f"{s.units:,}",
            )
            for s in found
        )
        return format_html_join("", '<div><a href="{}">{} {}</a> {}</div>', lines) or format_html("{}", "none: an operator answers for it")

    @display(description="its plan has done")
    def done(self, assurance: Assurance) -> str:
        live = assurance.plan_acts.filter(lifted_at=None)
        frozen = live.filter(act="freeze").count()
        halted = live.filter(act="halt").order_by("pk").values_list("object_id", flat=True)[:FEW]
        return "; ".join([*([f"{frozen} rights frozen"] if frozen else []), *(f"{symbol} halted" for symbol in halted)]) or "nothing"

    @display(description="events")
    def memory(self, assurance: Assurance) -> SafeString:
        return events_link(public("ast", str(assurance.uuid)))
