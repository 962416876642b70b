"""Standing policies and what their runs did, in the console; an operator stops one, or ends it."""

from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextareaWidget

from exchange.admin.acts import Act, ReasonForm, actor_of, answer, row_or_404
from exchange.admin.supply import events_link
from exchange.domain.standing_policy import AGENT, ENDED
from exchange.models import Policy, PolicyRun
from exchange.selectors.policies import ActionRow, runs
from exchange.services import policies
from exchange.services.rules import rules_of
from rights.admin import ReadOnlyAdmin, may_operate
from rights.kernel.clock import now_us
from rights.kernel.ids import public

FEW = 20
_STATES = {"active": "success", "paused": "warning", "stopped": "danger", "ended": "info"}


class StopForm(ReasonForm):
    """The holder reads the reason beside the policy."""

    reason = forms.CharField(
        max_length=policies.LONGEST_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Its holder reads it. Kept for ever in the registry, with your name and the time.",
    )


@admin.register(Policy)
class PolicyAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "account", "kind", "label", "shown_state", "runs", "looked_at", "created_at")
    list_select_related = ("account__participant",)
    list_filter = ("state", "kind")
    search_fields = ("account__participant__slug__startswith",)
    ordering = ("-pk",)
    fields = (
        "public_id",
        ("account", "key"),
        ("kind", "label"),
        ("shown_state", "reason"),
        ("revision", "every_s"),
        "rules",
        ("runs", "looked_at", "next_at"),
        "lately",
        "memory",
        ("created_by", "created_at", "updated_at"),
    )
    readonly_fields = ("public_id", "shown_state", "lately", "memory")
    actions_detail = ("stop", "finish")

    def has_stop_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """What may still act can be stopped; what binds a key goes on binding it."""
        row = row_or_404(Policy, str(object_id))
        return may_operate(request.user) and row.state in policies.STOPPABLE and row.kind != AGENT

    def has_finish_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        row = row_or_404(Policy, str(object_id))
        return may_operate(request.user) and row.state != ENDED and row.kind != AGENT

    @display(description="policy")
    def public_id(self, policy: Policy) -> str:
        return public("pol", str(policy.uuid))

    @display(description="state", label=_STATES)
    def shown_state(self, policy: Policy) -> str:
        return policy.state

    @display(description="latest runs")
    def lately(self, policy: Policy) -> SafeString:
        found = runs(policy_id=policy.pk, limit=FEW)[:FEW]
        lines = ((reverse("admin:exchange_policyrun_change", args=[r.id]), r.number, r.trigger, len(r.actions)) for r in found)
        return format_html_join("", '<div><a href="{}">run {}</a> by {}, {} acts</div>', lines) or format_html("{}", "none")

    @display(description="events")
    def memory(self, policy: Policy) -> SafeString:
        return events_link(public("pol", str(policy.uuid)))

    @action(description="Stop", permissions=["stop"], icon="stop_circle", variant=ActionVariant.DANGER)
    def stop(self, request: HttpRequest, object_id: str) -> HttpResponse:
        effect = "It acts no more until its holder makes it active again. Its orders stay."
        return self._close(request, object_id, policies.stop_by_operator, "Stop", effect)

    @action(description="End", permissions=["finish"], icon="block", variant=ActionVariant.DANGER)
    def finish(self, request: HttpRequest, object_id: str) -> HttpResponse:
        effect = "It never acts again; its holder may make another. Its orders stay. Its key goes on: revoke it where it should not."
        return self._close(request, object_id, policies.end_by_operator, "End", effect)

    def _close(self, request: HttpRequest, object_id: str, service: Callable[..., Policy], verb: str, effect: str) -> HttpResponse:
        policy = row_or_404(Policy, object_id)

        def run(data: Mapping[str, Any]) -> str:
            row = service(policy_id=str(policy.uuid), reason=data["reason"], actor=actor_of(request), now_us=now_us())
            return f"The policy is {row.state}."

        back = reverse("admin:exchange_policy_change", args=[policy.pk])
        return answer(request, Act(f"{verb} {public('pol', str(policy.uuid))}", effect, verb, back, run, StopForm))


@admin.register(PolicyRun)
class PolicyRunAdmin(ReadOnlyAdmin):
    """One run: reached from its policy, and listed newest first."""

    list_display = ("number", "policy", "trigger", "revision", "at")
    list_select_related = ("policy",)
    list_filter = ("trigger",)
    ordering = ("-pk",)
    fields = (("policy", "number"), ("trigger", "revision", "at"), "did", "left_alone")
    readonly_fields = ("did", "left_alone")

    @display(description="acts")
    def did(self, run: PolicyRun) -> SafeString:
        (found,) = runs(policy_id=run.policy_id, limit=1, before=run.number + 1)[:1]
        return format_html_join("", "<div>{}</div>", ((_said(act),) for act in found.actions)) or format_html("{}", "none")

    @display(description="left alone")
    def left_alone(self, run: PolicyRun) -> SafeString:
        lines = ((" ".join(str(text) for text in passed.values()),) for passed in run.passed)
        return format_html_join("", "<div>{}</div>", lines) or format_html("{}", "nothing")


def _said(act: ActionRow) -> str:
    """An act in words, with what became of it."""
    rules = rules_of(act.book_id)
    ended = f"{act.outcome} {act.code} {act.detail}".strip() if act.outcome == "refused" else act.status or act.outcome
    side = ("buy", "sell")[act.side]
    return f"{act.rule}: {act.verb} {side} {act.lots} at {rules.price_text(act.price_ticks)} in {rules.symbol}, {act.why}: {ended}"
