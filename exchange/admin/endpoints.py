"""Where capabilities are executed, in the console: how each is called, what was measured of it, and pausing it."""

from collections.abc import Mapping
from typing import Any

import msgspec
from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextInputWidget

from exchange.admin.acts import Act, ReasonForm, actor_of, answer
from exchange.admin.supply import events_link
from rights.admin import ReadOnlyAdmin
from rights.kernel.clock import now_us, to_us
from rights.kernel.ids import public
from settlement.models import Endpoint, EndpointHealth
from settlement.services import endpoints


class InsideForm(ReasonForm):
    """An address that only an operator may name."""

    base_url = forms.CharField(label="Address", max_length=300, widget=UnfoldAdminTextInputWidget())
    secret = forms.CharField(
        label="Secret, anew for another host", max_length=endpoints.MOST_SECRET, required=False, widget=UnfoldAdminTextInputWidget()
    )
    field_order = ("base_url", "secret", "reason")


@admin.register(Endpoint)
class EndpointAdmin(ReadOnlyAdmin):
    list_display = ("supplier", "workload", "adapter", "base_url", "shown_status", "breaker", "created_at")
    list_select_related = ("capability__supplier", "health")
    list_filter = ("status", "adapter")
    search_fields = ("capability__supplier__slug__startswith",)
    ordering = ("-pk",)
    fields = (
        "public_id",
        ("supplier", "capability"),
        ("adapter", "base_url", "inside"),
        ("model", "with_secret"),
        ("timeout_ms", "max_attempts"),
        ("shown_status", "breaker"),
        ("failures", "latency"),
        "memory",
        "created_at",
    )
    readonly_fields = ("public_id", "supplier", "with_secret", "shown_status", "breaker", "failures", "latency", "memory")
    actions_detail = ("pause", "resume", "call_inside")

    @display(description="endpoint")
    def public_id(self, endpoint: Endpoint) -> str:
        return public("end", str(endpoint.uuid))

    @display(description="supplier")
    def supplier(self, endpoint: Endpoint) -> str:
        return endpoint.capability.supplier.slug

    @display(description="workload")
    def workload(self, endpoint: Endpoint) -> str:
        return endpoint.capability.workload

    @display(description="secret", boolean=True)
    def with_secret(self, endpoint: Endpoint) -> bool:
        return bool(endpoint.secret)

    @display(description="status", label={"active": "success", "paused": "warning"})
    def shown_status(self, endpoint: Endpoint) -> str:
        return endpoint.status

    @display(description="breaker", label={"closed": "success", "open": "danger"})
    def breaker(self, endpoint: Endpoint) -> str:
        health = _health(endpoint)
        return "open" if health and health.opened_until and to_us(health.opened_until) > now_us() else "closed"

    @display(description="failures in a row")
    def failures(self, endpoint: Endpoint) -> int:
        health = _health(endpoint)
        return health.failures_in_a_row if health else 0

    @display(description="latency, lately")
    def latency(self, endpoint: Endpoint) -> str:
        health = _health(endpoint)
        return "not measured" if health is None or health.latency_us is None else f"{health.latency_us // 1000} ms"

    @display(description="events")
    def memory(self, endpoint: Endpoint) -> SafeString:
        return events_link(public("end", str(endpoint.uuid)))

    @action(description="Pause", permissions=["operate"], icon="pause", variant=ActionVariant.DANGER)
    def pause(self, request: HttpRequest, object_id: str) -> HttpResponse:
        effect = "It is called no more; work that is under way there goes on. Requests take other routes, where there are any."
        return self._set(request, object_id, "paused", "Pause", effect)

    @action(description="Resume", permissions=["operate"], icon="play_arrow", variant=ActionVariant.SUCCESS)
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._set(request, object_id, "active", "Resume", "It is called again.")

    def _set(self, request: HttpRequest, object_id: str, status: str, verb: str, effect: str) -> HttpResponse:
        endpoint = get_object_or_404(Endpoint, pk=object_id)

        def run(data: Mapping[str, Any]) -> str:
            _change(request, endpoint, endpoints.setup_of(endpoint), status, data["reason"])
            return f"The endpoint is {status}."

        return answer(request, Act(f"{verb} an endpoint", effect, verb, _back(endpoint), run))

    @action(description="Call inside the network", permissions=["operate"], icon="lan", variant=ActionVariant.PRIMARY)
    def call_inside(self, request: HttpRequest, object_id: str) -> HttpResponse:
        endpoint = get_object_or_404(Endpoint, pk=object_id)

        def run(data: Mapping[str, Any]) -> str:
            told = {"base_url": data["base_url"], "secret": data["secret"] or None, "inside": True}
            said = msgspec.structs.replace(endpoints.setup_of(endpoint), **told)
            _change(request, endpoint, said, endpoint.status, data["reason"])
            return f"The endpoint is called at {said.base_url}."

        explanation = (
            "The address may lie inside this network, and may do without TLS. Make sure that it is the supplier's and nobody else's."
        )
        return answer(request, Act("Call an endpoint inside the network", explanation, "Set", _back(endpoint), run, InsideForm))


def _health(endpoint: Endpoint) -> EndpointHealth | None:
    """What was measured, if anything was."""
    return getattr(endpoint, "health", None)


def _back(endpoint: Endpoint) -> str:
    return reverse("admin:settlement_endpoint_change", args=[endpoint.pk])


def _change(request: HttpRequest, endpoint: Endpoint, said: endpoints.Setup, status: str, reason: str) -> None:
    endpoints.change_endpoint(
        endpoint_id=str(endpoint.uuid),
        said=said,
        status=status,
        is_operator=True,
        actor=actor_of(request),
        now_us=now_us(),
        reason=reason,
    )
