"""Roles over rights in the console: who may freeze, finalize, burn, issue, settle use, and look after the registry (SPEC §2)."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminSelectWidget

from exchange.admin.acts import Act, ReasonForm, actor_of, answer, check_own_role, name_of, row_or_404
from exchange.admin.issuers import issuers, participant_choices
from exchange.admin.supply import events_link
from rights.admin import ReadOnlyAdmin, may_operate
from rights.kernel.clock import now_us
from rights.kernel.ids import Mint, public
from rights.models import Issuer, Participant, RoleGrant
from rights.models.role import ROLES
from rights.services.roles import grant_role, revoke_role

MINT = Mint()
_ALLOWS = {
    "issuer": "issues rights under an issuer's name",
    "consumer": "settles the use of rights",
    "freezer": "freezes rights, and proposes to unfreeze them",
    "finalizer": "finalizes rights that have ended",
    "burner": "burns rights",
    "registry_admin": "grants roles, reassigns holders, answers for the registry",
}


def _issuers() -> list[tuple[str, str]]:
    return [("", "rights of every issuer"), *((str(pk), f"rights of {slug} only") for pk, slug in issuers())]


class GrantForm(ReasonForm):
    participant = forms.TypedChoiceField(coerce=int, choices=participant_choices, widget=UnfoldAdminSelectWidget())
    role = forms.ChoiceField(choices=[(role, f"{role}: {_ALLOWS[role]}") for role in ROLES], widget=UnfoldAdminSelectWidget())
    issuer = forms.TypedChoiceField(
        label="Over", coerce=int, empty_value=None, required=False, choices=_issuers, widget=UnfoldAdminSelectWidget()
    )
    field_order = ("participant", "role", "issuer", "reason")


@admin.register(RoleGrant)
class RoleGrantAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "participant", "role", "over", "state", "granted_at", "revoked_at")
    list_select_related = ("participant", "issuer")
    list_filter = ("role",)
    search_fields = ("participant__slug__startswith",)
    ordering = ("-pk",)
    fields = ("public_id", ("participant", "role"), ("over", "state"), ("by", "granted_at", "revoked_at"), "memory")
    readonly_fields = ("public_id", "over", "state", "by", "memory")
    actions_list = ("grant_new",)
    actions_detail = ("revoke",)

    def has_revoke_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """What has ended can't be taken back again."""
        return may_operate(request.user) and row_or_404(RoleGrant, str(object_id)).revoked_at is None

    @display(description="grant")
    def public_id(self, row: RoleGrant) -> str:
        return public("rol", str(row.uuid))

    @display(description="over")
    def over(self, row: RoleGrant) -> str:
        return "rights of every issuer" if row.issuer is None else f"rights of {row.issuer.slug}"

    @display(description="state", label={"live": "success", "taken back": "danger"})
    def state(self, row: RoleGrant) -> str:
        return "live" if row.revoked_at is None else "taken back"

    @display(description="granted by")
    def by(self, row: RoleGrant) -> str:
        return name_of(row.granted_by)

    @display(description="events")
    def memory(self, row: RoleGrant) -> SafeString:
        return events_link(self.public_id(row))

    @action(description="Grant a role", permissions=["operate"], icon="add_moderator", variant=ActionVariant.PRIMARY)
    def grant_new(self, request: HttpRequest) -> HttpResponse:
        def run(data: Mapping[str, Any]) -> str:
            moment = now_us()
            check_own_role(request, "registry_admin")
            row = grant_role(
                participant=Participant.objects.get(pk=data["participant"]),
                role=data["role"],
                issuer=None if data["issuer"] is None else Issuer.objects.get(pk=data["issuer"]),
                grant_id=MINT.uuid(moment),
                reason=data["reason"],
                actor=actor_of(request),
                now_us=moment,
            )
            return f"{row.participant.slug} is {row.role} of {self.over(row)}."

        explanation = "Each role is granted on its own; it holds at once, until it is taken back. A key needs the fitting scope as well."
        back = reverse("admin:rights_rolegrant_changelist")
        return answer(request, Act("Grant a role", explanation, "Grant", back, run, GrantForm))

    @action(description="Take back", permissions=["revoke"], icon="remove_moderator", variant=ActionVariant.DANGER)
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = row_or_404(RoleGrant, object_id, "participant", "issuer")

        def run(data: Mapping[str, Any]) -> str:
            check_own_role(request, "registry_admin")
            revoke_role(grant_id=str(row.uuid), reason=data["reason"], actor=actor_of(request), now_us=now_us())
            return f"{row.participant.slug} is no longer {row.role}."

        facts = {"participant": row.participant.slug, "role": row.role, "over": self.over(row), "granted by": name_of(row.granted_by)}
        back = reverse("admin:rights_rolegrant_change", args=[row.pk])
        act = Act(f"Take back {row.role} from {row.participant.slug}", "The role ends at once.", "Take back", back, run, facts=facts)
        return answer(request, act)
