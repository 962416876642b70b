"""Reads of what stands behind rights: the capacity behind assurances, and the capability behind capacity."""

from collections.abc import Iterable

import msgspec

from rights.domain.capability import CapabilityFacts
from rights.domain.supply_events import SourceFacts
from rights.kernel import rows
from rights.kernel.clock import rfc3339

# Of an assurance `a`: what may still be issued under it, as the database counts (migration 0006).
LEFT_OF = """greatest(0, floor(floor(a.gross_units::numeric * (10000 - a.haircut_bps) / 10000) * (10000 + a.overbook_bps) / 10000)
    - a.issued_units)"""
_US = "(extract(epoch from {}) * 1000000)::bigint"
_SOURCES = f"""
SELECT s.assurance_id, c.uuid::text, {_US.format("p.window_start")}, {_US.format("p.window_end")}, s.units
FROM rights_assurancesource s JOIN rights_postedcapacity p ON p.id = s.capacity_id JOIN rights_capability c ON c.id = p.capability_id
WHERE s.assurance_id = ANY(%s) ORDER BY s.assurance_id, c.uuid, p.window_start, p.window_end
"""


def sources_of(assurance_ids: Iterable[int]) -> dict[int, list[SourceFacts]]:
    """What stands behind each of these assurances; those without sources are left out."""
    found: dict[int, list[SourceFacts]] = {}
    for assurance_id, capability, start, end, units in rows.fetch_all(_SOURCES, [sorted(assurance_ids)]):
        found.setdefault(assurance_id, []).append(SourceFacts(capability, rfc3339(start), rfc3339(end), units))
    return found


class CapacityRow(msgspec.Struct, frozen=True):
    """Posted capacity with its capability and supplier; moments in microseconds. `participant_id` owns the supplier."""

    capability: CapabilityFacts
    id: int
    capability_uuid: str
    window_start_us: int
    window_end_us: int
    units: int
    pledged_units: int
    issuers: list[str]
    participant_id: int


_CAPACITY = f"""
SELECT p.id, c.uuid::text, {_US.format("p.window_start")}, {_US.format("p.window_end")}, p.units, p.pledged_units, p.issuers,
       u.participant_id, c.workload, c.quality_band, c.latency_band, c.privacy_mode, c.environment, c.availability, c.unit, c.reliability_bps,
       c.retired_at IS NOT NULL, u.slug, u.region, u.status = 'active'
FROM rights_postedcapacity p JOIN rights_capability c ON c.id = p.capability_id JOIN rights_supplier u ON u.id = c.supplier_id
WHERE p.id = ANY(%s) ORDER BY p.id
"""


def capacity_rows(capacity_ids: Iterable[int]) -> dict[int, CapacityRow]:
    """These postings by id."""
    found = rows.fetch_all(_CAPACITY, [sorted(capacity_ids)])
    return {row[0]: CapacityRow(CapabilityFacts(*row[8:]), *row[:8]) for row in found}
