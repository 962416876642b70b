"""What a rebalancer proposes, as tables of a holder's windows."""

from typing import Any

import msgspec
import pytest

from exchange.domain.command import Side, TimeInForce
from exchange.domain.rebalancing import Action, BookFacts, Level, Owed, OwnOrder, Plan, plan_rebalancing
from exchange.domain.standing_policy import AGENT, REBALANCER, Agency, Coverage, Hours, Limits, Rebalancing, Roll, SellUnused, Swap, Target
from exchange.domain.standing_policy import document_of as document
from exchange.domain.standing_policy import rules_of as rules_in

MINUTE_US = 60_000_000
START_US = 1_796_083_200_000_000
NOW_US = START_US + 58 * MINUTE_US  # two minutes before the end of the first window
LOT = 1000
COVER = Coverage(max_price_minor=20_000, units=10 * LOT, slippage_bps=100)
SELL = SellUnused(min_price_minor=5_000, before_end_us=5 * MINUTE_US, slippage_bps=1_000)


def window(number: int = 0, class_key: str = "CHAT", **facts: Any) -> BookFacts:
    start_us = START_US + number * 60 * MINUTE_US
    plain: dict[str, Any] = {
        "book_id": number + 1 + 100 * (class_key != "CHAT"),
        "symbol": f"{class_key}-{number}",
        "class_key": class_key,
        "lot_units": LOT,
        "tick_minor": 100,
        "min_lots": 1,
        "max_lots": 1000,
        "low_ticks": 1,
        "high_ticks": 1000,
        "start_us": start_us,
        "end_us": start_us + 60 * MINUTE_US,
        "gate_us": start_us + 60 * MINUTE_US,
        "is_open": True,
        "fair_ticks": 100,
    }
    return BookFacts(**{**plain, **facts})


def plan(*books: BookFacts, spent: int = 0, now_us: int = NOW_US, **rules: Any) -> Plan:
    found = plan_rebalancing(rules=Rebalancing("CHAT", **rules), books=books, spent_today_minor=spent, now_us=now_us)
    for action in found.actions:
        assert action.why and action.rule and action.units == action.lots * LOT
    return found


def brief(found: Plan) -> list[tuple[str, str, str, int, int, int]]:
    """(rule, verb, book, side, lots, price)."""
    return [(a.rule, a.verb, a.symbol, a.side, a.lots, a.price_ticks) for a in found.actions]


def held(lots: int, **facts: Any) -> dict[str, Any]:
    return {"held_units": lots * LOT, "free_lots": lots, **facts}


def order(side: Side, lots: int, price: int, *, mine: bool = True, name: str = "o") -> OwnOrder:
    return OwnOrder(name, int(side), price, lots, mine)


BUY, SELL_SIDE, IOC, GTG = int(Side.BUY), int(Side.SELL), int(TimeInForce.IOC), int(TimeInForce.GTG)


def test_what_is_missing_is_bought_within_slippage_and_cap() -> None:
    found = plan(window(held_units=4 * LOT - 1, ask=Level(150, 3)), coverage=COVER)
    assert brief(found) == [("coverage", "place", "CHAT-0", BUY, 7, 151)]  # whole lots, upwards; 150 and a hundredth of it
    assert (found.actions[0].tif, found.actions[0].spend_minor) == (IOC, 7 * 151 * 100)


def test_a_dear_offer_is_not_taken_but_bid_below() -> None:
    assert brief(plan(window(ask=Level(201, 3)), coverage=COVER)) == [("coverage", "place", "CHAT-0", BUY, 10, 100)]
    quiet = plan(window(ask=Level(201, 3)), coverage=msgspec.structs.replace(COVER, rest=False))
    assert [(p.rule, p.code) for p in quiet.passed] == [("coverage", "above_cap")]
    assert not quiet.actions


def test_targets_and_tolerance() -> None:
    exact = msgspec.structs.replace(COVER, targets=(Target(START_US + 60 * MINUTE_US, 3 * LOT),), tolerance_units=LOT)
    found = plan(window(**held(9)), window(1, ask=Level(90, 5)), coverage=exact)
    assert brief(found) == [("coverage", "place", "CHAT-1", BUY, 3, 90)]  # 9 of 10 is near enough; the next window has a target of its own


def test_the_horizon_ends_coverage() -> None:
    near = msgspec.structs.replace(COVER, horizon_us=MINUTE_US)
    assert brief(plan(window(1), coverage=near)) == []
    assert len(plan(window(1), coverage=near, now_us=START_US + 59 * MINUTE_US).actions) == 1


@pytest.mark.parametrize("mine", [True, False])
def test_what_is_bid_for_already_is_not_bought_again(mine: bool) -> None:
    found = plan(window(**held(4), own=(order(Side.BUY, 6, 100, mine=mine),)), coverage=COVER)
    assert brief(found) == []


def test_units_in_own_asks_are_as_good_as_sold_and_taken_back_when_needed() -> None:
    asks = (
        order(Side.SELL, 3, 120, name="near"),
        order(Side.SELL, 3, 140, name="far"),
        order(Side.SELL, 2, 110, mine=False, name="by hand"),
    )
    found = plan(window(held_units=10 * LOT, own=asks, ask=Level(90, 9)), coverage=COVER)
    # 8 lots are on sale, all missing: what the policy placed itself comes back, and only the rest is bought.
    assert brief(found) == [
        ("coverage", "cancel", "CHAT-0", SELL_SIDE, 3, 140),
        ("coverage", "cancel", "CHAT-0", SELL_SIDE, 3, 120),
        ("coverage", "place", "CHAT-0", BUY, 2, 90),
    ]
    assert [a.order_id for a in found.actions] == ["far", "near", ""]


def test_what_would_perish_is_sold_near_the_end_only() -> None:
    rich = window(**held(13), bid=Level(80, 4))
    found = plan(rich, coverage=COVER, sell_unused=SELL)
    assert brief(found) == [("sell_unused", "place", "CHAT-0", SELL_SIDE, 3, 72)]
    assert brief(plan(rich, coverage=COVER, sell_unused=SELL, now_us=START_US)) == []
    assert brief(plan(rich, sell_unused=SELL)) == [("sell_unused", "place", "CHAT-0", SELL_SIDE, 13, 72)]  # nothing is needed: all of it


def test_never_below_the_least_price() -> None:
    poor = window(**held(13), bid=Level(49, 4))
    assert brief(plan(poor, sell_unused=SELL)) == [("sell_unused", "place", "CHAT-0", SELL_SIDE, 13, 100)]  # rests at the fair price
    stubborn = plan(poor, sell_unused=msgspec.structs.replace(SELL, rest=False))
    assert [p.code for p in stubborn.passed] == ["below_floor"]


def test_only_what_could_be_offered_and_whole_lots() -> None:
    found = plan(window(held_units=13 * LOT + 999, free_lots=2, bid=Level(80, 9)), sell_unused=SELL)
    assert [a.lots for a in found.actions] == [2]
    assert brief(plan(window(held_units=999, free_lots=0, bid=Level(80, 9)), sell_unused=SELL)) == []


def test_an_order_that_rests_beside_a_price_that_can_be_taken_is_taken_back_first() -> None:
    found = plan(window(**held(13), own=(order(Side.SELL, 3, 100),), bid=Level(80, 4)), coverage=COVER, sell_unused=SELL)
    assert brief(found) == [("sell_unused", "cancel", "CHAT-0", SELL_SIDE, 3, 100)]
    found = plan(window(own=(order(Side.BUY, 10, 100),), ask=Level(150, 4)), coverage=COVER)
    assert brief(found) == [("coverage", "cancel", "CHAT-0", BUY, 10, 100)]


def test_too_much_takes_own_bids_back_before_it_sells() -> None:
    bids = (order(Side.BUY, 2, 70, name="low"), order(Side.BUY, 2, 75, name="high"))
    found = plan(window(**held(13), own=bids, bid=Level(80, 9)), coverage=COVER, sell_unused=SELL)
    assert [(a.verb, a.order_id, a.lots) for a in found.actions] == [("cancel", "low", 2), ("cancel", "high", 2), ("place", "", 3)]


def test_closed_books_and_passed_gates() -> None:
    shut = plan(window(**held(13), is_open=False), sell_unused=SELL)
    assert [p.code for p in shut.passed] == ["book_closed"]
    assert plan(window(**held(13), gate_us=NOW_US), sell_unused=SELL) == Plan((), ())


def test_the_collar_bounds_prices() -> None:
    narrow = {"low_ticks": 90, "high_ticks": 95}
    assert [a.price_ticks for a in plan(window(**narrow), coverage=COVER).actions] == [95]
    assert [a.price_ticks for a in plan(window(**held(1), **narrow), sell_unused=SELL).actions] == [95]
    assert [p.code for p in plan(window(low_ticks=201, high_ticks=300), coverage=COVER).passed] == ["outside_collar"]


ROLL = Roll(before_end_us=5 * MINUTE_US, max_cost_bps=500, slippage_bps=0)


def test_a_roll_sells_here_only_when_the_next_window_is_cheap_enough() -> None:
    here = window(**held(5), bid=Level(100, 3))
    found = plan(here, window(1, ask=Level(105, 9)), roll=ROLL)
    assert brief(found) == [("roll", "place", "CHAT-0", SELL_SIDE, 3, 100)]
    assert found.actions[0].pair_book == 2
    dear = plan(here, window(1, ask=Level(106, 9)), roll=ROLL)
    assert [(p.rule, p.code) for p in dear.passed] == [("roll", "too_dear")]
    alone = plan(here, roll=ROLL)
    assert [p.code for p in alone.passed] == ["no_window"]


def test_what_a_roll_leaves_is_sold() -> None:
    found = plan(window(**held(5), bid=Level(100, 3)), window(1, ask=Level(100, 9)), roll=ROLL, sell_unused=SELL)
    assert brief(found) == [("roll", "place", "CHAT-0", SELL_SIDE, 3, 100), ("sell_unused", "place", "CHAT-0", SELL_SIDE, 2, 90)]


def test_the_second_leg_is_bought_for_what_the_first_brought_and_counts_as_covered() -> None:
    owed = (Owed("roll", 3 * LOT, 3 * 10_500),)
    found = plan(window(1, ask=Level(105, 9), owed=owed), roll=ROLL, coverage=COVER)
    assert brief(found) == [("roll", "place", "CHAT-1", BUY, 3, 105), ("coverage", "place", "CHAT-1", BUY, 7, 106)]
    dear = plan(window(1, ask=Level(106, 9), owed=owed), roll=ROLL)
    assert [(p.rule, p.code) for p in dear.passed] == [("roll", "above_cap")]


def test_a_swap_compares_units_across_lots() -> None:
    swap = Swap("CODE", before_end_us=5 * MINUTE_US, max_cost_bps=0, units_bps=5_000, slippage_bps=0)
    code = window(0, "CODE", lot_units=2 * LOT, ask=Level(400, 9))
    # Half a unit there for one here: 1,000 units here bring 100 ticks; 500 there cost a quarter of 400.
    found = plan(window(**held(4), bid=Level(100, 9)), code, swap=swap)
    assert brief(found) == [("swap", "place", "CHAT-0", SELL_SIDE, 4, 100)]
    assert found.actions[0].pair_book == code.book_id
    dear = msgspec.structs.replace(code, ask=Level(401, 9))
    assert [p.code for p in plan(window(**held(4), bid=Level(100, 9)), dear, swap=swap).passed] == ["too_dear"]


def test_spending_caps_cut_orders_short() -> None:
    book = window(ask=Level(100, 99))
    limits = Limits(max_spend_per_run_minor=35_000)
    flat = msgspec.structs.replace(COVER, slippage_bps=0)
    found = plan(book, coverage=flat, limits=limits)
    assert [a.lots for a in found.actions] == [3]
    assert [p.code for p in found.passed] == ["spend_cap"]
    day = Limits(max_spend_per_day_minor=50_000)
    assert [a.lots for a in plan(book, coverage=flat, limits=day, spent=30_000).actions] == [2]
    assert plan(book, coverage=flat, limits=day, spent=60_000).actions == ()


def test_a_run_has_only_so_many_orders() -> None:
    books = [window(number, ask=Level(100, 9)) for number in range(5)]
    found = plan(*books, coverage=COVER, limits=Limits(max_orders_per_run=2))
    assert [a.symbol for a in found.actions] == ["CHAT-0", "CHAT-1"]
    assert {p.code for p in found.passed} == {"orders_per_run"}


def test_what_was_done_leaves_nothing_to_do() -> None:
    """A second look, with the proposed orders resting, proposes nothing."""
    books = [window(0, **held(13)), window(1)]
    first = plan(*books, coverage=COVER, sell_unused=SELL)
    assert {a.tif for a in first.actions} == {GTG}
    assert plan(*[_with(book, first.actions) for book in books], coverage=COVER, sell_unused=SELL).actions == ()


def _with(book: BookFacts, actions: tuple[Action, ...]) -> BookFacts:
    own = tuple(OwnOrder(str(n), a.side, a.price_ticks, a.lots, True) for n, a in enumerate(actions) if a.book_id == book.book_id)
    sold = sum(a.lots for a in actions if a.book_id == book.book_id and a.side == SELL_SIDE)
    return msgspec.structs.replace(book, own=own, free_lots=book.free_lots - sold)


def test_rules_survive_being_stored() -> None:
    rules = Rebalancing("CHAT", COVER, SELL, ROLL, Swap("CODE", 1, 2), Limits(3, None, 2**60))
    agency = Agency(classes=("CHAT",), hours=(Hours("premium", 22, 6),), max_order_minor=2**60, allow_fallback=False)
    assert rules_in(REBALANCER, document(rules)) == rules
    assert rules_in(AGENT, document(agency)) == agency
    assert not [value for value in _leaves(document(rules)) if type(value) is int]


def _leaves(value: object) -> list[object]:
    if isinstance(value, dict):
        value = list(value.values())
    return [leaf for inner in value for leaf in _leaves(inner)] if isinstance(value, list) else [value]


def test_hours_may_cross_midnight() -> None:
    night, day = Hours("premium", 22, 6), Hours("premium", 8, 18)
    assert [hour for hour in range(24) if night.cover(hour)] == [0, 1, 2, 3, 4, 5, 22, 23]
    assert [hour for hour in range(24) if day.cover(hour)] == list(range(8, 18))
