"""Fields take one form of a value and refuse every other, naming themselves."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.api import cursors, fields
from exchange.api.fields import FieldError
from exchange.api.query import Query
from rights.kernel.clock import rfc3339
from rights.kernel.ids import Mint
from tests.api.nasty_values import VALUES


def _python():
    for raw in VALUES:
        try:
            yield json.loads(raw)
        except (ValueError, RecursionError):
            continue


NASTY = list(_python())
UUID = Mint().uuid(1_700_000_000_000_000)


@pytest.mark.parametrize(
    ("read", "fine"),
    [
        (lambda v: fields.whole(v, "f"), lambda v: v.isascii() and v.isdigit() and str(int(v)) == v and int(v) < 2**63),
        (lambda v: fields.decimal_scaled(v, "f", 6), lambda v: all(c in "0123456789." for c in v) and v.count(".") < 2),
        (lambda v: fields.public_id(v, "f", "ord"), lambda v: v.startswith("ord_") and len(v) == 40),
        (lambda v: fields.choice(v, "f", {"buy": 0}), lambda v: v == "buy"),
        (lambda v: fields.moment_us(v, "f"), lambda v: v.endswith("Z") and "T" in v),
        (lambda v: fields.text(v, "f", high=64), lambda v: 0 < len(v) <= 64 and v.isprintable()),
    ],
)
def test_nasty_values(read, fine):
    for value in NASTY:
        try:
            read(value)
        except FieldError as refused:
            assert refused.field == "f"
            assert refused.rule
        else:
            assert isinstance(value, str)
            assert fine(value), value


@given(st.integers(0, 2**63 - 1))
def test_whole_numbers(number):
    assert fields.whole(str(number), "f") == number


@given(st.integers(0, 10**15))
def test_decimals_are_exact(minor):
    text = f"{minor // 10**6}.{minor % 10**6:06d}"
    assert fields.decimal_scaled(text, "f", 6) == minor


@pytest.mark.parametrize(
    ("text", "ticks"),
    [("0.01", 1), ("1", 100), ("1.00", 100), ("1.2300", 123), ("0.005", None), ("0", None), ("0.00", None), ("1.001", None)],
)
def test_ticks(text, ticks):
    if ticks is None:
        with pytest.raises(FieldError):
            fields.decimal_ticks(text, "price", 6, 10_000)
    else:
        assert fields.decimal_ticks(text, "price", 6, 10_000) == ticks


@given(st.integers(946_684_800_000_000, 7_000_000_000_000_000))
def test_moments(moment_us):
    assert fields.moment_us(rfc3339(moment_us), "f") == moment_us


def test_integers_and_truth_are_not_confused():
    for value in (True, False, "1", 1.0, None):
        with pytest.raises(FieldError):
            fields.integer(value, "f", 0, 10)
    for value in (0, 1, "true", None):
        with pytest.raises(FieldError):
            fields.boolean(value, "f")


def test_members_and_items():
    assert fields.members({"a": 1}, "", ("a", "b"), ("a",)) == {"a": 1}
    for value, field in (({"c": 1}, "x.c"), ({}, "x.a"), ([], "x")):
        with pytest.raises(FieldError) as refused:
            fields.members(value, "x", ("a",), ("a",))
        assert refused.value.field == field
    with pytest.raises(FieldError) as refused:
        fields.items(["1", "x"], "list", 1, 5, fields.whole)
    assert refused.value.field == "list.1"


@given(st.integers(-(2**63), 2**63 - 1), st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=64))
def test_cursors_come_back(number, text):
    assert cursors.decode("k", cursors.encode("k", (UUID, number)), "ui") == (UUID, number)
    assert cursors.decode("s", cursors.encode("s", (text,)), "s") == (text,)


@pytest.mark.parametrize(
    "text",
    ["", "a", "!", "AAAA", "====", cursors.encode("other", (1,)), cursors.encode("k", ("1",)), cursors.encode("k", (1, 1)), cursors.encode("k", ()),
     cursors.encode("k", (1,)) + "=", cursors.encode("k", (1,)) + "A", " " + cursors.encode("k", (1,)), "A" * 401, "é", cursors.encode("k", (2**63,)),
     "WyJrIiwxLjBd", "WyJrIiwgMV0", "WyJrIix0cnVlXQ"],
)  # fmt: skip
def test_only_our_own_cursors_are_taken(text):
    with pytest.raises(FieldError) as refused:
        cursors.decode("k", text, "i")
    assert refused.value.field == "cursor"


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("a=1&a=2", "a", "invalid"),
        ("b=1", "b", "unknown_parameter"),
        ("a=%00", "a", "invalid"),
        ("a=%ff", "query", "invalid"),
        ("a=%ed%a0%80", "query", "invalid"),
        ("%00=1", "\N{REPLACEMENT CHARACTER}", "unknown_parameter"),
        ("&".join(f"a{i}=1" for i in range(60)), "query", "invalid"),
    ],
)
def test_queries(query, field, code):
    with pytest.raises(FieldError) as refused:
        Query.read(query, ("a",))
    assert (refused.value.field, refused.value.code) == (field, code)
    assert Query.read("a=%F0%9F%98%80", ("a",)).raw("a") == "\U0001f600"
    assert Query.read("", ()).limit() == 100
