"""Placing and taking: rules 1 to 6 of docs/matching.md."""

import pytest

from tests.unit.exchange.domain.trading_day import Day


@pytest.fixture
def day():
    return Day()


def test_better_price_then_earlier_order_trades_first_at_the_makers_price(day):
    day.play("""
        ann: a1 sell 5 @ 102       | a1 rests 5 @ 102
        bob: a2 sell 5 @ 101       | a2 rests 5 @ 101
        ann: a3 sell 5 @ 101       | a3 rests 5 @ 101
        cat: b1 buy 12 @ 103       | b1 takes 5 @ 101 from a2; b1 takes 5 @ 101 from a3; b1 takes 2 @ 102 from a1
    """)
    day.shows("| 3 @ 102")


def test_what_a_limit_order_cannot_take_rests(day):
    day.play("""
        ann: b1 buy 2 @ 99         | b1 rests 2 @ 99
        ann: b2 buy 2 @ 98         | b2 rests 2 @ 98
        bob: a1 sell 5 @ 99        | a1 takes 2 @ 99 from b1; a1 rests 3 @ 99
    """)
    day.shows("2 @ 98 | 3 @ 99")


def test_ioc_and_market_orders_never_rest(day):
    day.play("""
        ann: a1 sell 2 @ 100       | a1 rests 2 @ 100
        ann: a2 sell 2 @ 110       | a2 rests 2 @ 110
        bob: b1 buy 3 @ 100 ioc    | b1 takes 2 @ 100 from a1; b1 cancelled 1 ioc_remainder
        bob: b2 buy 3 @ 110 market | b2 takes 2 @ 110 from a2; b2 cancelled 1 ioc_remainder
        bob: b3 buy 3 @ 110 market | b3 cancelled 3 ioc_remainder
        bob: b4 buy 3 @ 110 market fok | b4 cancelled 3 fok_unfillable
    """)
    day.shows("|")


def test_fill_or_kill_is_whole_or_nothing(day):
    day.play("""
        ann: a1 sell 2 @ 100       | a1 rests 2 @ 100
        ann: a2 sell 2 @ 101       | a2 rests 2 @ 101
        bob: b1 buy 4 @ 100 fok    | b1 cancelled 4 fok_unfillable
        bob: b2 buy 5 @ 101 fok    | b2 cancelled 5 fok_unfillable
        bob: b3 buy 4 @ 101 fok    | b3 takes 2 @ 100 from a1; b3 takes 2 @ 101 from a2
    """)
    day.shows("|")


def test_fill_or_kill_looks_past_own_orders_only_when_it_would_cancel_them(day):
    day.play("""
        bob: a1 sell 2 @ 100       | a1 rests 2 @ 100
        ann: a2 sell 2 @ 101       | a2 rests 2 @ 101
        bob: b1 buy 2 @ 101 fok newest    | b1 cancelled 2 fok_unfillable
        bob: b2 buy 2 @ 101 fok both      | b2 cancelled 2 fok_unfillable
        bob: b3 buy 2 @ 101 fok decrement | b3 cancelled 2 fok_unfillable
        bob: b4 buy 3 @ 101 fok oldest    | b4 cancelled 3 fok_unfillable
        bob: b5 buy 2 @ 101 fok oldest    | a1 cancelled 2 self_trade; b5 takes 2 @ 101 from a2
    """)
    day.shows("|")


def test_fill_or_kill_counts_before_an_own_order_behind(day):
    day.play("""
        ann: a1 sell 2 @ 100       | a1 rests 2 @ 100
        bob: a2 sell 2 @ 100       | a2 rests 2 @ 100
        bob: b1 buy 2 @ 100 fok    | b1 takes 2 @ 100 from a1
    """)
    day.shows("| 2 @ 100")


def test_an_order_late_at_birth_does_nothing(day):
    day.play("""
        ann: a1 sell 2 @ 100       | a1 rests 2 @ 100
        clock 10                   |
        bob: b1 buy 2 @ 100 gtd expires=10 | b1 cancelled 2 order_expired
        bob: b2 buy 2 @ 100 gtd expires=11 | b2 takes 2 @ 100 from a1
    """)


def test_post_only_rejects_or_slides_one_tick_outside(day):
    day.play("""
        ann: a1 sell 2 @ 100       | a1 rests 2 @ 100
        bob: b1 buy 2 @ 100 reject | b1 refused post_only_would_take
        bob: b2 buy 2 @ 105 slide  | b2 rests 2 @ 99
        bob: b3 buy 2 @ 98 reject  | b3 rests 2 @ 98
        ann: a2 sell 1 @ 90 slide  | a2 rests 1 @ 100
    """)
    day.shows("""
        2 @ 99 | 3 @ 100
        2 @ 98 |
    """)


def test_post_only_cannot_slide_below_one_tick(day):
    day.play("""
        ann: a1 sell 2 @ 1         | a1 rests 2 @ 1
        bob: b1 buy 2 @ 1 slide    | b1 refused post_only_would_take
    """)


@pytest.mark.parametrize(
    ("mode", "answer", "table"),
    [
        ("newest", "b1 takes 1 @ 100 from a1; b1 cancelled 4 self_trade", "| 2 @ 100 \n | 2 @ 101"),
        ("oldest", "b1 takes 1 @ 100 from a1; a2 cancelled 2 self_trade; b1 takes 2 @ 101 from a3; b1 rests 2 @ 101", "2 @ 101 |"),
        ("both", "b1 takes 1 @ 100 from a1; a2 cancelled 2 self_trade; b1 cancelled 4 self_trade", "| 2 @ 101"),
        (
            "decrement",
            "b1 takes 1 @ 100 from a1; a2 cancelled 2 self_trade; b1 reduced by 2 to 2; b1 takes 2 @ 101 from a3",
            "|",
        ),
    ],
)
def test_self_trade_goes_by_the_takers_mode(day, mode, answer, table):
    day.play(f"""
        ann: a1 sell 1 @ 100       | a1 rests 1 @ 100
        bob: a2 sell 2 @ 100       | a2 rests 2 @ 100
        cat: a3 sell 2 @ 101       | a3 rests 2 @ 101
        bob: b1 buy 5 @ 101 {mode} | {answer}
    """)
    day.shows(table)


def test_decrement_that_ends_the_taker_or_both(day):
    day.play("""
        bob: a1 sell 5 @ 100           | a1 rests 5 @ 100
        bob: b1 buy 2 @ 100 decrement  | a1 reduced by 2 to 3; b1 cancelled 2 self_trade
        bob: b2 buy 3 @ 100 decrement  | a1 cancelled 3 self_trade; b2 cancelled 3 self_trade
    """)
    day.shows("|")


def test_decremented_lots_leave_the_total_and_are_not_filled(day):
    day.play("""
        bob: a1 sell 5 @ 100           | a1 rests 5 @ 100
        ann: a2 sell 1 @ 100           | a2 rests 1 @ 100
        bob: b1 buy 9 @ 100 decrement  | a1 cancelled 5 self_trade; b1 reduced by 5 to 4; b1 takes 1 @ 100 from a2; b1 rests 3 @ 100
    """)
    order = day.book.resting("b1")
    assert (order.quantity_lots, order.filled_lots, order.remaining_lots) == (4, 1, 3)


def test_self_trade_prevention_stops_when_the_taker_is_filled(day):
    day.play("""
        ann: a1 sell 2 @ 100           | a1 rests 2 @ 100
        bob: a2 sell 2 @ 100           | a2 rests 2 @ 100
        bob: b1 buy 2 @ 100 oldest     | b1 takes 2 @ 100 from a1
    """)
    day.shows("| 2 @ 100")


def test_blocked_makers_are_passed_over_and_stay():
    day = Day(blocked=frozenset({(7, 3)}))
    day.play("""
        ann: a1 sell 2 @ 100 policy=7  | a1 rests 2 @ 100
        ann: a2 sell 2 @ 100           | a2 rests 2 @ 100
        ann: a3 sell 2 @ 101 policy=7  | a3 rests 2 @ 101
        ann: a4 sell 2 @ 102 policy=8  | a4 rests 2 @ 102
        bob: b1 buy 5 @ 102 holder=3   | b1 takes 2 @ 100 from a2; b1 takes 2 @ 102 from a4; b1 cancelled 1 gate_refused
        bob: b2 buy 5 @ 101 holder=3 fok | b2 cancelled 5 fok_unfillable
        bob: b3 buy 1 @ 99 holder=3    | b3 rests 1 @ 99
        bob: b4 buy 3 @ 101 holder=4   | b4 takes 2 @ 100 from a1; b4 takes 1 @ 101 from a3
    """)
    day.shows("1 @ 99 | 1 @ 101")


def test_blocking_looks_at_ask_and_bid_whoever_takes():
    day = Day(blocked=frozenset({(7, 3)}))
    day.play("""
        bob: b1 buy 2 @ 100 holder=3       | b1 rests 2 @ 100
        bob: b2 buy 2 @ 99 holder=4        | b2 rests 2 @ 99
        ann: a1 sell 1 @ 99 policy=7       | a1 takes 1 @ 99 from b2
        ann: a2 sell 2 @ 99 policy=7 ioc   | a2 takes 1 @ 99 from b2; a2 cancelled 1 ioc_remainder
        ann: a3 sell 1 @ 100 policy=7 slide | a3 rests 1 @ 101
        bob: a4 sell 1 @ 100 policy=7      | a4 cancelled 1 self_trade
    """)
    day.book.blocked = frozenset()
    day.play("ann: a5 sell 2 @ 99 policy=7 | a5 takes 2 @ 100 from b1")


def test_zero_never_blocks():
    day = Day(blocked=frozenset({(0, 3), (7, 0), (0, 0)}))
    day.play("""
        ann: a1 sell 2 @ 100 policy=7  | a1 rests 2 @ 100
        bob: b1 buy 2 @ 100            | b1 takes 2 @ 100 from a1
        ann: a2 sell 2 @ 100           | a2 rests 2 @ 100
        bob: b2 buy 2 @ 100 holder=3   | b2 takes 2 @ 100 from a2
    """)
