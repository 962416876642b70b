"""Packages (SPEC §6): compositions of rights. Their own policy may only tighten; nothing in them sums to more than is held. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from rights.domain.issuance import Refusal
from rights.domain.manifest import SCHEMA
from rights.domain.manifest_faults import Fault, schema_faults
from rights.domain.manifest_rules import policy_rule_faults
from rights.domain.transfer_policy import TransferPolicy, policy_document, read_policy, strictest

TYPES = ("bundle", "slice", "tranche", "delegation", "strategy")
TIERS = ("", "baseline", "overflow")
MOST_PARTS = 100


class PartFacts(msgspec.Struct, frozen=True):
    """`units` of a right (UUID text); `tier` in a tranche, `branch` in a strategy."""

    right_id: str
    units: int
    tier: str = ""
    branch: str = ""


def policy_faults(document: object) -> list[Fault]:
    """What the manifest's schema has against a package's policy; any subset of a transfer policy's fields is fine."""
    faults = schema_faults({"$defs": SCHEMA.get("$defs", {}), **SCHEMA["properties"]["transfer_policy"]}, document)
    return faults or policy_rule_faults(document if isinstance(document, dict) else {})


def effective_policy(own: Mapping[str, Any], components: Iterable[Mapping[str, Any] | TransferPolicy]) -> TransferPolicy:
    """What a move of the package has to satisfy: its own policy and every component's."""
    return strictest([read_policy(own), *components])


def loosened_fields(own: Mapping[str, Any], components: Iterable[Mapping[str, Any] | TransferPolicy]) -> list[str]:
    """The fields a package's policy states looser than its components have them."""
    stated = policy_document(read_policy(own))
    together = policy_document(effective_policy(own, components))
    return sorted(field for field in own if stated[field] != together[field])


def part_refusals(kind: str, parts: Sequence[PartFacts]) -> list[Refusal]:
    """Everything wrong with a composition, each with the field it is about."""
    refusals: list[Refusal] = []
    if not 0 < len(parts) <= MOST_PARTS:
        refusals.append(Refusal("package_parts", f"a package has 1 to {MOST_PARTS} parts", "parts"))
    if kind == "slice" and len(parts) != 1:
        refusals.append(Refusal("package_parts", "a slice is a part of one right", "parts"))
    if len({part.right_id for part in parts}) < len(parts):
        refusals.append(Refusal("package_parts", "a right stands in a package once", "parts"))
    for position, part in enumerate(parts):
        where = f"parts.{position}"
        if kind == "tranche" and part.tier not in TIERS[1:]:
            refusals.append(Refusal("package_tier", "a tranche's part is baseline or overflow", f"{where}.tier"))
        if kind != "tranche" and part.tier:
            refusals.append(Refusal("package_tier", f"only a tranche has tiers, not a {kind}", f"{where}.tier"))
        if (kind == "strategy") != bool(part.branch):
            words = "a strategy's part names its branch" if kind == "strategy" else f"only a strategy has branches, not a {kind}"
            refusals.append(Refusal("package_branch", words, f"{where}.branch"))
    if kind == "tranche" and parts and parts[0].tier == "overflow":
        refusals.append(Refusal("package_tier", "the baseline comes before the overflow", "parts.0.tier"))
    return refusals


def parts_in_order(kind: str, parts: Sequence[PartFacts], branch: str = "") -> list[PartFacts]:
    """The parts a use may draw on, the first first: a tranche's baseline before its overflow, of a strategy one branch, else as composed."""
    if kind == "strategy":
        return [part for part in parts if part.branch == branch]
    return sorted(parts, key=lambda part: TIERS.index(part.tier)) if kind == "tranche" else list(parts)


def branch_for(*, parts: Sequence[PartFacts], rules: Mapping[str, Any], workload: str) -> str | None:
    """The branch a strategy picks for work of this class where nobody names one: the first whose rule lets it.

    A branch's rule is `rules[branch]`, an object; its `workload_classes` say what the branch is for, and without them it is for any.
    """
    for branch in dict.fromkeys(part.branch for part in parts):
        rule = rules.get(branch)
        classes = rule.get("workload_classes") if isinstance(rule, dict) else None
        if not isinstance(classes, list) or workload in classes:
            return branch
    return None
