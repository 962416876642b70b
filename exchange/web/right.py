"""One right on a page of its own. Whoever may not see it in the API finds nothing here either."""

import json
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from exchange.selectors import holdings, registry
from exchange.selectors.consents import visible_consents
from exchange.services.identity import Principal
from exchange.web.board import class_words
from exchange.web.lineage import family_of
from exchange.web.manifest_words import manifest_groups
from exchange.web.page import page, reader_of
from exchange.web.right_reads import check_of, eligibility_of, gate_rows, timeline_of, units_of
from exchange.web.right_words import FREEZE, STATUS, status_name, steps_from
from rights import selectors
from rights.domain.lifecycle import FreezeReason, RightStatus
from rights.domain.transfer_policy import read_policy
from rights.kernel.clock import now_us, to_datetime
from rights.kernel.ids import bare, public
from rights.models import Consent, Right

_LIVE = ("issued", "active")
MOST_SIBLINGS = 20


@require_safe
@login_required
def right(request: HttpRequest, right_id: str) -> HttpResponse:
    principal, uuid = reader_of(request), bare("rgt", right_id)
    found = registry.right(principal, uuid) if principal and uuid else None
    if principal is None or found is None:
        raise Http404
    moment_us = now_us()
    symbols = registry.symbols([found.series_id]).get(found.series_id, [])
    context = _state(found) | {
        "right": found,
        "id": right_id,
        "units": units_of(principal, found),
        "gates": gate_rows(selectors.gates_of(found, now_us=moment_us)),
        "check": check_of(request, found, moment_us),
        "eligibility": eligibility_of(request, found, symbols),
        "family": family_of(principal, found, after=bare("rgt", request.GET.get("children", ""))),
        "market": holdings.books([found.series_id]).get(found.series_id, ""),
        "acts": _acts(principal, found),
        "asked": _asked(principal, found),
        **timeline_of(request, principal, found),
    }
    return page(request, "web/right.html", "rights", context)


def _state(found: Right) -> dict[str, Any]:
    """The terms in words and as they stand, and where the right is in its life."""
    document: dict[str, Any] = json.loads(found.terms.manifest)
    if found.metadata is not None:
        document["metadata"] = found.metadata
    status = RightStatus(found.status)
    kind = class_words(found.series.compute_class.dimensions)
    return {
        "label": document["metadata"]["label"] or kind or found.series.compute_class.key,
        "words": kind,
        "unit": found.series.compute_class.unit,
        "groups": manifest_groups(document),
        "metadata": document["metadata"],
        "raw": json.dumps(document, indent=2, ensure_ascii=False),
        "status_name": status_name(status),
        "status_words": STATUS[status],
        "freeze_words": FREEZE[FreezeReason(found.freeze_reason)] if found.freeze_reason else "",
        "steps": steps_from(status),
        "ends_at": to_datetime(selectors.right_window_end_us(found)),
        "root": public("rgt", str(found.root_id)),
        "links": selectors.link_documents(found),
    }


def _acts(principal: Principal, found: Right) -> dict[str, Any]:
    """What the reader may do with it here; the API decides again."""
    mine, may_move = found.holder_id == principal.account_id, principal.may("transfer")
    issuing = principal.may("issue") and found.issuer.participant_id == principal.participant_id
    free = found.remaining_units - found.reserved_units
    most = min(free, found.remaining_units - 1)
    live = found.status in _LIVE
    acts: dict[str, Any] = {
        "is_mine": mine,
        "split": most if mine and live and (may_move or principal.may("issue")) and most > 0 else 0,
        "transfer": free if mine and live and may_move else 0,
        "siblings": _siblings(found) if mine and (may_move or principal.may("issue")) else [],
        "activate": issuing and found.status == "issued",
        "relabel": issuing and live,
        "package": mine and live and may_move and free > 0,
        "consents": _wanted(found) if mine and live and may_move else [],
    }
    return acts | {"any": any(acts[name] for name in ("split", "transfer", "siblings", "activate", "relabel", "package", "consents"))}


def _wanted(found: Right) -> list[tuple[str, str]]:
    """Whose word a transfer needs: (kind, who)."""
    policy = read_policy(found.terms.transfer_policy)
    needs = (
        (policy.requires_issuer_consent, ("consent", "the issuer's consent")),
        (policy.requires_registry_acknowledgment, ("acknowledgment", "the registry's acknowledgment")),
    )
    return [words for needed, words in needs if needed]


def _asked(principal: Principal, found: Right) -> QuerySet[Consent]:
    """What its holder asked for about this very right, newest first."""
    return visible_consents(principal).filter(right_id=found.pk, giver_id=principal.account_id).order_by("-pk")[:MOST_SIBLINGS]


def _siblings(found: Right) -> list[tuple[str, int]]:
    """Rights that may be merged into this one: (id, units)."""
    if found.parent_id is None or found.status != "active":
        return []
    alike = Right.objects.filter(
        parent_id=found.parent_id,
        terms_id=found.terms_id,
        holder_id=found.holder_id,
        controller_id=found.controller_id,
        series_id=found.series_id,
        status="active",
        reserved_units=0,
    ).exclude(pk=found.pk)
    return [(public("rgt", str(pk)), units) for pk, units in alike.order_by("pk").values_list("pk", "remaining_units")[:MOST_SIBLINGS]]
