"""Rows of supply in the shapes of the wire."""

from typing import Any

from exchange.domain.amounts import decimal_text
from exchange.selectors.supply import AssuranceRow, CapabilityRow, CapacityRow, OfferedRow, SupplierRow
from exchange.services.identity import Principal
from rights.kernel.clock import rfc3339


def _maybe(moment_us: int | None) -> str | None:
    return None if moment_us is None else rfc3339(moment_us)


def supplier(row: SupplierRow, principal: Principal) -> dict[str, Any]:
    """Public facts; `mine`: the caller's participant owns it."""
    return {
        "id": f"sup_{row.uuid}",
        "slug": row.slug,
        "name": row.name,
        "region": row.region,
        "trust_bps": row.trust_bps,
        "status": row.status,
        "public_key": row.public_key or None,
        "mine": row.participant_id == principal.participant_id,
        "created_at": rfc3339(row.created_us),
    }


def capability(row: CapabilityRow) -> dict[str, Any]:
    """The seven axes, the price, what was measured."""
    return {
        "id": f"cap_{row.uuid}",
        "supplier_id": f"sup_{row.supplier_uuid}",
        "supplier": row.supplier,
        "workload": row.workload,
        "quality_band": row.quality_band,
        "latency_band": row.latency_band,
        "privacy_mode": row.privacy_mode,
        "environment": row.environment,
        "availability": row.availability,
        "constraints": row.constraints,
        "unit": row.unit,
        "tariff": {"amount": decimal_text(row.tariff_minor, row.scale), "units": str(row.tariff_units), "currency": row.currency},
        "reliability_bps": row.reliability_bps,
        "status": "live" if row.retired_us is None else "retired",
        "created_at": rfc3339(row.created_us),
        "retired_at": _maybe(row.retired_us),
    }


def capacity(row: CapacityRow, capability_uuid: str, may_see: frozenset[str] | None) -> dict[str, Any]:
    """`may_see`: the issuers the caller acts for, who see themselves only; None sees all."""
    return {
        "capability_id": f"cap_{capability_uuid}",
        "window": {"start": rfc3339(row.start_us), "end": rfc3339(row.end_us)},
        "units": str(row.units),
        "pledged_units": str(row.pledged_units),
        "free_units": str(row.units - row.pledged_units),
        "issuers": [slug for slug in row.issuers if may_see is None or slug in may_see],
        "revision": row.revision,
        "posted_at": rfc3339(row.posted_us),
    }


def offered(row: OfferedRow) -> dict[str, Any]:
    """Capacity an issuer of the caller's may pledge; `own`: of a supplier of the caller's."""
    return {
        "capability_id": f"cap_{row.capability}",
        "supplier_id": f"sup_{row.supplier_uuid}",
        "supplier": row.supplier,
        "region": row.region,
        "workload": row.workload,
        "quality_band": row.quality_band,
        "latency_band": row.latency_band,
        "privacy_mode": row.privacy_mode,
        "environment": row.environment,
        "availability": row.availability,
        "constraints": row.constraints,
        "unit": row.unit,
        "reliability_bps": row.reliability_bps,
        "window": {"start": rfc3339(row.start_us), "end": rfc3339(row.end_us)},
        "units": str(row.units),
        "free_units": str(row.units - row.pledged_units),
        "own": row.own,
    }


def assurance(row: AssuranceRow) -> dict[str, Any]:
    """What backs rights, without what only one at a time can afford to count."""
    return {
        "id": f"ast_{row.uuid}",
        "issuer_id": row.issuer,
        "mode": row.mode,
        "reference": row.reference,
        "class": row.class_key,
        "window": {"start": rfc3339(row.start_us), "end": rfc3339(row.end_us)},
        "unit": row.unit,
        "gross_units": str(row.gross_units),
        "haircut_bps": row.haircut_bps,
        "usable_units": str(row.usable_units),
        "overbook_bps": row.overbook_bps,
        "justification": row.justification,
        "issuable_units": str(row.issuable_units),
        "issued_units": str(row.issued_units),
        "headroom_units": str(row.headroom_units),
        "status": row.status,
        "degradation_plan": row.degradation_plan,
        "degraded_at": _maybe(row.degraded_us),
        "plan_done": {"rights_frozen": row.frozen, "books_halted": row.halted},
        "refreshed_at": rfc3339(row.refreshed_us),
        "refresh_due_at": rfc3339(row.refreshed_us + row.stale_after_s * 1_000_000),
        "revision": row.revision,
        "sources": [
            {
                "capability_id": f"cap_{one.capability}",
                "window": {"start": one.window_start, "end": one.window_end},
                "units": str(one.units),
            }
            for one in row.sources
        ],
    }
