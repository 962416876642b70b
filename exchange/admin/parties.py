"""Participants, their accounts and money in the console; acts go through the services, with a reason. Cash takes two persons."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from exchange.admin.acts import Act, ReasonForm, actor_of, answer, row_or_404
from exchange.admin.attestations import attesting, state_of
from exchange.admin.proposals import proposed
from exchange.domain.amounts import decimal_text
from exchange.models import Membership
from exchange.services import participants
from exchange.services.proposal_kinds import DEPOSIT, WITHDRAWAL, cash_payload
from rights.admin import STATUS_COLOURS, ReadOnlyAdmin
from rights.kernel.clock import now_us
from rights.kernel.ids import Mint, public
from rights.models import Account, Participant
from rights.models.party import HOLDER_TYPES
from settlement.models import Balance

MINT = Mint()


def cash_lines(account_ids: list[int]) -> list[tuple[int, str]]:
    """(account id, "100.00 USD, 5.00 held") for each cash balance."""
    found = Balance.objects.filter(account_id__in=account_ids, asset__kind="cash").select_related("asset").order_by("account_id")
    return [
        (b.account_id, f"{decimal_text(b.amount, b.asset.scale)} {b.asset.code}, {decimal_text(b.held, b.asset.scale)} held") for b in found
    ]


def account_link(account: Account) -> SafeString:
    return format_html('<a href="{}">{}</a>', reverse("admin:rights_account_change", args=[account.pk]), account.code or account.name)


class NewAccountForm(ReasonForm):
    account = forms.CharField(label="Name", max_length=200, widget=UnfoldAdminTextInputWidget())
    holder_type = forms.ChoiceField(choices=[(t, t) for t in HOLDER_TYPES], widget=UnfoldAdminSelectWidget())
    jurisdiction = forms.CharField(max_length=16, required=False, widget=UnfoldAdminTextInputWidget())
    field_order = ("account", "holder_type", "jurisdiction", "reason")


class NewParticipantForm(ReasonForm):
    slug = forms.CharField(max_length=40, widget=UnfoldAdminTextInputWidget(), help_text="1 to 40 of a-z, 0-9 and inner hyphens")
    name = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget())
    holder_type = forms.ChoiceField(choices=[(t, t) for t in HOLDER_TYPES], widget=UnfoldAdminSelectWidget())
    jurisdiction = forms.CharField(max_length=16, required=False, widget=UnfoldAdminTextInputWidget())
    field_order = ("slug", "name", "holder_type", "jurisdiction", "reason")


class CashForm(ReasonForm):
    amount = forms.CharField(max_length=40, widget=UnfoldAdminTextInputWidget(), help_text="a plain decimal such as 100000.00")
    currency = forms.CharField(max_length=8, initial="USD", widget=UnfoldAdminTextInputWidget())
    field_order = ("amount", "currency", "reason")


@admin.register(Participant)
class ParticipantAdmin(ReadOnlyAdmin):
    list_display = ("slug", "name", "shown_status", "created_at")
    list_filter = ("status",)
    search_fields = ("slug__startswith", "name")
    ordering = ("slug",)
    fields = ("slug", "name", "shown_status", "holders", "members", "created_at")
    readonly_fields = ("shown_status", "holders", "members")
    actions_list = ("open_new",)
    actions_detail = ("open_account", "suspend", "reinstate")

    @display(description="status", label=STATUS_COLOURS)
    def shown_status(self, participant: Participant) -> str:
        return participant.status

    @display(description="accounts")
    def holders(self, participant: Participant) -> SafeString:
        """The first accounts, with their cash."""
        rows = list(participant.accounts.order_by("pk")[:50])
        cash = dict(cash_lines([a.pk for a in rows]))
        return format_html_join("", "<div>{} {}</div>", ((account_link(a), cash.get(a.pk, "")) for a in rows))

    @display(description="members")
    def members(self, participant: Participant) -> str:
        found = Membership.objects.filter(participant=participant).select_related("user").order_by("pk")[:50]
        return "; ".join(f"{m.user.get_username()} ({', '.join(m.scopes)})" for m in found) or "none"

    @action(description="Open a participant", permissions=["operate"], icon="person_add", variant=ActionVariant.PRIMARY)
    def open_new(self, request: HttpRequest) -> HttpResponse:
        def run(data: Mapping[str, Any]) -> str:
            account = participants.NewAccount("main", data["holder_type"], data["jurisdiction"])
            told = {"reason": data["reason"], "mint": MINT, "actor": actor_of(request), "now_us": now_us()}
            participant = participants.open_participant(slug=data["slug"], name=data["name"], account=account, **told)
            return f"{participant.slug} takes part."

        explanation = "A legal and beneficial owner, with a first account that holds cash and rights."
        back = reverse("admin:rights_participant_changelist")
        return answer(request, Act("Open a participant", explanation, "Open", back, run, NewParticipantForm))

    @action(description="Open an account", permissions=["operate"], icon="account_balance_wallet", variant=ActionVariant.PRIMARY)
    def open_account(self, request: HttpRequest, object_id: str) -> HttpResponse:
        participant = row_or_404(Participant, object_id)

        def run(data: Mapping[str, Any]) -> str:
            account = participants.NewAccount(data["account"], data["holder_type"], data["jurisdiction"])
            told = {"reason": data["reason"], "mint": MINT, "actor": actor_of(request), "now_us": now_us()}
            opened = participants.open_account(participant=participant, account=account, **told)
            return f"{participant.slug} has the account {opened.name}."

        explanation = "One more holder of cash and rights. Its kind and jurisdiction decide which rights it may receive; they never change."
        back = reverse("admin:rights_participant_change", args=[participant.pk])
        return answer(request, Act(f"Open an account of {participant.slug}", explanation, "Open", back, run, NewAccountForm))

    @action(description="Suspend", permissions=["operate"], icon="person_off", variant=ActionVariant.DANGER)
    def suspend(self, request: HttpRequest, object_id: str) -> HttpResponse:
        participant = row_or_404(Participant, object_id)

        def run(data: Mapping[str, Any]) -> str:
            pulled = participants.suspend(participant=participant, reason=data["reason"], actor=actor_of(request), now_us=now_us())
            return f"{participant.slug} is suspended; {pulled} resting orders are being pulled."

        explanation = "No new orders are taken, and what rests in the books is cancelled. Cash and rights stay where they are."
        back = reverse("admin:rights_participant_change", args=[participant.pk])
        return answer(request, Act(f"Suspend {participant.slug}", explanation, "Suspend", back, run))

    @action(description="Reinstate", permissions=["operate"], icon="how_to_reg", variant=ActionVariant.SUCCESS)
    def reinstate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        participant = row_or_404(Participant, object_id)

        def run(data: Mapping[str, Any]) -> str:
            participants.reinstate(participant=participant, reason=data["reason"], actor=actor_of(request), now_us=now_us())
            return f"{participant.slug} may trade again."

        back = reverse("admin:rights_participant_change", args=[participant.pk])
        return answer(request, Act(f"Reinstate {participant.slug}", "The participant may trade again.", "Reinstate", back, run))


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    list_display = ("name", "participant", "code", "holder_type", "jurisdiction", "shown_status", "public_id")
    list_select_related = ("participant",)
    list_filter = ("holder_type", "status")
    search_fields = ("participant__slug__startswith", "code__startswith")
    ordering = ("pk",)
    fields = (
        "public_id",
        ("name", "code"),
        ("participant", "shown_status"),
        ("holder_type", "jurisdiction"),
        "attested",
        "cash",
        "history",
        "created_at",
    )
    readonly_fields = ("public_id", "shown_status", "attested", "cash", "history")
    actions_detail = ("fund", "withdraw", "attest")

    @display(description="account")
    def public_id(self, account: Account) -> str:
        return public("acc", str(account.uuid))

    @display(description="status", label=STATUS_COLOURS)
    def shown_status(self, account: Account) -> str:
        return account.status

    @display(description="attested")
    def attested(self, account: Account) -> SafeString:
        """What is vouched for now, and what has run out; a jurisdiction attested outranks the declared one."""
        found = account.attestations.filter(revoked_at=None).order_by("kind")[:50]
        lines = (
            (reverse("admin:rights_attestation_change", args=[a.pk]), f"{a.kind} {a.value}".strip(), state_of(a), a.evidence) for a in found
        )
        return format_html_join("", '<div><a href="{}">{}</a> {}: {}</div>', lines) or format_html("{}", "nothing")

    @action(description="Attest", permissions=["operate"], icon="verified_user", variant=ActionVariant.PRIMARY)
    def attest(self, request: HttpRequest, object_id: str) -> HttpResponse:
        account = row_or_404(Account, object_id, "participant")
        return attesting(request, reverse("admin:rights_account_change", args=[account.pk]), account)

    @display(description="cash")
    def cash(self, account: Account) -> str:
        return "; ".join(line for _, line in cash_lines([account.pk])) or "none"

    @display(description="ledger")
    def history(self, account: Account) -> SafeString:
        return format_html('<a href="{}?account={}">balances, cash and units</a>', reverse("console_balances"), account.pk)

    @action(description="Fund", permissions=["operate"], icon="add_card", variant=ActionVariant.PRIMARY)
    def fund(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._cash_page(request, object_id, out=False)

    @action(description="Pay out", permissions=["operate"], icon="payments", variant=ActionVariant.WARNING)
    def withdraw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._cash_page(request, object_id, out=True)

    def _cash_page(self, request: HttpRequest, object_id: str, *, out: bool) -> HttpResponse:
        account = row_or_404(Account, object_id, "participant")

        def run(data: Mapping[str, Any]) -> str:
            payload = cash_payload(account=account, amount=data["amount"], currency=data["currency"])
            return proposed(request, WITHDRAWAL if out else DEPOSIT, payload, data["reason"])

        verb = "Pay out" if out else "Fund"
        explanation = (
            "Cash goes back to the venue's funding account, only what no order holds, once another operator approves."
            if out
            else "Cash comes from the venue's funding account once another operator approves; the owner sees it then."
        )
        back = reverse("admin:rights_account_change", args=[account.pk])
        return answer(request, Act(f"{verb} {account.participant.slug}", explanation, "Propose", back, run, CashForm))
