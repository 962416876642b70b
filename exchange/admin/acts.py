"""An operator's act: a page that asks for what is needed and a reason, then one call of a service."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from unfold.widgets import UnfoldAdminTextareaWidget

from exchange.services.operator_refusal import OperatorRefusal
from rights.domain.reason import LONGEST, ReasonMissing
from rights.services.refusals import RegistryRefusalError
from settlement.services.funding import FundingRefusal

REFUSALS = (OperatorRefusal, FundingRefusal, ReasonMissing, RegistryRefusalError)


class ReasonForm(forms.Form):
    """Every act has a reason; it goes on the record with the operator's name."""

    reason = forms.CharField(
        max_length=LONGEST,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Kept for ever in the registry, with your name and the time.",
    )


class Act(msgspec.Struct, frozen=True):
    """What the page says. `run` takes the form's clean data and answers what to tell the operator; it may raise one of REFUSALS."""

    title: str
    explanation: str
    verb: str
    back: str
    run: Callable[[Mapping[str, Any]], str]
    form: type[forms.Form] = ReasonForm


def actor_of(request: HttpRequest) -> str:
    """The operator's name on the record."""
    return f"user:{request.user.pk}"


def answer(request: HttpRequest, act: Act) -> HttpResponse:
    """Show the page, or do the act and go back."""
    form = act.form(request.POST if request.method == "POST" else None)
    refusal = ""
    if request.method == "POST" and form.is_valid():
        try:
            told = act.run(form.cleaned_data)
        except REFUSALS as error:
            refusal = str(error)
        else:
            messages.success(request, told)
            return HttpResponseRedirect(act.back)
    context = {
        **admin.site.each_context(request),
        "title": act.title,
        "explanation": act.explanation,
        "verb": act.verb,
        "back": act.back,
        "form": form,
        "refusal": refusal,
        "media": form.media,
    }
    return TemplateResponse(request, "admin/act.html", context, status=422 if refusal else 200)
