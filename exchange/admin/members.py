"""Members in the console: who acts for whom, within which scopes. Console roles are given by superusers and the command line only."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminEmailInputWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from exchange.admin.acts import Act, ReasonForm, Shown, actor_of, answer, row_or_404
from exchange.models import Membership
from exchange.models.access import SCOPES, STAFF_SCOPES
from exchange.services import members, participants
from exchange.services.members import GROUPS, Standing
from rights.admin import ReadOnlyAdmin, may_operate
from rights.kernel.clock import now_us
from rights.models import Participant

MEMBER_SCOPES = tuple(scope for scope in SCOPES if scope not in STAFF_SCOPES)
TRADING = ("read", "trade", "cancel")
ONCE = "It opens nothing but the page on which another password is chosen."


def _participants() -> list[tuple[int, str]]:
    return [(row.pk, f"{row.slug} ({row.name})") for row in Participant.objects.exclude(slug="venue").order_by("slug")[:1000]]


def _boxes(names: tuple[str, ...], initial: tuple[str, ...] = (), help_text: str = "") -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(
        choices=[(n, n) for n in names],
        initial=initial,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
        help_text=help_text,
    )


class NewMemberForm(ReasonForm):
    participant = forms.TypedChoiceField(coerce=int, choices=_participants, widget=UnfoldAdminSelectWidget())
    username = forms.CharField(max_length=64, widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}))
    email = forms.EmailField(required=False, max_length=254, widget=UnfoldAdminEmailInputWidget(attrs={"autocomplete": "off"}))
    scopes = _boxes(MEMBER_SCOPES, TRADING)
    field_order = ("participant", "username", "email", "scopes", "reason")


class StandingForm(ReasonForm):
    active = forms.BooleanField(required=False, widget=UnfoldBooleanSwitchWidget(), help_text="Switched off, nothing opens to this member.")
    scopes = _boxes(MEMBER_SCOPES)
    field_order = ("active", "scopes", "reason")


class StaffStandingForm(ReasonForm):
    active = forms.BooleanField(required=False, widget=UnfoldBooleanSwitchWidget(), help_text="Switched off, nothing opens to this member.")
    groups = _boxes(GROUPS, help_text="Roles in this console.")
    scopes = _boxes(SCOPES)
    field_order = ("active", "groups", "scopes", "reason")


@admin.register(Membership)
class MembershipAdmin(ReadOnlyAdmin):
    list_display = ("user", "participant", "roles", "shown_scopes", "state")
    list_select_related = ("user", "participant")
    search_fields = ("user__username__startswith", "participant__slug__startswith")
    ordering = ("pk",)
    fields = ("user", "participant", "roles", "shown_scopes", "state")
    readonly_fields = ("roles", "shown_scopes", "state")
    actions_list = ("add_new",)
    actions_detail = ("change_standing", "new_password")

    def has_look_after_permission(self, request: HttpRequest, object_id: object = None) -> bool:  # noqa: ARG002
        """Operators, for members who are not staff; superusers for all."""
        return may_operate(request.user) or bool(request.user.is_active and request.user.is_superuser)

    @display(description="console roles")
    def roles(self, membership: Membership) -> str:
        return ", ".join(members.standing_of(membership).groups) or "none"

    @display(description="scopes")
    def shown_scopes(self, membership: Membership) -> str:
        return ", ".join(membership.scopes) or "none"

    @display(description="state", label={"active": "success", "switched off": "danger", "to choose a password": "warning"})
    def state(self, membership: Membership) -> str:
        if not membership.user.is_active:
            return "switched off"
        return "to choose a password" if membership.password_once else "active"

    @action(description="Add a member", permissions=["look_after"], icon="person_add", variant=ActionVariant.PRIMARY)
    def add_new(self, request: HttpRequest) -> HttpResponse:
        def run(data: Mapping[str, Any]) -> Shown:
            password = members.one_time_password()
            member = participants.NewMember(data["username"], password, data["scopes"], email=data["email"], once=True)
            participant = Participant.objects.get(pk=data["participant"])
            told = {"reason": data["reason"], "actor": actor_of(request), "now_us": now_us()}
            participants.add_member(participant=participant, member=member, **told)
            return Shown(f"{member.username} may log in for {participant.slug} with this password. {ONCE}", password)

        explanation = "A person who acts for a participant. A password is made for the first log-in."
        return answer(request, Act("Add a member", explanation, "Add", reverse(_LIST), run, NewMemberForm))

    @action(description="Change standing", permissions=["look_after"], icon="manage_accounts", variant=ActionVariant.WARNING)
    def change_standing(self, request: HttpRequest, object_id: str) -> HttpResponse:
        membership = row_or_404(Membership, object_id, "user", "participant")
        root, before = request.user.is_superuser, members.standing_of(membership)

        def run(data: Mapping[str, Any]) -> str:
            wanted = Standing(data["scopes"], data["groups"] if root else before.groups, data["active"])
            told = {"reason": data["reason"], "actor": actor_of(request), "now_us": now_us(), "as_root": root}
            members.change_member(membership=membership, standing=wanted, **told)
            return f"{membership.user.username}'s standing is changed."

        explanation = (
            f"What {membership.user.username} may do for {membership.participant.slug}, from the next request on. API keys of the "
            "participant go on: revoke those that should end."
        )
        initial = {"active": before.active, "scopes": before.scopes, "groups": before.groups}
        title = f"Change the standing of {membership.user.username}"
        form = StaffStandingForm if root else StandingForm
        return answer(request, Act(title, explanation, "Change", _page(membership), run, form, initial))

    @action(description="New password", permissions=["look_after"], icon="lock_reset", variant=ActionVariant.WARNING)
    def new_password(self, request: HttpRequest, object_id: str) -> HttpResponse:
        membership = row_or_404(Membership, object_id, "user", "participant")

        def run(data: Mapping[str, Any]) -> Shown:
            password = members.one_time_password()
            told = {"reason": data["reason"], "actor": actor_of(request), "now_us": now_us(), "as_root": request.user.is_superuser}
            members.new_password(membership=membership, password=password, **told)
            return Shown(f"{membership.user.username} may log in with this password. {ONCE}", password)

        explanation = "The old password and every session end at once. A new one is made, and shown to you."
        title = f"A new password for {membership.user.username}"
        return answer(request, Act(title, explanation, "Make it", _page(membership), run))


_LIST = "admin:exchange_membership_changelist"


def _page(membership: Membership) -> str:
    return reverse("admin:exchange_membership_change", args=[membership.pk])
