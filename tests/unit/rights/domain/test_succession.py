"""Where what remains at an end may go: the next window, and which of the coming ones is tried first."""

from hypothesis import given
from hypothesis import strategies as st

from rights.domain.succession import Room, in_turn, moved_into, next_window
from tests.unit.rights.domain.manifests import chat_day

HOUR_US = 3_600_000_000
ROOMS = st.builds(Room, st.integers(0, 9), st.integers(10, 19), st.integers(0, 50), st.sampled_from(["named", "other"]))


def test_the_next_window_is_as_long_and_begins_at_the_end():
    assert next_window(24 * HOUR_US, 30 * HOUR_US) == (30 * HOUR_US, 36 * HOUR_US)


def test_terms_move_into_the_window_and_change_nowhere_else():
    before = chat_day()
    after = moved_into(before, Room(0, HOUR_US, 1, "another"))
    assert (after["window"]["start"], after["window"]["end"]) == ("1970-01-01T00:00:00Z", "1970-01-01T01:00:00Z")
    assert after["assurance"] == {**before["assurance"], "reference": "another"}
    assert {**after, "window": before["window"], "assurance": before["assurance"]} == before


def test_the_earliest_that_has_room_for_all_comes_first():
    small, late, early = Room(1, 2, 30, "a"), Room(5, 6, 200, "a"), Room(3, 4, 100, "a")
    assert in_turn([small, late, early], 100, "a") == [(early, 100), (late, 100), (small, 30)]
    smaller = Room(0, 1, 10, "a")
    assert in_turn([smaller, small, Room(2, 3, 0, "a")], 100, "a") == [(small, 30), (smaller, 10)]
    assert in_turn([], 100, "a") == []


def test_of_one_window_the_assurance_that_the_terms_name_comes_first():
    other, named, later = Room(1, 2, 100, "a"), Room(1, 2, 100, "b"), Room(2, 3, 100, "b")
    assert [room for room, _ in in_turn([other, later, named], 100, "b")] == [named, other, later]


@given(st.lists(ROOMS, max_size=8), st.integers(1, 60))
def test_nothing_is_tried_beyond_its_room_or_what_is_left(rooms, units):
    tried = in_turn(rooms, units, "named")
    assert sorted(room.free_units for room, _ in tried) == sorted(room.free_units for room in rooms if room.free_units)
    assert all(some == min(units, room.free_units) > 0 for room, some in tried)
    assert [some for _, some in tried] == sorted((some for _, some in tried), reverse=True)
