"""For everybody: keyboard, screen readers, small screens, both colour schemes."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import ROOT, Venue, log_in, proven

Open = Callable[..., Page]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
CONSOLE = (
    "",
    "exchange/instrument/",
    "exchange/instrument/list_new/",
    "exchange/listingrequest/",
    "exchange/proposal/",
    "exchange/order/",
    "exchange/trade/",
    "rights/participant/",
    "rights/account/",
    "rights/right/",
    "rights/rolegrant/",
    "rights/rolegrant/grant_new",
    "rights/attestation/",
    "rights/attestation/attest_new",
    "rights/consent/",
    "freeze/",
    "freeze/one/",
    "rights/assurance/",
    "rights/assurance/post_new/",
    "rights/supplier/",
    "rights/capability/",
    "rights/postedcapacity/",
    "exchange/apikey/",
    "records/events/",
    "records/chain/?stream=registry",
    "records/postings/",
    "records/balances/",
    "records/batches/",
)
ONE = "#result_list tbody th a, #result_list tbody td a"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def broken_rules(page: Page) -> list[str]:
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text())
    found = page.evaluate("rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", RULES)
    return [f"{rule['id']}: {node['target']} {node.get('failureSummary', '')}" for rule in found["violations"] for node in rule["nodes"]]


def broken_in_both(page: Page) -> list[str]:
    """The rules that the page as it stands breaks in one colour scheme or the other."""
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.evaluate(
            "() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
        )  # what draws itself hears of it then
        found += [f"{scheme}: {rule}" for rule in broken_rules(page)]
    return found


@pytest.mark.parametrize("width", [1440, 390])
def test_no_page_breaks_a_rule_of_axe(open_page: Open, venue: Venue, width: int) -> None:
    venue.place("buyer", "buy", "1.301", "2")
    venue.place("seller", "sell", "2.301", "2")
    page = open_page("/", user="seller", width=width, reduced_motion="reduce")
    wrong: dict[str, list[str]] = {}
    for path in ("/", f"/trade/{venue.symbol}", "/rights", "/account", "/api/v1/docs", "/nothing/here"):
        page.goto(path)
        if path.startswith("/trade"):
            proven(page)
            expect(page.locator("sx-orders tbody tr")).to_have_count(1)
            expect(page.locator(".sums")).to_have_count(1)
            for button in page.locator(".views button").all() if width < 760 else ():
                button.click()
                wrong[f"{path} {button.inner_text()}"] = broken_in_both(page)
        else:
            page.wait_for_load_state("networkidle") if "nothing" in path else expect(page.locator(".loading")).to_have_count(0)
        wrong[path] = broken_in_both(page)
    page.get_by_role("button", name="Log out").click()
    wrong["/login"] = broken_in_both(page)
    venue.clear("buyer", "seller")
    assert not any(wrong.values()), {path: found for path, found in wrong.items() if found}


def test_no_page_of_the_console_breaks_a_rule_of_axe(open_page: Open, venue: Venue) -> None:
    venue.place("buyer", "buy", "1.302", "2")
    page = open_page("/admin/login/", reduced_motion="reduce")
    wrong = {"/admin/login/": broken_in_both(page)}
    log_in(page, "operator", venue.password, "/admin/")
    for path in CONSOLE:
        answer = page.goto(f"/admin/{path}")
        assert answer is not None
        assert answer.ok, path
        page.wait_for_load_state("networkidle")
        wrong[path] = broken_in_both(page)
    for path, link in (("exchange/instrument/", ONE), ("rights/right/", ONE), ("records/events/", ".record-table td:nth-child(3) a")):
        page.goto(f"/admin/{path}")
        page.locator(link).first.click()
        page.wait_for_load_state("networkidle")
        wrong[f"{path} one"] = broken_in_both(page)
    venue.clear("buyer")
    assert not any(wrong.values()), {path: found for path, found in wrong.items() if found}


def test_nothing_is_wider_than_a_phone(open_page: Open, venue: Venue) -> None:
    page = open_page("/", user="seller", width=390, height=844, has_touch=True, is_mobile=True)
    for path in ("/", f"/trade/{venue.symbol}", "/rights", "/account", "/issuers/issuer"):
        page.goto(path)
        expect(page.locator(".loading:visible")).to_have_count(0)
        assert page.evaluate("() => document.documentElement.scrollWidth") == 390, path
        assert page.evaluate("() => [...document.querySelectorAll('main .scroll')].every((box) => box.scrollWidth <= box.clientWidth)"), (
            path
        )
    page.goto("/use/req_0192e4a0-0000-7000-8000-000000000000")
    expect(page.get_by_text("There is no such request")).to_be_visible()


def test_a_phone_shows_one_part_at_a_time_and_keeps_the_sides_at_hand(open_page: Open, venue: Venue) -> None:
    venue.place("seller", "sell", "2.401", "2")
    page = open_page(f"/trade/{venue.symbol}", user="buyer", width=390, height=844, has_touch=True, is_mobile=True)
    proven(page)
    expect(page.locator("sx-ladder")).to_be_visible()
    expect(page.locator("sx-ticket")).to_be_hidden()
    page.get_by_role("button", name="Sell", exact=True).tap()
    expect(page.locator("sx-ticket")).to_be_visible()
    expect(page.locator("[data-submit]")).to_contain_text("Sell")
    expect(page.locator("[data-submit]")).to_be_in_viewport()
    page.get_by_role("button", name="Book").tap()
    page.locator(".ladder .ask button:not(:disabled)").tap()
    expect(page.get_by_label("Price per lot")).to_have_value("2.401")
    page.get_by_role("button", name="Chart").tap()
    expect(page.locator("sx-candles")).to_be_visible()
    page.get_by_role("button", name="Orders").tap()
    expect(page.locator("sx-orders")).to_be_visible()
    venue.clear("seller")


def test_the_desk_is_worked_by_keyboard_alone(open_page: Open, venue: Venue) -> None:
    for price in ("1.201", "1.202"):
        venue.place("buyer", "buy", price, "1")
    page = open_page(f"/trade/{venue.symbol}", user="seller")
    proven(page)
    expect(page.locator(".ticket")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_contain_text("Cancel all orders")
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    expect(page.locator("[data-submit]")).to_contain_text("Sell")
    page.keyboard.press("l")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Price per lot")).to_have_value("1.201")
    page.keyboard.press("q")
    page.keyboard.type("1")
    expect(page.get_by_label("Quantity in lots")).to_have_value("1")
    page.keyboard.press("Enter")
    expect(page.locator(".outcome")).to_contain_text("Sell order filled")
    page.locator("h1").click()
    page.keyboard.press("r")
    expect(page.locator("[data-toasts]")).to_contain_text("bid 1.201 for 1 lots, no ask")
    venue.clear("buyer", "seller")


def test_shortcuts_can_be_turned_off(open_page: Open) -> None:
    page = open_page("/")
    page.keyboard.press("?")
    page.get_by_label("Single-key shortcuts are on").uncheck()
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_hidden()


def test_the_colours_follow_the_system_until_chosen_and_the_choice_stays(open_page: Open) -> None:
    page = open_page("/", color_scheme="dark")
    background = "() => getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    page.get_by_role("button", name="Change between dark and light").click()
    light = page.evaluate(background)
    assert light != dark
    page.reload()
    assert page.evaluate(background) == light
    assert page.evaluate("() => document.documentElement.dataset.theme") == "light"


def test_the_board_stands_still_for_those_who_want_that(open_page: Open) -> None:
    page = open_page("/", reduced_motion="reduce")
    slow = "() => [...document.styleSheets].length && getComputedStyle(document.querySelector('.panel')).transitionDuration"
    assert page.evaluate(slow) in {"1e-05s", "0.00001s", "0s"}
