"""Work shared out over legs: every input is somebody's, nobody's twice, and the answers come together in the order that was asked."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from settlement.domain.parts import PER_CALL, is_mergeable, merged, parts_of, pieces_of
from tests.suppliers.legs import a_leg

TEXTS = st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=200)
SHARES = st.lists(st.integers(1, 10_000), min_size=1, max_size=5)


def legs(shares, operation="embeddings"):
    return [_at(a_leg("http://x", operation, units=units), number) for number, units in enumerate(shares)]


def _at(leg, number):
    return msgspec.structs.replace(leg, endpoint=msgspec.structs.replace(leg.endpoint, endpoint_id=number))


@given(TEXTS, SHARES)
def test_every_input_is_dealt_once_and_in_order(texts, shares):
    body = {"model": "m", "input": texts}
    parts = parts_of("embeddings", body, legs(shares))
    dealt = [place for part in parts for place in part.places]
    assert dealt == list(range(len(texts)))
    assert all(part.places for part in parts)


@given(TEXTS, SHARES)
def test_pieces_are_small_and_come_together_again(texts, shares):
    body = {"model": "m", "input": texts}
    done = []
    for part in parts_of("embeddings", body, legs(shares)):
        for piece in pieces_of("embeddings", body, part.places):
            assert 0 < len(piece.places) <= PER_CALL
            assert piece.body["input"] == [texts[place] for place in piece.places]
            data = [{"index": number, "embedding": [place]} for number, place in enumerate(piece.places)]
            done.append((piece, {"object": "list", "data": data, "usage": {"prompt_tokens": len(data), "total_tokens": len(data)}}))
    answer = merged("embeddings", body, list(reversed(done)))
    assert [(one["index"], one["embedding"]) for one in answer["data"]] == [(place, [place]) for place in range(len(texts))]
    assert answer["usage"] == {"prompt_tokens": len(texts), "total_tokens": len(texts)}


def test_shares_follow_what_was_locked():
    body = {"input": ["same"] * 100}
    first, second = parts_of("embeddings", body, legs([3000, 1000]))
    assert (len(first.places), len(second.places)) == (75, 25)


def test_several_rights_at_one_endpoint_are_one_call():
    one = legs([600])[0]
    parts = parts_of("chat.completions", {"messages": []}, [one, one])
    assert [len(part.legs) for part in parts] == [2]


def test_what_can_not_be_divided_is_done_by_the_first_supplier():
    parts = parts_of("chat.completions", {"messages": []}, legs([600, 400], "chat.completions"))
    assert [(part.legs[0].endpoint.endpoint_id, part.places) for part in parts] == [(0, ())]
    (piece,) = pieces_of("chat.completions", {"messages": []}, ())
    assert piece.places == ()
    whole = {"choices": [{"index": 0}], "usage": {"total_tokens": 5}}
    assert merged("chat.completions", {}, [(piece, whole)]) is whole


def test_choices_of_many_prompts_keep_their_places():
    body = {"prompt": ["a", "b", "c"], "n": 2}
    first, second = parts_of("completions", body, legs([2000, 1000], "completions"))
    done = []
    for part in (second, first):
        (piece,) = pieces_of("completions", body, part.places)
        choices = [{"index": number, "text": f"{piece.places[number // 2]}:{number % 2}"} for number in range(2 * len(piece.places))]
        done.append((piece, {"choices": choices, "usage": {"total_tokens": 1}}))
    answer = merged("completions", body, done)
    assert [(one["index"], one["text"]) for one in answer["choices"]] == [
        (0, "0:0"), (1, "0:1"), (2, "1:0"), (3, "1:1"), (4, "2:0"), (5, "2:1"),
    ]  # fmt: skip
    assert answer["usage"] == {"total_tokens": 2}


def test_an_answer_that_has_no_place_is_none():
    body = {"prompt": ["a", "b"], "n": 2}
    (piece,) = pieces_of("completions", body, (0, 1))
    assert is_mergeable("completions", body, piece, {"choices": [{"index": number} for number in (3, 0, 1, 2)], "usage": None})
    for places in ([4], [-1], [True], [None], [[]], [1, 1], ["0"]):
        assert not is_mergeable("completions", body, piece, {"choices": [{"index": place} for place in places]}), places
    for answer in ([], {}, {"choices": 5}, {"choices": [5]}, {"choices": [{}]}, {"choices": [], "usage": [1]}):
        assert not is_mergeable("completions", body, piece, answer), answer
    assert is_mergeable("completions", {"prompt": "a"}, pieces_of("completions", {"prompt": "a"}, ())[0], {})


def test_a_single_text_or_a_list_of_tokens_is_one_thing():
    for body in ({"input": "one"}, {"input": [1, 2, 3]}):
        (part,) = parts_of("embeddings", body, legs([10, 10]))
        assert part.places == ()
        (piece,) = pieces_of("embeddings", body, ())
        assert piece.body == body
