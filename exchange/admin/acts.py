"""An operator's act: a page that asks for what is needed and a reason, then one call of a service."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from unfold.widgets import UnfoldAdminTextareaWidget

from exchange.models import Membership
from exchange.services.authority import check_role
from exchange.services.operator_refusal import OperatorRefusal
from exchange.services.policies import PolicyRefusal
from rights.domain.manifest import ManifestRefusedError
from rights.domain.reason import LONGEST, ReasonMissing
from rights.services.refusals import RegistryRefusalError
from settlement.services.disputes import DisputeRefused
from settlement.services.funding import FundingRefusal
from settlement.services.transfer import TransferRefused

REFUSALS = (
    *(OperatorRefusal, FundingRefusal, ReasonMissing, RegistryRefusalError, ManifestRefusedError, TransferRefused),
    *(PolicyRefusal, DisputeRefused),
)
Row = TypeVar("Row", bound=Model)


class ReasonForm(forms.Form):
    """Every act has a reason; it goes on the record with the operator's name."""

    reason = forms.CharField(
        max_length=LONGEST,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Kept for ever in the registry, with your name and the time.",
    )


class Shown(msgspec.Struct, frozen=True):
    """What was done, and a secret that is shown this once: it is neither stored nor sent on to another page."""

    told: str
    secret: str


class Act(msgspec.Struct, frozen=True):
    """What the page says. `run` takes the form's clean data and answers what to tell the operator; it may raise one of REFUSALS."""

    title: str
    explanation: str
    verb: str
    back: str
    run: Callable[[Mapping[str, Any]], str | Shown]
    form: type[forms.Form] = ReasonForm
    initial: Mapping[str, Any] = {}
    facts: Mapping[str, str] = {}


def actor_of(request: HttpRequest) -> str:
    """The operator's name on the record."""
    return f"user:{request.user.pk}"


def check_own_role(request: HttpRequest, role: str, issuer_id: int | None = None) -> None:
    """Raise OperatorRefusal unless the operator's participant has the role over rights: the console is no way around it."""
    member = Membership.objects.filter(user=request.user.pk).first()
    check_role(participant_id=0 if member is None else member.participant_id, role=role, issuer_id=issuer_id)


def name_of(actor: str) -> str:
    """A name on the record as people know it: `ann (user:7)`."""
    kind, _, number = actor.partition(":")
    user = User.objects.filter(pk=int(number)).first() if kind == "user" and number.isdecimal() else None
    return f"{user.username} ({actor})" if user else actor


def row_or_404(model: type[Row], object_id: str, *related: str) -> Row:
    """The row an address names; an address that can't be one of this table is a 404 like any other."""
    try:
        return model._default_manager.select_related(*related).get(pk=object_id)  # noqa: SLF001 - Django's name for it
    except (model.DoesNotExist, ValidationError, ValueError, OverflowError):  # type: ignore[attr-defined]
        raise Http404 from None


def answer(request: HttpRequest, act: Act) -> HttpResponse:
    """Show the page, or do the act and go back."""
    form = act.form(request.POST) if request.method == "POST" else act.form(initial=dict(act.initial))
    refusal, shown = "", None
    if request.method == "POST" and form.is_valid():
        try:
            told = act.run(form.cleaned_data)
        except REFUSALS as error:
            refusal = str(error)
        else:
            if isinstance(told, str):
                messages.success(request, told)
                return HttpResponseRedirect(act.back)
            shown = told
    context = {
        **admin.site.each_context(request),
        "title": act.title,
        "explanation": act.explanation,
        "facts": act.facts,
        "verb": act.verb,
        "back": act.back,
        "form": form,
        "refusal": refusal,
        "shown": shown,
        "media": form.media,
    }
    return TemplateResponse(request, "admin/act.html", context, status=422 if refusal else 200)
