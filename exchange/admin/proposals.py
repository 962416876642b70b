"""Two persons: the inbox of what operators have proposed, and another operator's yes or no."""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from exchange.admin.acts import Act, actor_of, answer, name_of, row_or_404
from exchange.models import Proposal
from exchange.services import proposals
from exchange.services.proposal_kinds import KINDS
from rights.admin import ReadOnlyAdmin, may_look, may_operate
from rights.kernel.clock import now_us
from rights.kernel.ids import Mint, public

MINT = Mint()
COLOURS = {"open": "warning", "approved": "success", "rejected": "danger", "expired": "info"}


def proposed(request: HttpRequest, kind: str, payload: Mapping[str, str | None], reason: str) -> str:
    """Propose an act and say what happens next; for the pages of the things it is about."""
    row = proposals.propose(kind=kind, payload=payload, reason=reason, mint=MINT, actor=actor_of(request), now_us=now_us())
    return f"Proposed: {says(row)}. It is done when another operator approves it, before {row.expires_at:%d %b %H:%M} UTC."


def says(row: Proposal) -> str:
    """The act in words."""
    return KINDS[row.kind].says(row.payload) if row.kind in KINDS else row.kind


def waiting(request: HttpRequest) -> str | None:
    """How many wait for this reader's decision, for the sidebar; None when there is none."""
    if not may_look(request.user):
        return None
    count = Proposal.objects.filter(status="open").count()
    return str(count) if count else None


def facts_of(row: Proposal) -> dict[str, str]:
    """What somebody has to see before he decides."""
    act = {name.replace("_", " "): text for name, text in row.payload.items() if text is not None}
    return {**act, "proposed by": name_of(row.proposed_by), "reason": row.reason, "runs out": f"{row.expires_at:%Y-%m-%d %H:%M} UTC"}


@admin.register(Proposal)
class ProposalAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "act", "by", "proposed_at", "expires_at", "shown_status")
    list_filter = ("status",)
    search_fields = ("id",)
    search_help_text = "a whole proposal id, prp_…"
    id_prefix = "prp"
    ordering = ("-id",)
    fields = (
        "public_id",
        "act",
        "terms",
        "reason",
        ("by", "proposed_at"),
        ("shown_status", "expires_at"),
        ("decider", "decided_at"),
        "decision",
        "outcome",
        "memory",
    )
    readonly_fields = ("public_id", "act", "terms", "by", "shown_status", "decider", "memory")
    actions_detail = ("approve", "reject")

    def has_approve_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Any operator but the one who proposed it. The service looks at more: a person may have two names."""
        row = self._open(object_id)
        return may_operate(request.user) and row is not None and row.proposed_by != actor_of(request)

    def has_reject_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        return may_operate(request.user) and self._open(object_id) is not None

    @staticmethod
    def _open(object_id: object) -> Proposal | None:
        row = row_or_404(Proposal, str(object_id))
        return row if row.status == "open" else None

    @display(description="proposal")
    def public_id(self, row: Proposal) -> str:
        return public("prp", str(row.pk))

    @display(description="act")
    def act(self, row: Proposal) -> str:
        return says(row)

    @display(description="terms")
    def terms(self, row: Proposal) -> SafeString:
        lines = ((name.replace("_", " "), text) for name, text in sorted(row.payload.items()) if text is not None)
        return format_html_join("", '<div class="mono">{}: {}</div>', lines)

    @display(description="proposed by")
    def by(self, row: Proposal) -> str:
        return name_of(row.proposed_by)

    @display(description="decided by")
    def decider(self, row: Proposal) -> str:
        return name_of(row.decided_by) if row.decided_by else "nobody yet"

    @display(description="status", label=COLOURS)
    def shown_status(self, row: Proposal) -> str:
        return row.status

    @display(description="events")
    def memory(self, row: Proposal) -> SafeString:
        return format_html('<a href="{}?object={}">what the registry remembers of it</a>', reverse("console_events"), self.public_id(row))

    @action(description="Approve", permissions=["approve"], icon="check_circle", variant=ActionVariant.SUCCESS)
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = row_or_404(Proposal, object_id)

        def run(data: Mapping[str, Any]) -> str:
            told = {"reason": data["reason"], "mint": MINT, "actor": actor_of(request), "now_us": now_us()}
            done = proposals.approve(proposal_id=str(row.pk), **told)
            return f"Done: {says(done)} ({done.outcome})."

        explanation = f"You are the second person. If you approve, the venue will {says(row)} at once. Say what you looked at."
        return answer(request, Act(f"Approve: {says(row)}", explanation, "Approve and do it", _page(row), run, facts=facts_of(row)))

    @action(description="Reject", permissions=["reject"], icon="cancel", variant=ActionVariant.DANGER)
    def reject(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = row_or_404(Proposal, object_id)

        def run(data: Mapping[str, Any]) -> str:
            proposals.reject(proposal_id=str(row.pk), reason=data["reason"], actor=actor_of(request), now_us=now_us())
            return "Rejected; nothing was done."

        explanation = "Nothing is done. Whoever proposed it can propose it again."
        return answer(request, Act(f"Reject: {says(row)}", explanation, "Reject", _page(row), run, facts=facts_of(row)))


def _page(row: Model) -> str:
    return reverse("admin:exchange_proposal_change", args=[row.pk])
