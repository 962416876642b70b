"""The rules across a manifest's fields (the schema's `x-rules`), on a document that fits the schema and is complete."""

from collections.abc import Iterator, Mapping
from typing import Any

from rights.domain.manifest_faults import Fault
from rights.domain.moment import parse_us

MOST_UNITS = 2**63 - 1
QUALITY_ORDER = ("economy", "standard", "high", "premium")
_NOTHING_GRANTED: dict[str, object] = {
    "substitute_model_class": False,
    "substitute_providers": False,
    "downgrade_priority": False,
    "downgrade_latency_class": False,
    "downgrade_quality_to": None,
    "defer_within_window": False,
    "max_quality_loss_bps": 0,
    "max_latency_expansion_bps": 0,
}


def cross_field_faults(document: dict[str, Any]) -> list[Fault]:
    """Every broken rule. Amounts and moments are judged first: the other rules compute with them."""
    faults = [*_amounts(document), *_moments(document)]
    if faults:
        return faults
    return [
        *_window(document),
        *_limits(document),
        *_fallback(document),
        *_settlement(document),
        *_transfer(document),
        *_assurance(document),
    ]


def _amounts(document: dict[str, Any]) -> Iterator[Fault]:
    limits, policy = document["limits"], document["transfer_policy"]
    for field, value in (
        ("resource.amount", document["resource"]["amount"]),
        ("limits.max_per_request", limits["max_per_request"]),
        ("limits.max_burst", limits["max_burst"]),
        ("transfer_policy.min_transfer_units", policy["min_transfer_units"]),
        ("transfer_policy.max_units_per_holder", policy["max_units_per_holder"]),
    ):
        if value is not None and int(value) > MOST_UNITS:
            yield Fault(field, "amount_range", f"must be at most {MOST_UNITS}")


def _moments(document: dict[str, Any]) -> Iterator[Fault]:
    window = document["window"]
    for field, value in (
        ("window.start", window["start"]),
        ("window.end", window["end"]),
        ("transfer_policy.lockup_until", document["transfer_policy"]["lockup_until"]),
    ):
        if value is not None:
            try:
                parse_us(value)
            except ValueError as error:
                yield Fault(field, "moment_exists", str(error))


def policy_rule_faults(policy: Mapping[str, Any]) -> list[Fault]:
    """The rules for amounts and moments on any part of a transfer policy; fields as the policy has them."""
    amounts = [(field, policy.get(field)) for field in ("min_transfer_units", "max_units_per_holder")]
    too_many = f"must be at most {MOST_UNITS}"
    found = [Fault(field, "amount_range", too_many) for field, value in amounts if value is not None and int(value) > MOST_UNITS]
    if policy.get("lockup_until") is not None:
        try:
            parse_us(policy["lockup_until"])
        except ValueError as error:
            found.append(Fault("lockup_until", "moment_exists", str(error)))
    return found


def _window(document: dict[str, Any]) -> Iterator[Fault]:
    window = document["window"]
    length_us = parse_us(window["end"]) - parse_us(window["start"])
    if length_us <= 0 or length_us % 1_000_000:
        yield Fault("window.end", "window_order", "must be after window.start by whole seconds")
    for mode, field, code in (("epoch", "epoch_size_seconds", "epoch_size"), ("rolling", "rolling_length_seconds", "rolling_length")):
        value = window[field]
        if (window["mode"] == mode) != (value is not None):
            yield Fault(f"window.{field}", code, f"belongs to mode {mode}, which can't do without it")
        elif value is not None and value * 1_000_000 > length_us > 0:
            yield Fault(f"window.{field}", code, "must not be longer than the window")


def _limits(document: dict[str, Any]) -> Iterator[Fault]:
    amount, limits = int(document["resource"]["amount"]), document["limits"]
    for field, value in (
        ("limits.max_per_request", limits["max_per_request"]),
        ("limits.max_burst", limits["max_burst"]),
        ("transfer_policy.min_transfer_units", document["transfer_policy"]["min_transfer_units"]),
    ):
        if value is not None and int(value) > amount:
            yield Fault(field, "within_amount", f"must be at most resource.amount, {amount}")
    request, burst = limits["max_per_request"], limits["max_burst"]
    if request is not None and burst is not None and int(request) > int(burst):
        yield Fault("limits.max_per_request", "request_within_burst", "must be at most limits.max_burst")


def _fallback(document: dict[str, Any]) -> Iterator[Fault]:
    fallback, band = document["fallback_policy"], document["service"]["quality_band"]
    if not fallback["allow_fallback"]:
        for field, nothing in _NOTHING_GRANTED.items():
            if fallback[field] != nothing:
                yield Fault(f"fallback_policy.{field}", "fallback_off", "grants a fallback while allow_fallback is false")
    if band == "deterministic":
        for field in ("downgrade_quality_to", "max_quality_loss_bps", "substitute_model_class"):
            if fallback[field] != _NOTHING_GRANTED[field]:
                yield Fault(f"fallback_policy.{field}", "deterministic", "a deterministic right keeps its model class and its quality")
    elif (lowest := fallback["downgrade_quality_to"]) is not None and QUALITY_ORDER.index(lowest) >= QUALITY_ORDER.index(band):
        yield Fault("fallback_policy.downgrade_quality_to", "quality_order", f"must be below service.quality_band, {band}")


def _settlement(document: dict[str, Any]) -> Iterator[Fault]:
    success, failure = (document["settlement_policy"][name] for name in ("success_states", "failure_states"))
    both = sorted(set(success) & set(failure))
    if both:
        yield Fault("settlement_policy.failure_states", "states_apart", f"{', '.join(both)} can't be success and failure")
    if "completed" not in success:
        yield Fault("settlement_policy.success_states", "states_apart", "completed is always a success")
    if "failed" not in failure:
        yield Fault("settlement_policy.failure_states", "states_apart", "failed is always a failure")


def _transfer(document: dict[str, Any]) -> Iterator[Fault]:
    window, policy, constraints = document["window"], document["transfer_policy"], document["service"]["provider_constraints"]
    start_us, end_us = parse_us(window["start"]), parse_us(window["end"])
    if policy["lockup_until"] is not None and parse_us(policy["lockup_until"]) >= end_us:
        yield Fault("transfer_policy.lockup_until", "lockup_in_window", "must be before window.end")
    if end_us > start_us and policy["transfer_cutoff_seconds"] * 1_000_000 >= end_us - start_us:
        yield Fault("transfer_policy.transfer_cutoff_seconds", "cutoff_in_window", "must be shorter than the window")
    for field, allowed, denied in (
        ("service.provider_constraints.deny", constraints["allow"], constraints["deny"]),
        ("transfer_policy.venue_deny", policy["venue_allow"], policy["venue_deny"]),
    ):
        both = [] if allowed == "any" else sorted(set(allowed) & set(denied))
        if both:
            yield Fault(field, "allowed_and_denied", f"{', '.join(both)} can't be allowed and denied")


def _assurance(document: dict[str, Any]) -> Iterator[Fault]:
    if document["assurance"]["unit"] != document["resource"]["unit"]:
        yield Fault("assurance.unit", "same_unit", "must be resource.unit")
