"""Execution begins (SPEC §8): locked → executing, once. Whoever gets the work does it; everybody else gets nothing."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

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
from settlement.domain.work import OWN_ADAPTERS, Leg, Target, Work
from settlement.models import Request, Route
from settlement.services.node_jobs import ADAPTER as BY_NODES
from settlement.services.remember import remember_use
from settlement.services.unit_moves import Fact


class Place(NamedTuple):
    """Where a request stands among those that wait."""

    updated_us: int
    request_id: str


_REQUESTS = """
SELECT id::text, state, (extract(epoch from latest_at) * 1000000)::bigint, effective::text, envelope_hash, stream_id FROM settlement_request
WHERE id = ANY(%s::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""
# Of those that have not ended (a partial index holds just them): what is matched and whose payload is kept waits for a worker; what its
# caller executes himself has none, and what suppliers do by themselves they begin themselves.
WAITING = f"""
FROM settlement_request q JOIN settlement_requestpayload p ON p.request_id = q.id
WHERE q.state = 'matched' AND q.ended_at IS NULL AND EXISTS (
    SELECT 1 FROM settlement_route t LEFT JOIN settlement_endpoint e ON e.capability_id = t.capability_id AND e.status = 'active'
    WHERE t.request_id = q.id AND t.state = 'locked' AND (e.adapter IS NULL OR e.adapter <> ALL('{rows.array(sorted(OWN_ADAPTERS))}'::text[])))
"""
_PAGE = f"""
SELECT q.id::text, (extract(epoch from q.updated_at) * 1000000)::bigint {WAITING}
AND (q.updated_at, q.id) > (%s, %s) ORDER BY q.updated_at, q.id LIMIT %s FOR NO KEY UPDATE OF q SKIP LOCKED
"""
_LEGS = """
SELECT t.request_id::text, t.id::text, t.right_id::text, t.units, c.unit, q.workload, q.operation, s.slug, s.region, t.fallbacks, t.quality_loss_bps,
       (extract(epoch from t.expires_at) * 1000000)::bigint, r.terms_hash,
       e.id, e.uuid::text, e.adapter, e.base_url, e.model, e.secret, e.timeout_ms, e.max_attempts, e.inside
FROM settlement_route t JOIN settlement_request q ON q.id = t.request_id JOIN rights_right r ON r.id = t.right_id
JOIN rights_capability c ON c.id = t.capability_id JOIN rights_supplier s ON s.id = t.supplier_id
LEFT JOIN settlement_endpoint e ON e.capability_id = c.id AND e.status = 'active'
WHERE t.request_id = ANY(%s::uuid[]) AND t.state = %s ORDER BY t.request_id, t.number
"""
_BODIES = "SELECT request_id::text, body FROM settlement_requestpayload WHERE request_id = ANY(%s::uuid[])"
_KEEP = "INSERT INTO settlement_requestpayload (request_id, body, body_hash, created_at) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING"
_ROUTES_BEGIN = """
UPDATE settlement_route t SET state = 'executing', expires_at = w.deadline
FROM unnest(%s::uuid[], %s::timestamptz[]) AS w(id, deadline) WHERE t.id = w.id
"""
_BEGIN = "UPDATE settlement_request SET state = 'executing', updated_at = %s WHERE id = ANY(%s::uuid[])"
FIRST = Place(0, "00000000-0000-0000-0000-000000000000")


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

    @property
    def is_by_itself(self) -> bool:
        return self.leg is not None and self.leg.endpoint.adapter in OWN_ADAPTERS


class _Begun(msgspec.Struct):
    """The work of one request, its deadline, and the stream it is told of in."""

    work: Work
    routes: list[_Row]
    stream_id: int

    def is_left_to(self, adapters: Collection[str]) -> bool:
        """Whether these do all of it."""
        return all(leg.endpoint.adapter in adapters for leg in self.work.legs)


@transaction.atomic
def begin_execution(*, request_id: str, actor: str, now_us: int, payload: str | None = None, leaving: Collection[str] = ()) -> Work | None:
    """The work, or None when it is not (any more) this caller's to do: begun before, ended, or its locks are over.

    `payload`: what the caller has in hand and did not submit; it is kept from here on where nodes do it. `leaving`: adapters whose work
    is somebody else's to begin.
    """
    found = _read([request_id], leaving, now_us)
    if request_id not in found:
        raise Request.DoesNotExist(request_id)
    begun = found[request_id]
    if begun is None:
        return None
    with rows.together():
        remember_use(events=_write([begun], now_us), actor=actor, now_us=now_us)
        if payload is not None and begun.routes[0].is_by_nodes:
            rows.write(_KEEP, [request_id, payload, hashlib.sha256(payload.encode()).hexdigest(), rfc3339(now_us)])
    return begun.work


def begin_together(*, request_ids: Sequence[str], payloads: Mapping[str, str], now_us: int) -> dict[str, tuple[Work, Fact]]:
    """Begin what was submitted in the same transaction: by request its work and the fact, for whoever remembers that, behind all that it
    locks. What is not to be begun is left out; `payloads` as for `begin_execution`, by request.
    """
    begun = {request_id: one for request_id, one in _read(request_ids, (), now_us).items() if one is not None}
    if not begun:
        return {}
    with rows.together():
        facts = _write(list(begun.values()), now_us)
        at = rfc3339(now_us)
        kept = [(request_id, payloads[request_id]) for request_id, one in begun.items() if one.routes[0].is_by_nodes]
        lines = [f"{key}\t{rows.escape(body)}\t{hashlib.sha256(body.encode()).hexdigest()}\t{at}" for key, body in kept]
        rows.copy_rows("settlement_requestpayload", "request_id, body, body_hash, created_at", lines)
    return {request_id: (one.work, fact) for (request_id, one), fact in zip(begun.items(), facts, strict=True)}


def begin_with_receipt(*, request_id: str, now_us: int) -> list[Fact]:
    """Begin what its receipt is recorded of in the same transaction: the fact, for whoever remembers that, behind all that it locks.

    Empty where it is not to be begun, as for `begin_execution`. The request's row is under lock.
    """
    begun = _read([request_id], (), now_us)[request_id]
    if begun is None:
        return []
    with rows.together():
        return _write([begun], now_us)


@transaction.atomic
def begin_waiting(*, most: int, after: Place, actor: str, now_us: int) -> tuple[list[Work], Place | None]:
    """The work of at most so many requests that wait for a worker, the oldest behind `after` first; and the last that was looked at.

    None where there are no more. What somebody else has under lock is his.
    """
    waiting = rows.fetch_all(_PAGE, [rfc3339(after.updated_us), after.request_id, most])
    if not waiting:
        return [], None
    begun = [one for one in _read([request_id for request_id, _ in waiting], OWN_ADAPTERS, now_us).values() if one is not None]
    if begun:
        with rows.together():
            remember_use(events=_write(begun, now_us), actor=actor, now_us=now_us)
    last = Place(waiting[-1][1], waiting[-1][0]) if len(waiting) == most else None
    return [one.work for one in begun], last


def _read(request_ids: Sequence[str], leaving: Collection[str], now_us: int) -> dict[str, _Begun | None]:
    """The requests that are there, under lock, by id; None for those that are not to be begun."""
    trip, ids = Trip(), rows.array(request_ids)
    asked, legs, bodies = trip.ask(_REQUESTS, [ids]), trip.ask(_LEGS, [ids, "locked"]), trip.ask(_BODIES, [ids])
    trip.go()
    routes: dict[str, list[_Row]] = {}
    for request_id, *row in legs.rows():
        routes.setdefault(request_id, []).append(_row(row))
    kept = dict(bodies.rows())
    begun = {row[0]: _begun(row, routes.get(row[0], []), kept.get(row[0]), now_us) for row in asked.rows()}
    return {request_id: None if one is None or one.is_left_to(leaving) else one for request_id, one in begun.items()}


def _begun(request: Sequence[Any], routes: list[_Row], body: str | None, now_us: int) -> _Begun | None:
    request_id, state, latest_us, effective, envelope_hash, stream_id = request
    # Where an endpoint was taken away meanwhile, or became one of those that share with nobody, the lock runs out and another choice is made.
    if state != "matched" or not routes or any(route.expires_us <= now_us or route.leg is None for route in routes):
        return None
    if len(routes) > 1 and (any(route.is_by_nodes for route in routes) or len({route.is_by_itself for route in routes}) > 1):
        return None
    manifests = manifests_of(route.terms_hash for route in routes)
    work = Work(
        request_id=request_id,
        envelope_hash=envelope_hash,
        deadline_us=_deadline_us(latest_us, orjson.loads(effective), routes),
        body=body,
        legs=tuple(route.leg for route in routes if route.leg is not None),
        is_partial_allowed=all(manifest.document["limits"]["partial_fill_allowed"] for manifest in manifests.values()),
    )
    return _Begun(work, routes, stream_id)


def _write(begun: Sequence[_Begun], now_us: int) -> list[Fact]:
    """All of them are executing from now on; the facts, which come last."""
    deadlines = [(route.route_id, rfc3339(one.work.deadline_us)) for one in begun for route in one.routes]
    rows.write(_ROUTES_BEGIN, [rows.array(route for route, _ in deadlines), rows.text_array(deadline for _, deadline in deadlines)])
    rows.write(_BEGIN, [rfc3339(now_us), rows.array(one.work.request_id for one in begun)])
    return [(one.stream_id, _started(one)) for one in begun]


def _started(one: _Begun) -> NewEvent:
    fact = route_events.started(routes=[route.route_id for route in one.routes], deadline_at=rfc3339(one.work.deadline_us))
    return NewEvent(route_events.STARTED, "request", public("req", one.work.request_id), fact)


def legs_of(request: Request, routes: Sequence[Route]) -> tuple[Leg, ...] | None:
    """One leg for each of these executing routes, in order; None when one of them has no active endpoint any more."""
    wanted = {str(route.pk) for route in routes}
    found = [_row(row) for _, *row in rows.fetch_all(_LEGS, [rows.array([request.pk]), "executing"])]
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
