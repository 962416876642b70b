"""The effective policy of a request (SPEC §8): the intersection of what right, request, route and runtime allow, with reasons.

Hard constraints only tighten; a fallback is allowed only where all allow it; preferences order what is allowed and are no part of this.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from rights.domain.capability import LATENCY_BANDS, QUALITY_ORDER

PRIVACY_ORDER = ("public", "private", "confidential", "local-only")  # loose to strict
QUALITY = "downgrade_quality"  # granted by naming the lowest band, `downgrade_quality_to`
_GRANTS = ("substitute_model_class", "substitute_providers", "downgrade_priority", "downgrade_latency_class", "defer_within_window")
FALLBACKS = (*_GRANTS, QUALITY)


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """One party's word. None says nothing. Sets of suppliers and places; bounds in basis points and microseconds."""

    latest_us: int | None = None
    privacy: str | None = None  # at least as strict as this
    jurisdictions: frozenset[str] | None = None
    providers: frozenset[str] | None = None
    denied_providers: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()  # all of them are needed
    slowest: str | None = None  # a latency class
    lowest_quality: str | None = None
    fallbacks: frozenset[str] | None = None
    max_quality_loss_bps: int | None = None
    max_latency_expansion_bps: int | None = None
    max_units: int | None = None
    min_full_rate_bps: int | None = None  # of issuer and supplier: how many of 10,000 requests came out whole, at least


class Narrowing(msgspec.Struct, frozen=True):
    """Whose word narrowed which field, from what and to what."""

    field: str
    by: str
    before: str
    after: str


class Effective(msgspec.Struct, frozen=True):
    policy: Policy
    narrowings: tuple[Narrowing, ...]
    empty: tuple[str, ...]  # fields in which nothing is left: the request can't be routed


def intersect(sources: Sequence[tuple[str, Policy]]) -> Effective:
    """The intersection of all words; each change is told with its source, in the order given."""
    merged: dict[str, Any] = msgspec.structs.asdict(Policy())
    told: list[Narrowing] = []
    for name, policy in sources:
        for field, value in msgspec.structs.asdict(policy).items():
            before = merged[field]
            after = _MEET[field](before, value)
            if after != before:
                merged[field] = after
                told.append(Narrowing(field, name, _text(before), _text(after)))
    result = Policy(**merged)
    left = None if result.providers is None else result.providers - result.denied_providers
    empty = [field for field, found in (("jurisdictions", result.jurisdictions), ("providers", left)) if found is not None and not found]
    return Effective(result, tuple(told), tuple(empty))


def of_right(manifest: Mapping[str, Any], *, ends_us: int) -> Policy:
    """What a right's own terms say. Suppliers and places that are `any` say nothing."""
    service, fallback = manifest["service"], manifest["fallback_policy"]
    quality = fallback["downgrade_quality_to"] if fallback["allow_fallback"] else None
    allowed = frozenset(kind for kind in _GRANTS if fallback["allow_fallback"] and fallback[kind]) | (
        frozenset({QUALITY}) if quality else frozenset()
    )
    constraints = service["provider_constraints"]
    slowest = LATENCY_BANDS[-1] if "downgrade_latency_class" in allowed else service["latency_class"]
    return Policy(
        latest_us=ends_us,
        privacy=service["privacy_class"],
        jurisdictions=None if service["jurisdiction"] == "any" else frozenset(service["jurisdiction"]),
        providers=None if constraints["allow"] == "any" else frozenset(constraints["allow"]),
        denied_providers=frozenset(constraints["deny"]),
        tags=frozenset(manifest["resource"]["capability_tags"]),
        slowest=slowest,
        lowest_quality=quality or service["quality_band"],
        fallbacks=allowed,
        max_quality_loss_bps=fallback["max_quality_loss_bps"],
        max_latency_expansion_bps=fallback["max_latency_expansion_bps"],
        max_units=None if manifest["limits"]["max_per_request"] is None else int(manifest["limits"]["max_per_request"]),
    )


_AS_TEXT = ("latest_us", "max_units")
_SAID_EMPTY = ("denied_providers", "tags")  # of these an empty set says nothing


def policy_document(policy: Policy) -> dict[str, Any]:
    """As rows and events keep it: sets sorted, amounts and moments as texts; what is not said is left out."""
    document: dict[str, Any] = {}
    for field, value in msgspec.structs.asdict(policy).items():
        if value is not None and value != frozenset():
            document[field] = sorted(value) if isinstance(value, frozenset) else str(value) if field in _AS_TEXT else value
        elif value is not None and field not in _SAID_EMPTY:
            document[field] = []
    return document


def policy_of_document(document: Mapping[str, Any]) -> Policy:
    """What `policy_document` kept."""
    return msgspec.convert(document, Policy, strict=False)


def _least(before: int | None, value: int | None) -> int | None:
    return value if before is None else before if value is None else min(before, value)


def _greatest(before: int | None, value: int | None) -> int | None:
    return value if before is None else before if value is None else max(before, value)


def _common(before: frozenset[str] | None, value: frozenset[str] | None) -> frozenset[str] | None:
    return value if before is None else before if value is None else before & value


def _union(before: frozenset[str], value: frozenset[str]) -> frozenset[str]:
    return before | value


def _ranked(order: Sequence[str], *, strictest_last: bool) -> Any:
    def meet(before: str | None, value: str | None) -> str | None:
        if before is None or value is None:
            return before or value
        if (
            before not in order or value not in order
        ):  # `deterministic` stands apart: nothing else is as good, and it is as good as nothing else
            return before if before == value or before not in order else value
        return (max if strictest_last else min)(before, value, key=order.index)

    return meet


_MEET: dict[str, Any] = {
    "latest_us": _least,
    "privacy": _ranked(PRIVACY_ORDER, strictest_last=True),
    "jurisdictions": _common,
    "providers": _common,
    "denied_providers": _union,
    "tags": _union,
    "slowest": _ranked(LATENCY_BANDS, strictest_last=False),
    "lowest_quality": _ranked(QUALITY_ORDER, strictest_last=True),
    "fallbacks": _common,
    "max_quality_loss_bps": _least,
    "max_latency_expansion_bps": _least,
    "max_units": _least,
    "min_full_rate_bps": _greatest,
}


def _text(value: object) -> str:
    if value is None:
        return "any"
    return ", ".join(sorted(value)) or "none" if isinstance(value, frozenset) else str(value)
