"""The freeze desk: every frozen right with its kind, since when, by whom and why; freezing one by its id, and the way to lift it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from exchange.admin.acts import Act, ReasonForm, actor_of, answer, check_own_role, name_of
from exchange.admin.keyset import Column, Filter, Table, read_page
from exchange.services.freeze import freeze_right
from exchange.services.operator_refusal import OperatorRefusal
from rights.admin import may_look, may_operate, right_link
from rights.kernel.clock import now_us
from rights.kernel.ids import bare
from rights.models import Right
from rights.models.right import FREEZE_REASONS

# When each kind is the right one; the pages of a single right offer the same six.
KINDS = {
    "issuer_pause": "the issuer's own pause, which it lifts alone",
    "dispute": "an outcome is challenged",
    "compliance": "a holder or the law asks for it",
    "settlement_lock": "a settlement has to come first",
    "governance": "the venue or its members decided so",
    "custom": "anything else; say what",
}
EFFECT = "A frozen right never moves, and its resting asks are pulled. Its holder keeps it. Lifting it takes two operators, but for an issuer's own pause."


def kind_choices() -> list[tuple[str, str]]:
    """The six kinds with their meaning, for a form."""
    return [(kind, f"{kind}: {KINDS[kind]}") for kind in FREEZE_REASONS]


class FreezeForm(ReasonForm):
    freeze_reason = forms.ChoiceField(label="Kind", choices=kind_choices, widget=UnfoldAdminSelectWidget())
    field_order = ("freeze_reason", "reason")


class FreezeByIdForm(ReasonForm):
    right = forms.CharField(max_length=60, widget=UnfoldAdminTextInputWidget(), help_text="a whole right id, rgt_…")
    freeze_reason = forms.ChoiceField(label="Kind", choices=kind_choices, widget=UnfoldAdminSelectWidget())
    field_order = ("right", "freeze_reason", "reason")


def _kind(text: str) -> str | None:
    return text if text in FREEZE_REASONS else None


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


_COLUMNS = (
    Column("right", "r.id::text", right_link),
    Column("kind", "r.freeze_reason"),
    Column("since", "frozen.at", _minute),
    Column("by", "frozen.actor", name_of),
    Column("why", "frozen.note"),
    Column("issuer", "i.slug"),
    Column("class", "c.key"),
    Column("held by", "coalesce(h.code, p.slug || ' / ' || h.name)"),
    Column("units", "r.remaining_units", lambda units: f"{units:,}"),
)
FROZEN = Table(
    title="Freeze desk",
    source=(
        "rights_right r JOIN rights_series s ON s.id = r.series_id JOIN rights_computeclass c ON c.id = s.compute_class_id "
        "JOIN rights_issuer i ON i.id = r.issuer_id JOIN rights_account h ON h.id = r.holder_id "
        "JOIN rights_participant p ON p.id = h.participant_id LEFT JOIN LATERAL ("
        "SELECT e.at, e.body::jsonb ->> 'actor' AS actor, e.body::jsonb -> 'payload' ->> 'note' AS note FROM rights_event e "
        "WHERE e.object_id = 'rgt_' || r.id AND e.type = 'right.frozen' ORDER BY e.id DESC LIMIT 1) frozen ON r.status = 'frozen'"
    ),
    key=("r.id",),
    columns=_COLUMNS,
    filters=(
        Filter("status", "status", "r.status = %s", str),
        Filter("kind", "kind", "r.freeze_reason = %s", _kind),
    ),
)


def desk(request: HttpRequest) -> HttpResponse:
    """What is frozen, newest right first; an operator's way to freeze and unfreeze."""
    if not may_look(request.user):
        raise PermissionDenied
    kind = _kind(request.GET.get("kind", "")) or ""
    page = read_page(FROZEN, given={"status": "frozen", "kind": kind}, after=request.GET.get("after"))
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": FROZEN.title,
        "page": page,
        "kind": kind,
        "kinds": FREEZE_REASONS,
        "older": f"?{urlencode({'kind': kind, 'after': page.older})}" if page.older else "",
        "may_act": may_operate(request.user),
        "is_fullwidth": "1",
    }
    return TemplateResponse(request, "admin/freeze_desk.html", context)


def freeze_one(request: HttpRequest) -> HttpResponse:
    """Freeze a right that is known by its id."""
    if not may_operate(request.user):
        raise PermissionDenied

    def run(data: Mapping[str, Any]) -> str:
        uuid = bare("rgt", data["right"].strip())
        right = None if uuid is None else Right.objects.filter(pk=uuid).first()
        if uuid is None or right is None:
            raise OperatorRefusal("right_unknown", "no right here has this id")
        check_own_role(request, "freezer", right.issuer_id)
        told = {"reason": data["reason"], "actor": actor_of(request), "now_us": now_us()}
        pulled = freeze_right(right_id=uuid, freeze_reason=data["freeze_reason"], **told)
        return f"The right is frozen; resting asks being pulled: {pulled}."

    return answer(request, Act("Freeze a right", EFFECT, "Freeze", reverse("console_freeze_desk"), run, FreezeByIdForm))


def urls() -> list[Any]:
    """The desk's addresses, under the console's own prefix."""
    return [
        path("freeze/", admin.site.admin_view(desk), name="console_freeze_desk"),
        path("freeze/one/", admin.site.admin_view(freeze_one), name="console_freeze_one"),
    ]
