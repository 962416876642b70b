"""The opening: rules 7 and 8 of docs/matching.md."""

import pytest

from exchange.domain.command import Phase
from tests.unit.exchange.domain.trading_day import Day


@pytest.fixture
def day():
    return Day(phase=Phase.PRE_OPEN)


def test_opening_trades_the_most_at_one_price(day):
    day.play("""
        ann: b1 buy 5 @ 103        | b1 rests 5 @ 103
        ann: b2 buy 5 @ 101        | b2 rests 5 @ 101
        bob: a1 sell 4 @ 100       | a1 rests 4 @ 100
        cat: a2 sell 4 @ 101       | a2 rests 4 @ 101
        cat: a3 sell 4 @ 104       | a3 rests 4 @ 104
    """)
    day.shows("""
        5 @ 103 | 4 @ 100
        5 @ 101 | 4 @ 101
                | 4 @ 104
    """)
    day.play("""
        phase continuous | phase continuous; b1 meets 4 @ 101 from a1; b1 meets 1 @ 101 from a2; b2 meets 3 @ 101 from a2
        dan: a4 sell 2 @ 101 | a4 takes 2 @ 101 from b2
    """)
    day.shows("| 4 @ 104")


def test_a_tie_in_volume_goes_to_the_least_left_over_then_the_lowest_price(day):
    day.play("""
        ann: b1 buy 5 @ 103        | b1 rests 5 @ 103
        ann: b2 buy 2 @ 101        | b2 rests 2 @ 101
        bob: a1 sell 5 @ 100       | a1 rests 5 @ 100
        phase continuous           | phase continuous; b1 meets 5 @ 103 from a1
    """)
    day.shows("2 @ 101 |")
    later = Day(phase=Phase.PRE_OPEN)
    later.play("""
        ann: b1 buy 5 @ 103        | b1 rests 5 @ 103
        bob: a1 sell 5 @ 100       | a1 rests 5 @ 100
        phase continuous           | phase continuous; b1 meets 5 @ 100 from a1
    """)


def test_a_locked_book_opens_with_a_trade(day):
    day.play("""
        ann: b1 buy 5 @ 100        | b1 rests 5 @ 100
        bob: a1 sell 2 @ 100       | a1 rests 2 @ 100
        phase continuous           | phase continuous; b1 meets 2 @ 100 from a1
    """)
    day.shows("3 @ 100 |")


def test_the_later_of_two_own_or_blocked_orders_goes():
    day = Day(phase=Phase.PRE_OPEN, blocked=frozenset({(7, 3)}))
    day.play("""
        ann: a1 sell 2 @ 100           | a1 rests 2 @ 100
        ann: b1 buy 2 @ 102            | b1 rests 2 @ 102
        bob: b2 buy 2 @ 101 holder=3   | b2 rests 2 @ 101
        cat: a2 sell 1 @ 99 policy=7   | a2 rests 1 @ 99
        phase continuous | phase continuous; b1 meets 1 @ 100 from a2; b1 cancelled 1 self_trade; b2 meets 2 @ 100 from a1
    """)
    day.shows("|")
    blocked = Day(phase=Phase.PRE_OPEN, blocked=frozenset({(7, 3)}))
    blocked.play("""
        bob: b1 buy 2 @ 101 holder=3   | b1 rests 2 @ 101
        cat: a1 sell 1 @ 99 policy=7   | a1 rests 1 @ 99
        cat: a2 sell 1 @ 100           | a2 rests 1 @ 100
        phase continuous | phase continuous; a1 cancelled 1 gate_refused; b1 meets 1 @ 100 from a2
    """)
    blocked.shows("1 @ 101 |")


def test_an_amended_order_counts_as_the_later_one(day):
    day.play("""
        ann: a1 sell 2 @ 100           | a1 rests 2 @ 100
        ann: b1 buy 2 @ 102            | b1 rests 2 @ 102
        amend a1 price=101             | a1 requeued 2 @ 101; a1 rests 2 @ 101
        phase continuous               | phase continuous; a1 cancelled 2 self_trade
    """)
    day.shows("2 @ 102 |")


def test_before_the_opening_only_resting_orders_are_taken(day):
    day.play("""
        ann: a1 sell 2 @ 100           | a1 rests 2 @ 100
        bob: b1 buy 2 @ 100 ioc        | b1 refused phase_pre_open
        bob: b2 buy 2 @ 100 fok        | b2 refused phase_pre_open
        bob: b3 buy 2 @ 100 market     | b3 refused phase_pre_open
        bob: b4 buy 2 @ 100 reject     | b4 rests 2 @ 100
        bob: b5 buy 2 @ 100 expires=1  | b5 cancelled 2 order_expired
    """)


def test_a_halt_lets_orders_be_cancelled_and_nothing_else(day):
    day.play("""
        phase continuous               | phase continuous
        phase continuous               | phase continuous
        ann: a1 sell 2 @ 100           | a1 rests 2 @ 100
        ann: a2 sell 2 @ 100           | a2 rests 2 @ 100
        phase halted                   | phase halted
        bob: b1 buy 2 @ 100            | b1 refused phase_halted
        amend a1 lots=1                | a1 refused phase_halted
        amend a9 lots=1                | a9 refused phase_halted
        cancel a1                      | a1 cancelled 2 user
        phase pre_open                 | phase pre_open
        bob: b2 buy 3 @ 101            | b2 rests 3 @ 101
        phase halted                   | phase halted
        phase continuous               | phase continuous; b2 meets 2 @ 100 from a2
    """)


def test_closing_clears_the_book_for_good(day):
    day.play("""
        ann: a1 sell 2 @ 100           | a1 rests 2 @ 100
        ann: a2 sell 2 @ 99            | a2 rests 2 @ 99
        bob: b1 buy 2 @ 97             | b1 rests 2 @ 97
        phase closed | b1 cancelled 2 gate_closed; a2 cancelled 2 gate_closed; a1 cancelled 2 gate_closed; phase closed
        bob: b3 buy 2 @ 98             | b3 refused phase_closed
        amend a1 lots=1                | a1 refused phase_closed
        cancel a1                      | a1 refused order_unknown
        cancel all                     |
        phase continuous               | refused phase_closed
        phase closed                   | refused phase_closed
    """)
    day.shows("|")
