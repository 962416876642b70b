"""Which parts of a package a use draws on, and in which order (SPEC §6)."""

from hypothesis import given
from hypothesis import strategies as st

from rights.domain.package import TYPES, PartFacts, branch_for, parts_in_order

tiered = st.lists(st.builds(PartFacts, st.uuids().map(str), st.integers(0, 9), tier=st.sampled_from(["baseline", "overflow"])), max_size=6)


@given(tiered)
def test_every_baseline_comes_before_any_overflow_and_both_as_composed(parts: list[PartFacts]) -> None:
    found = parts_in_order("tranche", parts)
    assert found == [part for tier in ("baseline", "overflow") for part in parts if part.tier == tier]


def test_of_a_strategy_one_branch_of_others_all() -> None:
    parts = [PartFacts("b", 1, branch="night"), PartFacts("a", 2, branch="day"), PartFacts("c", 3, branch="night")]
    assert parts_in_order("strategy", parts, "night") == [parts[0], parts[2]]
    assert parts_in_order("strategy", parts) == []
    plain = [PartFacts("b", 1), PartFacts("a", 2)]
    for kind in set(TYPES) - {"strategy"}:
        assert parts_in_order(kind, plain) == plain


def test_a_strategy_picks_the_first_branch_whose_rule_lets_it() -> None:
    parts = [PartFacts("b", 1, branch="night"), PartFacts("a", 2, branch="day")]
    rules = {"night": {"workload_classes": ["text.embedding"]}, "day": {"workload_classes": ["text.generation"]}}
    assert branch_for(parts=parts, rules=rules, workload="text.embedding") == "night"
    assert branch_for(parts=parts, rules=rules, workload="text.generation") == "day"
    assert branch_for(parts=parts, rules=rules, workload="image.edit") is None
    assert branch_for(parts=[], rules=rules, workload="image.edit") is None
    # What is no rule about work is none.
    for loose in ({}, {"night": "cheap"}, {"night": {"workload_classes": "all"}}, {"night": {"hours": [22, 6]}}):
        assert branch_for(parts=parts, rules=loose, workload="image.edit") == "night"
