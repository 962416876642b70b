"""Capabilities: what a supplier can do, on seven axes, with its price and what was measured of it (SPEC §7)."""

from collections.abc import Sequence

import msgspec
from django.db import transaction

from rights.domain import supply_events
from rights.domain.assurance import MODE_RULES, least_haircut_bps
from rights.domain.capability import (
    AVAILABILITIES,
    CONSTRAINT,
    ENVIRONMENTS,
    LATENCY_BANDS,
    PRIVACY_MODES,
    QUALITY_BANDS,
    UNITS,
    WORKLOADS,
)
from rights.domain.issuance import Refusal
from rights.domain.reason import stated_reason
from rights.domain.units import WHOLE_BPS
from rights.kernel import rows
from rights.kernel.clock import rfc3339, to_datetime
from rights.kernel.ids import public
from rights.models import Capability, Supplier
from rights.selectors.supply import capacity_rows
from rights.services.capacity import withdraw
from rights.services.drift import raise_haircuts
from rights.services.journal import NewEvent
from rights.services.refusals import SupplyRefusedError, supply_refused
from rights.services.registry import remember_all

MOST_MINOR = 2**62
MOST_CONSTRAINTS = 20
AXES = {
    "workload": WORKLOADS,
    "quality_band": QUALITY_BANDS,
    "latency_band": LATENCY_BANDS,
    "privacy_mode": PRIVACY_MODES,
    "environment": ENVIRONMENTS,
    "availability": AVAILABILITIES,
    "unit": UNITS,
}
# Sources of windows to come that rest on the capability, and everything else behind the same assurances.
_LEANING = """
SELECT a.id, a.mode, s.capacity_id FROM rights_assurance a JOIN rights_assurancesource s ON s.assurance_id = a.id
WHERE a.window_end > %s AND a.id IN (
    SELECT x.assurance_id FROM rights_assurancesource x JOIN rights_postedcapacity p ON p.id = x.capacity_id WHERE p.capability_id = %s)
ORDER BY a.id
"""
_LOCK_CAPACITY = "SELECT id FROM rights_postedcapacity WHERE capability_id = %s AND window_end > %s ORDER BY id FOR NO KEY UPDATE"


class NewCapability(msgspec.Struct, frozen=True):
    """The axes (`constraints` is the seventh), the unit it counts in, and the price: `tariff_minor` of the currency per `tariff_units`."""

    workload: str
    quality_band: str
    latency_band: str
    privacy_mode: str
    environment: str
    availability: str
    unit: str
    constraints: Sequence[str] = ()
    tariff_minor: int = 0
    tariff_units: int = 1
    currency: str = "USD"


def capability_refusals(new: NewCapability) -> list[Refusal]:
    """Everything wrong with a capability; empty when it can be posted."""
    found = [
        Refusal("capability_axis", f"{axis} is one of {', '.join(words)}", axis)
        for axis, words in AXES.items()
        if getattr(new, axis) not in words
    ]
    if len(new.constraints) > MOST_CONSTRAINTS:
        found.append(Refusal("capability_axis", f"at most {MOST_CONSTRAINTS} policy constraints", "constraints"))
    found += [
        Refusal("capability_axis", "a policy constraint is words of a-z 0-9 joined by hyphens", f"constraints.{place}")
        for place, text in enumerate(new.constraints)
        if not CONSTRAINT.fullmatch(text)
    ]
    if not (0 <= new.tariff_minor <= MOST_MINOR and 0 < new.tariff_units <= MOST_MINOR):
        found.append(Refusal("capability_tariff", "a tariff is an amount of at least 0 per at least one unit", "tariff"))
    return found


@transaction.atomic
def post_capability(*, supplier: Supplier, new: NewCapability, capability_id: str, actor: str, now_us: int) -> Capability:
    """The supplier's new capability. Raises SupplyRefusedError `capability_axis`, `capability_tariff`, `supplier_suspended`."""
    refusals = capability_refusals(new)
    owner = Supplier.objects.select_for_update(no_key=True).get(pk=supplier.pk)
    if owner.status != "active":
        refusals.append(Refusal("supplier_suspended", f"supplier {owner.slug} is suspended"))
    if refusals:
        raise SupplyRefusedError(refusals)
    axes = {axis: getattr(new, axis) for axis in AXES if axis != "unit"}
    row = Capability.objects.create(
        uuid=capability_id,
        supplier=owner,
        **axes,
        constraints=sorted(set(new.constraints)),
        unit=new.unit,
        tariff_minor=new.tariff_minor,
        tariff_units=new.tariff_units,
        currency=new.currency,
        created_at=to_datetime(now_us),
    )
    payload = supply_events.capability_posted(
        supplier=str(owner.uuid),
        axes=axes,
        constraints=row.constraints,
        unit=new.unit,
        tariff={"currency": new.currency, "minor": str(new.tariff_minor), "units": str(new.tariff_units)},
    )
    _remember(row, supply_events.POSTED, payload, [], actor, now_us)
    return row


@transaction.atomic
def retire_capability(*, capability_id: str, actor: str, now_us: int) -> Capability:
    """For good: what was posted of it for windows to come is withdrawn, and what that backed drifts.

    Raises SupplyRefusedError `source_retired` when it is retired already.
    """
    row, owner = _locked(capability_id)
    if row.retired_at is not None:
        raise supply_refused("source_retired", "the capability is retired already")
    row.retired_at = to_datetime(now_us)
    row.save(update_fields=["retired_at"])
    withdrawn = withdraw(supplier=owner, reason="capability_retired", now_us=now_us, only=[row.pk])
    _remember(row, supply_events.RETIRED, supply_events.retired(), withdrawn, actor, now_us)
    return row


@transaction.atomic
def measure_capability(*, capability_id: str, reliability_bps: int, reason: str, actor: str, now_us: int) -> Capability:
    """How reliable it has been found, 0 to 10000 bps. Where assurances count by measurement, their haircuts rise to what that asks for.

    Raises SupplyRefusedError `capability_reliability`, ReasonMissing.
    """
    stated = stated_reason(reason)
    if not 0 <= reliability_bps <= WHOLE_BPS:
        raise supply_refused("capability_reliability", f"reliability is 0 to {WHOLE_BPS} bps", "reliability_bps")
    row, _ = _locked(capability_id)
    rows.fetch_all(_LOCK_CAPACITY, [row.pk, rfc3339(now_us)])
    row.reliability_bps = reliability_bps
    row.save(update_fields=["reliability_bps"])
    leaning: dict[int, tuple[str, list[int]]] = {}
    for assurance_id, mode, capacity_id in rows.fetch_all(_LEANING, [rfc3339(now_us), row.pk]):
        leaning.setdefault(assurance_id, (mode, []))[1].append(capacity_id)
    behind = capacity_rows({capacity_id for _, ids in leaning.values() for capacity_id in ids})
    least = {
        assurance_id: least_haircut_bps(mode, [behind[capacity_id].capability for capacity_id in ids])
        for assurance_id, (mode, ids) in leaning.items()
        if MODE_RULES[mode].measured
    }
    drifted = raise_haircuts(least_bps=least, cause=public("cap", capability_id), now_us=now_us)
    payload = supply_events.measured(reliability_bps=reliability_bps, reason=stated)
    _remember(row, supply_events.MEASURED, payload, drifted, actor, now_us)
    return row


def _locked(capability_id: str) -> tuple[Capability, Supplier]:
    """The capability with its supplier locked. Raises Capability.DoesNotExist."""
    row = Capability.objects.get(uuid=capability_id)
    owner = Supplier.objects.select_for_update(no_key=True).get(pk=row.supplier_id)
    row.refresh_from_db()
    return row, owner


def _remember(row: Capability, kind: str, payload: dict[str, object], following: Sequence[NewEvent], actor: str, now_us: int) -> None:
    event = NewEvent(kind, "capability", public("cap", str(row.uuid)), payload)
    remember_all([event, *following], actor=actor, now_us=now_us)
