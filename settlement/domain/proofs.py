"""Which proofs an outcome needs (SPEC §8), which are there, and where they contradict each other. Never read optimistically."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

import msgspec


class ProofType(StrEnum):
    USAGE_METER = "usage-meter"
    COMPLETION_RECORD = "completion-record"
    REQUEST_ENVELOPE_HASH = "request-envelope-hash"
    ROUTE_SELECTION_RECORD = "route-selection-record"
    EXECUTION_LOG = "execution-log"
    OUTPUT_REFERENCE = "output-reference"
    ARTIFACT_HASH = "artifact-hash"
    LATENCY_MEASUREMENT = "latency-measurement"
    SUPPLIER_SIGNATURE = "supplier-signature"
    FALLBACK_REASON = "fallback-reason"
    POLICY_EVALUATION = "policy-evaluation"
    DELIVERED_UNIT_COUNT = "delivered-unit-count"
    FAILURE_RECORD = "failure-record"
    WINDOW_REFERENCE = "window-reference"
    CANCEL_AUTHORISATION = "cancel-authorisation"


_T = ProofType
_STANDARD = frozenset({_T.REQUEST_ENVELOPE_HASH, _T.ROUTE_SELECTION_RECORD, _T.EXECUTION_LOG, _T.USAGE_METER, _T.OUTPUT_REFERENCE})
PROFILES: Mapping[str, frozenset[ProofType]] = {
    "basic": frozenset({_T.USAGE_METER, _T.COMPLETION_RECORD}),
    "standard": _STANDARD,
    "strict": _STANDARD | {_T.ARTIFACT_HASH, _T.LATENCY_MEASUREMENT, _T.SUPPLIER_SIGNATURE},
}
# Beside the profile, by what the receipt says the request came to.
OF_STATUS: Mapping[str, frozenset[ProofType]] = {
    "completed": frozenset(),
    "fallback_completed": frozenset({_T.FALLBACK_REASON, _T.POLICY_EVALUATION}),
    "partially_completed": frozenset({_T.DELIVERED_UNIT_COUNT}),
}
# What ended without work has no usage to prove: only its own record.
WITHOUT_WORK: Mapping[str, frozenset[ProofType]] = {
    "failed": frozenset({_T.FAILURE_RECORD}),
    "expired": frozenset({_T.WINDOW_REFERENCE}),
    "cancelled": frozenset({_T.CANCEL_AUTHORISATION}),
}


class Proof(msgspec.Struct, frozen=True, order=True):
    """One proof of a receipt. `units` where it counts some; `is_valid`: its hash and signature were checked and hold."""

    type: str
    reference: str
    content_hash: str
    producer: str
    units: int | None = None
    is_valid: bool = True


class Reading(msgspec.Struct, frozen=True):
    """What a set of proofs amounts to."""

    missing: tuple[str, ...]
    conflicts: tuple[str, ...]
    proven_units: int | None  # None: nobody counted, or those who counted disagree

    @property
    def is_sufficient(self) -> bool:
        return not self.missing and not self.conflicts


def required(*, profile: str, requirements: Iterable[str], status: str) -> frozenset[str]:
    """The proof types an end of this status needs."""
    if status in WITHOUT_WORK:
        return frozenset(str(kind) for kind in WITHOUT_WORK[status])
    return frozenset(str(kind) for kind in PROFILES[profile] | OF_STATUS[status]) | frozenset(requirements)


def read_proofs(proofs: Sequence[Proof], *, needed: Iterable[str]) -> Reading:
    """The conservative reading: in any order the same; what fails its check proves nothing; two that differ prove nothing either."""
    by_type: dict[str, set[Proof]] = {}
    for proof in proofs:
        if proof.is_valid:
            by_type.setdefault(proof.type, set()).add(proof)
    conflicts = {kind for kind, found in by_type.items() if len({(p.content_hash, p.units) for p in found}) > 1}
    counts = {
        p.units for kind in (ProofType.USAGE_METER, ProofType.DELIVERED_UNIT_COUNT) for p in by_type.get(kind, ()) if p.units is not None
    }
    if len(counts) > 1:
        conflicts |= {str(ProofType.USAGE_METER), str(ProofType.DELIVERED_UNIT_COUNT)} & by_type.keys()
    proven = counts.pop() if len(counts) == 1 and not conflicts else None
    return Reading(tuple(sorted(set(needed) - by_type.keys())), tuple(sorted(conflicts)), proven)
