"""Changing what rests: rule 9 of docs/matching.md."""

import pytest

from exchange.domain.command import Phase
from tests.unit.exchange.domain.trading_day import Day


@pytest.fixture
def day():
    day = Day()
    day.play("""
        ann: a1 sell 5 @ 100       | a1 rests 5 @ 100
        bob: a2 sell 5 @ 100       | a2 rests 5 @ 100
    """)
    return day


def test_less_keeps_its_place_more_goes_to_the_end(day):
    day.play("amend a1 lots=3 | a1 kept 3 @ 100")
    assert day.queue("sell") == "a1 a2"
    day.play("amend a1 lots=4 | a1 requeued 4 @ 100; a1 rests 4 @ 100")
    assert day.queue("sell") == "a2 a1"
    day.shows("| 9 @ 100")


def test_refusals_leave_the_order_as_it_was(day):
    day.play("""
        cat: b1 buy 2 @ 100        | b1 takes 2 @ 100 from a1
        amend a9 lots=3            | a9 refused order_unknown
        amend a1                   | a1 refused nothing_to_amend
        amend a1 lots=5 price=100 expires=0 | a1 refused nothing_to_amend
        amend a1 lots=2            | a1 refused quantity_below_filled
        amend a1 lots=3            | a1 kept 3 @ 100
    """)
    day.shows("| 6 @ 100")


def test_a_new_price_may_trade(day):
    day.play("""
        cat: b1 buy 3 @ 98         | b1 rests 3 @ 98
        amend a1 price=98 lots=4   | a1 requeued 4 @ 98; a1 takes 3 @ 98 from b1; a1 rests 1 @ 98
        cat: b2 buy 5 @ 98         | b2 takes 1 @ 98 from a1; b2 rests 4 @ 98
        amend b2 price=100         | b2 requeued 5 @ 100; b2 takes 4 @ 100 from a2
    """)
    day.shows("| 1 @ 100")
    assert day.book.resting("b2") is None


def test_the_filled_part_stays_in_the_total(day):
    day.play("""
        cat: b1 buy 2 @ 100        | b1 takes 2 @ 100 from a1
        amend a1 lots=10           | a1 requeued 10 @ 100; a1 rests 8 @ 100
    """)
    order = day.book.resting("a1")
    assert (order.quantity_lots, order.filled_lots, order.remaining_lots) == (10, 2, 8)


def test_a_decremented_total_is_the_smaller_one(day):
    day.play("""
        ann: b1 buy 2 @ 100 decrement | a1 reduced by 2 to 3; b1 cancelled 2 self_trade
        amend a1 lots=3            | a1 refused nothing_to_amend
        cat: b2 buy 1 @ 97         | b2 rests 1 @ 97
        ann: b3 buy 4 @ 97 decrement | b3 rests 4 @ 97
        amend b3 price=100         | b3 requeued 4 @ 100; a1 cancelled 3 self_trade; b3 reduced by 3 to 1; b3 takes 1 @ 100 from a2
    """)
    day.shows("1 @ 97 | 4 @ 100")


def test_an_amended_taker_keeps_count_of_decrements(day):
    day.play("""
        ann: b1 buy 9 @ 97 decrement | b1 rests 9 @ 97
        cancel a2                  | a2 cancelled 5 user
        amend b1 price=100         | b1 requeued 9 @ 100; a1 cancelled 5 self_trade; b1 reduced by 5 to 4; b1 rests 4 @ 100
        amend b1 lots=4            | b1 refused nothing_to_amend
    """)


def test_post_only_still_holds(day):
    day.play("""
        cat: b1 buy 3 @ 98 reject  | b1 rests 3 @ 98
        cat: b2 buy 3 @ 98 slide   | b2 rests 3 @ 98
        amend b1 price=100 lots=1  | b1 refused post_only_would_take
        amend b2 price=101         | b2 requeued 3 @ 101; b2 rests 3 @ 99
        amend b2 price=97          | b2 requeued 3 @ 97; b2 rests 3 @ 97
    """)
    assert day.queue("buy") == "b1 b2"
    day.play("phase pre_open | phase pre_open")
    day.play("amend b1 price=100 | b1 requeued 3 @ 100; b1 rests 3 @ 100")


def test_a_slide_without_room_is_refused_before_anything_changes():
    day = Day()
    day.play("""
        ann: a1 sell 5 @ 2         | a1 rests 5 @ 2
        bob: b1 buy 5 @ 1 slide    | b1 rests 5 @ 1
        amend b1 lots=6 price=3    | b1 requeued 6 @ 3; b1 rests 6 @ 1
        cancel b1                  | b1 cancelled 6 user
        bob: a2 sell 1 @ 1         | a2 rests 1 @ 1
        phase pre_open             | phase pre_open
        bob: b2 buy 5 @ 1 slide    | b2 rests 5 @ 1
        cancel a1                  | a1 cancelled 5 user
    """)
    day.book.phase = int(Phase.CONTINUOUS)
    day.play("amend b2 lots=6 | b2 refused post_only_would_take")
    day.shows("5 @ 1 | 1 @ 1")


def test_a_blocked_pair_ends_an_amended_order():
    day = Day(blocked=frozenset({(7, 3)}))
    day.play("""
        ann: a1 sell 5 @ 100 policy=7 | a1 rests 5 @ 100
        bob: b1 buy 5 @ 99 holder=3   | b1 rests 5 @ 99
        amend b1 price=100            | b1 requeued 5 @ 100; b1 cancelled 5 gate_refused
    """)
    day.shows("| 5 @ 100")
    assert day.book.resting("b1") is None


def test_a_new_expiry_keeps_the_place_and_one_in_the_past_ends_the_order(day):
    day.play("""
        amend a1 expires=20        | a1 kept 5 @ 100 expires=20
        amend a1 expires=30        | a1 kept 5 @ 100 expires=30
        clock 25                   |
        amend a1 lots=9 price=99 expires=25 | a1 kept 9 @ 99 expires=25; a1 cancelled 9 order_expired
    """)
    day.shows("| 5 @ 100")
