"""Days drawn by chance leave every invariant whole, and replay byte for byte. `RANDOM_DAYS` widens the search."""

import os

import pytest

from exchange.audit.run import audit
from exchange.models import Order
from tests.replay.random_day import RandomDay

pytestmark = pytest.mark.django_db
DAYS = int(os.environ.get("RANDOM_DAYS", "12"))


@pytest.mark.parametrize("seed", range(DAYS))
def test_a_day_drawn_by_chance(seed: int) -> None:
    day = RandomDay(seed)
    day.run(150)
    assert_whole(day)
    day.end()
    assert_whole(day)
    assert not Order.objects.filter(is_open=True).exists()


def assert_whole(day: RandomDay) -> None:
    report = audit(now_us=day.market.now_us)
    assert report.broken == [], [(broken.code, broken.check, broken.rows[:3]) for broken in report.broken]
