"""Requests to use rights as a caller may see them: whoever asked, and whose rights are used."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Prefetch, Q, QuerySet

from exchange.domain.amounts import decimal_text
from exchange.selectors.registry import EVERYTHING
from exchange.services.identity import Principal
from rights.domain.moment import text_of
from rights.kernel import planned
from rights.kernel.clock import rfc3339, to_us
from rights.kernel.ids import public
from rights.kernel.trip import Trip
from rights.models import Account, Capability, Package, Supplier
from settlement.models import Asset, Receipt, Request, Route, Settlement


def visible_requests(principal: Principal) -> QuerySet[Request]:
    """What the caller asked for, and what uses the caller's rights; everything for operators and auditors."""
    routes = Route.objects.select_related("capability", "supplier", "currency", "package").order_by("number")
    every = Request.objects.select_related("account", "holder", "delegation", "settlement").prefetch_related(
        Prefetch("routes", routes, to_attr="quotes"), Prefetch("receipts", to_attr="told")
    )
    if principal.scopes & EVERYTHING:
        return every
    return every.filter(Q(account_id=principal.account_id) | Q(holder_id=principal.account_id))


_OF_ROUTES = "id IN (SELECT {} FROM settlement_route WHERE request_id = %s)"


def request_now(request_id: str) -> Request:
    """The request (by UUID) as `visible_requests` finds it, whoever may see it, in one trip: for whoever has just written it."""
    trip, own = Trip(), [request_id]
    asked = planned.ask(trip, Request, "id = %s", own)
    accounts = planned.ask(trip, Account, "id IN (SELECT unnest(ARRAY[account_id, holder_id]) FROM settlement_request WHERE id = %s)", own)
    settled = planned.ask(trip, Settlement, "request_id = %s", own)
    told = planned.ask(trip, Receipt, "request_id = %s", own)
    routes = planned.ask(trip, Route, "request_id = %s ORDER BY number", own)
    suppliers = planned.ask(trip, Supplier, _OF_ROUTES.format("supplier_id"), own)
    capabilities = planned.ask(trip, Capability, _OF_ROUTES.format("capability_id"), own)
    assets = planned.ask(trip, Asset, _OF_ROUTES.format("currency_id"), own)
    packages = planned.ask(trip, Package, _OF_ROUTES.format("package_id"), own)
    trip.go()
    (row,) = asked()
    owners = {each.pk: each for each in accounts()}
    row.account, row.holder = owners[row.account_id], owners[row.holder_id]
    Request._meta.get_field("settlement").set_cached_value(row, next(iter(settled()), None))  # noqa: SLF001 - Django documents it
    by_id = [{each.pk: each for each in found()} for found in (suppliers, capabilities, assets)]
    held = {each.pk: each for each in packages()}
    row.quotes, row.told = routes(), told()  # type: ignore[attr-defined]
    for route in row.quotes:  # type: ignore[attr-defined]
        route.package = None if route.package_id is None else held[route.package_id]
        route.supplier, route.capability, route.currency = (
            found[key] for found, key in zip(by_id, (route.supplier_id, route.capability_id, route.currency_id), strict=True)
        )
    return row


def request_document(row: Request) -> dict[str, Any]:
    """The envelope, how far it has come, by which routes and under which policy (SPEC §8)."""
    envelope = json.loads(row.envelope)
    settlement = getattr(row, "settlement", None)
    receipts = [receipt for receipt in row.told if receipt.invalidated_at is None]  # type: ignore[attr-defined]
    return {
        "id": public("req", str(row.pk)),
        "account_id": public("acc", str(row.account.uuid)),
        "holder_id": public("acc", str(row.holder.uuid)),
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
        "routes": [route_document(route) for route in row.quotes],  # type: ignore[attr-defined]
        "receipt_id": public("rcp", str(receipts[0].pk)) if receipts else None,
        "settlement_id": None if settlement is None else public("stl", str(settlement.pk)),
        "outcome": None if settlement is None else settlement.outcome or None,
        "latest_at": rfc3339(to_us(row.latest_at)),
        "created_at": rfc3339(to_us(row.created_at)),
        "updated_at": rfc3339(to_us(row.updated_at)),
        "ended_at": _at(row.ended_at),
    }


def route_document(route: Route) -> dict[str, Any]:
    """One way to do it, with its score and the reasons for it, or for refusing it."""
    return {
        "id": public("rte", str(route.pk)),
        "number": route.number,
        "state": route.state,
        "right_id": public("rgt", str(route.right_id)),
        **part_document(route),
        "supplier": route.supplier.slug,
        "capability_id": public("cap", str(route.capability.uuid)),
        "units": str(route.units),
        "score": route.score,
        "reasons": route.reasons,
        "fallbacks": route.fallbacks,
        "quality_loss_bps": route.quality_loss_bps,
        "escrow": decimal_text(route.escrow_minor, route.currency.scale),
        "currency": route.currency.code,
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
