"""What an amendment may change (SPEC §2): seven classes, each with the parts of a manifest it touches, and what never changes once active."""

from enum import StrEnum
from typing import Any

from rights.domain.issuance import Refusal
from rights.domain.lifecycle import RightStatus


class Amendment(StrEnum):
    METADATA = "metadata-only"
    WINDOW = "window-adjustment"
    LIMITS = "limit-adjustment"
    FALLBACK = "fallback-adjustment"
    HOLDER = "holder-reassignment"
    CORRECTION = "issuer-correction"
    FREEZE = "administrative-freeze"


# The parts of the manifest that each class may touch. Reassignment and freeze change the state, not the terms.
TOUCHES: dict[Amendment, frozenset[str]] = {
    Amendment.METADATA: frozenset({"metadata"}),
    Amendment.WINDOW: frozenset({"window"}),
    Amendment.LIMITS: frozenset({"limits"}),
    Amendment.FALLBACK: frozenset({"fallback_policy"}),
    Amendment.HOLDER: frozenset(),
    Amendment.CORRECTION: frozenset(
        {"issuer", "assurance", "routing_hints", "settlement_policy", "transfer_policy", "service", "resource"}
    ),
    Amendment.FREEZE: frozenset(),
}
# What needs a replacement once the right is active, linked both ways.
NEVER_ONCE_ACTIVE = (
    "resource.type",
    "resource.unit",
    "resource.amount",
    "resource.model_class",
    "service.privacy_class",
    "settlement_policy.proof_profile",
    "settlement_policy.proof_requirements",
    "issuer.id",
    "issuer.issuer_type",
)


def at(document: dict[str, Any], path: str) -> Any:
    """The value at a dotted path of a complete manifest."""
    value: Any = document
    for name in path.split("."):
        value = value[name]
    return value


def amendment_refusals(*, amendment: Amendment, status: RightStatus, former: dict[str, Any], latter: dict[str, Any]) -> list[Refusal]:
    """Every reason against going from one manifest to the other; both complete."""
    refusals = [
        Refusal("amendment_out_of_class", f"{part} is not changed by {amendment}", part)
        for part in sorted(former)
        if part not in TOUCHES[amendment] and former[part] != latter[part]
    ]
    if former == latter:
        refusals.append(Refusal("nothing_to_amend", "the amendment changes nothing"))
    if at(former, "resource.amount") != at(latter, "resource.amount"):
        refusals.append(Refusal("amendment_amount", "units are issued, split or burned, never amended", "resource.amount"))
    if status is RightStatus.ACTIVE:
        refusals += [
            Refusal("replacement_needed", f"{path} never changes once the right is active: replace the right", path)
            for path in NEVER_ONCE_ACTIVE
            if at(former, path) != at(latter, path)
        ]
    elif status is not RightStatus.ISSUED:
        refusals.append(Refusal("lifecycle_refused", f"a right that is {status} may not be amended"))
    return refusals
