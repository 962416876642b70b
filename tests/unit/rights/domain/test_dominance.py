"""Which way each order runs: what a holder of the right would call better (SPEC §2, §3; docs/fungibility.md)."""

import pytest

from rights.domain.dominance import RULES, Relation, dominates, relation, window_relations
from rights.domain.window import WindowFacts

# (dimension, at least as good, than this): each step once.
BETTER = [
    ("fallback_policy.allow_fallback", False, True),
    ("fallback_policy.defer_within_window", False, True),
    ("fallback_policy.downgrade_latency_class", False, True),
    ("fallback_policy.downgrade_priority", False, True),
    ("fallback_policy.downgrade_quality_to", None, "premium"),
    ("fallback_policy.downgrade_quality_to", "premium", "high"),
    ("fallback_policy.downgrade_quality_to", "standard", "economy"),
    ("fallback_policy.max_latency_expansion_bps", 0, 1),
    ("fallback_policy.max_quality_loss_bps", 99, 100),
    ("fallback_policy.substitute_model_class", False, True),
    ("fallback_policy.substitute_providers", False, True),
    ("issuer.tier", 1, 2),
    ("limits.max_burst", None, "9223372036854775807"),
    ("limits.max_burst", "1000", "999"),
    ("limits.max_concurrent", 10, 9),
    ("limits.max_per_request", None, "1"),
    ("limits.rate_limit_per_minute", None, 600),
    ("resource.capability_tags", ["json-mode", "vision"], ["vision"]),
    ("resource.capability_tags", ["vision"], []),
    ("resource.model_class", ["chat", "reasoning"], ["chat"]),
    ("service.jurisdiction", ["US"], "any"),
    ("service.jurisdiction", ["US"], ["DE", "US"]),
    ("service.latency_class", "realtime", "interactive"),
    ("service.latency_class", "interactive", "async"),
    ("service.latency_class", "async", "batch"),
    ("service.priority", "premium", "standard"),
    ("service.priority", "standard", "background"),
    ("service.privacy_class", "local-only", "confidential"),
    ("service.privacy_class", "confidential", "private"),
    ("service.privacy_class", "private", "public"),
    ("service.provider_constraints.allow", ["a"], "any"),
    ("service.provider_constraints.allow", ["a"], ["a", "b"]),
    ("service.provider_constraints.deny", ["a"], []),
    ("service.quality_band", "premium", "high"),
    ("service.quality_band", "high", "standard"),
    ("service.quality_band", "standard", "economy"),
    ("settlement_policy.dispute_window_seconds", 60, 0),
    ("settlement_policy.expiry_policy", "roll", "burn"),
    ("settlement_policy.expiry_policy", "reissue", "burn"),
    ("settlement_policy.proof_profile", "strict", "standard"),
    ("settlement_policy.proof_profile", "standard", "basic"),
    ("settlement_policy.refund_policy", "pro-rata", "none"),
    ("settlement_policy.refund_policy", "credit-reissue", "none"),
    ("settlement_policy.refund_policy", "custom", "none"),
]
APART = [
    ("limits.partial_fill_allowed", True, False),
    ("resource.capability_tags", ["json-mode"], ["vision"]),
    ("resource.type", "text_inference", "custom"),
    ("resource.unit", "seconds", "minutes"),
    ("service.jurisdiction", ["US"], ["DE"]),
    ("service.provider_constraints.allow", ["a"], ["b"]),
    ("service.quality_band", "deterministic", "premium"),
    ("service.quality_band", "deterministic", "economy"),
    ("settlement_policy.expiry_policy", "roll", "reissue"),
    ("settlement_policy.refund_policy", "pro-rata", "credit-reissue"),
    ("settlement_policy.refund_policy", "pro-rata", "custom"),
    ("a.dimension.of.tomorrow", 2, 1),
]


@pytest.mark.parametrize(("field", "own", "other"), BETTER, ids=str)
def test_better(field, own, other):
    assert relation(field, own, other) is Relation.BETTER
    assert relation(field, other, own) is Relation.WORSE
    assert relation(field, own, own) is Relation.EQUAL


@pytest.mark.parametrize(("field", "own", "other"), APART, ids=str)
def test_incomparable(field, own, other):
    assert relation(field, own, other) is relation(field, other, own) is Relation.INCOMPARABLE


def test_no_dimension_is_left_out():
    assert {field for field, *_ in BETTER + APART if not field.startswith("a.")} == set(RULES)


def window(start: int, end: int, mode: str = "fixed", period_s: int = 0) -> WindowFacts:
    return WindowFacts(f"2026-12-01T{start:02}:00:00Z", f"2026-12-01T{end:02}:00:00Z", mode, period_s)


@pytest.mark.parametrize(
    ("own", "other", "covers"),
    [
        (window(1, 3), window(1, 3), True),
        (window(0, 3), window(1, 3), True),
        (window(1, 4), window(1, 3), True),
        (window(2, 3), window(1, 3), False),
        (window(1, 2), window(1, 3), False),
        (window(0, 2), window(1, 3), False),
        (window(1, 3, "rolling", 3600), window(1, 3), False),
        (window(1, 3), window(1, 3, "rolling", 3600), False),
        (window(1, 3, "rolling", 3600), window(1, 3, "rolling", 3600), True),
        (window(0, 4, "rolling", 7200), window(1, 3, "rolling", 3600), True),
        (window(0, 4, "rolling", 1800), window(1, 3, "rolling", 3600), False),
        (window(1, 3, "epoch", 600), window(1, 3, "epoch", 600), True),
        (window(0, 3, "epoch", 600), window(1, 3, "epoch", 600), False),
        (window(1, 4, "epoch", 600), window(1, 3, "epoch", 600), False),
        (window(1, 3, "epoch", 1200), window(1, 3, "epoch", 600), False),
    ],
)
def test_windows(own, other, covers):
    assert dominates(own_dims={}, own_window=own, dims={}, window=other) is covers
    assert set(window_relations(own, other)) == {"window.start", "window.end", "window.mode", "window.period_s"}
