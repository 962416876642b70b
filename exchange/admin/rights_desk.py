"""Rights in the console: looking and freezing, the acts with a reason."""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.decorators import action
from unfold.enums import ActionVariant

from exchange.admin.acts import Act, actor_of, answer, check_own_role, row_or_404
from exchange.admin.freeze_desk import EFFECT, FreezeForm
from exchange.admin.proposals import proposed
from exchange.services.freeze import freeze_right
from exchange.services.proposal_kinds import UNFREEZE, unfreeze_payload
from rights.admin import RightAdmin
from rights.kernel.clock import now_us
from rights.kernel.ids import Mint, public
from rights.models import Right

MINT = Mint()


@admin.register(Right)
class RightDesk(RightAdmin):
    actions_detail = ("freeze", "unfreeze")

    @action(description="Freeze", permissions=["operate"], icon="ac_unit", variant=ActionVariant.WARNING)
    def freeze(self, request: HttpRequest, object_id: str) -> HttpResponse:
        right = row_or_404(Right, object_id)

        def run(data: Mapping[str, Any]) -> str:
            check_own_role(request, "freezer", right.issuer_id)
            freeze_right(
                right_id=str(right.pk),
                freeze_reason=data["freeze_reason"],
                reason=data["reason"],
                actor=actor_of(request),
                now_us=now_us(),
            )
            return "The right is frozen; its asks are being pulled."

        back = reverse("admin:rights_right_change", args=[right.pk])
        return answer(request, Act(f"Freeze {public('rgt', str(right.pk))}", EFFECT, "Freeze", back, run, FreezeForm))

    @action(description="Unfreeze", permissions=["operate"], icon="sunny", variant=ActionVariant.SUCCESS)
    def unfreeze(self, request: HttpRequest, object_id: str) -> HttpResponse:
        right = row_or_404(Right, object_id)

        def run(data: Mapping[str, Any]) -> str:
            check_own_role(request, "freezer", right.issuer_id)
            payload = unfreeze_payload(right_id=str(right.pk), freeze_reason=right.freeze_reason)
            return proposed(request, UNFREEZE, payload, data["reason"])

        explanation = "Once another operator approves, the right goes back to what it was, or to expired or fully consumed if that has come true meanwhile."
        back = reverse("admin:rights_right_change", args=[right.pk])
        return answer(request, Act(f"Unfreeze {public('rgt', str(right.pk))}", explanation, "Propose", back, run))
