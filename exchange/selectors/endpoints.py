"""Endpoints with what was measured of them, for their owner and the venue's staff."""

import msgspec

from exchange.selectors import named
from exchange.selectors.named import moment


class EndpointRow(msgspec.Struct, frozen=True):
    """One endpoint of a supplier; the secret stays in its table."""

    id: int
    uuid: str
    supplier_uuid: str
    capability_uuid: str
    adapter: str
    base_url: str
    model: str
    with_secret: bool
    timeout_ms: int
    max_attempts: int
    inside: bool
    status: str
    created_us: int
    failures_in_a_row: int
    opened_until_us: int | None
    latency_us: int | None


_ENDPOINTS = f"""
SELECT e.id, e.uuid::text, s.uuid::text, c.uuid::text, e.adapter, e.base_url, e.model, e.secret <> '', e.timeout_ms, e.max_attempts, e.inside,
       e.status, {moment("e.created_at")}, coalesce(h.failures_in_a_row, 0), {moment("h.opened_until")}, h.latency_us
FROM settlement_endpoint e JOIN rights_capability c ON c.id = e.capability_id JOIN rights_supplier s ON s.id = c.supplier_id
LEFT JOIN settlement_endpointhealth h ON h.endpoint_id = e.id
"""


def endpoint(uuid: str) -> EndpointRow | None:
    found = named.fetch_one(_ENDPOINTS + "WHERE e.uuid = %(uuid)s", {"uuid": uuid})
    return EndpointRow(*found) if found else None


def endpoints(*, supplier_id: int, limit: int, before: int | None) -> list[EndpointRow]:
    """A supplier's, newest first, at most `limit` + 1."""
    where = "WHERE s.id = %(supplier)s AND (%(before)s::bigint IS NULL OR e.id < %(before)s) ORDER BY e.id DESC LIMIT %(limit)s"
    values = {"supplier": supplier_id, "before": before, "limit": limit + 1}
    return [EndpointRow(*row) for row in named.fetch_all(_ENDPOINTS + where, values)]
