"""The intersection of policies (SPEC §8): only tightens, and says who tightened what."""

from hypothesis import given, settings
from hypothesis import strategies as st

from rights.domain.capability import LATENCY_BANDS, QUALITY_BANDS
from rights.domain.effective_policy import FALLBACKS, PRIVACY_ORDER, Policy, intersect, of_right
from rights.domain.manifest import read_manifest
from tests.unit.rights.domain.manifests import chat_day

some = st.frozensets(st.sampled_from(["a", "b", "c"]))
policies = st.builds(
    Policy,
    latest_us=st.none() | st.integers(0, 9),
    privacy=st.none() | st.sampled_from(PRIVACY_ORDER),
    jurisdictions=st.none() | some,
    providers=st.none() | some,
    denied_providers=some,
    tags=some,
    slowest=st.none() | st.sampled_from(LATENCY_BANDS),
    lowest_quality=st.none() | st.sampled_from(QUALITY_BANDS[:-1]),
    fallbacks=st.none() | st.frozensets(st.sampled_from(FALLBACKS)),
    max_quality_loss_bps=st.none() | st.integers(0, 9),
    max_latency_expansion_bps=st.none() | st.integers(0, 9),
    max_units=st.none() | st.integers(1, 9),
    min_full_rate_bps=st.none() | st.integers(0, 9),
)


@given(policies, policies, policies)
@settings(max_examples=300)
def test_an_intersection(a: Policy, b: Policy, c: Policy) -> None:
    """Whatever the order; more words never loosen; each word by itself changes nothing."""
    both = intersect([("a", a), ("b", b)]).policy
    assert intersect([("b", b), ("a", a)]).policy == both
    assert intersect([("a", a), ("b", b), ("c", c)]).policy == intersect([("ab", both), ("c", c)]).policy
    assert intersect([("a", a), ("a", a)]).policy == a
    if both.fallbacks is not None:
        for policy in (a, b):
            assert policy.fallbacks is None or both.fallbacks <= policy.fallbacks
    if both.privacy is not None:
        strictest = max((p.privacy for p in (a, b) if p.privacy), key=PRIVACY_ORDER.index)
        assert both.privacy == strictest


def test_each_narrowing_names_its_source() -> None:
    right = of_right(read_manifest(chat_day()).document, ends_us=100)
    asked = Policy(latest_us=50, privacy="confidential", providers=frozenset({"boreal"}))
    found = intersect([("right", right), ("request", asked), ("route", Policy(providers=frozenset({"other"})))])
    by_request = {n.field: (n.before, n.after) for n in found.narrowings if n.by == "request"}
    assert by_request == {"latest_us": ("100", "50"), "privacy": ("private", "confidential"), "providers": ("any", "boreal")}
    assert found.empty == ("providers",)


def test_deterministic_stands_apart() -> None:
    exact = Policy(lowest_quality="deterministic")
    assert intersect([("a", exact), ("b", Policy(lowest_quality="premium"))]).policy.lowest_quality == "deterministic"
    assert intersect([("b", Policy(lowest_quality="premium")), ("a", exact)]).policy.lowest_quality == "deterministic"
