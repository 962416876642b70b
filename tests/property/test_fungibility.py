"""One field of a class apart: refused for the other's book, naming exactly that field. Everything else: the same class."""

from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rights.domain import fungibility
from rights.domain.dominance import Relation
from rights.domain.manifest import Manifest, ManifestRefusedError, read_manifest
from rights.domain.window import WindowFacts
from tests.property.compute_classes import VALUES
from tests.unit.rights.domain.manifests import merged, valid

EXAMPLES = settings(max_examples=400, deadline=None, derandomize=True, database=None)
# A base in which most fields have room on both sides: it grants fallbacks, and its limits limit.
ROOMY = {
    "resource": {"amount": str(2**61), "model_class": ["a"], "capability_tags": ["a"]},
    "service": {"quality_band": "premium", "provider_constraints": {"deny": ["c"]}},
    "fallback_policy": {"allow_fallback": True},
    "limits": {"max_per_request": "1000", "max_burst": str(2**60), "max_concurrent": 7, "rate_limit_per_minute": 7},
}
# What a buyer need not care about (SPEC §3): kinds, amounts, who issued on which path and backing, how it moves, where it is routed.
IRRELEVANT: dict[str, list[Any]] = {
    "kind": ["reserved", "burst", "background", "custom"],
    "resource.amount": [str(2**60), str(2**62)],
    "issuer.id": ["one", "another"],
    "issuer.attestations": [[], ["iso-27001"]],
    "issuer.issuance_path": ["supplier-self", "hybrid"],
    "assurance.reference": ["rack", "elsewhere"],
    "assurance.mode": ["reserved-capacity", "hybrid"],
    "transfer_policy.splittable": [True, False],
    "transfer_policy.requires_issuer_consent": [True, False],
    "transfer_policy.max_holders": [None, 3],
    "settlement_policy.proof_requirements": [[], ["artifact-hash"]],
    "routing_hints.preferred_regions": [[], ["US"]],
    "routing_hints.preferred_providers": [[], ["a"]],
    "metadata.label": ["", "mine"],
    "metadata.tags": [[], ["blue"]],
}


def manifest(*changes: tuple[str, Any]) -> Manifest:
    """The base with these fields; a manifest that may not be is not looked at."""
    document = merged(valid(), ROOMY)
    for path, value in changes:
        place = document
        *outer, last = path.split(".")
        for name in outer:
            place = place.setdefault(name, {})
        place[last] = value
    try:
        return read_manifest(document)
    except ManifestRefusedError:
        assume(False)
        raise


class_fields = st.sampled_from(sorted(field for field in VALUES if field != "issuer.tier")).flatmap(
    lambda field: st.tuples(st.just(field), st.sampled_from(VALUES[field]))
)
other_fields = st.sampled_from(sorted(IRRELEVANT)).flatmap(lambda field: st.tuples(st.just(field), st.sampled_from(IRRELEVANT[field])))


def window_of(found: Manifest) -> WindowFacts:
    return fungibility.own_window(found)


@EXAMPLES
@given(base=st.lists(class_fields, max_size=3), change=class_fields)
def test_one_field_apart_is_refused_and_named(base: list[tuple[str, Any]], change: tuple[str, Any]) -> None:
    one, two = manifest(*base), manifest(*base, change)
    dims = fungibility.dimensions(one, issuer_tier=1)
    own = fungibility.dimensions(two, issuer_tier=1)
    verdicts = fungibility.eligibility_verdicts(two, issuer_tier=1, class_dims=dims, window=window_of(one))
    differs = [change[0]] if dims[change[0]] != own[change[0]] else []
    assert [v.field for v in verdicts if not v.passed] == differs
    assert (fungibility.fingerprint(own) != fungibility.fingerprint(dims)) == bool(differs)
    assert all((v.relation == Relation.EQUAL) == v.passed for v in verdicts)


@EXAMPLES
@given(base=st.lists(class_fields, max_size=3), changes=st.lists(other_fields, min_size=1, max_size=5))
def test_what_a_buyer_need_not_care_about_changes_nothing(base: list[tuple[str, Any]], changes: list[tuple[str, Any]]) -> None:
    one, two = manifest(*base), manifest(*base, *changes)
    dims = fungibility.dimensions(one, issuer_tier=1)
    assert fungibility.dimensions(two, issuer_tier=1) == dims
    for rule in (fungibility.EXACT, fungibility.DOMINANCE):
        verdicts = fungibility.eligibility_verdicts(two, issuer_tier=1, class_dims=dims, window=window_of(one), delivery_rule=rule)
        assert all(v.passed for v in verdicts)


@EXAMPLES
@given(base=st.lists(class_fields, max_size=3), changes=st.lists(class_fields, min_size=1, max_size=3))
def test_under_dominance_what_is_better_passes_too(base: list[tuple[str, Any]], changes: list[tuple[str, Any]]) -> None:
    one, two = manifest(*base), manifest(*base, *changes)
    dims = fungibility.dimensions(one, issuer_tier=1)
    verdicts = fungibility.eligibility_verdicts(
        two, issuer_tier=1, class_dims=dims, window=window_of(one), delivery_rule=fungibility.DOMINANCE
    )
    assert all(v.passed == (v.relation in {Relation.EQUAL, Relation.BETTER}) for v in verdicts)
    assert all(v.rule for v in verdicts)


@EXAMPLES
@given(tier=st.integers(1, 3), wanted=st.integers(1, 3))
def test_the_issuers_tier_is_a_field_of_the_class(tier: int, wanted: int) -> None:
    one = manifest()
    dims = fungibility.dimensions(one, issuer_tier=wanted)
    for rule, passes in ((fungibility.EXACT, tier == wanted), (fungibility.DOMINANCE, tier <= wanted)):
        verdicts = fungibility.eligibility_verdicts(one, issuer_tier=tier, class_dims=dims, delivery_rule=rule)
        assert [v.field for v in verdicts if not v.passed] == ([] if passes else ["issuer.tier"])
