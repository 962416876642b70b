"""A small market day: the same requests with standing policies on real books, and without."""

import pytest

from exchange.audit.run import audit
from exchange.demo.bots.trace import generate
from exchange.demo.day.demand import Ask, Day, Setting, day_of
from exchange.demo.day.figures import DayFigures, floor_of
from exchange.demo.day.live import PaperShop, live
from exchange.demo.day.stage import BEGIN_US
from exchange.demo.day.venue_shop import VenueShop
from exchange.models import Instrument
from exchange.replay.run import replay
from settlement.services.ledger import cash_asset

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("dollar")]
SETTING = Setting(tenants=4, seed=7, window_s=60, session_s=4, windows=2)
CALLS = [call for call in generate(3) if call.at_us < 4 * 60_000_000][::12]
DAY = day_of(CALLS, SETTING)


@pytest.fixture
def dollar(db: None) -> None:
    """A migration makes it; tests that commit take it away."""
    cash_asset()


def sums_up(figures: DayFigures) -> None:
    for window in figures.windows:
        assert window.asked == window.served + window.unserved
        assert window.issued == window.served + window.stranded


def test_the_market_moves_what_one_has_too_much_of_to_whom_it_lacks() -> None:
    paper = live(DAY, SETTING, PaperShop())
    shop = VenueShop(SETTING)
    real = live(DAY, SETTING, shop)
    shop.tell(real)
    sums_up(paper)
    sums_up(real)
    floor = floor_of(DAY)
    assert floor.stranded_bps <= real.stranded_bps < paper.stranded_bps
    assert floor.unserved_bps <= real.unserved_bps < paper.unserved_bps
    assert real.total("trades") > 0
    assert sum(real.outcomes.values()) == real.total("requests_served")
    assert audit(now_us=BEGIN_US + 4 * SETTING.window_us).broken == []
    assert replay().differences == {}


def test_without_trades_the_venue_comes_to_the_same_as_the_account_of_units() -> None:
    paper, real = live(DAY, SETTING, PaperShop()), live(DAY, SETTING, VenueShop(SETTING, trades=False))
    assert paper == real


def test_a_window_of_which_nobody_bought_anything_has_no_book() -> None:
    setting = Setting(tenants=1, window_s=60)
    silent = Day(asks=((), (Ask(61_000_000, 0, 5),)), forecasts=((0,), (0,)), bought=((0,), (0,)))
    shop = VenueShop(setting)
    real = live(silent, setting, shop)
    assert real == live(silent, setting, PaperShop())
    assert real.unserved_bps == 10_000
    assert not Instrument.objects.exists()
