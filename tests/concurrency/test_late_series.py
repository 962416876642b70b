"""A book that delivers by dominance finds every series that is good enough, however late it commits, and looks at each once."""

from typing import Any

import pytest
from django.db import transaction

from benchmarks.registry_plans import statements_of
from exchange.models import Deliverable
from exchange.services.deliverable import register_deliverable
from rights.models import Assurance
from tests.honest_market import HonestMarket
from tests.seam import holding

pytestmark = pytest.mark.django_db(transaction=True)
LOT = 1_000_000
BETTER: dict[str, Any] = {"service": {"quality_band": "high"}}
LONGER: dict[str, Any] = {"window": {"end": "2026-12-03T00:00:00Z"}}
WORSE: dict[str, Any] = {"window": {"end": "2026-12-01T12:00:00Z"}}


def register(market: HonestMarket) -> int:
    return register_deliverable(actor="timetable", now_us=market.now_us)


def test_a_series_that_commits_behind_a_later_one_is_found() -> None:
    market = HonestMarket(delivery_rule="dominance")
    better, longer = (market.desk.assure(patch=patch, gross_units=10**12) for patch in (BETTER, LONGER))
    assert register(market) == 0
    with holding(lambda: market.desk.issue(LOT, **BETTER)):
        later = market.desk.issue(LOT, **LONGER)
        assert register(market) == 1
        assert [row.series_id for row in Deliverable.objects.all()] == [later.series_id]
        with transaction.atomic():
            list(Assurance.objects.select_for_update().filter(pk__in=[better.pk, longer.pk]))
    assert register(market) == 1
    assert register(market) == 0


def test_what_was_judged_is_not_read_again() -> None:
    market = HonestMarket(delivery_rule="dominance")
    market.desk.assure(patch=WORSE, gross_units=10**12)
    market.desk.issue(LOT, **WORSE)
    assert register(market) == 0
    prepared, _ = statements_of(lambda: register(market))
    assert not any("dimensions" in text for text, _ in prepared)
    market.desk.assure(patch=BETTER, gross_units=10**12)
    market.desk.issue(LOT, **BETTER)
    assert register(market) == 1


def test_what_was_rolled_back_is_found_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    market = HonestMarket(delivery_rule="dominance")
    market.desk.assure(patch=BETTER, gross_units=10**12)
    market.desk.issue(LOT, **BETTER)
    with monkeypatch.context() as patch:
        patch.setattr("exchange.services.deliverable.journal.append", lambda **_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            register(market)
    assert register(market) == 1
