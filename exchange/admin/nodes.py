"""Nodes of suppliers and the jobs they do, in the console: strikes, leases, and putting a node out."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from exchange.admin.acts import Act, actor_of, answer, row_or_404
from exchange.admin.supply import FEW, events_link
from rights.admin import STATUS_COLOURS, ReadOnlyAdmin
from rights.kernel.clock import now_us
from rights.kernel.ids import public
from settlement.models import Job, Node
from settlement.services import nodes

_STATES = {"open": "info", "leased": "warning", "done": "success", "parked": "danger"}


@admin.register(Node)
class NodeAdmin(ReadOnlyAdmin):
    list_display = ("name", "supplier", "shown_status", "suspended_by", "strikes", "last_seen_at", "created_at")
    list_select_related = ("supplier",)
    list_filter = ("status",)
    search_fields = ("supplier__slug__startswith",)
    ordering = ("-pk",)
    fields = (
        "public_id",
        ("supplier", "name"),
        ("shown_status", "suspended_by", "strikes"),
        "public_key",
        "lately",
        "memory",
        ("created_at", "last_seen_at"),
    )
    readonly_fields = ("public_id", "shown_status", "lately", "memory")
    actions_detail = ("suspend", "reinstate")

    @display(description="node")
    def public_id(self, node: Node) -> str:
        return public("nod", str(node.uuid))

    @display(description="status", label=STATUS_COLOURS)
    def shown_status(self, node: Node) -> str:
        return node.status

    @display(description="latest leases")
    def lately(self, node: Node) -> SafeString:
        found = node.attempts.order_by("-pk")[:FEW]
        lines = ((reverse("admin:settlement_job_change", args=[a.job_id]), a.leased_at, a.end or "under way", a.detail) for a in found)
        return format_html_join("", '<div><a href="{}">{}</a> {} {}</div>', lines) or format_html("{}", "none")

    @display(description="events")
    def memory(self, node: Node) -> SafeString:
        return events_link(public("nod", str(node.uuid)))

    @action(description="Suspend", permissions=["operate"], icon="block", variant=ActionVariant.DANGER)
    def suspend(self, request: HttpRequest, object_id: str) -> HttpResponse:
        effect = "It leases nothing more, and what it has is offered to others. Only an operator reinstates it."
        return self._standing(request, object_id, nodes.suspend_node, "Suspend", effect)

    @action(description="Reinstate", permissions=["operate"], icon="undo", variant=ActionVariant.SUCCESS)
    def reinstate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._standing(request, object_id, nodes.reinstate_node, "Reinstate", "It may lease again, and its strikes are forgotten.")

    def _standing(self, request: HttpRequest, object_id: str, service: Callable[..., Node], verb: str, effect: str) -> HttpResponse:
        node = row_or_404(Node, object_id)

        def run(data: Mapping[str, Any]) -> str:
            row = service(node_id=str(node.uuid), by="venue", reason=data["reason"], actor=actor_of(request), now_us=now_us())
            return f"{row.name} is {row.status}."

        return answer(request, Act(f"{verb} {node.name}", effect, verb, reverse("admin:settlement_node_change", args=[node.pk]), run))


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "supplier", "workload", "shown_state", "attempts", "node", "offered_at", "ended_at")
    list_select_related = ("supplier", "node")
    list_filter = ("state",)
    ordering = ("-pk",)
    fields = (
        "public_id",
        ("request", "supplier"),
        ("workload", "operation", "model"),
        ("unit", "units"),
        ("shown_state", "reason"),
        ("attempts", "max_attempts", "node"),
        "tried",
        ("offered_at", "deadline_at"),
        ("leased_at", "lease_expires_at", "ended_at"),
    )
    readonly_fields = ("public_id", "shown_state", "tried")

    @display(description="job")
    def public_id(self, job: Job) -> str:
        return public("job", str(job.pk))

    @display(description="state", label=_STATES)
    def shown_state(self, job: Job) -> str:
        return job.state

    @display(description="attempts")
    def tried(self, job: Job) -> SafeString:
        lines = ((a.number, a.node.name, a.end or "under way", a.detail) for a in job.tries.select_related("node").order_by("number"))
        return format_html_join("", "<div>{}. {}: {} {}</div>", lines) or format_html("{}", "none")
