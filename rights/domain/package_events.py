"""Payloads of packages and delegations (docs/events.md). Bare UUIDs come in, public ids go out; units are texts."""

from collections.abc import Sequence
from typing import Any, Final

from rights.domain.package import PartFacts

Payload = dict[str, object]

CREATED: Final = "package.created"
AMENDED: Final = "package.amended"
SPLIT: Final = "package.split"
TRANSFERRED: Final = "package.transferred"
FINALIZED: Final = "package.finalized"
DELEGATED: Final = "delegation.created"
USED: Final = "delegation.used"
REVOKED: Final = "delegation.revoked"
EXPIRED: Final = "delegation.expired"


def _parts(parts: Sequence[PartFacts]) -> list[dict[str, str]]:
    return [{"branch": p.branch, "right": f"rgt_{p.right_id}", "tier": p.tier, "units": str(p.units)} for p in parts]


def composed(
    *,
    package_type: str,
    holder: str,
    label: str,
    policy: dict[str, Any],
    rules: dict[str, Any],
    parts: Sequence[PartFacts],
    parent: str | None,
) -> Payload:
    """A package as it stands from now on: created, amended, or what is left after a split."""
    return {
        "holder": f"acc_{holder}",
        "label": label,
        "parent": parent and f"pkg_{parent}",
        "parts": _parts(parts),
        "policy": policy,
        "rules": rules,
        "type": package_type,
    }


def transferred(*, giver: str, taker: str, entry: str, parts: Sequence[PartFacts]) -> Payload:
    """The whole package changed hands; `parts` name the rights as the taker received them."""
    return {"entry_id": entry, "from": f"acc_{giver}", "parts": _parts(parts), "to": f"acc_{taker}"}


def finalized(*, reason: str) -> Payload:
    """Taken apart: what it locked is free again in its holder's hands."""
    return {"reason": reason}


def delegated(
    *,
    right: str | None,
    package: str | None,
    delegator: str,
    delegate: str,
    parent: str | None,
    max_units: int,
    workload_classes: Sequence[str],
    valid_from: str,
    valid_until: str,
    fallback_allowed: bool,
    subdelegation_allowed: bool,
) -> Payload:
    """Bounded use was granted; an empty list of workload classes means any."""
    return {
        "delegate": f"acc_{delegate}",
        "delegator": f"acc_{delegator}",
        "fallback_allowed": fallback_allowed,
        "max_units": str(max_units),
        "package": package and f"pkg_{package}",
        "parent": parent and f"dlg_{parent}",
        "right": right and f"rgt_{right}",
        "subdelegation_allowed": subdelegation_allowed,
        "valid_from": valid_from,
        "valid_until": valid_until,
        "workload_classes": list(workload_classes),
    }


def used(*, right: str, units: int, ref: str, taken_from: str | None = None) -> Payload:
    """`units` of the right were used under the delegation; after its end, out of what had gone back to `taken_from`."""
    return {"ref": ref, "right": f"rgt_{right}", "taken_from": None if taken_from is None else f"dlg_{taken_from}", "units": str(units)}


def delegation_ended(*, reason: str, returned_units: int) -> Payload:
    """Revoked or run out; `returned_units` go back to the delegation it was passed on from."""
    return {"reason": reason, "returned_units": str(returned_units)}
