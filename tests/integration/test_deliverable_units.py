"""What an instrument says it delivers is what there is, whatever has happened to the rights, and is added up only where something has."""

import pytest

from benchmarks.registry_plans import statements_of
from exchange.domain.command import Phase
from exchange.selectors import instruments
from exchange.selectors.deliverable_units import deliverable_units
from exchange.services import freeze
from exchange.services.expiry import expire_due
from exchange.services.listing import TradingRules, list_instrument
from rights.kernel import rows
from rights.kernel.clock import to_us
from rights.models import Series
from rights.services.activate import activate_right
from rights.services.split import split_right
from tests.honest_market import MINT, HonestMarket

pytestmark = pytest.mark.django_db
LOT = 1_000_000
_PLAIN = "SELECT coalesce(sum(remaining_units), 0)::bigint FROM rights_right WHERE series_id = ANY(%s) AND status = 'active'"


def said(market: HonestMarket) -> int:
    """What the instrument says, which is what a plain sum says too."""
    delivered = [market.series.pk, *market.instrument.deliverable.values_list("series_id", flat=True)]
    units = deliverable_units([market.book_id])[market.book_id]
    assert (units,) == rows.fetch_one(_PLAIN, [delivered])
    return units


def added_up(market: HonestMarket) -> bool:
    """Whether asking again reads any right."""
    prepared, _ = statements_of(lambda: deliverable_units([market.book_id]))
    return any("rights_right" in text for text, _ in prepared)


def test_it_follows_every_change_of_the_rights() -> None:
    market = HonestMarket()
    actor = f"key:{market.operator.uuid}"
    assert said(market) == 50 * LOT
    sleeping = market.desk.issue(3 * LOT, holder="third", activate=False)
    assert said(market) == 50 * LOT
    activate_right(right_id=str(sleeping.pk), actor=actor, now_us=market.now_us)
    assert said(market) == 53 * LOT
    market.phase(Phase.CONTINUOUS)
    market.place("holder", "sell", 2, 100)
    market.place("other", "buy", 2, 100)
    market.match()
    assert said(market) == 53 * LOT
    _, child = split_right(right_id=str(sleeping.pk), units=LOT, child_id=MINT.uuid(market.now_us), actor=actor, now_us=market.now_us)
    freeze.freeze_right(right_id=str(child.pk), freeze_reason="custom", reason="look", actor=actor, now_us=market.now_us)
    assert said(market) == 52 * LOT
    freeze.unfreeze_right(right_id=str(child.pk), reason="fine", actor="command:test", now_us=market.now_us)
    assert said(market) == 53 * LOT
    expire_due(mint=MINT, now_us=to_us(market.series.window_end))
    assert said(market) == 0


def test_it_is_added_up_once_for_each_state_of_the_rights() -> None:
    market = HonestMarket()
    assert said(market) == 50 * LOT
    assert not added_up(market)
    shown = instruments.instrument(symbol=market.instrument.symbol, now_us=market.now_us)
    assert shown is not None
    assert shown.deliverable_units == 50 * LOT
    market.desk.issue(LOT)
    assert added_up(market)
    assert not added_up(market)
    assert said(market) == 51 * LOT


def test_under_dominance_better_rights_count_and_each_series_by_itself() -> None:
    market = HonestMarket(delivery_rule="dominance")
    better = {"service": {"quality_band": "high"}}
    market.desk.assure(patch=better, gross_units=10**9)
    right = market.desk.issue(5 * LOT, **better)
    list_instrument(
        series=Series.objects.get(pk=right.series_id),
        rules=TradingRules(tick_minor=10_000, collar_low_ticks=1, collar_high_ticks=1000, opens_us=market.now_us),
        actor="command:test",
        now_us=market.now_us,
    )
    market.instrument.deliverable.create(series_id=right.series_id, since=right.created_at)
    assert said(market) == 55 * LOT
    market.desk.issue(LOT)
    assert said(market) == 56 * LOT
