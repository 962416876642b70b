"""Requests to use rights as a caller may see them: whoever asked, and whose rights are used."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.db.models import Prefetch, Q, QuerySet

from exchange.domain.amounts import decimal_text
from exchange.selectors.registry import EVERYTHING
from exchange.services.identity import Principal
from rights.domain.moment import text_of
from rights.kernel.clock import rfc3339, to_us
from rights.kernel.ids import public
from settlement.domain.claims import Offer
from settlement.models import Request, Route
from settlement.services.submit import Submitted


def visible_requests(principal: Principal) -> QuerySet[Request]:
    """What the caller asked for, and what uses the caller's rights; everything for operators and auditors."""
    routes = Route.objects.select_related("capability", "supplier", "currency", "package").order_by("number")
    every = Request.objects.select_related("account", "holder", "delegation", "settlement").prefetch_related(
        Prefetch("routes", routes, to_attr="quotes"), Prefetch("receipts", to_attr="told")
    )
    if principal.scopes & EVERYTHING:
        return every
    return every.filter(Q(account_id=principal.account_id) | Q(holder_id=principal.account_id))


def request_document(row: Request) -> dict[str, Any]:
    """The envelope, how far it has come, by which routes and under which policy (SPEC §8)."""
    settlement = getattr(row, "settlement", None)
    receipts = [receipt for receipt in row.told if receipt.invalidated_at is None]  # type: ignore[attr-defined]
    return _document(row, str(row.account.uuid), str(row.holder.uuid), [route_document(route) for route in row.quotes]) | {  # type: ignore[attr-defined]
        "receipt_id": public("rcp", str(receipts[0].pk)) if receipts else None,
        "settlement_id": None if settlement is None else public("stl", str(settlement.pk)),
        "outcome": None if settlement is None else settlement.outcome or None,
    }


def submitted_document(made: Submitted) -> dict[str, Any]:
    """The same of a request that is only now being written, out of memory."""
    row, account = made.request, made.ask.account_uuid
    holder = account if row.holder_id == made.ask.account_id else str(row.holder.uuid)
    routes = [_route_document(route, _Names.of_offer(quote.offer, made.scale)) for quote, route in made.made]
    return _document(row, account, holder, routes) | {"receipt_id": None, "settlement_id": None, "outcome": None}


def _document(row: Request, account: str, holder: str, routes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is known of it from the beginning."""
    envelope = json.loads(row.envelope)
    return {
        "id": public("req", str(row.pk)),
        "account_id": public("acc", account),
        "holder_id": public("acc", holder),
        "state": row.state,
        "workload": row.workload,
        "operation": row.operation,
        "units": str(row.expected_units),
        "rights": [{"right_id": right["right"], "max_spend": right["max_spend"]} for right in envelope["rights"]],
        "delegation_id": envelope["delegation"],
        "package_id": envelope["package"],
        "branch": envelope["branch"] or None,
        "constraints": _policy(envelope["constraints"]),
        "preferences": envelope["preferences"],
        "fallback_policy": envelope["fallbacks"],
        "budget": row.budget,
        "spill_over": envelope["spill_over"],
        "delivery": row.delivery,
        "route": envelope["route"],
        "result_shape": envelope["result_shape"] or None,
        "payload_hash": envelope["payload_hash"],
        "envelope_hash": row.envelope_hash,
        "effective": _effective(row.effective),
        "routes": routes,
        "latest_at": rfc3339(to_us(row.latest_at)),
        "created_at": rfc3339(to_us(row.created_at)),
        "updated_at": rfc3339(to_us(row.updated_at)),
        "ended_at": _at(row.ended_at),
    }


class _Names(NamedTuple):
    """What a route's numbers stand for."""

    supplier: str
    capability: str
    currency: str
    scale: int

    @classmethod
    def of_offer(cls, offer: Offer, scale: int) -> "_Names":
        return cls(offer.supplier, offer.capability, offer.currency, scale)


def route_document(route: Route) -> dict[str, Any]:
    """One way to do it, with its score and the reasons for it, or for refusing it."""
    currency = route.currency
    return _route_document(route, _Names(route.supplier.slug, str(route.capability.uuid), currency.code, currency.scale))


def _route_document(route: Route, names: _Names) -> dict[str, Any]:
    return {
        "id": public("rte", str(route.pk)),
        "number": route.number,
        "state": route.state,
        "right_id": public("rgt", str(route.right_id)),
        **part_document(route),
        "supplier": names.supplier,
        "capability_id": public("cap", names.capability),
        "units": str(route.units),
        "score": route.score,
        "reasons": route.reasons,
        "fallbacks": route.fallbacks,
        "quality_loss_bps": route.quality_loss_bps,
        "escrow": decimal_text(route.escrow_minor, names.scale),
        "currency": names.currency,
        "quoted_at": rfc3339(to_us(route.quoted_at)),
        "locked_at": _at(route.locked_at),
        "expires_at": _at(route.expires_at),
        "ended_at": _at(route.ended_at),
    }


def part_document(route: Route) -> dict[str, str | None]:
    """Which part of which package its units come out of."""
    package = None if route.package is None else public("pkg", str(route.package.uuid))
    return {"package_id": package, "tier": route.tier or None, "branch": route.branch or None}


def route_documents(routes: Sequence[Route]) -> list[dict[str, Any]]:
    found = Route.objects.select_related("capability", "supplier", "currency", "package").filter(pk__in=[route.pk for route in routes])
    return [route_document(route) for route in found.order_by("number")]


# What a policy calls it → what the API calls it.
_NAMES = {
    "privacy": "privacy_class",
    "slowest": "max_latency_class",
    "lowest_quality": "min_quality_band",
    "latest_us": "latest_at",
    "max_units": "max_units",
}


def _policy(document: Mapping[str, Any]) -> dict[str, Any]:
    return {_NAMES.get(name, name): _said(name, value) for name, value in document.items()}


def _said(name: str, value: Any) -> Any:
    return text_of(int(value)) if name == "latest_us" else value


def _effective(by_right: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "right_id": right,
            "policy": _policy(told["policy"]),
            "narrowings": [
                {
                    "field": _NAMES.get(found["field"], found["field"]),
                    "by": found["by"],
                    **{end: _moment(found["field"], found[end]) for end in ("before", "after")},
                }
                for found in told["narrowings"]
            ],
        }
        for right, told in sorted(by_right.items())
    ]


def _moment(field: str, text: str) -> str:
    return text_of(int(text)) if field == "latest_us" and text.isdigit() else text


def _at(moment: Any) -> str | None:
    return None if moment is None else rfc3339(to_us(moment))
