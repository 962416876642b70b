"""The one door for JSON: what it lets in is exactly what strict readers agree on, and a refusal names the field."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.api import json_place
from exchange.api.strict_json import MAX_BYTES, MAX_INTEGER, Malformed, parse, parse_object
from tests.api.nasty_values import BODIES, NUMBERS, VALUES


def test_there_are_enough_nasty_values():
    assert len(VALUES) >= 300


def _texts(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


@pytest.mark.parametrize("place", [b'{"a":%s}', b'{"b":[0,{"a":%s}]}'])
def test_a_nasty_value_is_refused_by_name_or_is_plain_json(place):
    field = "a" if place.startswith(b'{"a"') else "b.1.a"
    for value in VALUES:
        body = place.replace(b"%s", value)
        try:
            parsed = parse(body)
        except Malformed as refused:
            assert refused.field.startswith(field) or not refused.field or len(value) > 1000 or value[:1] in b"}]/{,'", (
                value[:60],
                refused,
            )
        else:
            assert json_place.is_clean("".join(_texts(parsed)))
            assert json.loads(body) == parsed


def test_no_nasty_body_is_an_object():
    for body in BODIES:
        if body == b'{"":1}':
            continue
        with pytest.raises(Malformed):
            parse_object(body)


@pytest.mark.parametrize("number", [n for n in NUMBERS if not n.lstrip(b"-").isdigit()])
def test_only_plain_integers_are_numbers(number):
    with pytest.raises(Malformed) as refused:
        parse(b'{"order":{"price":' + number + b"}}")
    assert refused.value.field == "order.price"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"a":"x","b":{"c":1,"c":2}}', "b.c"),
        (b'{"operations":[{"op":"place"},{"price":1e3}]}', "operations.1.price"),
        (b'{"a":' + b"[" * 20 + b"]" * 20 + b"}", "a.0.0"),
        (b'{"a":["ok","\\u0000"]}', "a.1"),
        (b'{"a":{"b":"\\ud800"}}', "a.b"),
        (b'{"a":"\xff"}', "a"),
        (b'{"a":1.5,"b":1.5}', "a"),
        (b'{"a":"1.5","b":1.5}', "b"),
        (b'{"a":12345678901234567890}', "a"),
        (b'{"\\u0061":1,"a":2}', "a"),
    ],
)
def test_the_refusal_says_where(body, field):
    with pytest.raises(Malformed) as refused:
        parse(body)
    assert refused.value.field == field


@pytest.mark.parametrize(("depth", "taken"), [(1, True), (15, True), (16, True), (17, False), (1000, False), (100_000, False)])
@pytest.mark.parametrize("pair", [(b"[", b"]"), (b'{"a":', b"}"), (b'["x","]}",', b"]")])
def test_sixteen_levels_and_no_more(depth, taken, pair):
    body = pair[0] * depth + b"1" + pair[1] * depth
    if taken:
        parse(body)
    elif len(body) <= MAX_BYTES:
        with pytest.raises(Malformed, match="deeper"):
            parse(body)


def test_brackets_in_texts_hide_no_depth():
    body = b'["]",' * 20 + b"1" + b',"["]' * 20
    with pytest.raises(Malformed, match="deeper"):
        parse(body)
    assert parse(b'["' + b"[" * 100 + b'","\\"[[[[[[[[[[[[[[[[[["]')[0] == "[" * 100


def test_limits_are_exact():
    assert parse(b'"' + b"x" * (MAX_BYTES - 2) + b'"')
    with pytest.raises(Malformed, match="larger"):
        parse(b'"' + b"x" * (MAX_BYTES - 1) + b'"')
    assert parse(str(MAX_INTEGER).encode()) == MAX_INTEGER
    assert parse(f"-{MAX_INTEGER}".encode()) == -MAX_INTEGER
    for beyond in (MAX_INTEGER + 1, -MAX_INTEGER - 1):
        with pytest.raises(Malformed):
            parse(str(beyond).encode())


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), inner, max_size=4)
    ),
    max_leaves=30,
)


def _depth(value):
    if isinstance(value, dict | list):
        return 1 + max((_depth(v) for v in (value.values() if isinstance(value, dict) else value)), default=0)
    return 0


@settings(max_examples=300, deadline=None)
@given(_JSON, st.booleans())
def test_what_is_well_formed_comes_in_unchanged(value, ascii_only):
    body = json.dumps(value, ensure_ascii=ascii_only).encode()
    if _depth(value) <= 16:
        assert parse(body) == value


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200) | st.text(st.sampled_from('[]{}:,"\\ue1-.0 a'), max_size=60).map(str.encode))
def test_any_bytes_are_taken_or_refused(body):
    try:
        value = parse(body)
    except Malformed:
        return
    assert json.loads(body) == value
