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
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextInputWidget,
)

from exchange.admin.acts import Act, ReasonForm, actor_of, answer
from exchange.services.freeze import freeze_right, unfreeze_right
from rights.admin import STATUS_COLOURS, ReadOnlyAdmin, RightAdmin
from rights.domain.assurance import MODES
from rights.kernel.clock import now_us, to_us
from rights.kernel.ids import Mint, public
from rights.models import Assurance, ComputeClass, Issuer, Right
from rights.models.right import FREEZE_REASONS
from rights.services.post_assurance import Capacity, post_assurance

MINT = Mint()


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


def _issuers() -> list[tuple[int, str]]:
    return list(Issuer.objects.order_by("slug").values_list("pk", "slug")[:500])


def _classes() -> list[tuple[int, str]]:
    return [(row.pk, f"{row.key} ({row.unit})") for row in ComputeClass.objects.order_by("key")[:500]]


class AssuranceForm(forms.Form):
    """Capacity an operator has checked: what rights of this class and window may be issued against."""

    issuer = forms.TypedChoiceField(coerce=int, choices=_issuers, widget=UnfoldAdminSelectWidget())
    compute_class = forms.TypedChoiceField(label="Class", coerce=int, choices=_classes, widget=UnfoldAdminSelectWidget())
    mode = forms.ChoiceField(choices=[(m, m) for m in MODES], widget=UnfoldAdminSelectWidget())
    reference = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget(), help_text="What manifests name it by.")
    window_start = forms.SplitDateTimeField(label="Window starts (UTC)", widget=UnfoldAdminSplitDateTimeWidget())
    window_end = forms.SplitDateTimeField(label="Window ends (UTC)", widget=UnfoldAdminSplitDateTimeWidget())
    gross_units = forms.IntegerField(min_value=1, widget=UnfoldAdminIntegerFieldWidget())
    haircut_bps = forms.IntegerField(
        label="Haircut (bps)", initial=1000, min_value=0, max_value=10_000, widget=UnfoldAdminIntegerFieldWidget()
    )


def _post(data: Mapping[str, Any], actor: str) -> str:
    moment = now_us()
    capacity = Capacity(
        mode=data["mode"],
        reference=data["reference"],
        window_start_us=to_us(data["window_start"]),
        window_end_us=to_us(data["window_end"]),
        gross_units=data["gross_units"],
        haircut_bps=data["haircut_bps"],
    )
    post_assurance(
        issuer=Issuer.objects.get(pk=data["issuer"]),
        compute_class=ComputeClass.objects.get(pk=data["compute_class"]),
        capacity=capacity,
        assurance_id=MINT.uuid(moment),
        actor=actor,
        now_us=moment,
    )
    return f"{capacity.reference} is posted."


@admin.register(Assurance)
class AssuranceAdmin(ReadOnlyAdmin):
    list_display = ("reference", "issuer", "compute_class", "window_start", "window_end", "gross_units", "usable", "issued_units", "shown")
    list_select_related = ("issuer", "compute_class")
    list_filter = ("status", "mode")
    search_fields = ("reference__startswith",)
    ordering = ("-pk",)
    readonly_fields = ("public_id", "usable", "shown")
    actions_list = ("post_new",)

    @action(description="Post an assurance", permissions=["operate"], icon="add", variant=ActionVariant.PRIMARY)
    def post_new(self, request: HttpRequest) -> HttpResponse:
        explanation = "Proven capacity of one class and window. Issuing stops where gross less the haircut ends."
        back = reverse("admin:rights_assurance_changelist")

        def run(data: Mapping[str, Any]) -> str:
            return _post(data, actor_of(request))

        return answer(request, Act("Post an assurance", explanation, "Post", back, run, AssuranceForm))

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
