"""Consents in the console: to look at, and the registry's own acknowledgments to answer (SPEC §4). An issuer's word stays the issuer's."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminSplitDateTimeWidget

from exchange.admin.acts import Act, ReasonForm, actor_of, answer, check_own_role, name_of, row_or_404
from exchange.admin.supply import events_link
from rights.admin import ReadOnlyAdmin, may_operate, owner, right_link
from rights.kernel.clock import now_us, to_us
from rights.kernel.ids import public
from rights.models import Consent
from rights.services.consents import answer_consent, revoke_consent

STATE_COLOURS = {"pending": "info", "granted": "success", "denied": "danger", "revoked": "danger", "expired": "warning", "used": "success"}
OURS = "acknowledgment"


class AcknowledgeForm(ReasonForm):
    expires_at = forms.SplitDateTimeField(
        label="Until (UTC)", required=False, widget=UnfoldAdminSplitDateTimeWidget(), help_text="left empty: until it is used or taken back"
    )
    field_order = ("expires_at", "reason")


@admin.register(Consent)
class ConsentAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "kind", "scope", "issuer", "to", "units", "shown_state", "requested_at", "deadline_at")
    list_select_related = ("issuer", "taker__participant")
    list_filter = ("state", "kind", "scope")
    search_fields = ("issuer__slug__startswith",)
    ordering = ("-pk",)
    fields = (
        ("public_id", "shown_state"),
        ("kind", "scope", "issuer"),
        ("covers", "units"),
        ("giver_named", "to"),
        "note",
        ("asked_by", "requested_at", "deadline_at"),
        ("answered_by", "decided_at", "answer_note"),
        ("expires_at", "used_at"),
        "memory",
    )
    readonly_fields = ("public_id", "shown_state", "covers", "giver_named", "to", "asked_by", "answered_by", "memory")
    actions_detail = ("grant", "refuse", "revoke")

    def has_answer_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        row = row_or_404(Consent, str(object_id))
        return may_operate(request.user) and (row.kind, row.state) == (OURS, "pending")

    def has_revoke_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        row = row_or_404(Consent, str(object_id))
        return may_operate(request.user) and (row.kind, row.state) == (OURS, "granted")

    @display(description="consent")
    def public_id(self, row: Consent) -> str:
        return public("cns", str(row.uuid))

    @display(description="state", label=STATE_COLOURS)
    def shown_state(self, row: Consent) -> str:
        return row.state

    @display(description="covers")
    def covers(self, row: Consent) -> SafeString:
        if row.right_id is not None:
            return right_link(row.right_id)
        if row.root_id is not None:
            return format_html("all that came of {}", right_link(row.root_id))
        return format_html("{}", f"terms {row.terms_hash}" if row.terms_hash else "all rights of the issuer")

    @display(description="from")
    def giver_named(self, row: Consent) -> str:
        return "any holder" if row.giver is None else owner(row.giver)

    @display(description="to")
    def to(self, row: Consent) -> str:
        return "everybody" if row.taker is None else owner(row.taker)

    @display(description="asked by")
    def asked_by(self, row: Consent) -> str:
        return name_of(row.requested_by)

    @display(description="answered by")
    def answered_by(self, row: Consent) -> str:
        return name_of(row.decided_by) if row.decided_by else "nobody yet"

    @display(description="events")
    def memory(self, row: Consent) -> SafeString:
        return events_link(self.public_id(row))

    @action(description="Acknowledge", permissions=["answer"], icon="check_circle", variant=ActionVariant.SUCCESS)
    def grant(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def run(row: Consent, data: Mapping[str, Any]) -> None:
            until = data["expires_at"]
            expires_us = None if until is None else to_us(until)
            told: dict[str, Any] = {"actor": actor_of(request), "now_us": now_us()}
            answer_consent(consent_id=str(row.uuid), granted=True, note=data["reason"], expires_us=expires_us, **told)

        effect = "The transfer may happen once, if every other rule lets it pass."
        return self._act(request, object_id, ("Acknowledge", effect, "It is acknowledged."), run, AcknowledgeForm)

    @action(description="Refuse", permissions=["answer"], icon="cancel", variant=ActionVariant.DANGER)
    def refuse(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def run(row: Consent, data: Mapping[str, Any]) -> None:
            told: dict[str, Any] = {"actor": actor_of(request), "now_us": now_us()}
            answer_consent(consent_id=str(row.uuid), granted=False, note=data["reason"], **told)

        return self._act(request, object_id, ("Refuse", "Whoever asked reads your reason.", "It is refused."), run)

    @action(description="Take back", permissions=["revoke"], icon="undo", variant=ActionVariant.DANGER)
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def run(row: Consent, data: Mapping[str, Any]) -> None:
            revoke_consent(consent_id=str(row.uuid), note=data["reason"], actor=actor_of(request), now_us=now_us())

        effect = "From now on nothing moves by it. What has moved stays where it is."
        return self._act(request, object_id, ("Take back", effect, "It is taken back."), run)

    def _act(
        self, request: HttpRequest, object_id: str, words: tuple[str, str, str], run: Any, form: type[ReasonForm] = ReasonForm
    ) -> HttpResponse:
        """`words`: the verb, what it does, and what is told when it is done."""
        row = row_or_404(Consent, object_id, "issuer", "giver__participant", "taker__participant")
        verb, effect, told = words

        def done(data: Mapping[str, Any]) -> str:
            check_own_role(request, "registry_admin")
            run(row, data)
            return told

        facts = {"from": self.giver_named(row), "to": self.to(row), "units": str(row.units or "any"), "issuer": row.issuer.slug}
        facts |= {"said": row.note} if row.note else {}
        back = reverse("admin:rights_consent_change", args=[row.pk])
        return answer(request, Act(f"{verb}: {row.kind} {self.public_id(row)}", effect, verb, back, done, form, facts=facts))
