"""The life of a right: exactly the table of SPEC §2."""

import pytest

from rights.domain.lifecycle import LIFECYCLE, TERMINAL, FreezeReason, RightStatus, may_become, thawed_status
from rights.models.right import FREEZE_REASONS, STATUSES

SPEC = {
    "issued": {"active", "frozen", "expired", "burned"},
    "active": {"frozen", "expired", "fully_consumed", "finalized"},
    "frozen": {"issued", "active", "expired", "fully_consumed", "finalized", "burned"},
    "fully_consumed": {"finalized", "burned"},
    "expired": {"finalized", "burned"},
    "finalized": set(),
    "burned": set(),
}


def test_the_table_is_the_specification():
    assert {str(status): {str(s) for s in following} for status, following in LIFECYCLE.items()} == SPEC
    assert {str(s) for s in TERMINAL} == {"finalized", "burned"}


def test_every_pair_is_judged_by_the_table():
    for status in RightStatus:
        for following in RightStatus:
            assert may_become(status, following) == (str(following) in SPEC[str(status)])


def test_models_and_domain_agree():
    assert set(STATUSES) == set(RightStatus)
    assert set(FREEZE_REASONS) == set(FreezeReason)


@pytest.mark.parametrize(
    ("prior", "most", "remaining", "now", "becomes"),
    [
        ("active", 9, 5, 99, "active"),
        ("issued", 9, 5, 99, "issued"),
        ("active", 9, 0, 99, "fully_consumed"),
        ("active", 0, 0, 99, "active"),  # everything was sold, nothing used
        ("active", 9, 5, 100, "expired"),
        ("active", 9, 0, 101, "expired"),
        ("issued", 9, 5, 100, "expired"),
    ],
)
def test_thawing_tells_what_has_come_true(prior, most, remaining, now, becomes):
    found = thawed_status(prior=RightStatus(prior), max_units=most, remaining_units=remaining, window_end_us=100, now_us=now)
    assert found == becomes
    assert may_become(RightStatus.FROZEN, found)
