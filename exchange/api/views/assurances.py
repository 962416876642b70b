"""Assurances over REST: anybody may see what backs rights; issuers post and refresh their own, operators answer for what has no sources."""

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api import fields, supply_render
from exchange.api.base import ApiView, not_found, page
from exchange.api.doc import Doc
from exchange.api.form import Form
from exchange.api.permissions import PUBLIC
from exchange.api.problems import Problem
from exchange.api.refusals import as_problems
from exchange.api.views.capabilities import window_of
from exchange.api.views.rights import MINT
from exchange.selectors import registry, supply
from exchange.selectors.supply import AssuranceRow
from exchange.services.authority import check_role
from exchange.services.idempotency import Done
from rights.domain.assurance import MODES, PLANS, STATUSES
from rights.domain.manifest import Manifest, read_manifest
from rights.kernel.ids import bare
from rights.models import ComputeClass, Issuer
from rights.services.pledges import MOST_SOURCES, Source
from rights.services.post_assurance import MOST_SECONDS, MOST_UNITS, REFERENCE, Capacity, post_assurance
from rights.services.refresh_assurance import Refresh, refresh_assurance
from rights.services.register import class_for

STALE_AFTER_S = 7 * 86_400
_MODES, _PLANS, _STATUSES = ({name: name for name in names} for names in (MODES, PLANS, STATUSES))


def source_of(value: object, field: str) -> Source:
    """One source: a capability's id, units, and the window where it is not the assurance's own."""
    found = fields.members(value, field, ("capability_id", "window", "units"), ("capability_id", "units"))
    capability = fields.public_id(found["capability_id"], f"{field}.capability_id", "cap")
    units = fields.whole(found["units"], f"{field}.units", 1, MOST_UNITS)
    if found.get("window") is None:
        return Source(capability, units)
    return Source(capability, units, *window_of(found["window"], f"{field}.window"))


def _note(value: object, field: str) -> str:
    """What was looked at; blanks say nothing."""
    found = fields.text(value, field, high=500)
    if not found.strip():
        raise fields.FieldError(field, "must say something")
    return found


def callers_issuer(slug: str | None, participant_id: int, field: str = "issuer") -> Issuer:
    """The issuer of this name, if the caller acts for it and has its role; without a name the caller's only one."""
    mine = list(Issuer.objects.select_related("participant").filter(participant_id=participant_id).order_by("pk")[:50])
    if slug is None and len(mine) > 1:
        raise fields.FieldError(field, "is required of whoever acts for several issuers", "required")
    found = next((issuer for issuer in mine if slug in {None, issuer.slug}), None)
    if found is None:
        raise fields.FieldError(field, "is no issuer the caller acts for", "unknown_value")
    with as_problems():
        check_role(participant_id=participant_id, role="issuer", issuer_id=found.pk)
    return found


class OneAssurance(ApiView):
    """Views of one assurance."""

    def assurance(self, assurance_id: str) -> AssuranceRow:
        uuid = bare("ast", assurance_id)
        found = supply.assurance(uuid, now_us=self.now_us) if uuid else None
        if found is None:
            raise not_found()
        return found

    def shown(self, uuid: str) -> dict[str, Any]:
        row, stored = supply.assurance(uuid, now_us=self.now_us), registry.assurance(uuid)
        if row is None or stored is None:
            raise not_found()
        return {**supply_render.assurance(row), "listed_units": str(registry.listed_units(stored))}


class AssurancesView(OneAssurance):
    scopes: ClassVar = {"GET": PUBLIC, "POST": "issue"}
    queries: ClassVar = {"GET": ("issuer", "class", "status", "limit", "cursor"), "POST": ("validate_only",)}
    docs: ClassVar = {
        "GET": Doc("What backs rights, newest first", "Assurance", listed=True),
        "POST": Doc(
            "Post an assurance on pledged capacity",
            "Assurance",
            body="AssuranceRequest",
            status=201,
            idempotent=True,
            also={200: "Assurance"},
        ),
    }

    def get(self, _request: Request) -> Response:
        limit, before = self.query.limit(), self.query.cursor("assurances", "i")
        found = supply.assurances(
            now_us=self.now_us,
            limit=limit,
            before=int(before[0]) if before else None,
            issuer=self.query.text("issuer"),
            class_key=self.query.symbol("class"),
            status=self.query.choice("status", _STATUSES),
        )
        return page(found, limit, "assurances", lambda row: (row.id,), supply_render.assurance)

    def post(self, _request: Request) -> Response:
        form = Form(self.body, _FIELDS)
        terms = self._terms(form)
        kind = self._class(form) if terms is None else None
        window = self._window(form, terms)
        stated = {} if terms is None else terms.document["assurance"]
        capacity = Capacity(
            mode=form.read("mode", stated.get("mode", ""), fields.choice, _MODES),
            reference=form.read("reference", stated.get("reference", ""), fields.matching, REFERENCE, "is what manifests can name it by"),
            window_start_us=window[0],
            window_end_us=window[1],
            gross_units=form.need("gross_units", 1, fields.whole, 1, MOST_UNITS),
            haircut_bps=form.read("haircut_bps", 0, fields.integer, 0, 10_000),
            overbook_bps=form.read("overbook_bps", 0, fields.integer, 0, 10_000),
            justification=form.read("justification", "", fields.text, 1, 500),
            degradation_plan=form.read("degradation_plan", None, fields.choice, _PLANS),
            stale_after_s=form.read("stale_after_seconds", STALE_AFTER_S, fields.integer, 1, MOST_SECONDS),
            sources=tuple(form.need("sources", [], fields.items, 1, MOST_SOURCES, source_of)),
        )
        issuer_slug, note = form.read("issuer", None, fields.text, 1, 64), form.read("note", None, _note)
        for name in ("mode", "reference"):
            if terms is None and not form.given(name):
                form.wrong(name, "is required", "required")
        form.close()
        principal, assurance_id = self.principal, MINT.uuid(self.now_us)
        issuer = callers_issuer(issuer_slug, principal.participant_id)

        def act() -> Done:
            with as_problems(manifest_at="terms"):
                compute_class = kind or class_for(manifest=_given(terms), issuer_tier=issuer.tier)
                post_assurance(
                    issuer=issuer,
                    compute_class=compute_class,
                    capacity=capacity,
                    assurance_id=assurance_id,
                    actor=principal.actor,
                    now_us=self.now_us,
                    note=note,
                )
            return Done(201, self.shown(assurance_id))

        return self.once(act)

    def _terms(self, form: Form) -> Manifest | None:
        """The manifest under `terms`, whose faults are told before anything else."""
        if not form.given("terms"):
            return None
        if form.given("class") or form.given("window"):
            form.wrong("class", "stands in the terms already")
        with as_problems(manifest_at="terms"):
            return read_manifest(fields.mapping(self.body["terms"], "terms"))

    def _class(self, form: Form) -> ComputeClass | None:
        key = form.need("class", "", fields.symbol)
        found = ComputeClass.objects.filter(key=key).first() if key else None
        if key and found is None:
            form.wrong("class", "is no class; give `terms` instead, and it is made", "unknown_value")
        return found

    def _window(self, form: Form, terms: Manifest | None) -> tuple[int, int]:
        if terms is not None:
            return terms.window_start_us, terms.window_end_us
        return form.need("window", (0, 1), window_of)


_FIELDS = (
    "issuer", "terms", "class", "window", "mode", "reference", "gross_units", "haircut_bps", "overbook_bps", "justification", "degradation_plan",
    "stale_after_seconds", "sources", "note",
)  # fmt: skip


def _given(terms: Manifest | None) -> Manifest:
    if terms is None:
        raise Problem("internal_error")
    return terms


class AssuranceView(OneAssurance):
    scopes: ClassVar = {"GET": PUBLIC, "PATCH": frozenset({"issue", "operate"})}
    docs: ClassVar = {
        "GET": Doc("What backs rights: gross, haircut, usable, issued, headroom, and what stands behind it", "Assurance"),
        "PATCH": Doc(
            "Look at an assurance again, with the same numbers or new ones",
            "Assurance",
            body="AssuranceRefresh",
            idempotent=True,
            description="Sound again, or degraded where more stands issued than it carries. Only an operator answers for one without sources, and says in `note` what he looked at.",
        ),
    }

    def get(self, _request: Request, assurance_id: str) -> Response:
        return Response(self.shown(self.assurance(assurance_id).uuid))

    def patch(self, _request: Request, assurance_id: str) -> Response:
        row, principal = self.assurance(assurance_id), self.principal
        attested = principal.may("operate")
        form = Form(self.body, ("gross_units", "haircut_bps", "sources", "note"))
        gross = form.read("gross_units", None, fields.whole, 0, MOST_UNITS)
        haircut = form.read("haircut_bps", None, fields.integer, 0, 10_000)
        sources = form.read("sources", None, fields.items, 0, MOST_SOURCES, source_of)
        note = (form.need if attested else form.read)("note", "", _note)
        form.close()
        if not attested and row.participant_id != principal.participant_id:
            raise Problem("forbidden", "only its issuer refreshes an assurance, or an operator")
        issuer_id = Issuer.objects.values_list("pk", flat=True).get(slug=row.issuer)
        refresh = Refresh(gross, haircut, None if sources is None else tuple(sources))

        def act() -> Done:
            with as_problems():
                if not attested:
                    check_role(participant_id=principal.participant_id, role="issuer", issuer_id=issuer_id)
                refresh_assurance(
                    assurance_id=row.uuid, refresh=refresh, attested=attested, actor=principal.actor, now_us=self.now_us, note=note or None
                )
            return Done(200, self.shown(row.uuid))

        return self.once(act)
