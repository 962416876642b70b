"""Dominance is an order, in every dimension and in the whole: reflexive, transitive, and two that are as good as each other are equal."""

from collections import Counter
from itertools import product
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rights.domain import fungibility
from rights.domain.dominance import RULES, WINDOW_RULES, Relation, class_relations, dominates, overall, relation, window_relations
from rights.domain.manifest import read_manifest
from rights.domain.window import WindowFacts
from tests.property.compute_classes import VALUES, dimensions, near, windows
from tests.unit.rights.domain.manifests import valid

EXAMPLES = settings(max_examples=400, deadline=None, derandomize=True, database=None)
AT_LEAST = frozenset({Relation.EQUAL, Relation.BETTER})
TURNED = {Relation.BETTER: Relation.WORSE, Relation.WORSE: Relation.BETTER}


def test_every_dimension_has_its_order_and_its_values() -> None:
    dims = fungibility.dimensions(read_manifest(valid("every-field")), issuer_tier=1)
    assert set(RULES) == set(dims) == set(VALUES)


@pytest.mark.parametrize("field", VALUES)
def test_each_dimension_is_an_order(field: str) -> None:
    values = VALUES[field]
    for one, two in product(values, repeat=2):
        found = relation(field, one, two)
        assert (found is Relation.EQUAL) == (one == two), (one, two)
        assert relation(field, two, one) is TURNED.get(found, found), (one, two)
    for one, two, three in product(values, repeat=3):
        if relation(field, one, two) in AT_LEAST and relation(field, two, three) in AT_LEAST:
            assert relation(field, one, three) in AT_LEAST, (one, two, three)


@pytest.mark.parametrize("field", sorted(set(VALUES) - {"resource.type", "resource.unit", "limits.partial_fill_allowed"}))
def test_some_value_is_better_than_another(field: str) -> None:
    assert any(relation(field, one, two) is Relation.BETTER for one, two in product(VALUES[field], repeat=2))


def test_only_what_has_to_be_the_same_has_no_better() -> None:
    for field in ("resource.type", "resource.unit", "limits.partial_fill_allowed"):
        assert {relation(field, *pair) for pair in product(VALUES[field], repeat=2)} == {Relation.EQUAL, Relation.INCOMPARABLE}


@EXAMPLES
@given(own=windows(), other=windows(), third=windows())
def test_windows_are_ordered(own: WindowFacts, other: WindowFacts, third: WindowFacts) -> None:
    assert set(window_relations(own, other)) == set(WINDOW_RULES)
    found, back = (overall(window_relations(*pair).values()) for pair in ((own, other), (other, own)))
    assert (found is Relation.EQUAL) == (own == other)
    assert back is TURNED.get(found, found)
    if found in AT_LEAST and overall(window_relations(other, third).values()) in AT_LEAST:
        assert overall(window_relations(own, third).values()) in AT_LEAST
    if own.mode == other.mode == "fixed":
        assert (found in AT_LEAST) == (own.start <= other.start and own.end >= other.end)


@EXAMPLES
@given(data=st.data(), dims=dimensions(), window=windows())
def test_a_class_is_at_least_as_good_as_itself(data: st.DataObject, dims: dict[str, Any], window: WindowFacts) -> None:
    assert dominates(own_dims=dims, own_window=window, dims=dims, window=window)
    other = data.draw(near(dims))
    both = [dominates(own_dims=one, own_window=window, dims=two, window=window) for one, two in ((dims, other), (other, dims))]
    assert all(both) == (dims == other)


@EXAMPLES
@given(data=st.data(), dims=dimensions(), window=windows())
def test_what_dominates_a_dominating_class_dominates(data: st.DataObject, dims: dict[str, Any], window: WindowFacts) -> None:
    middle = data.draw(near(dims))
    worst = data.draw(near(middle))
    upper = overall(class_relations(dims, middle).values())
    lower = overall(class_relations(middle, worst).values())
    assume(upper in AT_LEAST and lower in AT_LEAST)
    assert dominates(own_dims=dims, own_window=window, dims=worst, window=window)


@EXAMPLES
@given(data=st.data(), dims=dimensions(), window=windows())
def test_one_worse_dimension_is_enough(data: st.DataObject, dims: dict[str, Any], window: WindowFacts) -> None:
    field = data.draw(st.sampled_from(sorted(VALUES)))
    better = [value for value in VALUES[field] if relation(field, value, dims[field]) in AT_LEAST]
    others = [value for value in VALUES[field] if value not in better]
    for value in VALUES[field]:
        own = dims | {field: value}
        assert dominates(own_dims=own, own_window=window, dims=dims, window=window) is (value in better)
        assert [name for name, found in class_relations(own, dims).items() if found not in AT_LEAST] == [field] * (value in others)


@EXAMPLES
@given(dims=dimensions(), window=windows())
def test_a_dimension_that_only_one_has_is_incomparable(dims: dict[str, Any], window: WindowFacts) -> None:
    more = dims | {"service.of_tomorrow": "yes"}
    assert not dominates(own_dims=more, own_window=window, dims=dims, window=window)
    assert not dominates(own_dims=dims, own_window=window, dims=more, window=window)
    other = more | {"service.of_tomorrow": "no"}  # without a rule of its own it has to be the same
    assert dominates(own_dims=more, own_window=window, dims=more, window=window)
    assert not dominates(own_dims=more, own_window=window, dims=other, window=window)


def test_the_draws_reach_all_relations() -> None:
    seen: Counter[Relation] = Counter()

    @EXAMPLES
    @given(data=st.data(), dims=dimensions())
    def draw(data: st.DataObject, dims: dict[str, Any]) -> None:
        seen[overall(class_relations(data.draw(near(dims)), dims).values())] += 1

    draw()
    assert set(seen) == set(Relation)
