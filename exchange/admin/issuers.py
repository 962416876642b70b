"""Issuers and classes in the console: who may create rights, and the classes that assurances name before the first right exists."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from exchange.admin.acts import Act, ReasonForm, actor_of, answer
from exchange.api.strict_json import Malformed, parse
from exchange.services import participants
from exchange.services.operator_refusal import OperatorRefusal
from rights.admin import ComputeClassAdmin, IssuerAdmin
from rights.domain.issuance import PATHS
from rights.kernel.clock import now_us
from rights.models import ComputeClass, Issuer, Participant
from rights.models.party import ISSUER_TYPES
from rights.services.define_class import define_class

MOST_MANIFEST = 64 * 1024


def participant_choices() -> list[tuple[int, str]]:
    """For a form: who takes part, by slug."""
    return [(row.pk, f"{row.slug} ({row.name})") for row in Participant.objects.exclude(slug="venue").order_by("slug")[:1000]]


def issuers() -> list[tuple[int, str]]:
    """For a form: the issuers by slug."""
    return list(Issuer.objects.order_by("slug").values_list("pk", "slug")[:500])


def _choice(choices: Any, **more: Any) -> forms.TypedChoiceField:
    return forms.TypedChoiceField(choices=choices, widget=UnfoldAdminSelectWidget(), **more)


class IssuerForm(ReasonForm):
    participant = _choice(participant_choices, coerce=int)
    slug = forms.CharField(max_length=40, widget=UnfoldAdminTextInputWidget(), help_text="the name manifests give: a-z, 0-9, inner hyphens")
    issuer_type = _choice([(t, t) for t in ISSUER_TYPES])
    tier = forms.IntegerField(
        initial=1,
        min_value=1,
        max_value=participants.MOST_TIERS,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="Rights of issuers of different tiers are never in one class.",
    )
    issuance_path = _choice([(p, p) for p in PATHS])
    field_order = ("participant", "slug", "issuer_type", "tier", "issuance_path", "reason")


class ClassForm(ReasonForm):
    issuer = _choice(issuers, coerce=int, help_text="its tier is a part of the class")
    manifest = forms.CharField(
        max_length=MOST_MANIFEST,
        strip=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 14, "spellcheck": "false"}),
        help_text="The terms of a right of this class, as JSON (synthference/v0). Window and amount don't matter here.",
    )
    field_order = ("issuer", "manifest", "reason")


@admin.register(Issuer)
class IssuerDesk(IssuerAdmin):
    actions_list = ("appoint_new",)

    @action(description="Appoint an issuer", permissions=["operate"], icon="verified", variant=ActionVariant.PRIMARY)
    def appoint_new(self, request: HttpRequest) -> HttpResponse:
        def run(data: Mapping[str, Any]) -> str:
            issuer = participants.appoint_issuer(
                participant=Participant.objects.get(pk=data["participant"]),
                slug=data["slug"],
                issuer_type=data["issuer_type"],
                tier=data["tier"],
                issuance_path=data["issuance_path"],
                reason=data["reason"],
                actor=actor_of(request),
                now_us=now_us(),
            )
            return f"{issuer.participant.slug} may issue rights as {issuer.slug}."

        explanation = "A participant that may create rights against assurances. Its members need the scope issue as well."
        back = reverse("admin:rights_issuer_changelist")
        return answer(request, Act("Appoint an issuer", explanation, "Appoint", back, run, IssuerForm))


@admin.register(ComputeClass)
class ClassDesk(ComputeClassAdmin):
    actions_list = ("define_new",)

    @action(description="Define a class", permissions=["operate"], icon="category", variant=ActionVariant.PRIMARY)
    def define_new(self, request: HttpRequest) -> HttpResponse:
        def run(data: Mapping[str, Any]) -> str:
            try:
                document = parse(data["manifest"].encode())
            except (Malformed, UnicodeEncodeError) as error:
                raise OperatorRefusal("malformed_json", f"the manifest is not JSON that can be taken: {error}") from error
            made = define_class(
                issuer=Issuer.objects.get(pk=data["issuer"]),
                document=document,
                reason=data["reason"],
                actor=actor_of(request),
                now_us=now_us(),
            )
            return f"{made.key} is there; an assurance can name it."

        explanation = "Everything a buyer may care about except the window. A class that rights exist of is here already."
        back = reverse("admin:rights_computeclass_changelist")
        return answer(request, Act("Define a class", explanation, "Define", back, run, ClassForm))
