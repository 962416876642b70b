"""The board of markets."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import Venue


def test_the_board_is_readable_without_a_script(open_page: Callable[..., Page], venue: Venue) -> None:
    page = open_page("/?class=GPU.HI.BAT.CNF", java_script_enabled=False)
    row = page.locator(f"tr[data-symbol='{venue.other('GPU')}']")
    expect(row).to_contain_text("Open")
    expect(row).to_contain_text("12,000")
    expect(page.locator("tr[data-symbol^=TXT]")).to_have_count(0)


def test_filters_narrow_the_board_and_can_be_linked_to(open_page: Callable[..., Page], venue: Venue) -> None:
    page = open_page("/")
    expect(page.locator("tr[data-symbol]")).to_have_count(venue.open_markets())
    page.get_by_label("Symbol or property").fill("confidential")
    expect(page.locator("tr[data-symbol^=TXT]")).to_have_count(0)
    expect(page).to_have_url(f"{venue.url}/?class=&q=confidential")
    page.get_by_label("Symbol or property").fill("no such thing")
    expect(page).to_have_url(re.compile("q=no"))  # the board before it was empty too
    expect(page.get_by_text("No market fits")).to_be_visible()
    page.get_by_role("link", name="Show all markets").click()
    expect(page.locator("tr[data-symbol]")).to_have_count(venue.open_markets())


def test_prices_move_without_a_reload(open_page: Callable[..., Page], venue: Venue) -> None:
    symbol = venue.other("EMB")
    page = open_page("/")
    expect(page.locator("sx-connection")).to_have_attribute("data-state", "live")
    bid = page.locator(f"tr[data-symbol='{symbol}'] [data-f=best_bid]")
    venue.place("buyer", "buy", "0.1050", "2", symbol)
    expect(bid).to_have_text("0.1050")
    venue.clear("buyer")
    expect(bid).to_have_text("–")


def test_a_filtered_board_is_live_too(open_page: Callable[..., Page], venue: Venue) -> None:
    symbol = venue.other("EMB")
    page = open_page("/")
    page.get_by_label("Symbol or property").fill("EMB")
    expect(page.locator("tr[data-symbol^=TXT]")).to_have_count(0)
    venue.place("buyer", "buy", "0.1051", "2", symbol)
    expect(page.locator(f"tr[data-symbol='{symbol}'] [data-f=best_bid]")).to_have_text("0.1051")
    venue.clear("buyer")


def test_the_row_leads_to_the_desk(open_page: Callable[..., Page], venue: Venue) -> None:
    page = open_page("/")
    page.locator(f"tr[data-symbol='{venue.symbol}'] a").click()
    expect(page).to_have_url(f"{venue.url}/trade/{venue.symbol}")
