"""Cancelling, expiring, reading and rebuilding: rules 10 to 12 and "Reading" of docs/matching.md."""

import pytest

from exchange.domain.book import Book, RestingOrder
from exchange.domain.command import Phase, Place, Side
from tests.unit.exchange.domain.trading_day import Day


@pytest.fixture
def day():
    return Day()


def test_a_cancelled_order_is_forgotten(day):
    day.play("""
        ann: a1 sell 5 @ 100       | a1 rests 5 @ 100
        ann: a2 sell 5 @ 101       | a2 rests 5 @ 101
        ann: a3 sell 5 @ 100       | a3 rests 5 @ 100
        ann: a4 sell 5 @ 100       | a4 rests 5 @ 100
        cancel a3                  | a3 cancelled 5 user
        cancel a3                  | a3 refused order_unknown
        cancel a2                  | a2 cancelled 5 user
        bob: b1 buy 6 @ 100        | b1 takes 5 @ 100 from a1; b1 takes 1 @ 100 from a4
        cancel a4                  | a4 cancelled 4 user
    """)
    day.shows("|")


def test_many_are_cancelled_bids_first_in_priority_order(day):
    script = """
        ann: a1 sell 1 @ 102 group=g | a1 rests 1 @ 102
        bob: a2 sell 1 @ 101         | a2 rests 1 @ 101
        ann: a3 sell 1 @ 101         | a3 rests 1 @ 101
        ann: b1 buy 1 @ 98           | b1 rests 1 @ 98
        bob: b2 buy 1 @ 99 group=g   | b2 rests 1 @ 99
        ann: b3 buy 1 @ 99 group=g   | b3 rests 1 @ 99
    """
    day.play(script)
    day.play("""
        cancel cat                   |
        cancel ann sell group=g      | a1 cancelled 1 user
        cancel ann                   | b3 cancelled 1 user; b1 cancelled 1 user; a3 cancelled 1 user
        cancel all group=g           | b2 cancelled 1 user
        cancel all buy               |
        cancel all                   | a2 cancelled 1 user
    """)
    day.shows("|")


def test_orders_expire_by_moment_then_by_joining(day):
    day.play("""
        ann: a1 sell 1 @ 102 gtd expires=20 | a1 rests 1 @ 102
        ann: a2 sell 1 @ 101 gtd expires=20 | a2 rests 1 @ 101
        ann: a3 sell 1 @ 103 gtd expires=10 | a3 rests 1 @ 103
        ann: a4 sell 1 @ 103 gtd expires=21 | a4 rests 1 @ 103
        ann: a5 sell 1 @ 103                | a5 rests 1 @ 103
        ann: a6 sell 1 @ 103 gtd expires=15 | a6 rests 1 @ 103
        amend a1 price=104                  | a1 requeued 1 @ 104 expires=20; a1 rests 1 @ 104
        cancel a6                           | a6 cancelled 1 user
        clock 9                             |
        clock 20 | a3 cancelled 1 order_expired; a2 cancelled 1 order_expired; a1 cancelled 1 order_expired
        clock 20                            |
    """)
    day.shows("| 2 @ 103")


def test_an_expiry_moved_forth_and_back_counts_once(day):
    day.play("""
        ann: a1 sell 5 @ 100 expires=20 | a1 rests 5 @ 100
        amend a1 expires=30             | a1 kept 5 @ 100 expires=30
        amend a1 expires=20             | a1 kept 5 @ 100 expires=20
        amend a1 expires=0              | a1 kept 5 @ 100
        amend a1 expires=20             | a1 kept 5 @ 100 expires=20
        clock 40                        | a1 cancelled 5 order_expired
    """)


def test_stale_expiries_do_not_pile_up(day):
    for number in range(1000):
        day.play(f"""
            ann: a{number} sell 1 @ 100 expires=99 | a{number} rests 1 @ 100
            cancel a{number}                       | a{number} cancelled 1 user
        """)
    assert len(day.book.expiries) < 100


def test_levels_are_read_best_first(day):
    for price in (98, 96, 99, 97):
        day.play(f"ann: b{price} buy {price} @ {price} | b{price} rests {price} @ {price}")
    day.play("bob: a1 sell 1 @ 105 | a1 rests 1 @ 105")
    book = day.book
    assert book.levels(Side.BUY, 2) == [(99, 99, 1), (98, 98, 1)]
    assert book.levels(Side.BUY, 0) == []
    assert [price for price, _, _ in book.levels(Side.BUY)] == [99, 98, 97, 96]
    assert (book.best_bid(), book.best_ask()) == (99, 105)
    assert (Book().best_bid(), Book().best_ask()) == (None, None)


def test_touched_levels_are_told_once_as_they_are_now(day):
    day.play("""
        ann: a1 sell 5 @ 101       | a1 rests 5 @ 101
        ann: a2 sell 5 @ 102       | a2 rests 5 @ 102
        ann: b1 buy 5 @ 99         | b1 rests 5 @ 99
    """)
    assert day.book.take_touched() == [(0, 99, 5, 1), (1, 101, 5, 1), (1, 102, 5, 1)]
    assert day.book.take_touched() == []
    day.play("""
        bob: b2 buy 7 @ 102        | b2 takes 5 @ 101 from a1; b2 takes 2 @ 102 from a2
        amend b1 expires=50        | b1 kept 5 @ 99 expires=50
    """)
    assert day.book.take_touched() == [(1, 101, 0, 0), (1, 102, 3, 1)]
    day.play("amend b1 lots=4      | b1 kept 4 @ 99 expires=50")
    assert day.book.take_touched() == [(0, 99, 4, 1)]


def rebuilt(book: Book) -> Book:
    """Rebuild a book from its resting orders, as from rows of a database."""
    copy = Book(phase=book.phase, blocked=book.blocked)
    both = book.orders(Side.BUY) + book.orders(Side.SELL)
    for order in sorted(both, key=lambda order: order.joined):
        names = ("order_id", "account", "participant", "side", "price_ticks", "quantity_lots", "tif", "post_only")
        more = ("stp", "expire_at", "expire_reason", "policy", "holder", "group")
        terms = Place(type=0, **{name: getattr(order, name) for name in names + more})
        copy.load(RestingOrder(terms, order.price_ticks, order.quantity_lots, order.remaining_lots, order.joined))
    return copy


def test_a_rebuilt_book_goes_on_as_the_first_would(day):
    day.play("""
        ann: a1 sell 5 @ 101             | a1 rests 5 @ 101
        bob: a2 sell 5 @ 101 expires=30  | a2 rests 5 @ 101
        cat: b1 buy 2 @ 101              | b1 takes 2 @ 101 from a1
        amend a1 lots=9                  | a1 requeued 9 @ 101; a1 rests 7 @ 101
    """)
    first, day.book = day.book, rebuilt(day.book)
    assert day.queue("sell") == "a2 a1"
    assert day.book.resting("a1").filled_lots == 2
    day.play("cat: a3 sell 1 @ 101 | a3 rests 1 @ 101")
    assert day.book.resting("a3").joined == first.resting("a1").joined + 1
    day.play("""
        clock 30                         | a2 cancelled 5 order_expired
        dan: b2 buy 8 @ 101              | b2 takes 7 @ 101 from a1; b2 takes 1 @ 101 from a3
    """)


def test_an_order_loaded_without_a_number_gets_the_next():
    book = Book(phase=Phase.HALTED)
    for order_id in ("b1", "b2"):
        book.load(RestingOrder(Place(order_id, 1, 1, 0, 0, 99, 5), 99, 5, 3))
    assert [order.joined for order in book.orders(Side.BUY)] == [1, 2]
    assert repr(book.resting("b1")) == "<b1 buy 3/5@99>"
