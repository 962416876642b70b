"""What an issuer's record says: rates, what may be expected, and how surely, in whole numbers."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.domain.record import Expected, Record, Tally, lower_bps, pooled
from settlement.domain.settlement_states import Outcome


def record(**by_outcome: tuple[int, int, int]) -> Record:
    return Record({outcome: Tally(*amounts) for outcome, amounts in by_outcome.items()})


def test_without_a_sample_nothing_is_said():
    for empty in (record(), record(cancelled=(3, 0, 30))):
        assert (empty.full_bps, empty.expected) == (None, Expected(None, None, 0))


def test_partial_work_counts_by_its_share_and_what_was_called_off_not_at_all():
    found = record(full=(6, 300, 600), fallback=(1, 10, 10), partial=(2, 60, 100), failed=(1, 0, 50), cancelled=(5, 0, 50))
    # 6 + 1 whole, 2 by six tenths, of ten.
    assert (found.sample, found.asked, found.full_bps) == (15, 10, 6_000)
    assert (found.expected.bps, found.expected.sample) == (8_200, 10)
    assert (found.used_units, found.reserved_units) == (370, 810)


def test_what_a_request_reserved_beyond_its_need_is_no_shortfall():
    assert record(full=(1, 1, 1_000)).expected.bps == 10_000


def test_an_issuer_who_never_delivered_is_expected_to_deliver_nothing():
    assert record(failed=(4, 0, 40), expired=(1, 0, 10)).expected == Expected(0, 0, 5)


def test_records_add_up():
    both = pooled([record(full=(1, 5, 5)), record(full=(2, 6, 7), failed=(1, 0, 9))])
    assert both == record(full=(3, 11, 12), failed=(1, 0, 9))
    assert pooled([]) == record()


@pytest.mark.parametrize(
    ("hits", "sample", "bound"),
    [(0, 1, 0), (1, 1, 2_065), (1, 2, 945), (9, 10, 5_958), (95, 100, 8_882), (100, 100, 9_630), (9_999, 10_000, 9_994)],
)
def test_the_bound_is_wilsons(hits, sample, bound):
    assert lower_bps(hits * 10_000, sample) == bound


@given(st.integers(1, 10**12), st.integers(0, 10_000))
def test_the_bound_lies_where_wilsons_inequality_turns(sample, share):
    # |p̂ - p| ≤ z·√(p(1-p)/n) holds from the bound on: there exactly, but not a basis point below it.
    hits = sample * share
    bound = lower_bps(hits, sample)
    assert 0 <= bound <= share
    z2, seen = Fraction(38_416, 10_000), Fraction(share, 10_000)

    def holds(p: Fraction) -> bool:
        return (seen - p) ** 2 <= z2 * p * (1 - p) / sample

    assert holds(Fraction(bound + 1, 10_000)) or bound == share
    assert bound == 0 or not holds(Fraction(bound - 1, 10_000))


@pytest.mark.parametrize(("hits", "sample"), [(-1, 1), (10_001, 1), (0, 0)])
def test_a_bound_of_no_sample_is_refused(hits, sample):
    with pytest.raises(ValueError, match="of"):
        lower_bps(hits, sample)


def test_every_outcome_is_counted():
    every = Record({str(outcome): Tally(1, 0, 1) for outcome in Outcome})
    assert (every.sample, every.asked) == (6, 5)
