"""Receipts, settlements and disputes as a caller may see them: the holder, who asked, suppliers, issuers, and the reviewer."""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet

from exchange.domain.amounts import decimal_text
from exchange.selectors.registry import EVERYTHING
from exchange.selectors.requests import part_document
from exchange.services.identity import Principal
from rights.kernel.clock import rfc3339, to_datetime, to_us
from rights.kernel.ids import public
from settlement.domain.consequences import Part, charged_units
from settlement.domain.request_states import STAKES
from settlement.domain.settlement_states import DEDUCTING, Outcome
from settlement.models import Dispute, Posting, Receipt, Route, Settlement

CURRENCY, SCALE = "USD", 6
_TO = {"payout": "supplier", "compensation": "holder", "release": "issuer"}


def _parties(principal: Principal, request: str) -> Q:
    """Whose a request is, by the name that leads to it."""
    routes = Route.objects.filter(request=OuterRef(f"{request}_id"), state__in=STAKES)
    mine = Q(supplier__participant_id=principal.participant_id) | Q(right__issuer__participant_id=principal.participant_id)
    account = principal.account_id
    return Q(**{f"{request}__account_id": account}) | Q(**{f"{request}__holder_id": account}) | Q(Exists(routes.filter(mine)))


def every_settlement() -> QuerySet[Settlement]:
    """All, with what their documents tell."""
    routes = Route.objects.filter(locked_at__isnull=False).select_related("right", "supplier", "currency").order_by("number")
    return Settlement.objects.select_related("receipt", "request").prefetch_related(
        Prefetch("request__routes", routes, to_attr="used"), Prefetch("disputes", Dispute.objects.order_by("pk"), to_attr="told")
    )


def visible_settlements(principal: Principal) -> QuerySet[Settlement]:
    """What the caller is a party to or reviews; everything for operators and auditors."""
    every = every_settlement()
    if principal.scopes & EVERYTHING:
        return every
    reviewed = Dispute.objects.filter(settlement=OuterRef("pk"), reviewer=principal.participant_slug)
    return every.filter(_parties(principal, "request") | Q(Exists(reviewed)))


def visible_disputes(principal: Principal) -> QuerySet[Dispute]:
    """Those about settlements that the caller may see."""
    every = Dispute.objects.select_related("opener").prefetch_related("evidence")
    if principal.scopes & EVERYTHING:
        return every
    return every.filter(
        Q(settlement__in=visible_settlements(principal).prefetch_related(None).values("pk")) | Q(reviewer=principal.participant_slug)
    )


def settlement_documents(rows: Iterable[Settlement], *, now_us: int) -> list[dict[str, Any]]:
    """What happened, what was charged, what remains, who was paid, and whether the rights are still usable (SPEC §9)."""
    found = list(rows)
    paid: dict[str, list[Posting]] = {}
    for posting in Posting.objects.filter(entry_id__in=[row.pk for row in found], kind__in=list(_TO)).order_by("entry_id", "leg"):
        paid.setdefault(str(posting.entry_id), []).append(posting)
    return [_settlement(row, paid.get(str(row.pk), []), now_us) for row in found]


def _settlement(row: Settlement, paid: Sequence[Posting], now_us: int) -> dict[str, Any]:
    routes: list[Route] = row.request.used  # type: ignore[attr-defined]
    currency, scale = (routes[0].currency.code, routes[0].currency.scale) if routes else (CURRENCY, SCALE)
    legs = {leg["route"]: leg for leg in orjson.loads(row.receipt.body)["legs"]}
    payees = {route.payee_id: route.supplier.slug for route in routes}

    def money(minor: int) -> str:
        return decimal_text(minor, scale)

    return {
        "id": public("stl", str(row.pk)),
        "request_id": public("req", str(row.request_id)),
        "receipt_id": public("rcp", str(row.receipt_id)),
        "state": row.state,
        "outcome": row.outcome or None,
        "rule": row.rule or None,
        "digest": row.digest or None,
        "budget": row.request.budget,
        "reserved_units": str(row.reserved_units),
        "units": str(row.units),
        "charges": _charges(row, routes, legs),
        "rights": [_right(route, now_us) for route in {route.right_id: route for route in routes}.values()],
        "currency": currency,
        "escrow": money(row.escrow_minor),
        "payout": money(row.payout_minor),
        "compensation": money(row.compensation_minor),
        "release": money(row.release_minor),
        "payments": [
            {"to": _TO[leg.kind], "supplier": payees.get(leg.credit_id) if leg.kind == "payout" else None, "amount": money(leg.amount)}
            for leg in paid
        ],
        "missing": row.missing,
        "proof_due_at": _at(row.proof_due_at),
        "window_ends_at": _at(row.window_ends_at),
        "dispute_ids": [public("dsp", str(dispute.pk)) for dispute in row.told],  # type: ignore[attr-defined]
        "created_at": rfc3339(to_us(row.created_at)),
        "updated_at": rfc3339(to_us(row.updated_at)),
        "finalized_at": _at(row.finalized_at),
    }


def _charges(row: Settlement, routes: Sequence[Route], legs: dict[str, Any]) -> list[dict[str, Any]]:
    """Of each right that was used, what it was charged: as its budget says (SPEC §8)."""
    if row.outcome not in DEDUCTING:
        return []
    done = [route for route in routes if route.state == "completed"]
    charged = charged_units(
        outcome=Outcome(row.outcome),
        budget=row.request.budget,
        quoted_units=row.request.expected_units,
        parts=[_part(route, legs.get(f"rte_{route.pk}")) for route in done],
    )
    return [
        {"route_id": public("rte", str(route.pk)), "right_id": public("rgt", str(route.right_id)), "units": str(units)}
        for route, units in zip(done, charged, strict=True)
        if units
    ]


def _part(route: Route, leg: dict[str, Any] | None) -> Part:
    return Part(route.units, 0, is_broken=True) if leg is None else Part(route.units, int(leg["delivered_units"]), bool(leg["error"]))


def _right(route: Route, now_us: int) -> dict[str, Any]:
    """What remains of the right now."""
    right = route.right
    free = right.remaining_units - right.reserved_units
    in_time = right.ends_at is None or to_datetime(now_us) < right.ends_at
    return {
        "right_id": public("rgt", str(right.pk)),
        "status": right.status,
        "remaining_units": str(right.remaining_units),
        "is_usable": right.status == "active" and free > 0 and in_time,
    }


def receipt_document(row: Receipt) -> dict[str, Any]:
    """The receipt with its legs and proofs. `body` is the text that hashes to `hash`."""
    told = orjson.loads(row.body)
    routes = {f"rte_{route.pk}": route for route in row.request.routes.select_related("supplier", "package")}
    return {
        "id": public("rcp", str(row.pk)),
        "request_id": public("req", str(row.request_id)),
        "status": row.status,
        "started_at": told["started_at"],
        "completed_at": told["completed_at"],
        "cancelled_by_right": told["cancelled_by_right"],
        "legs": [_leg(leg, routes[leg["route"]]) for leg in told["legs"]],
        "proofs": [
            {
                "number": proof.number,
                "type": proof.type,
                "reference": proof.reference,
                "content_hash": proof.content_hash,
                "producer": proof.producer,
                "units": None if proof.units is None else str(proof.units),
                "signature": proof.signature or None,
                "is_valid": proof.is_valid,
                "recorded_at": rfc3339(to_us(proof.recorded_at)),
            }
            for proof in row.proofs.order_by("number")
        ],
        "body": row.body,
        "hash": row.hash,
        "recorded_at": rfc3339(to_us(row.recorded_at)),
    }


def _leg(leg: dict[str, Any], route: Route) -> dict[str, Any]:
    return {
        "route_id": leg["route"],
        "right_id": public("rgt", str(route.right_id)),
        **part_document(route),
        "supplier": route.supplier.slug,
        "region": route.supplier.region,
        **{name: leg[name] for name in ("delivered_units", "billable_units", "latency_us", "queue_us", "fallbacks")},
        **{name: leg[name] for name in ("quality_loss_bps", "latency_expansion_bps")},
        **{name: leg[name] or None for name in ("output_ref", "output_hash", "error")},
        "retryable": bool(leg["error"]) and not leg.get("is_callers", False),
    }


def dispute_document(row: Dispute) -> dict[str, Any]:
    """The claim, what was brought forward, and how it ended. Parties are told by their side."""
    return {
        "id": public("dsp", str(row.pk)),
        "settlement_id": public("stl", str(row.settlement_id)),
        "side": row.side,
        "claim": row.claim,
        "state": row.state,
        "reviewer": row.reviewer or None,
        "decision": row.decision or None,
        "evidence": [
            {"number": one.number, "text": one.text, "content_hash": one.content_hash, "at": rfc3339(to_us(one.at))}
            for one in sorted(row.evidence.all(), key=lambda one: one.number)
        ],
        "opened_at": rfc3339(to_us(row.opened_at)),
        "decided_at": _at(row.decided_at),
    }


def _at(moment: Any) -> str | None:
    return None if moment is None else rfc3339(to_us(moment))
