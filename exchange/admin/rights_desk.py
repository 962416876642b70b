"""Rights in the console: looking, and the acts with a reason. What takes a right from its holder is proposed, and done by two (SPEC §2)."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextInputWidget

from exchange.admin.acts import Act, ReasonForm, actor_of, answer, check_own_role, row_or_404
from exchange.admin.freeze_desk import EFFECT, FreezeForm
from exchange.admin.proposals import proposed
from exchange.services.freeze import freeze_right
from exchange.services.operator_refusal import OperatorRefusal
from exchange.services.proposal_kinds import UNFREEZE, unfreeze_payload
from exchange.services.right_proposals import BURN, FINALIZE, REASSIGN, ending_payload, reassign_payload
from rights.admin import RightAdmin
from rights.kernel.clock import now_us
from rights.kernel.ids import Mint, bare, public
from rights.models import Account, Right

MINT = Mint()


class ReassignForm(ReasonForm):
    to = forms.CharField(max_length=60, label="To", widget=UnfoldAdminTextInputWidget(), help_text="a whole account id, acc_…")
    field_order = ("to", "reason")


class FinalizeForm(ReasonForm):
    ref = forms.CharField(
        max_length=80,
        required=False,
        label="Settled by",
        widget=UnfoldAdminTextInputWidget(),
        help_text="left empty: by nothing in particular",
    )
    field_order = ("ref", "reason")


@admin.register(Right)
class RightDesk(RightAdmin):
    actions_detail = ("freeze", "unfreeze", "reassign", "finalize", "burn")

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

    @action(description="Reassign", permissions=["operate"], icon="swap_horiz", variant=ActionVariant.WARNING)
    def reassign(self, request: HttpRequest, object_id: str) -> HttpResponse:
        right = row_or_404(Right, object_id, "holder")

        def run(data: Mapping[str, Any]) -> str:
            uuid = bare("acc", data["to"].strip())
            taker = Account.objects.filter(uuid=uuid).first() if uuid else None
            if taker is None:
                raise OperatorRefusal("account_unknown", "no account here has this id")
            return proposed(request, REASSIGN, reassign_payload(right=right, taker=taker), data["reason"])

        explanation = f"{_BY_TWO} the right goes to the account with all that remains of it, if every gate lets it pass."
        return answer(request, Act(f"Reassign {_name(right)}", explanation, "Propose", _page(right), run, ReassignForm))

    @action(description="Finalize", permissions=["operate"], icon="task_alt", variant=ActionVariant.DANGER)
    def finalize(self, request: HttpRequest, object_id: str) -> HttpResponse:
        right = row_or_404(Right, object_id, "holder")

        def run(data: Mapping[str, Any]) -> str:
            return proposed(request, FINALIZE, ending_payload(right=right, ref=data["ref"]), data["reason"])

        explanation = f"{_BY_TWO} the right is closed for good, and what remains of it is burned."
        return answer(request, Act(f"Finalize {_name(right)}", explanation, "Propose", _page(right), run, FinalizeForm))

    @action(description="Burn", permissions=["operate"], icon="local_fire_department", variant=ActionVariant.DANGER)
    def burn(self, request: HttpRequest, object_id: str) -> HttpResponse:
        right = row_or_404(Right, object_id, "holder")

        def run(data: Mapping[str, Any]) -> str:
            return proposed(request, BURN, ending_payload(right=right), data["reason"])

        explanation = f"{_BY_TWO} the right is taken out of existence with all that remains of it."
        return answer(request, Act(f"Burn {_name(right)}", explanation, "Propose", _page(right), run))


_BY_TWO = "It takes the role for it, and another operator. Once he approves,"


def _name(right: Right) -> str:
    return public("rgt", str(right.pk))


def _page(right: Right) -> str:
    return reverse("admin:rights_right_change", args=[right.pk])
