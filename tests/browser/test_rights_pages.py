"""A holder's pages: what is held, one right, and packages with their delegations and offers."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from tests.browser.conftest import Venue, log_in
from tests.browser.test_access import broken_rules

Open = Callable[..., Page]


@pytest.fixture(autouse=True)
def empty_books(venue: Venue) -> Iterator[None]:
    yield
    venue.clear("seller")


def held(venue: Venue, symbol: str = "", who: str = "seller") -> dict[str, Any]:
    """A right of the seller's that may be sold in the market, and that nothing of is locked as long as there is one."""
    rights = venue.call(who, "GET", "/rights?holder=me&status=active&limit=200")["data"]
    found = [right for right in rights if (symbol or venue.symbol) in right["instruments"]]
    return max(found, key=lambda right: (right["reserved_amount"] == "0", int(right["remaining_amount"]) - int(right["reserved_amount"])))


def account(page: Page) -> str:
    page.goto("/packages")
    return page.locator("[data-account]").inner_text()


def test_the_inventory_follows_an_ask_and_leads_to_the_right_and_the_book(open_page: Open, venue: Venue) -> None:
    page = open_page("/rights", user="seller")
    here = page.locator("sx-rights tbody tr").last.get_by_role("link").first
    here.focus()
    venue.place("seller", "sell", "2.601", "3")
    expect(page.locator(".resting tbody tr")).to_contain_text("2.601")
    expect(here).to_be_focused()  # the list was read again, under the reader's hands
    expect(page.locator(".resting tbody tr")).to_contain_text("3,000,000 tokens")
    page.get_by_role("link", name="Ever").click()
    expect(page.get_by_role("link", name="Ever")).to_have_attribute("aria-current", "true")
    page.get_by_role("link", name="What ends after these").click()
    row = page.locator(".stakes tbody tr", has_text="3,000,000 in asks")
    row.get_by_role("link", name="Sell in").click()
    expect(page).to_have_url(f"{venue.url}/trade/{venue.symbol}")
    page.goto("/rights")
    page.get_by_label("Class").select_option("GPU.HI.BAT.CNF")
    expect(page.locator("sx-rights tbody tr", has_text="tokens")).to_have_count(0)
    page.locator("sx-rights tbody th a").first.click()
    expect(page.get_by_role("heading", name="Its terms")).to_be_visible()


def test_a_right_is_split_merged_asked_about_and_given_away(open_page: Open, venue: Venue) -> None:
    other = account(open_page("/packages", user="maker"))
    right = held(venue)
    page = open_page(f"/rights/{right['id']}", user="seller")
    page.locator("summary", has_text="Split").first.click()
    page.get_by_label("Units to split off").fill("0")
    page.get_by_role("button", name="Split").click()
    expect(page.get_by_label("Units to split off")).to_have_attribute("aria-invalid", "true")
    for units in ("4000000", "1000000"):
        page.goto(f"/rights/{right['id']}")
        page.locator("summary", has_text="Split").first.click()
        page.get_by_label("Units to split off").fill(units)
        page.get_by_role("button", name="Split").click()
        expect(page).not_to_have_url(f"{venue.url}/rights/{right['id']}")
    page.locator("summary", has_text="Merge").first.click()
    page.get_by_role("button", name="Merge").click()
    page.get_by_role("dialog").get_by_role("button", name="Merge").click()
    expect(page.locator(".split")).to_contain_text("5,000,000")
    expect(page.locator(".timeline")).to_contain_text("Merged")
    page.locator("#check-to").fill(other)
    page.locator("#check-units").fill("1")
    page.get_by_role("button", name="Ask").click()
    expect(page.locator("#check")).to_contain_text("Fewer units than the terms let move")
    expect(page.locator("#check")).to_contain_text("Move more units at once.")
    page.get_by_text("Give to another holder").click()
    page.locator("#give-to").fill(other)
    page.locator("#give-units").fill("1")
    for units in ("1", "5000000"):
        page.locator("#give-units").fill(units)
        page.get_by_role("button", name="Give", exact=True).click()
        page.get_by_role("dialog").get_by_role("button", name="Give it").click()
        if units == "1":
            expect(page.locator(".refused")).to_contain_text("move more units at once")
    expect(page).to_have_url(f"{venue.url}/rights")


def test_a_right_is_compared_with_a_market_and_shows_its_past_piece_by_piece(open_page: Open, venue: Venue) -> None:
    right = held(venue)
    page = open_page(f"/rights/{right['id']}", user="seller")
    expect(page.locator("#fits")).to_contain_text("It may be delivered there.")
    elsewhere = next(symbol for symbol in venue.symbols if symbol.startswith("TXT") and symbol.endswith("PT1H"))
    page.get_by_label("Against the market").select_option(elsewhere)
    expect(page.locator("#fits")).to_contain_text("It may not be delivered there.")
    expect(page.locator("#fits .matrix").first).to_contain_text("From")
    page.locator(".timeline summary").first.click()
    expect(page.locator(".timeline li").first).to_contain_text("right.issued")
    assert page.goto(f"/rights/{held(venue, who='maker')['id']}").status == 404  # type: ignore[union-attr]


def test_a_package_is_built_with_its_faults_at_their_fields_offered_and_sold(open_page: Open, venue: Venue) -> None:
    right = held(venue)
    page = open_page(f"/packages/new?right={right['id']}", user="seller")
    units = page.locator(f"[id='u-{right['id']}']")
    units.fill("99999999999999")
    expect(page.locator(".choose .field-error")).to_contain_text("are free")
    units.fill("2000000")
    expect(page.locator("[data-sums]")).to_have_text("1 right: 2,000,000 tokens")
    least = page.get_by_label("Least units that move at once")
    least.fill("5")
    expect(least).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("a package only tightens")).to_be_visible()
    least.fill("2000000")
    expect(least).not_to_have_attribute("aria-invalid", "true")
    page.get_by_role("button", name="Make the package").click()
    expect(page.get_by_text("name it")).to_be_visible()
    page.get_by_label("Label").fill("Two million for tomorrow")
    page.get_by_role("button", name="Make the package").click()
    row = page.locator("sx-packages tbody tr", has_text="Two million for tomorrow")
    expect(row).to_contain_text("1 rule of its own")
    row.get_by_role("button", name="Offer").click()
    page.get_by_label("Price for all of it").fill("3.50")
    page.get_by_label("Ends, UTC").fill("2020-01-01T00:00")
    page.get_by_role("button", name="Offer it").click()
    expect(page.get_by_role("alert")).to_contain_text("An offer ends within 30 days from now")
    page.get_by_label("Ends, UTC").fill(right["window"]["start"][:16])
    page.get_by_role("button", name="Offer it").click()
    expect(page.locator("sx-offers tbody tr").first).to_contain_text("Bundle, yours")
    buyer = open_page("/packages", user="buyer")
    buyer.get_by_role("button", name="Take: 3.50 USD").click()
    buyer.get_by_role("button", name="Take it").click()
    expect(buyer.locator("sx-packages tbody tr").first).to_contain_text("Two million for tomorrow")
    page.reload()
    expect(page.locator("sx-offers tbody tr").first).to_contain_text("Accepted")
    bought = buyer.locator("sx-packages tbody tr", has_text="Two million for tomorrow")
    bought.get_by_role("button", name="Take apart").click()
    buyer.get_by_label("Reason, for the record").fill("to use it")
    buyer.get_by_role("dialog").get_by_role("button", name="Take it apart").click()
    expect(bought).to_contain_text("Taken apart")


def packed(page: Page, label: str, right: dict[str, Any], more: dict[str, Any] | None = None) -> None:
    """A package of two million of a right, and of 600 of another, made by the seller on its page."""
    page.goto(f"/packages/new?right={right['id']}")
    page.get_by_label("Label").fill(label)
    page.locator(f"[id='u-{right['id']}']").fill("2000000")
    if more is not None:
        page.locator(f"[id='u-{more['id']}']").fill("600")
    page.get_by_label("Holders at most").fill("9")
    page.get_by_role("button", name="Make the package").click()
    expect(page.locator("sx-packages tbody tr", has_text=label)).to_be_visible()


def test_a_package_is_changed_and_split_with_its_faults_at_their_fields(open_page: Open, venue: Venue) -> None:
    first, second = held(venue), held(venue, venue.other("GPU"))
    page = open_page("/packages", user="seller")
    packed(page, "To be changed", first, second)
    row = page.locator("sx-packages tbody tr", has_text="To be changed")
    row.get_by_role("link", name="Change: To be changed").click()
    expect(page.get_by_role("heading", name="Change “To be changed”")).to_be_visible()
    units = page.locator(f"[id='u-{first['id']}']")
    expect(units).to_have_value("2000000")
    expect(page.get_by_label("Holders at most")).to_have_value("9")
    units.fill("99999999999999")
    page.get_by_label("Label").fill("")
    page.get_by_role("button", name="Change the package").click()
    expect(page.get_by_label("Label")).to_be_focused()
    expect(page.get_by_label("Label")).to_have_attribute("aria-invalid", "true")
    expect(units).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Label").fill("Changed by hand")
    units.fill("3000000")
    page.get_by_label("Label").press("Enter")
    row = page.locator("sx-packages tbody tr", has_text="Changed by hand")
    expect(row).to_contain_text("3,000,600")
    expect(row).to_contain_text("1 rule of its own")

    row.get_by_role("button", name="Split: Changed by hand").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Split “Changed by hand”")
    taken = dialog.get_by_label(re.compile("^Units of"))
    expect(taken).to_have_count(2)
    dialog.get_by_label("Label of the new package").fill("Split off")
    page.keyboard.press("Enter")
    expect(taken.first).to_be_focused()
    expect(taken.first).to_have_attribute("aria-invalid", "true")
    expect(dialog.get_by_text("take units of at least one right")).to_be_visible()
    taken.first.fill("3000001")
    page.keyboard.press("Enter")
    expect(dialog.get_by_text("only 3,000,000 are in it")).to_be_visible()
    assert broken_rules(page) == []
    taken.first.fill("1000000")
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(page.locator("sx-packages tbody tr", has_text="Split off")).to_contain_text("1,000,000")
    expect(row).to_contain_text("2,000,600")
    for label in ("Split off", "Changed by hand"):
        page.get_by_role("button", name=f"Take apart: {label}").click()
        page.get_by_label("Reason, for the record").fill("over")
        page.get_by_role("dialog").get_by_role("button", name="Take it apart").click()
        expect(page.locator("sx-packages tbody tr", has_text=label)).to_contain_text("Taken apart")


def test_use_is_lent_and_taken_back(open_page: Open, venue: Venue) -> None:
    other = account(open_page("/packages", user="maker"))
    right = held(venue)
    page = open_page(f"/rights/{right['id']}", user="seller")
    page.get_by_role("link", name="let somebody use it").click()
    expect(page.get_by_label("What, by its id")).to_have_value(right["id"])
    page.get_by_role("button", name="Delegate").click()
    expect(page.locator("sx-lend .field-error").first).to_be_visible()
    page.get_by_label("Whom: an account id").fill(other)
    page.get_by_label("Units at most").fill("1000")
    page.get_by_label("From, UTC").fill(right["window"]["start"][:16])
    page.get_by_label("Until, UTC").fill(right["window"]["end"][:16])
    page.get_by_label("text.generation").check()
    page.get_by_role("button", name="Delegate").click()
    row = page.locator("sx-delegations tbody tr").first
    expect(row).to_contain_text("1,000of 1,000")
    expect(row).to_contain_text("text.generation")
    row.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke it").click()
    expect(page.locator("sx-delegations tbody tr").first).to_contain_text("Revoked")


def test_what_is_pressed_before_the_page_listens_is_not_lost(open_page: Open, venue: Venue) -> None:
    page = open_page("/rights", user="seller")
    withheld: list[Route] = []

    def withhold(route: Route) -> None:
        withheld.append(route)

    page.route("**/parts/delegations.js*", withhold)
    with page.expect_request("**/parts/delegations.js*"):
        page.goto("/packages", wait_until="commit")
    page.get_by_label("Units at most").fill("12")
    page.keyboard.press("Enter")
    with pytest.raises(PlaywrightTimeoutError, match="intercepts pointer events"):
        page.get_by_role("button", name="Delegate").click(timeout=1_000)
    withheld[0].continue_()
    page.get_by_role("button", name="Delegate").click()
    expect(page.locator("sx-lend .field-error").first).to_be_visible()
    expect(page.get_by_label("Units at most")).to_have_value("12")


def test_a_policy_is_tried_stands_is_paused_and_ended(open_page: Open, venue: Venue) -> None:
    held(venue)
    page = open_page("/rights", user="seller")
    page.get_by_role("link", name="Policies").click()
    form = page.locator("#policy")
    expect(form.get_by_label("Key it acts under").locator("option[value^=key_]").first).to_be_attached()
    form.get_by_label("Rules").fill("{")
    form.get_by_role("button", name="Try it").click()
    expect(form.get_by_label("Rules")).to_have_attribute("aria-invalid", "true")
    rules = {"class": venue.symbol.split("-")[0], "sell_unused": {"min_price": "9.000", "before_end_s": 31_000_000, "rest": True}}
    form.get_by_label("Rules").fill(json.dumps(rules))
    form.get_by_label("Label").fill("Sell what would perish")
    form.get_by_role("button", name="Try it").click()
    expect(form.locator("[data-outcome]")).to_contain_text("This is what it would do now.")
    form.get_by_label("Looks every so many seconds").fill("86400")
    form.get_by_role("button", name="Make it stand").click()
    card = page.locator("sx-policies .card", has_text="Sell what would perish")
    expect(card).to_contain_text("active")
    card.get_by_role("button", name="Pause").click()
    expect(card).to_contain_text("paused")
    card.get_by_role("button", name="Try it").click()
    expect(card.locator("[role=status]")).not_to_be_empty()
    assert broken_rules(page) == []
    card.get_by_role("button", name="End it").click()
    page.get_by_role("dialog").get_by_role("button", name="End it").click()
    expect(card).to_contain_text("ended")
    venue.clear("seller")


@pytest.mark.parametrize(("scheme", "width"), [("dark", 1440), ("light", 390)])
def test_no_page_of_a_holder_breaks_a_rule_of_axe(open_page: Open, venue: Venue, scheme: str, width: int) -> None:
    right = held(venue)
    venue.place("seller", "sell", "2.701", "2")
    page = open_page("/rights", user="seller", width=width, color_scheme=scheme, reduced_motion="reduce")
    expect(page.locator(".resting tbody tr")).to_have_count(1)
    wrong = {"/rights": broken_rules(page)}
    for path in (
        f"/rights/{right['id']}?to=acc_1&units=x",
        "/use",
        "/use/disputes",
        "/policies",
        "/packages",
        f"/packages/new?right={right['id']}",
    ):
        page.goto(path)
        expect(page.locator(".loading")).to_have_count(0)
        for summary in page.locator("main summary").all():
            summary.click()
        assert page.evaluate("() => document.documentElement.scrollWidth") == width, path
        wrong[path] = broken_rules(page)
    units = page.locator(f"[id='u-{right['id']}']")
    units.fill("x")
    expect(units).to_have_attribute("aria-invalid", "true")
    wrong["a fault"] = broken_rules(page)
    packed(page, f"For {width}", right)
    page.get_by_role("link", name=f"Change: For {width}").click()
    expect(page.locator(".loading")).to_have_count(0)
    assert page.evaluate("() => document.documentElement.scrollWidth") == width
    units.fill("x")
    expect(units).to_have_attribute("aria-invalid", "true")
    wrong["a package that is changed"] = broken_rules(page)
    page.goto("/packages")
    page.get_by_role("button", name=f"Split: For {width}").click()
    page.get_by_role("button", name="Split it").click()
    wrong["a package that is split"] = broken_rules(page)
    assert not any(wrong.values()), {path: found for path, found in wrong.items() if found}


def test_a_right_is_readable_without_a_script(open_page: Open, venue: Venue) -> None:
    right = held(venue)
    page = open_page("/login", java_script_enabled=False)
    log_in(page, "seller", venue.password, f"/rights/{right['id']}")
    page.get_by_label("Receiver's account id").first.fill("acc_1")
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_text("is the id of no holder here")).to_be_visible()
    page.goto("/rights")
    page.get_by_role("link", name="Ever").click()
    expect(page).to_have_url(re.compile("within=all"))
    expect(page.locator(".stakes tbody tr").first).to_be_visible()
