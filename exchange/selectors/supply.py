"""Suppliers, what they can do and have posted, and the assurances that rest on it: public facts, page by page."""

from typing import Any

import msgspec

from exchange.selectors import named
from exchange.selectors.named import moment
from rights.domain.supply_events import SourceFacts
from rights.domain.units import issuable_units, usable_units
from rights.kernel.clock import rfc3339
from rights.selectors.supply import sources_of

EARLIEST = "-infinity"


class SupplierRow(msgspec.Struct, frozen=True):
    """One supplier; `participant_id` owns it."""

    id: int
    uuid: str
    slug: str
    name: str
    region: str
    trust_bps: int
    status: str
    public_key: str
    participant_id: int
    created_us: int


_SUPPLIERS = f"""
SELECT s.id, s.uuid::text, s.slug, s.name, s.region, s.trust_bps, s.status, s.public_key, s.participant_id, {moment("s.created_at")}
FROM rights_supplier s
"""


def supplier(uuid: str) -> SupplierRow | None:
    found = named.fetch_one(_SUPPLIERS + "WHERE s.uuid = %(uuid)s", {"uuid": uuid})
    return SupplierRow(*found) if found else None


def suppliers(*, limit: int, before: int | None, status: str | None, owner: int | None) -> list[SupplierRow]:
    """Newest first, at most `limit` + 1."""
    where = """
    WHERE (%(before)s::bigint IS NULL OR s.id < %(before)s) AND (%(status)s::text IS NULL OR s.status = %(status)s)
      AND (%(owner)s::bigint IS NULL OR s.participant_id = %(owner)s) ORDER BY s.id DESC LIMIT %(limit)s
    """
    values = {"before": before, "status": status, "owner": owner, "limit": limit + 1}
    return [SupplierRow(*row) for row in named.fetch_all(_SUPPLIERS + where, values)]


class CapabilityRow(msgspec.Struct, frozen=True):
    """One capability of a supplier; the tariff in minor units of a currency of `scale` decimals."""

    id: int
    uuid: str
    supplier_uuid: str
    supplier: str
    workload: str
    quality_band: str
    latency_band: str
    privacy_mode: str
    environment: str
    availability: str
    constraints: list[str]
    unit: str
    tariff_minor: int
    tariff_units: int
    currency: str
    scale: int
    reliability_bps: int | None
    created_us: int
    retired_us: int | None


_CAPABILITIES = f"""
SELECT c.id, c.uuid::text, s.uuid::text, s.slug, c.workload, c.quality_band, c.latency_band, c.privacy_mode, c.environment, c.availability,
       c.constraints, c.unit, c.tariff_minor, c.tariff_units, c.currency, coalesce(a.scale, 0), c.reliability_bps, {moment("c.created_at")},
       {moment("c.retired_at")}
FROM rights_capability c JOIN rights_supplier s ON s.id = c.supplier_id LEFT JOIN settlement_asset a ON a.code = c.currency AND a.kind = 'cash'
"""


def capability(uuid: str) -> CapabilityRow | None:
    found = named.fetch_one(_CAPABILITIES + "WHERE c.uuid = %(uuid)s", {"uuid": uuid})
    return CapabilityRow(*found) if found else None


def capabilities(*, supplier_id: int, limit: int, before: int | None, retired: bool | None) -> list[CapabilityRow]:
    """A supplier's, newest first, at most `limit` + 1; `retired` None: both."""
    where = """
    WHERE c.supplier_id = %(supplier)s AND (%(before)s::bigint IS NULL OR c.id < %(before)s)
      AND (%(retired)s::boolean IS NULL OR (c.retired_at IS NOT NULL) = %(retired)s) ORDER BY c.id DESC LIMIT %(limit)s
    """
    values = {"supplier": supplier_id, "before": before, "retired": retired, "limit": limit + 1}
    return [CapabilityRow(*row) for row in named.fetch_all(_CAPABILITIES + where, values)]


class CapacityRow(msgspec.Struct, frozen=True):
    """What a capability has posted for one window."""

    id: int
    start_us: int
    end_us: int
    units: int
    pledged_units: int
    issuers: list[str]
    revision: int
    posted_us: int


_CAPACITY = f"""
SELECT p.id, {moment("p.window_start")}, {moment("p.window_end")}, p.units, p.pledged_units, p.issuers, p.revision, {moment("p.posted_at")}
FROM rights_postedcapacity p WHERE p.capability_id = %(capability)s
"""


def capacity(*, capability_id: int, limit: int, after: tuple[int, int] | None, from_us: int | None, to_us: int | None) -> list[CapacityRow]:
    """By window, at most `limit` + 1; windows that overlap [from, to). `after` is (start, id) of the last one seen."""
    where = """
      AND (p.window_start, p.id) > (%(start)s::timestamptz, %(id)s) AND (%(from)s::timestamptz IS NULL OR p.window_end > %(from)s)
      AND (%(to)s::timestamptz IS NULL OR p.window_start < %(to)s) ORDER BY p.window_start, p.id LIMIT %(limit)s
    """
    values = {
        "capability": capability_id,
        "start": rfc3339(after[0]) if after else EARLIEST,
        "id": after[1] if after else 0,
        "from": None if from_us is None else rfc3339(from_us),
        "to": None if to_us is None else rfc3339(to_us),
        "limit": limit + 1,
    }
    return [CapacityRow(*row) for row in named.fetch_all(_CAPACITY + where, values)]


def one_capacity(*, capability_id: int, start_us: int, end_us: int) -> CapacityRow | None:
    values = {"capability": capability_id, "start": rfc3339(start_us), "end": rfc3339(end_us)}
    found = named.fetch_one(_CAPACITY + " AND p.window_start = %(start)s AND p.window_end = %(end)s", values)
    return CapacityRow(*found) if found else None


class OfferedRow(msgspec.Struct, frozen=True):
    """Posted capacity that an issuer may pledge, with what it is made of."""

    id: int
    capability: str
    supplier_uuid: str
    supplier: str
    region: str
    workload: str
    quality_band: str
    latency_band: str
    privacy_mode: str
    environment: str
    availability: str
    constraints: list[str]
    unit: str
    reliability_bps: int | None
    start_us: int
    end_us: int
    units: int
    pledged_units: int
    own: bool


_OFFERED = f"""
SELECT p.id, c.uuid::text, s.uuid::text, s.slug, s.region, c.workload, c.quality_band, c.latency_band, c.privacy_mode, c.environment,
       c.availability, c.constraints, c.unit, c.reliability_bps, {moment("p.window_start")}, {moment("p.window_end")}, p.units,
       p.pledged_units, s.participant_id = %(owner)s
FROM rights_postedcapacity p JOIN rights_capability c ON c.id = p.capability_id JOIN rights_supplier s ON s.id = c.supplier_id
WHERE c.retired_at IS NULL AND s.status = 'active' AND p.pledged_units < p.units AND p.window_end > %(from)s::timestamptz
  AND (%(to)s::timestamptz IS NULL OR p.window_start < %(to)s) AND (p.window_start, p.id) > (%(start)s::timestamptz, %(id)s)
  AND (s.participant_id = %(owner)s OR p.issuers::text[] && ARRAY(SELECT i.slug::text FROM rights_issuer i WHERE i.participant_id = %(owner)s))
ORDER BY p.window_start, p.id LIMIT %(limit)s
"""


def offered(*, owner: int, limit: int, after: tuple[int, int] | None, from_us: int, to_us: int | None) -> list[OfferedRow]:
    """What the issuers of participant `owner` may pledge and nobody has pledged yet, by window; at most `limit` + 1.

    Windows that overlap [from, to). `after` is (start, id) of the last one seen.
    """
    values = {
        "owner": owner,
        "start": rfc3339(after[0]) if after else EARLIEST,
        "id": after[1] if after else 0,
        "from": rfc3339(from_us),
        "to": None if to_us is None else rfc3339(to_us),
        "limit": limit + 1,
    }
    return [OfferedRow(*row) for row in named.fetch_all(_OFFERED, values)]


class AssuranceRow(msgspec.Struct, frozen=True):
    """An assurance as it stands now: `status` is stale as soon as its time has come. `halted` are symbols, `frozen` counts rights."""

    sources: tuple[SourceFacts, ...]
    id: int
    uuid: str
    issuer: str
    participant_id: int
    mode: str
    reference: str
    class_key: str
    start_us: int
    end_us: int
    unit: str
    gross_units: int
    haircut_bps: int
    overbook_bps: int
    justification: str | None
    degradation_plan: str
    issued_units: int
    status: str
    refreshed_us: int
    stale_after_s: int
    degraded_us: int | None
    revision: int
    frozen: int
    halted: list[str]

    @property
    def usable_units(self) -> int:
        return usable_units(self.gross_units, self.haircut_bps)

    @property
    def issuable_units(self) -> int:
        return issuable_units(self.gross_units, self.haircut_bps, self.overbook_bps)

    @property
    def headroom_units(self) -> int:
        """What may still be issued once it is sound."""
        return max(0, self.issuable_units - self.issued_units)


STATUS_NOW = (
    """CASE WHEN a.status = 'sound' AND a.refreshed_at + make_interval(secs => a.stale_after_s) < %(now)s THEN 'stale' ELSE a.status END"""
)
_ASSURANCES = f"""
SELECT a.id, a.uuid::text, i.slug, i.participant_id, a.mode, a.reference, c.key, {moment("a.window_start")}, {moment("a.window_end")}, a.unit,
       a.gross_units, a.haircut_bps, a.overbook_bps, a.overbook_policy ->> 'justification', a.degradation_plan, a.issued_units,
       {STATUS_NOW}, {moment("a.refreshed_at")}, a.stale_after_s, {moment("a.degraded_at")}, a.revision, acts.frozen, acts.halted
FROM rights_assurance a JOIN rights_issuer i ON i.id = a.issuer_id JOIN rights_computeclass c ON c.id = a.compute_class_id
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE x.act = 'freeze') AS frozen,
           coalesce(array_agg(x.object_id::text ORDER BY x.object_id) FILTER (WHERE x.act = 'halt'), '{{}}'::text[]) AS halted
    FROM rights_planact x WHERE x.assurance_id = a.id AND x.lifted_at IS NULL
) acts
"""


def assurance(uuid: str, *, now_us: int) -> AssuranceRow | None:
    found = named.fetch_all(_ASSURANCES + "WHERE a.uuid = %(uuid)s", {"uuid": uuid, "now": rfc3339(now_us)})
    return next(iter(_with_sources(found)), None)


def assurances(
    *,
    now_us: int,
    limit: int,
    before: int | None = None,
    issuer: str | None = None,
    class_key: str | None = None,
    status: str | None = None,
) -> list[AssuranceRow]:
    """Newest first, at most `limit` + 1."""
    where = f"""
    WHERE (%(before)s::bigint IS NULL OR a.id < %(before)s) AND (%(issuer)s::text IS NULL OR i.slug = %(issuer)s)
      AND (%(class)s::text IS NULL OR c.key = %(class)s) AND (%(status)s::text IS NULL OR {STATUS_NOW} = %(status)s)
    ORDER BY a.id DESC LIMIT %(limit)s
    """
    values = {
        "now": rfc3339(now_us),
        "before": before,
        "issuer": issuer,
        "class": class_key,
        "status": status,
        "limit": limit + 1,
    }
    return _with_sources(named.fetch_all(_ASSURANCES + where, values))


def _with_sources(found: list[tuple[Any, ...]]) -> list[AssuranceRow]:
    behind = sources_of(row[0] for row in found)
    return [AssuranceRow(tuple(behind.get(row[0], ())), *row) for row in found]
