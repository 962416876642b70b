"""Requests under lock with all that their settlements depend on, in one trip (SPEC §9)."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import orjson

from rights.domain.effective_policy import policy_of_document
from rights.domain.manifest import Manifest
from rights.kernel import rows
from rights.kernel.clock import rfc3339
from rights.kernel.trip import Answer, Trip
from rights.services.use_locked import manifests_of
from settlement.domain.classification import Bounds, Facts, Leg
from settlement.domain.consequences import CAPPED
from settlement.domain.receipt_body import Told

_REQUEST = """
SELECT q.id::text, q.state, q.account_id, q.holder_id, h.uuid::text, q.stream_id, q.workload, q.envelope_hash, q.effective::text,
       (extract(epoch from q.latest_at) * 1000000)::bigint, d.uuid::text,
       q.budget, q.expected_units,
       (SELECT id FROM rights_account WHERE code = 'venue:escrow'), (SELECT id FROM rights_account WHERE code = 'units:consumed')
FROM settlement_request q JOIN rights_account h ON h.id = q.holder_id LEFT JOIN rights_delegation d ON d.id = q.delegation_id
WHERE q.id = ANY(%s::uuid[]) ORDER BY q.id FOR NO KEY UPDATE OF q
"""
# A route that was locked stays what it took: quoted and refused ones never had a lock.
_ROUTES = """
SELECT t.request_id::text, t.id::text, t.right_id::text, t.units, t.currency_id, c.code, t.escrow_minor, t.payer_id, t.payee_id, 'acc_' || r.uuid, 'acc_' || e.uuid,
       t.state, u.slug, g.terms_hash, s.stream_id, (extract(epoch from t.locked_at) * 1000000)::bigint, t.package_id
FROM settlement_route t JOIN rights_right g ON g.id = t.right_id JOIN rights_series s ON s.id = g.series_id
JOIN rights_supplier u ON u.id = t.supplier_id JOIN settlement_asset c ON c.id = t.currency_id
LEFT JOIN rights_account r ON r.id = t.payer_id LEFT JOIN rights_account e ON e.id = t.payee_id
WHERE t.request_id = ANY(%s::uuid[]) AND t.locked_at IS NOT NULL AND t.state = ANY(%s) ORDER BY t.request_id, t.number
"""
PROFILE_ORDER = ("basic", "standard", "strict")
HELD = ("locked", "executing")
USED = ("completed",)


class LockedRoute(msgspec.Struct):
    """A route with its lock. Parties are account ids and public ids; `locked_us` when it was locked."""

    id: str
    right_id: str
    units: int
    currency_id: int
    currency: str
    escrow_minor: int
    payer_id: int | None
    payee_id: int | None
    payer: str | None
    payee: str | None
    state: str
    supplier: str
    terms_hash: str
    stream_id: int
    locked_us: int
    package_id: int | None

    @property
    def public_id(self) -> str:
        return f"rte_{self.id}"


class Case(msgspec.Struct):
    """The request, whose row is locked, and its routes that are under lock (or, when it was settled before, that were used).

    `escrow_id` and `consumed_id`: the venue's accounts, None as long as nothing ever went there.
    """

    id: str
    state: str
    account_id: int
    holder_id: int
    holder: str
    stream_id: int
    workload: str
    envelope_hash: str
    effective: dict[str, Any]
    latest_us: int
    delegation_id: str | None
    budget: str
    expected_units: int
    escrow_id: int | None
    consumed_id: int | None
    routes: list[LockedRoute]

    @property
    def public_id(self) -> str:
        return f"req_{self.id}"

    @property
    def package_id(self) -> int | None:
        """The package that its routes' units came out of: one request uses one."""
        return self.routes[0].package_id if self.routes else None

    @property
    def reserved_units(self) -> int:
        return sum(route.units for route in self.routes)

    @property
    def escrow_minor(self) -> int:
        return sum(route.escrow_minor for route in self.routes)

    def manifests(self) -> dict[str, Manifest]:
        """Of each route's right, by the route's id."""
        found = manifests_of(route.terms_hash for route in self.routes)
        return {route.id: found[route.terms_hash] for route in self.routes}

    @property
    def dispute_window_s(self) -> int:
        """The longest that one of its rights grants."""
        return max((m.document["settlement_policy"]["dispute_window_seconds"] for m in self.manifests().values()), default=0)


class Asked(msgspec.Struct):
    """Cases on their way; to be read after the trip."""

    requests: Answer
    routes: Answer

    def read(self) -> dict[str, Case]:
        """Those that there are, by id."""
        routes: dict[str, list[LockedRoute]] = {}
        for request_id, *found in self.routes.rows():
            routes.setdefault(request_id, []).append(LockedRoute(*found))
        return {row[0]: _case(row, routes.get(row[0], [])) for row in self.requests.rows()}

    def one(self) -> Case | None:
        """The one that was asked for; None when there is no such request."""
        return next(iter(self.read().values()), None)


def _case(row: Sequence[Any], routes: list[LockedRoute]) -> Case:
    *head, effective, latest_us, delegation, budget, units, escrow_id, consumed_id = row
    return Case(*[*head, orjson.loads(effective), latest_us, delegation, budget, units, escrow_id, consumed_id, routes])


def ask_cases(trip: Trip, *, request_ids: Iterable[str], states: Iterable[str] = HELD) -> Asked:
    """Lock the requests, in order of their ids; their routes in these states."""
    ids = rows.array(request_ids)
    return Asked(trip.ask(_REQUEST, [ids]), trip.ask(_ROUTES, [ids, list(states)]))


def bounds_of(case: Case) -> Bounds:
    """What every right of the request allows; the strictest word where they differ.

    Without a route nothing was ever promised, and only ends without work are possible.
    """
    policies = [manifest.document["settlement_policy"] for manifest in case.manifests().values()]
    words = [policy_of_document(case.effective[f"rgt_{right}"]["policy"]) for right in sorted({route.right_id for route in case.routes})]
    return Bounds(
        profile=max((policy["proof_profile"] for policy in policies), key=PROFILE_ORDER.index, default=PROFILE_ORDER[-1]),
        requirements=tuple(sorted({kind for policy in policies for kind in policy["proof_requirements"]})),
        success_states=frozenset.intersection(*(frozenset(policy["success_states"]) for policy in policies)) if policies else frozenset(),
        partial_allowed=all(m.document["limits"]["partial_fill_allowed"] for m in case.manifests().values()),
        fallbacks=frozenset.intersection(*(word.fallbacks or frozenset() for word in words)) if words else frozenset(),
        max_quality_loss_bps=min((word.max_quality_loss_bps or 0 for word in words), default=0),
        max_latency_expansion_bps=min((word.max_latency_expansion_bps or 0 for word in words), default=0),
        latest_us=min([case.latest_us, *(word.latest_us for word in words if word.latest_us is not None)]),
        reserved_units=case.reserved_units,
        is_capped=case.budget == CAPPED,
    )


def facts_of(case: Case, told: Told) -> Facts:
    """The receipt as classification reads it."""
    routes = {route.id: route for route in case.routes}
    legs = tuple(
        Leg(
            supplier=routes[leg.route_id].supplier,
            delivered_units=leg.delivered_units,
            fallbacks=tuple(sorted(leg.fallbacks)),
            quality_loss_bps=leg.quality_loss_bps,
            latency_expansion_bps=leg.latency_expansion_bps,
            locked_units=routes[leg.route_id].units,
        )
        for leg in told.legs
    )
    return Facts(status=told.status, completed_us=told.completed_us, legs=legs, cancelled_by_right=told.cancelled_by_right)


def moment(at_us: int | None) -> str | None:
    return None if at_us is None else rfc3339(at_us)
