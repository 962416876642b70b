"""What is vouched for about holders, in the console: with evidence, until it expires or is revoked (SPEC §4)."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminSplitDateTimeWidget, UnfoldAdminTextInputWidget

from exchange.admin.acts import Act, actor_of, answer, name_of, row_or_404
from exchange.admin.supply import events_link
from exchange.selectors.registry import account as holder
from exchange.services.operator_refusal import OperatorRefusal
from rights.admin import ReadOnlyAdmin, may_operate, owner
from rights.kernel.clock import now_us, to_datetime, to_us
from rights.kernel.ids import Mint, bare, public
from rights.models import Account, Attestation
from rights.services.attestations import Fact, attest, revoke_attestation

MINT = Mint()


class AttestForm(forms.Form):
    """The evidence is the reason."""

    holder = forms.CharField(max_length=60, widget=UnfoldAdminTextInputWidget(), help_text="the account's id, acc_…")
    kind = forms.CharField(
        max_length=40, widget=UnfoldAdminTextInputWidget(), help_text="a word such as kyc or enterprise; or jurisdiction"
    )
    value = forms.CharField(
        max_length=40,
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text="for the kind jurisdiction its code, such as DE or US-CA; it outranks what the account declared",
    )
    expires_at = forms.SplitDateTimeField(
        label="Holds until (UTC)", required=False, widget=UnfoldAdminSplitDateTimeWidget(), help_text="left empty: until it is revoked"
    )
    evidence = forms.CharField(
        max_length=200,
        widget=UnfoldAdminTextInputWidget(),
        help_text="What you looked at and where it is kept. In the registry for ever, with your name and the time.",
    )


def attesting(request: HttpRequest, back: str, account: Account | None = None) -> HttpResponse:
    """The page that vouches; of one holder when it is opened there."""

    def run(data: Mapping[str, Any]) -> str:
        moment = now_us()
        uuid = bare("acc", data["holder"].strip())
        found = holder(uuid) if uuid else None
        if found is None:
            raise OperatorRefusal("account_unknown", "no holder here has this id")
        until = data["expires_at"]
        fact = Fact(data["kind"], data["evidence"], data["value"], None if until is None else to_us(until))
        row = attest(account=found, fact=fact, attestation_id=MINT.uuid(moment), actor=actor_of(request), now_us=moment)
        return f"{row.kind} of {found.participant.slug} is attested."

    explanation = "A fact about a holder that terms of rights may ask for. An earlier one of the same kind ends with it."
    initial = {"holder": public("acc", str(account.uuid))} if account else {}
    return answer(request, Act("Attest", explanation, "Attest", back, run, AttestForm, initial))


def state_of(row: Attestation) -> str:
    if row.revoked_at is not None:
        return "ended"
    return "expired" if row.expires_at is not None and row.expires_at <= to_datetime(now_us()) else "live"


@admin.register(Attestation)
class AttestationAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "of", "kind", "value", "evidence", "state", "attested_at", "expires_at")
    list_select_related = ("account__participant",)
    list_filter = ("kind",)
    search_fields = ("account__participant__slug__startswith",)
    ordering = ("-pk",)
    fields = ("public_id", "of", ("kind", "value"), "evidence", "state", ("by", "attested_at"), ("expires_at", "revoked_at"), "memory")
    readonly_fields = ("public_id", "of", "state", "by", "memory")
    actions_list = ("attest_new",)
    actions_detail = ("revoke",)

    def has_revoke_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        return may_operate(request.user) and row_or_404(Attestation, str(object_id)).revoked_at is None

    @display(description="attestation")
    def public_id(self, row: Attestation) -> str:
        return public("att", str(row.uuid))

    @display(description="holder")
    def of(self, row: Attestation) -> str:
        return owner(row.account)

    @display(description="state", label={"live": "success", "expired": "warning", "ended": "danger"})
    def state(self, row: Attestation) -> str:
        return state_of(row)

    @display(description="attested by")
    def by(self, row: Attestation) -> str:
        return name_of(row.attested_by)

    @display(description="events")
    def memory(self, row: Attestation) -> SafeString:
        return events_link(public("acc", str(row.account.uuid)))

    @action(description="Attest", permissions=["operate"], icon="verified_user", variant=ActionVariant.PRIMARY)
    def attest_new(self, request: HttpRequest) -> HttpResponse:
        return attesting(request, reverse("admin:rights_attestation_changelist"))

    @action(description="Revoke", permissions=["revoke"], icon="gpp_bad", variant=ActionVariant.DANGER)
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = row_or_404(Attestation, object_id, "account__participant")

        def run(data: Mapping[str, Any]) -> str:
            revoke_attestation(attestation_id=str(row.uuid), note=data["reason"], actor=actor_of(request), now_us=now_us())
            return f"{row.kind} of {row.account.participant.slug} no longer holds."

        facts = {"holder": owner(row.account), "kind": row.kind, "value": row.value or "-", "evidence": row.evidence}
        explanation = "It no longer holds, at once: rights whose terms ask for it don't reach this holder any more. What it has stays."
        back = reverse("admin:rights_attestation_change", args=[row.pk])
        return answer(request, Act(f"Revoke {row.kind} of {row.account.participant.slug}", explanation, "Revoke", back, run, facts=facts))
