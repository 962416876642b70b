"""Rights and assurances in the console: looking, freezing and posting, the acts with a reason."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminSelectWidget

from exchange.admin.acts import Act, ReasonForm, actor_of, answer
from exchange.services.freeze import freeze_right, unfreeze_right
from rights.admin import STATUS_COLOURS, ReadOnlyAdmin, RightAdmin
from rights.kernel.clock import now_us
from rights.kernel.ids import public
from rights.models import Assurance, Right
from rights.models.right import FREEZE_REASONS


class FreezeForm(ReasonForm):
    freeze_reason = forms.ChoiceField(label="Kind", choices=[(r, r) for r in FREEZE_REASONS], widget=UnfoldAdminSelectWidget())
    field_order = ("freeze_reason", "reason")


@admin.register(Right)
class RightDesk(RightAdmin):
    actions_detail = ("freeze", "unfreeze")

    @action(description="Freeze", permissions=["operate"], icon="ac_unit", variant=ActionVariant.WARNING)
    def freeze(self, request: HttpRequest, object_id: str) -> HttpResponse:
        right = get_object_or_404(Right, pk=object_id)

        def run(data: Mapping[str, Any]) -> str:
            freeze_right(
                right_id=str(right.pk),
                freeze_reason=data["freeze_reason"],
                reason=data["reason"],
                actor=actor_of(request),
                now_us=now_us(),
            )
            return "The right is frozen; its asks are being pulled."

        explanation = "A frozen right never moves, and its resting asks are pulled. Its holder keeps it."
        back = reverse("admin:rights_right_change", args=[right.pk])
        return answer(request, Act(f"Freeze {public('rgt', str(right.pk))}", explanation, "Freeze", back, run, FreezeForm))

    @action(description="Unfreeze", permissions=["operate"], icon="sunny", variant=ActionVariant.SUCCESS)
    def unfreeze(self, request: HttpRequest, object_id: str) -> HttpResponse:
        right = get_object_or_404(Right, pk=object_id)

        def run(data: Mapping[str, Any]) -> str:
            unfreeze_right(right_id=str(right.pk), reason=data["reason"], actor=actor_of(request), now_us=now_us())
            return "The right is what it was before."

        explanation = "The right goes back to what it was, or to expired or fully consumed if that has come true meanwhile."
        back = reverse("admin:rights_right_change", args=[right.pk])
        return answer(request, Act(f"Unfreeze {public('rgt', str(right.pk))}", explanation, "Unfreeze", back, run))


@admin.register(Assurance)
class AssuranceAdmin(ReadOnlyAdmin):
    list_display = ("reference", "issuer", "compute_class", "window_start", "window_end", "gross_units", "usable", "issued_units", "shown")
    list_select_related = ("issuer", "compute_class")
    list_filter = ("status", "mode")
    search_fields = ("reference__startswith",)
    ordering = ("-pk",)
    readonly_fields = ("public_id", "usable", "shown")

    @display(description="assurance")
    def public_id(self, assurance: Assurance) -> str:
        return public("ast", str(assurance.uuid))

    @display(description="usable")
    def usable(self, assurance: Assurance) -> int:
        """Gross less the haircut, rounded down, as the database counts it."""
        return assurance.gross_units * (10_000 - assurance.haircut_bps) // 10_000

    @display(description="status", label=STATUS_COLOURS)
    def shown(self, assurance: Assurance) -> str:
        return assurance.status
