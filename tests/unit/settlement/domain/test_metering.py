"""What work may take at most, and what of it counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.demo.supplier import text as supplier_text
from settlement.domain.breaker import FAILURES, FIRST_US, LONGEST_US, average_us, open_us
from settlement.domain.metering import Ceiling, Usage, bounded, ceiling_of, fitted, floor_tokens, is_plausible, shared, units_of


@given(st.lists(st.text(max_size=60), min_size=1, max_size=5), st.integers(1, 50), st.integers(1, 4))
def test_no_honest_count_is_above_the_ceiling(texts, most, choices):
    """For the text supplier's tokens, which are words."""
    body = {"messages": [{"role": "user", "content": one} for one in texts], "max_tokens": most, "n": choices}
    prompt = supplier_text.count(supplier_text.prompt_of(body))
    out = sum(len(list(supplier_text.answer("x", most, choice))) for choice in range(choices))
    assert is_plausible(Usage(prompt, out, choices), ceiling_of("chat.completions", body))


@pytest.mark.parametrize(
    ("operation", "body", "items", "completion"),
    [
        ("embeddings", {"input": "one"}, 1, 0),
        ("embeddings", {"input": ["one", "two"]}, 2, 0),
        ("embeddings", {"input": [1, 2, 3]}, 1, 0),
        ("embeddings", {"input": [[1, 2], [3]]}, 2, 0),
        ("completions", {"prompt": ["a", "b"], "n": 2, "max_tokens": 10}, 4, 40),
        ("completions", {"prompt": "a"}, 1, 1024),
        ("chat.completions", {"messages": [], "max_completion_tokens": 7, "n": 3}, 3, 21),
        ("chat.completions", {"messages": [{"role": "user", "content": "x"}], "max_tokens": 5, "max_completion_tokens": 4}, 1, 4),
    ],
)
def test_what_is_asked_for_is_counted(operation, body, items, completion):
    found = ceiling_of(operation, body)
    assert (found.items, found.completion_tokens) == (items, completion)
    assert found.units("requests") == items
    assert found.units("tokens") == found.prompt_tokens + completion


def test_every_letter_counts_toward_the_ceiling():
    def prompt(**body):
        return ceiling_of("chat.completions", body).prompt_tokens

    plain = prompt(messages=[{"role": "user", "content": "x"}])
    assert prompt(messages=[{"role": "user", "content": "x" * 1001}]) == plain + 1000
    assert prompt(messages=[{"role": "user", "content": [{"type": "text", "text": "x" * 1001}]}]) >= plain + 1000
    assert prompt(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]) > plain + 4000
    assert prompt(messages=[{"role": "user", "content": "x"}], tools=[{"name": "y" * 500}]) > plain + 500


def test_a_limit_that_nobody_named_is_said_aloud():
    assert bounded("chat.completions", {"messages": []})["max_tokens"] == 1024
    assert bounded("chat.completions", {"messages": [], "max_completion_tokens": 5}) == {"messages": [], "max_completion_tokens": 5}
    assert bounded("embeddings", {"input": "x"}) == {"input": "x"}


def test_units_of_each_kind():
    usage = Usage(10, 5, 2)
    assert [units_of(unit=unit, usage=usage, took_us=61_000_000) for unit in ("tokens", "requests", "jobs", "seconds", "minutes")] == [
        15, 2, 2, 61, 2,
    ]  # fmt: skip
    assert units_of(unit="tokens", usage=Usage(None, None, 1), took_us=1) is None
    assert units_of(unit="frames", usage=usage, took_us=1) is None


def test_more_than_can_be_is_not_plausible():
    ceiling = Ceiling(10, 5, 1)
    assert is_plausible(Usage(10, 5, 1), ceiling)
    assert not is_plausible(Usage(11, 0, 1), ceiling)
    assert not is_plausible(Usage(0, 6, 1), ceiling)
    assert not is_plausible(Usage(0, 0, 2), ceiling)


@given(st.integers(0, 1000), st.lists(st.integers(0, 300), max_size=5))
def test_vessels_are_filled_in_order_and_nothing_is_made(units, sizes):
    found = shared(units, sizes)
    assert sum(found) == min(units, sum(sizes))
    assert all(0 <= part <= size for part, size in zip(found, sizes, strict=True))
    full = [part == size for part, size in zip(found, sizes, strict=True)]
    assert all(
        not later or earlier or sizes[place] == 0 for place, (earlier, later) in enumerate(zip(full, map(bool, found[1:]), strict=False))
    )


@given(st.lists(st.text(max_size=60), min_size=1, max_size=5))
def test_no_honest_count_of_an_embedding_is_below_the_floor(texts):
    floor = floor_tokens("embeddings", {"input": texts})
    assert floor <= sum(map(supplier_text.count, texts))
    assert floor <= ceiling_of("embeddings", {"input": texts}).prompt_tokens


def test_the_floor_counts_words_and_tokens_as_they_are():
    assert floor_tokens("embeddings", {"input": ["two words", "- and \u200b"]}) == 3
    assert floor_tokens("embeddings", {"input": [5, 6, 7]}) == 3
    assert floor_tokens("embeddings", {"input": [[5, 6], [7]]}) == 3
    assert floor_tokens("chat.completions", {"messages": [{"role": "user", "content": "two words"}]}) == 0


def test_the_breaker_opens_after_failures_in_a_row_and_longer_each_time():
    waits = [open_us(failures) for failures in range(FAILURES + 20)]
    assert waits[FAILURES - 1] == 0
    assert waits[FAILURES] == FIRST_US
    assert waits[FAILURES + 1] == 2 * FIRST_US
    assert waits[-1] == LONGEST_US == max(waits)
    assert waits == sorted(waits)
    assert average_us(None, 800) == 800
    assert average_us(800, 1600) == 900


def test_answers_are_cut_to_what_is_reserved_behind_the_prompt():
    body = {"messages": [{"role": "user", "content": "x" * 40}], "max_tokens": 900, "n": 2}
    prompt = ceiling_of("chat.completions", body).prompt_tokens
    assert fitted("chat.completions", body, units=5_000, unit="tokens") == body
    assert fitted("chat.completions", body, units=prompt + 101, unit="tokens") == {**body, "max_tokens": 50}
    assert fitted("chat.completions", body, units=1, unit="tokens") == {**body, "max_tokens": 1}
    assert fitted("chat.completions", body, units=1, unit="requests") == body
    named = {**body, "max_completion_tokens": 900}
    assert fitted("chat.completions", named, units=prompt + 101, unit="tokens")["max_completion_tokens"] == 50
    assert fitted("embeddings", {"input": "x"}, units=1, unit="tokens") == {"input": "x"}
