"""Classes: the same dimensions make the same class, one other field another, and the verdict names it."""

import json
import re

import pytest

from exchange.domain.symbol import LONGEST, symbol_of
from rights.domain import fungibility as classes
from rights.domain.manifest import SCHEMA, read_manifest
from rights.domain.moment import text_of
from rights.domain.window import WindowFacts
from rights.kernel.clock import to_datetime
from tests.unit.rights.domain.manifests import FIXTURES, chat_day, merged, names, valid

GOLDEN = json.loads((FIXTURES / "golden.json").read_text(encoding="utf-8"))
BASE = read_manifest(valid())
DIMS = classes.dimensions(BASE, issuer_tier=1)


@pytest.mark.parametrize("name", names("valid"))
def test_examples_keep_their_class(name):
    dims = classes.dimensions(read_manifest(valid(name)), issuer_tier=1)
    assert classes.class_key(dims) == GOLDEN[name]["class_key"]
    assert classes.fingerprint(dims) == GOLDEN[name]["class_fingerprint"]
    assert str(classes.lot_size(dims["resource.unit"])) == GOLDEN[name]["lot_size"]


# SPEC §3, word for word: every field that makes a class, each with another value.
OTHER_CLASS = [
    ({"resource": {"type": "agent_runtime"}}, "resource.type"),
    ({"resource": {"unit": "requests"}, "assurance": {"unit": "requests"}}, "resource.unit"),
    ({"resource": {"model_class": ["reasoning"]}}, "resource.model_class"),
    ({"resource": {"capability_tags": []}}, "resource.capability_tags"),
    ({"service": {"priority": "premium"}}, "service.priority"),
    ({"service": {"quality_band": "high"}}, "service.quality_band"),
    ({"service": {"latency_class": "async"}}, "service.latency_class"),
    ({"service": {"privacy_class": "public"}}, "service.privacy_class"),
    ({"service": {"jurisdiction": ["US"]}}, "service.jurisdiction"),
    ({"service": {"provider_constraints": {"allow": ["a"]}}}, "service.provider_constraints.allow"),
    ({"service": {"provider_constraints": {"deny": ["a"]}}}, "service.provider_constraints.deny"),
    ({"fallback_policy": {"allow_fallback": True}}, "fallback_policy.allow_fallback"),
    ({"settlement_policy": {"proof_profile": "strict"}}, "settlement_policy.proof_profile"),
    ({"settlement_policy": {"refund_policy": "pro-rata"}}, "settlement_policy.refund_policy"),
    ({"settlement_policy": {"expiry_policy": "roll"}}, "settlement_policy.expiry_policy"),
    ({"settlement_policy": {"dispute_window_seconds": 60}}, "settlement_policy.dispute_window_seconds"),
    ({"limits": {"max_per_request": "1000"}}, "limits.max_per_request"),
    ({"limits": {"max_concurrent": 1}}, "limits.max_concurrent"),
    ({"limits": {"max_burst": "1000"}}, "limits.max_burst"),
    ({"limits": {"rate_limit_per_minute": 1}}, "limits.rate_limit_per_minute"),
    ({"limits": {"partial_fill_allowed": True}}, "limits.partial_fill_allowed"),
]


@pytest.mark.parametrize(("patch", "field"), OTHER_CLASS, ids=[field for _, field in OTHER_CLASS])
def test_one_field_makes_another_class_and_is_named(patch, field):
    other = read_manifest(chat_day(**patch))
    dims = classes.dimensions(other, issuer_tier=1)
    assert classes.fingerprint(dims) != classes.fingerprint(DIMS)
    assert [v.field for v in classes.eligibility_verdicts(other, issuer_tier=1, class_dims=DIMS) if not v.passed] == [field]


def test_every_fallback_field_counts():
    fields = {f"fallback_policy.{name}" for name in SCHEMA["properties"]["fallback_policy"]["properties"]}
    assert fields <= DIMS.keys()


def test_issuer_tier_counts_and_is_named():
    verdicts = classes.eligibility_verdicts(BASE, issuer_tier=2, class_dims=DIMS)
    assert [(v.field, v.expected, v.actual) for v in verdicts if not v.passed] == [("issuer.tier", 1, 2)]


@pytest.mark.parametrize(
    "patch",
    [
        {"kind": "burst"},
        {"resource": {"amount": "7"}},
        {"transfer_policy": {"splittable": False, "transfer_cutoff_seconds": 60}},
        {"issuer": {"id": "another", "attestations": ["iso-27001"]}},
        {"assurance": {"reference": "elsewhere"}},
        {"routing_hints": {"preferred_regions": ["US"]}},
        {"metadata": {"label": "another"}},
        {"window": {"end": "2026-12-03T00:00:00Z"}},
        {"settlement_policy": {"proof_requirements": ["artifact-hash"]}},
    ],
)
def test_what_a_buyer_need_not_care_about_makes_no_class(patch):
    assert classes.dimensions(read_manifest(chat_day(**patch)), issuer_tier=1) == DIMS


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ({"start": "2026-12-01T01:00:00Z"}, "window.start"),
        ({"end": "2026-12-02T01:00:00Z"}, "window.end"),
        ({"mode": "epoch", "epoch_size_seconds": 60}, "window.mode"),
    ],
)
def test_a_window_that_differs_is_named(patch, field):
    start, end = text_of(BASE.window_start_us), text_of(BASE.window_end_us)
    window = WindowFacts(start=start, end=end, mode="fixed", period_s=0)
    assert all(v.passed for v in classes.eligibility_verdicts(BASE, issuer_tier=1, class_dims=DIMS, window=window))
    other = read_manifest(chat_day(window=patch))
    assert field in [v.field for v in classes.eligibility_verdicts(other, issuer_tier=1, class_dims=DIMS, window=window) if not v.passed]


def test_a_shared_key_grows_by_digits_of_the_fingerprint():
    print_hex = classes.fingerprint(DIMS)
    keys = classes.candidate_keys(DIMS, print_hex)
    assert keys[0] == "TXT.CHAT.STD.INT.PRV"
    assert keys[1] == f"TXT.CHAT.STD.INT.PRV.{print_hex[:4].upper()}"
    assert len(set(keys)) == len(keys)
    assert max(map(len, keys)) <= 40


def test_the_longest_key_still_makes_a_symbol():
    longest = merged(
        valid("every-field"), {"resource": {"model_class": [f"chat-{n}" for n in range(64)]}, "service": {"latency_class": "interactive"}}
    )
    manifest = read_manifest(longest)
    dims = classes.dimensions(manifest, issuer_tier=1)
    key = classes.candidate_keys(dims, classes.fingerprint(dims))[1]
    symbol = symbol_of(key, to_datetime(manifest.window_start_us), to_datetime(manifest.window_end_us))
    assert re.fullmatch(r"[A-Z0-9.]+-20261201T0030-PT30M", symbol)
    assert len(symbol) <= LONGEST
