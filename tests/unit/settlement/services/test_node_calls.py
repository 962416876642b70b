"""Calls that go together, and by themselves where the database has none of that."""

from collections.abc import Sequence

from django.db import DatabaseError

from settlement.services.node_calls import all_or_each


def test_what_the_database_refuses_of_several_is_done_one_by_one():
    tried: list[list[str]] = []

    def act(calls: Sequence[str]) -> list[str]:
        tried.append(list(calls))
        if "bad" in calls:
            raise DatabaseError("not this one")
        return [call.upper() for call in calls]

    assert all_or_each(act, ["a", "b"]) == ["A", "B"]
    first, wrong, last = all_or_each(act, ["a", "bad", "c"])
    assert (first, str(wrong), last) == ("A", "not this one", "C")
    assert tried == [["a", "b"], ["a", "bad", "c"], ["a"], ["bad"], ["c"]]
