"""What a request came to (SPEC §9): one outcome for every set of facts, the same whenever and wherever it is asked.

Facts only narrow: what is not proven did not happen, what contradicts itself is not proven.
"""

from collections.abc import Sequence

import msgspec

from rights.domain.canonical_json import sha256_of
from settlement.domain.proofs import Proof, read_proofs, required
from settlement.domain.settlement_states import DEDUCTING, Outcome


class Bounds(msgspec.Struct, frozen=True):
    """The effective policy of the request, as far as outcomes depend on it (SPEC §8)."""

    profile: str
    requirements: tuple[str, ...]
    success_states: frozenset[str]
    partial_allowed: bool
    fallbacks: frozenset[str]  # degradations that every policy allows
    max_quality_loss_bps: int
    max_latency_expansion_bps: int
    latest_us: int  # the window's end, or the request's own deadline when that is sooner
    reserved_units: int  # what the route lock took
    is_capped: bool = False  # by its budget: what goes beyond the lock is not charged, and breaks no bound


class Leg(msgspec.Struct, frozen=True, order=True):
    """One supplier's part of the work, as its adapter reported it; `locked_units` what its route had locked, where that is known."""

    supplier: str
    delivered_units: int
    fallbacks: tuple[str, ...] = ()
    quality_loss_bps: int = 0
    latency_expansion_bps: int = 0
    locked_units: int = 2**63 - 1


class Facts(msgspec.Struct, frozen=True):
    """The receipt. `status` as the executor left it; `completed_us` None when nothing was completed."""

    status: str
    completed_us: int | None
    legs: tuple[Leg, ...] = ()
    cancelled_by_right: bool = False  # by the holder, its delegate or a policy of theirs

    @property
    def delivered_units(self) -> int:
        return sum(leg.delivered_units for leg in self.legs)


class Pending(msgspec.Struct, frozen=True):
    """No outcome yet: proofs that may still come."""

    missing: tuple[str, ...]
    conflicts: tuple[str, ...]


class Classified(msgspec.Struct, frozen=True):
    """The outcome, the units that are proven for it (its budget says what of them is charged), and the rule that decided. `digest` is of the facts and the verdict together."""

    outcome: Outcome
    units: int
    rule: str
    digest: str


def classify(*, bounds: Bounds, facts: Facts, proofs: Sequence[Proof], is_over: bool) -> Classified | Pending:
    """The outcome, or what is waited for. `is_over`: the deadline for proofs has passed, and what is missing counts as never given."""
    needed = required(profile=bounds.profile, requirements=bounds.requirements, status=facts.status)
    reading = read_proofs(proofs, needed=needed)
    if not reading.is_sufficient and not is_over:
        return Pending(reading.missing, reading.conflicts)
    outcome, units, rule = _verdict(bounds, facts, reading.proven_units, is_sufficient=reading.is_sufficient)
    told = {
        "facts": msgspec.to_builtins(msgspec.structs.replace(facts, legs=tuple(sorted(facts.legs)))),
        "outcome": str(outcome),
        "proofs": [msgspec.to_builtins(proof) for proof in sorted(set(proofs), key=_order)],
        "rule": rule,
        "units": str(units),
    }
    return Classified(outcome, units, rule, sha256_of(exact(told)))


def _order(proof: Proof) -> tuple[str, str, str, str, int, bool]:
    units = -1 if proof.units is None else proof.units
    return (proof.type, proof.reference, proof.content_hash, proof.producer, units, proof.is_valid)


def exact(value: object) -> object:
    """Integers as text: they are hashed exactly, whatever reads the JSON."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, dict):
        return {key: exact(part) for key, part in value.items()}
    return [exact(part) for part in value] if isinstance(value, list | tuple) else str(value)


Verdict = tuple[Outcome, int, str]


def _verdict(bounds: Bounds, facts: Facts, proven: int | None, *, is_sufficient: bool) -> Verdict:
    """The first rule that speaks, strictest first."""
    is_cancel = facts.status == "cancelled"
    is_authorised = is_sufficient and facts.cancelled_by_right and facts.delivered_units == 0
    is_late = facts.completed_us is not None and facts.completed_us > bounds.latest_us
    used = {kind for leg in facts.legs for kind in leg.fallbacks}
    is_partial = facts.status == "partially_completed"
    rules: tuple[tuple[bool, Outcome, str], ...] = (
        (is_cancel and is_authorised, Outcome.CANCELLED, "cancelled_before_use"),
        (is_cancel, Outcome.FAILED, "cancel_not_authorised"),
        # Whatever else it was: past the deadline for proofs the table knows one end only.
        (not is_sufficient, Outcome.FAILED, "proofs_unrecoverable"),
        (facts.status == "expired" or is_late, Outcome.EXPIRED, "after_the_window"),
        (facts.status == "failed" or facts.completed_us is None, Outcome.FAILED, "nothing_valid"),
        (proven is None or proven != facts.delivered_units, Outcome.FAILED, "units_not_proven"),
        (not bounds.is_capped and (proven or 0) > bounds.reserved_units, Outcome.FAILED, "units_not_proven"),
        (not bounds.is_capped and any(leg.delivered_units > leg.locked_units for leg in facts.legs), Outcome.FAILED, "more_than_locked"),
        (facts.status not in bounds.success_states, Outcome.FAILED, "not_a_success"),
        (not used <= bounds.fallbacks, Outcome.FAILED, "fallback_not_allowed"),
        (any(leg.quality_loss_bps > bounds.max_quality_loss_bps for leg in facts.legs), Outcome.FAILED, "quality_bound_broken"),
        (any(leg.latency_expansion_bps > bounds.max_latency_expansion_bps for leg in facts.legs), Outcome.FAILED, "latency_bound_broken"),
        (is_partial and not (bounds.partial_allowed and proven), Outcome.FAILED, "partial_not_allowed"),
        (is_partial, Outcome.PARTIAL, "subset_proven"),
        # Work that names a degradation is a fallback, whatever it calls itself.
        (bool(used) or facts.status == "fallback_completed", Outcome.FALLBACK, "allowed_fallback"),
        (True, Outcome.FULL, "inside_bounds"),
    )
    outcome, rule = next((outcome, rule) for applies, outcome, rule in rules if applies)
    return outcome, proven if proven is not None and outcome in DEDUCTING else 0, rule
