"""Execution begins (SPEC §8): locked → executing, once. Whoever gets the work does it; everybody else gets nothing."""

import json

from django.db import transaction

from rights.kernel.clock import rfc3339, to_datetime, to_us
from rights.models import Right
from settlement.domain import route_events
from settlement.domain.work import Leg, Target, Work
from settlement.models import Endpoint, Request, RequestPayload, Route
from settlement.services.route import about, live_routes, locked_request, remember


@transaction.atomic
def begin_execution(*, request_id: str, actor: str, now_us: int) -> Work | None:
    """The work, or None when it is not (any more) this caller's to do: begun before, ended, or its locks are over."""
    request = locked_request(request_id)
    if request.state != "matched":
        return None
    routes = live_routes(request)
    if not routes or any(route.expires_at is not None and to_us(route.expires_at) <= now_us for route in routes):
        return None
    legs = legs_of(request, routes)
    if legs is None:
        return None  # taken away meanwhile; the lock runs out, and another choice is made
    deadline_us = _deadline_us(request, routes)
    for route in routes:
        route.state, route.expires_at = "executing", to_datetime(deadline_us)
    Route.objects.bulk_update(routes, ["state", "expires_at"])
    request.state, request.updated_at = "executing", to_datetime(now_us)
    request.save(update_fields=["state", "updated_at"])
    fact = route_events.started(routes=[str(route.pk) for route in routes], deadline_at=rfc3339(deadline_us))
    remember(request, [about(request, route_events.STARTED, fact)], actor, now_us)
    body = RequestPayload.objects.filter(request=request).values_list("body", flat=True).first()
    return Work(
        request_id=str(request.pk),
        envelope_hash=request.envelope_hash,
        deadline_us=deadline_us,
        body=body,
        legs=legs,
        is_partial_allowed=_partial_allowed(routes),
    )


def legs_of(request: Request, routes: list[Route]) -> tuple[Leg, ...] | None:
    """One leg for each route, in order; None when one of them has no active endpoint any more."""
    endpoints = _endpoints(routes)
    if len(endpoints) < len({route.capability_id for route in routes}):
        return None
    return tuple(_leg(request, route, endpoints[route.capability_id]) for route in routes)


def _endpoints(routes: list[Route]) -> dict[int, Endpoint]:
    found = Endpoint.objects.select_related("capability__supplier").filter(
        capability__in=[route.capability_id for route in routes], status="active"
    )
    return {endpoint.capability_id: endpoint for endpoint in found}


def _deadline_us(request: Request, routes: list[Route]) -> int:
    """The soonest moment after which one of the rights, or the request, no longer counts it."""
    policies = [request.effective[f"rgt_{route.right_id}"]["policy"] for route in routes]
    return min(to_us(request.latest_at), *(int(policy["latest_us"]) for policy in policies if "latest_us" in policy))


def _partial_allowed(routes: list[Route]) -> bool:
    manifests = Right.objects.filter(pk__in=[route.right_id for route in routes]).values_list("terms__manifest", flat=True)
    return all(json.loads(manifest)["limits"]["partial_fill_allowed"] for manifest in manifests)


def _leg(request: Request, route: Route, endpoint: Endpoint) -> Leg:
    supplier = endpoint.capability.supplier
    target = Target(
        endpoint_id=endpoint.pk,
        endpoint_uuid=str(endpoint.uuid),
        adapter=endpoint.adapter,
        base_url=endpoint.base_url,
        model=endpoint.model,
        secret=endpoint.secret,
        timeout_ms=endpoint.timeout_ms,
        max_attempts=endpoint.max_attempts,
        inside=endpoint.inside,
    )
    return Leg(
        route_id=str(route.pk),
        right_id=str(route.right_id),
        endpoint=target,
        units=route.units,
        unit=endpoint.capability.unit,
        workload=request.workload,
        operation=request.operation,
        supplier=supplier.slug,
        region=supplier.region,
        fallbacks=tuple(route.fallbacks),
        quality_loss_bps=route.quality_loss_bps,
    )
