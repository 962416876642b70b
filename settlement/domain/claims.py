"""What a router looks at (SPEC §8): rights that may be used, as they stand at a moment, and what suppliers offer. Pure.

A reason is why something is so: a code, a sentence, and for a score its points. One that is `temporary` may be gone later in the window.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import msgspec

from rights.domain.capability import RESOURCE_OF
from rights.domain.effective_policy import Effective
from settlement.domain.envelope import Envelope
from settlement.domain.record import Record


class Reason(msgspec.Struct, frozen=True):
    """`points` of a score, in which they add up to the whole."""

    code: str
    detail: str
    points: int = 0
    temporary: bool = False


class Limits(msgspec.Struct, frozen=True):
    """How fast a right may be used; None does not limit. `max_per_request` is part of the effective policy."""

    max_concurrent: int | None = None
    max_burst_units: int | None = None
    rate_per_minute: int | None = None


class Usage(msgspec.Struct, frozen=True):
    """What other requests do with the right: those in flight, their units, and how many began within the last minute. `own_units`: what
    the request itself has at work of it already, when one of its suppliers failed.
    """

    requests: int = 0
    units: int = 0
    begun: int = 0
    own_units: int = 0


class Payer(msgspec.Struct, frozen=True):
    """An account that pays, or is paid; `free_minor` of its cash is nobody's."""

    account_id: int
    uuid: str
    participant_id: int
    free_minor: int


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate right. `epoch_units` is what its epoch leaves, None without epochs; `own_suppliers` those its issuer has named:
    whose capacity stands behind it, its own, or allowed by name in its terms. `record` is its issuer's in its class, looked up where the
    request asks for one. `tier` and `branch`: as which part a package has it.
    """

    right_id: str
    is_held: bool
    status: str
    free_units: int
    epoch_units: int | None
    max_spend_units: int | None
    starts_us: int
    ends_us: int
    resource: str
    unit: str
    quality_band: str
    latency_class: str
    tags: frozenset[str]
    effective: Effective
    limits: Limits
    usage: Usage
    own_suppliers: frozenset[str]
    issuer_participant_id: int
    tier: str = ""
    branch: str = ""
    preferred_suppliers: frozenset[str] = frozenset()
    preferred_regions: tuple[str, ...] = ()
    weights: Mapping[str, int] = MappingProxyType({})
    record: Record | None = None


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A capability and where it is executed. `capability` its UUID; `endpoint` "" is none; `capacity_units` what is left of its posted capacity, None if none is posted;
    `delivered` of the last `asked` requests came out whole; `is_by_nodes`: each route becomes one job of one node; `own_us`: how long a
    supplier that the venue does not call may take, 0 for others.
    """

    capability_id: int
    capability: str
    supplier_id: int
    supplier: str
    participant_id: int
    is_active: bool
    region: str
    unit: str
    quality_band: str
    latency_band: str
    privacy_mode: str
    constraints: frozenset[str]
    tariff_minor: int
    tariff_units: int
    currency: str
    reliability_bps: int | None
    trust_bps: int
    endpoint: str
    opened_until_us: int | None
    latency_us: int | None
    failures: int = 0
    capacity_units: int | None = None
    delivered: int = 0
    asked: int = 0
    is_by_nodes: bool = False
    own_us: int = 0

    def cost_minor(self, units: int) -> int:
        """What so many units cost, rounded up."""
        return -(-units * self.tariff_minor // self.tariff_units)


def is_own(claim: Claim, offer: Offer) -> bool:
    """Whether the issuer has agreed to pay this supplier: no other's tariff is its affair."""
    return offer.supplier in claim.own_suppliers or offer.participant_id == claim.issuer_participant_id


_STATUS = {
    "issued": ("right_not_active", "the right is issued and not active"),
    "frozen": ("right_frozen", "the right is frozen"),
    "expired": ("right_expired", "the right has expired"),
    "fully_consumed": ("right_fully_consumed", "the right is used up"),
    "finalized": ("right_finalized", "the right is finalized"),
    "burned": ("right_burned", "the right is burned"),
}


def claim_reasons(claim: Claim, *, envelope: Envelope, now_us: int) -> list[Reason]:
    """Every reason for which the right can't be used for this now, whoever would do it."""
    if not claim.is_held:
        return [Reason("right_not_held", "no such right is in the holder's hands")]
    if claim.status in _STATUS:
        return [Reason(*_STATUS[claim.status])]
    return [*_by_time(claim, now_us), *_by_terms(claim, envelope), *_by_limits(claim)]


def _by_time(claim: Claim, now_us: int) -> Iterator[Reason]:
    latest_us = claim.effective.policy.latest_us
    if now_us >= claim.ends_us:
        yield Reason("window_over", "its window has ended")
    elif latest_us is not None and now_us >= latest_us:
        yield Reason("deadline_passed", "the latest moment for the answer has passed")
    if now_us < claim.starts_us:
        yield Reason("window_not_open", "its window has not begun", temporary=True)


def _by_terms(claim: Claim, envelope: Envelope) -> Iterator[Reason]:
    wanted = RESOURCE_OF[envelope.workload]
    if claim.resource != wanted:
        yield Reason("workload_mismatch", f"{envelope.workload} takes a right to {wanted}, this one is to {claim.resource}")
    least_bps = claim.effective.policy.min_full_rate_bps
    if least_bps is not None:
        yield from _by_record(claim.record or Record({}), least_bps)
    for field in claim.effective.empty:
        yield Reason("constraints_empty", f"right and request leave nothing in {field}")


def _by_record(record: Record, least_bps: int) -> Iterator[Reason]:
    """A promise that nobody has seen kept is none: without a record the right is left out as well."""
    if record.full_bps is None:
        yield Reason("issuer_record", f"its issuer has no record in its class, {least_bps} of 10,000 requests are to have come out whole")
    elif record.full_bps < least_bps:
        yield Reason(
            "issuer_record",
            f"of its issuer's {record.asked} requests {record.full_bps} of 10,000 came out whole, {least_bps} are asked for",
        )


def _by_limits(claim: Claim) -> Iterator[Reason]:
    limits, usage = claim.limits, claim.usage
    if claim.free_units <= 0:
        yield Reason("units_unavailable", "it has no free units")
    if claim.epoch_units is not None and claim.epoch_units <= 0:
        yield Reason("epoch_exhausted", "its epoch's allowance is used up", temporary=True)
    if limits.max_concurrent is not None and usage.requests >= limits.max_concurrent:
        yield Reason("max_concurrent", f"{usage.requests} requests are in flight, it allows {limits.max_concurrent}", temporary=True)
    if limits.rate_per_minute is not None and usage.begun >= limits.rate_per_minute:
        yield Reason("rate_per_minute", f"{usage.begun} requests began within a minute, it allows {limits.rate_per_minute}", temporary=True)
    if limits.max_burst_units is not None and usage.units >= limits.max_burst_units:
        yield Reason("max_burst", f"{usage.units} units are in flight, it allows {limits.max_burst_units}", temporary=True)


def room_units(claim: Claim) -> int:
    """How many units one request may draw from the right now."""
    own, burst, policy = claim.usage.own_units, claim.limits.max_burst_units, claim.effective.policy
    bounds = (
        claim.free_units,
        claim.epoch_units,
        None if claim.max_spend_units is None else claim.max_spend_units - own,
        None if policy.max_units is None else policy.max_units - own,
        None if burst is None else burst - claim.usage.units - own,
    )
    return max(0, min(bound for bound in bounds if bound is not None))
