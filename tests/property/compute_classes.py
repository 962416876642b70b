"""Dimensions and windows drawn by chance: from few values each, so that equal ones meet often."""

from typing import Any

from hypothesis import strategies as st

from rights.domain.moment import text_of
from rights.domain.window import WindowFacts

_FLAG = [False, True]
_BPS = [0, 100, 5_000]
_UNITS = [None, "1", "1000", str(2**60)]
_COUNTS = [None, 1, 7]
_SETS = [[], ["a"], ["b"], ["a", "b"], ["a", "b", "c"]]
_PLACES = ["any", ["US"], ["DE"], ["DE", "US"], ["DE", "FR", "US"]]
# What a manifest may say in each dimension of a class.
VALUES: dict[str, list[Any]] = {
    "fallback_policy.allow_fallback": _FLAG,
    "fallback_policy.defer_within_window": _FLAG,
    "fallback_policy.downgrade_latency_class": _FLAG,
    "fallback_policy.downgrade_priority": _FLAG,
    "fallback_policy.downgrade_quality_to": [None, "economy", "standard", "high"],
    "fallback_policy.max_latency_expansion_bps": _BPS,
    "fallback_policy.max_quality_loss_bps": _BPS,
    "fallback_policy.substitute_model_class": _FLAG,
    "fallback_policy.substitute_providers": _FLAG,
    "issuer.tier": [1, 2, 3],
    "limits.max_burst": _UNITS,
    "limits.max_concurrent": _COUNTS,
    "limits.max_per_request": _UNITS,
    "limits.partial_fill_allowed": _FLAG,
    "limits.rate_limit_per_minute": _COUNTS,
    "resource.capability_tags": _SETS,
    "resource.model_class": _SETS,
    "resource.type": ["text_inference", "gpu_time", "custom"],
    "resource.unit": ["tokens", "requests", "seconds"],
    "service.jurisdiction": _PLACES,
    "service.latency_class": ["realtime", "interactive", "async", "batch"],
    "service.priority": ["premium", "standard", "background"],
    "service.privacy_class": ["public", "private", "confidential", "local-only"],
    "service.provider_constraints.allow": ["any", ["a"], ["b"], ["a", "b"]],
    "service.provider_constraints.deny": [[], ["c"], ["d"], ["c", "d"]],
    "service.quality_band": ["economy", "standard", "high", "premium", "deterministic"],
    "settlement_policy.dispute_window_seconds": [0, 60, 86_400],
    "settlement_policy.expiry_policy": ["burn", "roll", "reissue"],
    "settlement_policy.proof_profile": ["basic", "standard", "strict"],
    "settlement_policy.refund_policy": ["none", "pro-rata", "credit-reissue", "custom"],
}
_HOUR_US = 3_600_000_000
_START_US = 1_796_083_200_000_000


@st.composite
def windows(draw: st.DrawFn) -> WindowFacts:
    """Windows of a few hours, of every mode."""
    start = draw(st.integers(0, 3))
    end = start + draw(st.integers(1, 3))
    mode = draw(st.sampled_from(["fixed", "fixed", "rolling", "epoch"]))
    period = 0 if mode == "fixed" else draw(st.sampled_from([600, 1800, 3600]))
    return WindowFacts(text_of(_START_US + start * _HOUR_US), text_of(_START_US + end * _HOUR_US), mode, period)


def dimensions() -> st.SearchStrategy[dict[str, Any]]:
    """Any class; the manifest's rules across fields are not looked at."""
    return st.fixed_dictionaries({field: st.sampled_from(values) for field, values in VALUES.items()})


@st.composite
def near(draw: st.DrawFn, dims: dict[str, Any]) -> dict[str, Any]:
    """A class that differs from another one in a few dimensions only."""
    changed = draw(st.lists(st.sampled_from(sorted(VALUES)), max_size=4, unique=True))
    return dims | {field: draw(st.sampled_from(VALUES[field])) for field in changed}
