"""The payloads of suppliers', capabilities' and assurances' events (docs/events.md). Units as strings, ids public; no payload repeats `at`.

`sources` says what stands behind an assurance: one entry per capability and window, in their order.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

Payload = dict[str, object]

REGISTERED: Final = "supplier.registered"
CHANGED: Final = "supplier.changed"
SUSPENDED: Final = "supplier.suspended"
POSTED: Final = "capability.posted"
MEASURED: Final = "capability.measured"
RETIRED: Final = "capability.retired"
CAPACITY_POSTED: Final = "capacity.posted"
ASSURED: Final = "assurance.posted"
REFRESHED: Final = "assurance.refreshed"
DRIFTED: Final = "assurance.drifted"
DEGRADED: Final = "assurance.degraded"
PLAN_FOLLOWED: Final = "assurance.plan_followed"
PLAN_LIFTED: Final = "assurance.plan_lifted"


class SourceFacts(msgspec.Struct, frozen=True, order=True):
    """Units of one posted capacity; `capability` a UUID text, the window RFC 3339."""

    capability: str
    window_start: str
    window_end: str
    units: int


def registered(*, slug: str, name: str, participant: str, region: str, trust_bps: int, public_key: str) -> Payload:
    """A new supplier, active. `participant` is its owner's slug."""
    return {
        "name": name,
        "participant": participant,
        "public_key": public_key,
        "region": region,
        "slug": slug,
        "trust_bps": trust_bps,
    }


def changed(*, name: str, region: str, trust_bps: int, public_key: str, status: str, reason: str | None) -> Payload:
    """Everything of a supplier that may change, as it is now."""
    return {"name": name, "public_key": public_key, "reason": reason, "region": region, "status": status, "trust_bps": trust_bps}


def suspended(*, reason: str) -> Payload:
    """It posts nothing more; what it had posted for windows to come is withdrawn by `capacity.posted` events that follow."""
    return {"reason": reason}


def capability_posted(
    *, supplier: str, axes: Mapping[str, Any], constraints: Iterable[str], unit: str, tariff: Mapping[str, Any]
) -> Payload:
    """One thing a supplier can do; `axes` are the five scalar ones, `tariff` its price: `currency`, `minor`, `units`."""
    return {**axes, "constraints": sorted(constraints), "supplier": f"sup_{supplier}", "tariff": dict(tariff), "unit": unit}


def measured(*, reliability_bps: int, reason: str) -> Payload:
    """How reliable the capability has been found."""
    return {"reason": reason, "reliability_bps": reliability_bps}


def retired() -> Payload:
    """For good."""
    return {}


def capacity_posted(*, window_start: str, window_end: str, units: int, issuers: Iterable[str], revision: int, reason: str) -> Payload:
    """What the capability can deliver in the window from now on. `reason`: posted, capability_retired or supplier_suspended."""
    return {
        "issuers": sorted(issuers),
        "reason": reason,
        "revision": revision,
        "units": str(units),
        "window": {"end": window_end, "start": window_start},
    }


def sources(found: Iterable[SourceFacts]) -> list[dict[str, object]]:
    """What stands behind an assurance."""
    return [
        {"capability": f"cap_{one.capability}", "units": str(one.units), "window": {"end": one.window_end, "start": one.window_start}}
        for one in sorted(found)
    ]


def assured(
    *,
    class_key: str,
    class_fingerprint: str,
    issuer: str,
    mode: str,
    reference: str,
    unit: str,
    window_start: str,
    window_end: str,
    gross_units: int,
    haircut_bps: int,
    overbook_bps: int,
    overbook_policy: Mapping[str, Any] | None,
    degradation_plan: str,
    stale_after_s: int,
    behind: Iterable[SourceFacts],
    note: str | None,
) -> Payload:
    """Proven capacity, sound, revision 1. `issuer` is a slug; `note`: what whoever answers for it looked at."""
    return {
        "class": {"fingerprint": class_fingerprint, "key": class_key},
        "degradation_plan": degradation_plan,
        "gross_units": str(gross_units),
        "haircut_bps": haircut_bps,
        "issuer": issuer,
        "mode": mode,
        "note": note,
        "overbook_bps": overbook_bps,
        "overbook_policy": overbook_policy,
        "reference": reference,
        "sources": sources(behind),
        "stale_after_s": stale_after_s,
        "unit": unit,
        "window": {"end": window_end, "start": window_start},
    }


def refreshed(
    *, note: str | None, gross_units: int, haircut_bps: int, status: str, revision: int, behind: Iterable[SourceFacts]
) -> Payload:
    """The numbers after somebody has looked again; `note` says at what."""
    return {**_numbers(gross_units, haircut_bps, status, revision, behind), "note": note}


def drifted(*, cause: str, gross_units: int, haircut_bps: int, status: str, revision: int, behind: Iterable[SourceFacts]) -> Payload:
    """The numbers after what stands behind it has fallen; `cause` is the public id of the capability where it fell."""
    return {**_numbers(gross_units, haircut_bps, status, revision, behind), "cause": cause}


def _numbers(gross_units: int, haircut_bps: int, status: str, revision: int, behind: Iterable[SourceFacts]) -> Payload:
    return {
        "gross_units": str(gross_units),
        "haircut_bps": haircut_bps,
        "revision": revision,
        "sources": sources(behind),
        "status": status,
    }


def degraded(*, reason: str, status: str, degradation_plan: str, issued_units: int, issuable_units: int) -> Payload:
    """No longer sound: `reason` is `drift` (status degraded) or `stale` (status stale). Issuing pauses, the plan follows a drift."""
    return {
        "degradation_plan": degradation_plan,
        "issuable_units": str(issuable_units),
        "issued_units": str(issued_units),
        "reason": reason,
        "status": status,
    }


def plan_acts(*, degradation_plan: str, act: str, objects: Iterable[str]) -> Payload:
    """What the plan did (`plan_followed`), or what no longer holds because the assurance is sound (`plan_lifted`)."""
    return {"act": act, "degradation_plan": degradation_plan, "objects": sorted(objects)}
