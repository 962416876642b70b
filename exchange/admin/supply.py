"""Suppliers, what they can do and what they have posted, in the console."""

from collections.abc import Callable, Mapping
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
)

from exchange.admin.acts import Act, ReasonForm, actor_of, answer
from exchange.domain.amounts import decimal_text
from rights.admin import STATUS_COLOURS, ReadOnlyAdmin
from rights.domain.units import WHOLE_BPS
from rights.kernel.clock import now_us
from rights.kernel.ids import Mint, public
from rights.models import Capability, PostedCapacity, Supplier
from rights.services import capabilities, suppliers
from settlement.models import Asset

MINT = Mint()
FEW = 50


def number(label: str, initial: int | None = None, *, most: int | None = None, required: bool = True) -> forms.IntegerField:
    widget = UnfoldAdminIntegerFieldWidget()
    return forms.IntegerField(label=label, initial=initial, min_value=0, max_value=most, required=required, widget=widget)


def span(start: Any, end: Any) -> str:
    """A window in few words."""
    return f"{start:%Y-%m-%d %H:%M} - {end:%Y-%m-%d %H:%M}"


def events_link(public_id: str) -> SafeString:
    text = "everything the registry remembers of it"
    return format_html('<a href="{}?object={}">{}</a>', reverse("console_events"), public_id, text)


class TrustForm(ReasonForm):
    trust_bps = number("Trust (bps)", most=WHOLE_BPS)
    field_order = ("trust_bps", "reason")


class MeasureForm(ReasonForm):
    reliability_bps = number("Reliability (bps)", most=WHOLE_BPS)
    field_order = ("reliability_bps", "reason")


@admin.register(Supplier)
class SupplierAdmin(ReadOnlyAdmin):
    list_display = ("slug", "name", "participant", "region", "trust", "shown_status", "created_at")
    list_select_related = ("participant",)
    list_filter = ("status",)
    search_fields = ("slug__startswith",)
    ordering = ("-pk",)
    fields = (
        "public_id",
        ("slug", "name"),
        ("participant", "region"),
        ("trust", "shown_status"),
        "public_key",
        "can_do",
        "memory",
        "created_at",
    )
    readonly_fields = ("public_id", "trust", "shown_status", "can_do", "memory")
    actions_detail = ("assess", "suspend", "reinstate")

    @display(description="supplier")
    def public_id(self, supplier: Supplier) -> str:
        return public("sup", str(supplier.uuid))

    @display(description="trust")
    def trust(self, supplier: Supplier) -> str:
        return f"{supplier.trust_bps} bps"

    @display(description="status", label=STATUS_COLOURS)
    def shown_status(self, supplier: Supplier) -> str:
        return supplier.status

    @display(description="capabilities")
    def can_do(self, supplier: Supplier) -> SafeString:
        found = supplier.capabilities.order_by("-pk")[:FEW]
        lines = ((reverse("admin:rights_capability_change", args=[c.pk]), c.workload, c.availability, _state(c)) for c in found)
        return format_html_join("", '<div><a href="{}">{}</a> {}, {}</div>', lines) or format_html("{}", "none")

    @display(description="events")
    def memory(self, supplier: Supplier) -> SafeString:
        return events_link(public("sup", str(supplier.uuid)))

    @action(description="Set trust", permissions=["operate"], icon="handshake", variant=ActionVariant.PRIMARY)
    def assess(self, request: HttpRequest, object_id: str) -> HttpResponse:
        supplier, back = self._one(object_id)

        def run(data: Mapping[str, Any]) -> str:
            suppliers.assess_supplier(
                supplier_id=str(supplier.uuid),
                trust_bps=data["trust_bps"],
                reason=data["reason"],
                actor=actor_of(request),
                now_us=now_us(),
            )
            return f"{supplier.slug} is trusted {data['trust_bps']} bps."

        explanation = "How far the venue trusts the supplier; everybody sees it."
        return answer(request, Act(f"Trust of {supplier.slug}", explanation, "Set", back, run, TrustForm))

    @action(description="Suspend", permissions=["operate"], icon="block", variant=ActionVariant.DANGER)
    def suspend(self, request: HttpRequest, object_id: str) -> HttpResponse:
        effect = (
            "What it has posted for windows to come is withdrawn, and assurances that rest on it drift. It comes back only by posting anew."
        )
        return self._standing(request, object_id, suppliers.suspend_supplier, "Suspend", effect)

    @action(description="Reinstate", permissions=["operate"], icon="undo", variant=ActionVariant.SUCCESS)
    def reinstate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        effect = "It may post capacity again; what was withdrawn stays so until it does."
        return self._standing(request, object_id, suppliers.reinstate_supplier, "Reinstate", effect)

    def _standing(self, request: HttpRequest, object_id: str, service: Callable[..., Supplier], verb: str, effect: str) -> HttpResponse:
        supplier, back = self._one(object_id)

        def run(data: Mapping[str, Any]) -> str:
            row = service(supplier_id=str(supplier.uuid), reason=data["reason"], actor=actor_of(request), now_us=now_us())
            return f"{row.slug} is {row.status}."

        return answer(request, Act(f"{verb} {supplier.slug}", effect, verb, back, run))

    def _one(self, object_id: str) -> tuple[Supplier, str]:
        supplier = get_object_or_404(Supplier, pk=object_id)
        return supplier, reverse("admin:rights_supplier_change", args=[supplier.pk])


def _state(capability: Capability) -> str:
    return "live" if capability.retired_at is None else "retired"


@admin.register(Capability)
class CapabilityAdmin(ReadOnlyAdmin):
    list_display = (
        "workload",
        "supplier",
        "quality_band",
        "latency_band",
        "privacy_mode",
        "availability",
        "tariff",
        "reliability",
        "state",
    )
    list_select_related = ("supplier",)
    list_filter = ("workload", "availability")
    search_fields = ("supplier__slug__startswith",)
    ordering = ("-pk",)
    fields = (
        "public_id",
        ("supplier", "state"),
        ("workload", "unit"),
        ("quality_band", "latency_band"),
        ("privacy_mode", "environment"),
        ("availability", "constraints"),
        ("tariff", "reliability"),
        "posted",
        "memory",
        ("created_at", "retired_at"),
    )
    readonly_fields = ("public_id", "state", "tariff", "reliability", "posted", "memory")
    actions_detail = ("measure",)

    @display(description="capability")
    def public_id(self, capability: Capability) -> str:
        return public("cap", str(capability.uuid))

    @display(description="tariff")
    def tariff(self, capability: Capability) -> str:
        scale = Asset.objects.filter(code=capability.currency, kind="cash").values_list("scale", flat=True).first() or 0
        return f"{decimal_text(capability.tariff_minor, scale)} {capability.currency} per {capability.tariff_units:,} {capability.unit}"

    @display(description="reliability")
    def reliability(self, capability: Capability) -> str:
        return "not measured" if capability.reliability_bps is None else f"{capability.reliability_bps} bps"

    @display(description="state", label={"live": "success", "retired": "danger"})
    def state(self, capability: Capability) -> str:
        return _state(capability)

    @display(description="posted capacity")
    def posted(self, capability: Capability) -> SafeString:
        """The latest windows."""
        found = capability.capacity.order_by("-window_start", "-pk")[:FEW]
        lines = (
            (reverse("admin:rights_postedcapacity_change", args=[c.pk]), span(c.window_start, c.window_end), c.pledged_units, c.units)
            for c in found
        )
        return format_html_join("", '<div><a href="{}">{}</a> {} of {} pledged</div>', lines) or format_html("{}", "none")

    @display(description="events")
    def memory(self, capability: Capability) -> SafeString:
        return events_link(public("cap", str(capability.uuid)))

    @action(description="Record a measurement", permissions=["operate"], icon="speed", variant=ActionVariant.PRIMARY)
    def measure(self, request: HttpRequest, object_id: str) -> HttpResponse:
        capability = get_object_or_404(Capability, pk=object_id)

        def run(data: Mapping[str, Any]) -> str:
            capabilities.measure_capability(
                capability_id=str(capability.uuid),
                reliability_bps=data["reliability_bps"],
                reason=data["reason"],
                actor=actor_of(request),
                now_us=now_us(),
            )
            return "The measurement is recorded."

        explanation = "How reliable it has been found. Assurances that count by measurement get at least the haircut it asks for."
        back = reverse("admin:rights_capability_change", args=[capability.pk])
        return answer(request, Act("Record a measurement", explanation, "Record", back, run, MeasureForm))


@admin.register(PostedCapacity)
class PostedCapacityAdmin(ReadOnlyAdmin):
    list_display = ("shown_window", "supplier", "capability", "units", "pledged_units", "free", "posted_at")
    list_select_related = ("capability__supplier",)
    search_fields = ("capability__supplier__slug__startswith",)
    ordering = ("-pk",)
    fields = (
        ("supplier", "capability"),
        "shown_window",
        ("units", "pledged_units", "free"),
        "offered",
        "behind",
        ("revision", "posted_at"),
    )
    readonly_fields = ("supplier", "shown_window", "free", "offered", "behind")

    @display(description="window")
    def shown_window(self, capacity: PostedCapacity) -> str:
        return span(capacity.window_start, capacity.window_end)

    @display(description="supplier")
    def supplier(self, capacity: PostedCapacity) -> str:
        return capacity.capability.supplier.slug

    @display(description="free")
    def free(self, capacity: PostedCapacity) -> int:
        return capacity.units - capacity.pledged_units

    @display(description="offered to")
    def offered(self, capacity: PostedCapacity) -> str:
        return ", ".join(capacity.issuers) or "the supplier's own issuers"

    @display(description="assurances")
    def behind(self, capacity: PostedCapacity) -> SafeString:
        found = capacity.assurances.select_related("assurance").order_by("pk")[:FEW]
        lines = ((reverse("admin:rights_assurance_change", args=[s.assurance_id]), s.assurance.reference, s.units) for s in found)
        return format_html_join("", '<div><a href="{}">{}</a> {}</div>', lines) or format_html("{}", "none")
