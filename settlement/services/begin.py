"""Execution begins (SPEC §8): locked → executing, once. Whoever gets the work does it; everybody else gets nothing."""

import hashlib
from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import orjson
from django.db import transaction

from rights.kernel import rows
from rights.kernel.clock import rfc3339
from rights.kernel.ids import public
from rights.kernel.trip import Trip
from rights.services.journal import NewEvent
from rights.services.use_locked import manifests_of
from settlement.domain import route_events
from settlement.domain.work import Leg, Target, Work
from settlement.models import Request, Route
from settlement.services.node_jobs import ADAPTER as BY_NODES
from settlement.services.remember import remember_use

_REQUEST = """
SELECT state, (extract(epoch from latest_at) * 1000000)::bigint, effective::text, envelope_hash, stream_id FROM settlement_request
WHERE id = %s FOR NO KEY UPDATE
"""
_LEGS = """
SELECT t.id::text, t.right_id::text, t.units, c.unit, q.workload, q.operation, s.slug, s.region, t.fallbacks, t.quality_loss_bps,
       (extract(epoch from t.expires_at) * 1000000)::bigint, r.terms_hash,
       e.id, e.uuid::text, e.adapter, e.base_url, e.model, e.secret, e.timeout_ms, e.max_attempts, e.inside
FROM settlement_route t JOIN settlement_request q ON q.id = t.request_id JOIN rights_right r ON r.id = t.right_id
JOIN rights_capability c ON c.id = t.capability_id JOIN rights_supplier s ON s.id = t.supplier_id
LEFT JOIN settlement_endpoint e ON e.capability_id = c.id AND e.status = 'active' WHERE t.request_id = %s AND t.state = %s ORDER BY t.number
"""
_BODY = "SELECT body FROM settlement_requestpayload WHERE request_id = %s"
_KEEP = "INSERT INTO settlement_requestpayload (request_id, body, body_hash, created_at) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING"
_ROUTES_BEGIN = "UPDATE settlement_route SET state = 'executing', expires_at = %s WHERE id = ANY(%s::uuid[])"
_BEGIN = "UPDATE settlement_request SET state = 'executing', updated_at = %s WHERE id = %s"


class _Row(msgspec.Struct):
    """A route with its leg, None when its capability has no active endpoint."""

    leg: Leg | None
    route_id: str
    right_id: str
    expires_us: int
    terms_hash: str

    @property
    def is_by_nodes(self) -> bool:
        return self.leg is not None and self.leg.endpoint.adapter == BY_NODES


@transaction.atomic
def begin_execution(*, request_id: str, actor: str, now_us: int, payload: str | None = None, leaving: Collection[str] = ()) -> Work | None:
    """The work, or None when it is not (any more) this caller's to do: begun before, ended, or its locks are over.

    `payload`: what the caller has in hand and did not submit; it is kept from here on where nodes do it. `leaving`: adapters whose work
    is somebody else's to begin.
    """
    trip = Trip()
    asked, legs, body = trip.ask(_REQUEST, [request_id]), trip.ask(_LEGS, [request_id, "locked"]), trip.ask(_BODY, [request_id])
    trip.go()
    request, routes, kept = asked.one(), [_row(row) for row in legs.rows()], body.one()
    if request is None:
        raise Request.DoesNotExist(request_id)
    state, latest_us, effective, envelope_hash, stream_id = request
    # Where an endpoint was taken away meanwhile, or became one of nodes, which share with nobody, the lock runs out and another choice is made.
    if state != "matched" or not routes or any(route.expires_us <= now_us or route.leg is None for route in routes):
        return None
    if len(routes) > 1 and any(route.is_by_nodes for route in routes):
        return None
    if all(route.leg is not None and route.leg.endpoint.adapter in leaving for route in routes):
        return None
    deadline_us = _deadline_us(latest_us, orjson.loads(effective), routes)
    fact = route_events.started(routes=[route.route_id for route in routes], deadline_at=rfc3339(deadline_us))
    with rows.together():
        rows.write(_ROUTES_BEGIN, [rfc3339(deadline_us), rows.array(route.route_id for route in routes)])
        rows.write(_BEGIN, [rfc3339(now_us), request_id])
        event = NewEvent(route_events.STARTED, "request", public("req", request_id), fact)
        remember_use(events=[(stream_id, event)], actor=actor, now_us=now_us)
        if payload is not None and routes[0].is_by_nodes:
            rows.write(_KEEP, [request_id, payload, hashlib.sha256(payload.encode()).hexdigest(), rfc3339(now_us)])
    manifests = manifests_of(route.terms_hash for route in routes)
    return Work(
        request_id=request_id,
        envelope_hash=envelope_hash,
        deadline_us=deadline_us,
        body=None if kept is None else kept[0],
        legs=tuple(route.leg for route in routes if route.leg is not None),
        is_partial_allowed=all(manifest.document["limits"]["partial_fill_allowed"] for manifest in manifests.values()),
    )


def legs_of(request: Request, routes: Sequence[Route]) -> tuple[Leg, ...] | None:
    """One leg for each of these executing routes, in order; None when one of them has no active endpoint any more."""
    wanted = {str(route.pk) for route in routes}
    found = [_row(row) for row in rows.fetch_all(_LEGS, [str(request.pk), "executing"])]
    legs = [row.leg for row in found if row.route_id in wanted]
    return None if None in legs else tuple(leg for leg in legs if leg is not None)


def _row(row: Sequence[Any]) -> _Row:
    route_id, right_id, units, unit, workload, operation, supplier, region, fallbacks, loss_bps, expires_us, terms_hash, *endpoint = row
    leg = None
    if endpoint[0] is not None:
        leg = Leg(
            route_id=route_id,
            right_id=right_id,
            endpoint=Target(*endpoint),
            units=units,
            unit=unit,
            workload=workload,
            operation=operation,
            supplier=supplier,
            region=region,
            fallbacks=tuple(fallbacks),
            quality_loss_bps=loss_bps,
        )
    return _Row(leg, route_id, right_id, expires_us, terms_hash)


def _deadline_us(latest_us: int, effective: dict[str, Any], routes: Sequence[_Row]) -> int:
    """The soonest moment after which one of the rights, or the request, no longer counts it."""
    policies = [effective[public("rgt", route.right_id)]["policy"] for route in routes]
    return min(latest_us, *(int(policy["latest_us"]) for policy in policies if "latest_us" in policy))
