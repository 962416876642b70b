"""A member's day at the desk: place, see, cancel, trade."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Venue, proven

Open = Callable[..., Page]


@pytest.fixture(autouse=True)
def empty_books(venue: Venue) -> Iterator[None]:
    yield
    venue.clear("buyer", "seller")


def desk(open_page: Open, venue: Venue, user: str = "buyer", **options: object) -> Page:
    page = open_page(f"/trade/{venue.symbol}", user=user, **options)
    proven(page)
    expect(page.locator(".ticket")).to_be_visible()
    return page


def fill_in(page: Page, price: str, quantity: str, side: str = "Buy") -> None:
    page.get_by_role("radio", name=side).check(force=True)
    page.get_by_label("Price per lot").fill(price)
    page.get_by_label("Quantity in lots").fill(quantity)


def submit(page: Page) -> Locator:
    return page.locator("[data-submit]")


def test_an_order_is_previewed_placed_seen_and_cancelled(open_page: Open, venue: Venue) -> None:
    page = desk(open_page, venue)
    fill_in(page, "1.500", "4")
    expect(page.locator(".ticket .hint[data-units]")).to_contain_text("4\u202fM tokens · 6.000 USD")
    expect(page.locator(".preview")).to_contain_text("Held from your cash")
    expect(page.locator(".preview")).to_contain_text("6.0048 USD")
    expect(submit(page)).to_have_text("Buy 4 lots at 1.500")
    submit(page).click()
    expect(page.locator(".outcome")).to_contain_text("Buy order open.")
    row = page.locator("sx-orders tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("1.500")
    expect(page.locator(".ladder .bid").first).to_contain_text("1.500")
    expect(page.locator(".ladder .bid .own").first).to_have_text("◆4")
    row.get_by_role("button", name="Cancel").click()
    expect(page.locator("sx-orders")).to_contain_text("No open orders")
    expect(page.locator(".ladder .bid .own").first).to_have_text("")
    expect(page.locator("[data-toasts]")).to_contain_text("Order cancelled")


def test_the_desk_says_which_disclosure_holds(open_page: Open, venue: Venue) -> None:
    page = desk(open_page, venue)
    sheet = venue.call("buyer", "GET", f"/instruments/{venue.symbol}/sheet")
    disclosed = page.locator("[data-f=sheet]")
    expect(disclosed).to_have_text(f"version {sheet['version']}, fresh")
    expect(disclosed).to_have_attribute("title", f"SHA-256 {sheet['hash']}")
    expect(page.locator("sx-banner")).to_be_empty()


def test_a_price_from_the_ladder_buys_and_the_rights_arrive(open_page: Open, venue: Venue) -> None:
    positions = venue.call("buyer", "GET", "/positions")["data"]
    after = 3 + sum(int(position["quantity"]) for position in positions if position["instrument"] == venue.symbol)
    venue.place("seller", "sell", "2.000", "5")
    page = desk(open_page, venue)
    page.locator(".ladder .ask button:not(:disabled)").click()
    expect(page.get_by_label("Price per lot")).to_have_value("2.000")
    page.get_by_label("Quantity in lots").fill("3")
    expect(page.locator(".preview")).to_contain_text("3 lots for 6.00 USD")
    expect(page.locator(".preview")).to_contain_text("transfer gates pass")
    submit(page).click()
    expect(page.locator(".outcome")).to_contain_text("Buy order filled. 3 lots traded at 2.00 on average")
    expect(page.locator("[data-toasts]")).to_contain_text("Bought 3 lots at 2.000")
    expect(page.locator("sx-tape tbody tr").first).to_contain_text("2.000")
    page.get_by_role("tab", name="Fills").click()
    fill = page.locator("sx-fills tr[data-fill]").first
    expect(fill).to_contain_text("taker")
    fill.get_by_role("button", name="Deliveries").click()
    expect(page.locator("sx-fills .detail").first).to_contain_text("3,000,000")
    page.get_by_role("tab", name="Positions").click()
    expect(page.locator(f"sx-positions tr:has-text('{venue.symbol}')")).to_contain_text(str(after))
    page.get_by_role("link", name="Rights").click()
    bought = venue.call("buyer", "GET", "/fills?limit=1")["data"][0]["deliveries"][0]["right_id"]
    units = int(venue.call("buyer", "GET", f"/rights/{bought}")["remaining_amount"])
    row = page.locator("sx-rights tbody tr").filter(has=page.locator(f'a[href="/rights/{bought}"]'))
    expect(row).to_contain_text(f"{units // 1_000_000}\u202fM tokens")


def test_a_resting_order_that_fills_is_told_at_once(open_page: Open, venue: Venue) -> None:
    page = desk(open_page, venue)
    fill_in(page, "1.700", "2")
    submit(page).click()
    expect(page.locator("sx-orders tbody tr")).to_have_count(1)
    venue.place("seller", "sell", "1.700", "2")
    expect(page.locator("[data-toasts]")).to_contain_text("Bought 2 lots at 1.700")
    expect(page.locator("sx-orders")).to_contain_text("No open orders")


def test_wrong_fields_are_named_where_they_stand(open_page: Open, venue: Venue) -> None:
    page = desk(open_page, venue)
    fill_in(page, "1.0005", "1.5")
    expect(page.get_by_label("Price per lot")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("A multiple of the tick, 0.001.")).to_be_visible()
    expect(page.get_by_text("Whole lots only, 1 or more.")).to_be_visible()
    expect(submit(page)).to_have_text("Buy")
    submit(page).click()
    expect(page.get_by_label("Price per lot")).to_be_focused()
    expect(page.locator("sx-orders")).to_contain_text("No open orders")


def test_the_venue_says_beforehand_that_it_would_refuse_and_then_refuses(open_page: Open, venue: Venue) -> None:
    page = desk(open_page, venue)
    fill_in(page, "17.000", "9999")
    expect(page.locator(".preview")).to_contain_text("Would be refused: The account has too little available cash.")
    submit(page).click()
    expect(page.locator(".outcome")).to_contain_text("Not placed. The account has too little available cash.")


def test_steps_and_shares_are_exact(open_page: Open, venue: Venue) -> None:
    page = desk(open_page, venue)
    fill_in(page, "1.999", "1")
    price, quantity = page.get_by_label("Price per lot"), page.get_by_label("Quantity in lots")
    price.press("ArrowUp")
    expect(price).to_have_value("2.000")
    price.press("Shift+ArrowDown")
    expect(price).to_have_value("1.990")
    quantity.press("Shift+ArrowUp")
    expect(quantity).to_have_value("11")
    page.get_by_role("button", name="Most").click()
    expect(quantity).to_have_value("10000")
    expect(page.locator(".preview")).not_to_contain_text("Would be refused")


def test_all_orders_are_cancelled_after_one_question(open_page: Open, venue: Venue) -> None:
    for price in ("1.400", "1.401", "1.402"):
        venue.place("buyer", "buy", price, "1")
    page = desk(open_page, venue)
    expect(page.locator("sx-orders tbody tr")).to_have_count(3)
    page.get_by_role("button", name="Cancel all").click()
    page.get_by_role("button", name="Cancel all (3)").click()
    expect(page.locator("sx-orders")).to_contain_text("No open orders")
    expect(page.locator("[data-toasts]")).to_contain_text("3 orders cancelled")


def test_a_market_order_and_post_only_know_their_limits(open_page: Open, venue: Venue) -> None:
    page = desk(open_page, venue)
    page.get_by_role("radio", name="Market").check(force=True)
    expect(page.get_by_label("Price per lot")).to_be_hidden()
    expect(page.get_by_label("Post-only")).to_be_disabled()
    expect(page.locator(".preview")).to_contain_text("nothing")
    submit(page).click()
    expect(page.locator(".outcome")).to_contain_text("Buy order cancelled. There was nothing to trade against.")
    page.get_by_role("radio", name="Limit").check(force=True)
    venue.place("seller", "sell", "2.100", "1")
    fill_in(page, "2.100", "1")
    page.get_by_label("Valid", exact=True).select_option("gtg")
    page.get_by_label("Post-only").check()
    expect(page.locator(".preview")).to_contain_text("Would be refused: A post-only order would have taken liquidity.")
    venue.clear("seller")  # the preview follows the book, also while nothing is typed
    expect(page.locator(".preview")).not_to_contain_text("Would be refused")


def test_a_seller_is_offered_what_he_holds_and_not_more(open_page: Open, venue: Venue) -> None:
    page = desk(open_page, venue, "seller")
    page.get_by_role("radio", name="Sell").check(force=True)
    expect(page.locator(".available")).to_contain_text("lots to sell")
    page.get_by_role("button", name="Most").click()
    expect(page.locator(".preview")).to_contain_text("Reserved from your rights")
    expect(page.locator(".preview")).not_to_contain_text("Would be refused")
