"""An issuer's record where nothing was used yet, and on a bad line. With something in it: test_demo.py, where a right is spent."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Venue, proven
from tests.browser.test_access import broken_rules

Open = Callable[..., Page]
OUTCOMES = "**/api/v1/issuers/issuer/outcomes"


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_a_record_without_a_sample_says_so(open_page: Open, venue: Venue, width: int, scheme: str) -> None:
    page = open_page("/issuers/issuer", user="buyer", width=width, color_scheme=scheme, reduced_motion="reduce")
    expect(page.get_by_role("heading", level=1).locator("small")).to_have_text("issuer")
    expect(page.get_by_role("region", name="All in all")).to_contain_text("no record yet")
    expect(page.get_by_role("region", name="By class")).to_contain_text("No record yet")
    expect(page.get_by_role("region", name="What it stands on").locator("tbody tr").first).to_contain_text("sound")
    assert page.evaluate("() => document.documentElement.scrollWidth") == width
    assert not broken_rules(page)


def test_it_waits_fails_and_is_asked_again(open_page: Open, venue: Venue) -> None:
    page = open_page("/rights", user="buyer")
    card = page.locator("sx-scorecard")
    page.route(OUTCOMES, lambda _: None)  # no answer yet
    page.goto("/issuers/issuer")
    expect(card.locator(".loading")).to_be_visible()
    assert not broken_rules(page)
    page.unroute(OUTCOMES)
    page.route(OUTCOMES, lambda route: route.abort())
    page.reload()
    expect(card.get_by_role("alert")).to_contain_text("The venue could not be reached.")
    assert not broken_rules(page)
    page.unroute(OUTCOMES)
    card.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("region", name="By window")).to_contain_text("No window yet")


def test_markets_rights_and_the_desk_lead_there(open_page: Open, venue: Venue) -> None:
    page = open_page(f"/trade/{venue.symbol}", user="seller")
    proven(page)
    expect(page.locator("[data-f=expected]")).to_have_text("no record yet")
    expect(page.locator(".ladder td.expected").first).to_be_hidden()
    page.locator("sx-headline").get_by_role("link", name="issuer", exact=True).click()
    expect(page).to_have_url(f"{venue.url}/issuers/issuer")
    page.goto("/rights")
    page.locator("sx-rights tbody th a").first.click()
    page.get_by_role("link", name="issuer", exact=True).click()
    expect(page).to_have_url(f"{venue.url}/issuers/issuer")
    answer = page.goto("/issuers/nobody")
    assert answer is not None
    assert answer.status == 404
    desk = open_page("/desk", user="issuer")
    desk.get_by_role("link", name="Your record, as everybody sees it").click()
    expect(desk).to_have_url(f"{venue.url}/issuers/issuer")
