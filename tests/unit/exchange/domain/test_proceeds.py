"""What a trade brought is divided without a rest."""

from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.proceeds import Sold, divided


def test_the_seller_has_all_of_it_where_nothing_failed():
    assert divided(999, [Sold(1), Sold(2)]) == (999, 0)


def test_what_failed_goes_back_by_its_share_rounded_down():
    assert divided(1_000, [Sold(10, bought_units=30, back_units=10)]) == (667, 333)
    # of two lineages, three quarters and one quarter of the units, half of the second
    assert divided(1_000, [Sold(30), Sold(10, bought_units=10, back_units=5)]) == (875, 125)
    assert divided(7, [Sold(1, 1, 1), Sold(1, 1, 1), Sold(1, 1, 1)]) == (0, 7)


@st.composite
def sales(draw):
    bought = draw(st.integers(1, 10**6))
    return Sold(draw(st.integers(1, bought)), bought, draw(st.integers(0, bought)))


@given(st.integers(0, 10**15), st.lists(sales(), min_size=1, max_size=6))
def test_nothing_is_lost_and_nobody_gets_less_than_nothing(net_minor, sold):
    to_seller, to_buyer = divided(net_minor, sold)
    assert to_seller + to_buyer == net_minor
    assert to_seller >= 0
    assert to_buyer >= 0
    assert to_buyer == 0 or any(part.back_units for part in sold)
