"""Cash, ledger and keys."""

import json
from collections.abc import Callable

import httpx
from playwright.sync_api import Page, expect

from tests.browser.conftest import Venue

Open = Callable[..., Page]


def test_cash_and_ledger_are_there(open_page: Open, venue: Venue) -> None:
    page = open_page("/account", user="maker")
    expect(page.locator("sx-balances")).to_contain_text("USD")
    expect(page.locator("sx-ledger tbody tr").last).to_contain_text("Funding")
    before = page.locator("sx-balances td").first.inner_text()
    venue.exchange.manage("fund", "maker", "12.5")
    expect(page.locator("sx-balances td").first).not_to_have_text(before)


def test_a_key_is_shown_once_works_and_dies_when_revoked(open_page: Open, venue: Venue) -> None:
    page = open_page("/account", user="buyer")
    page.get_by_role("button", name="New key").click()
    page.get_by_label("Name, for you to recognise it").fill("a bot of mine")
    page.get_by_label("trade", exact=True).check()
    page.get_by_role("button", name="Make the key").click()
    expect(page.locator("[data-token]")).not_to_be_empty()
    token = page.locator("[data-token]").inner_text()
    ask = {"headers": {"Authorization": f"Bearer {token}"}}
    assert httpx.get(f"{venue.url}/api/v1/balances", **ask).status_code == 200
    page.get_by_role("button", name="I have it").click()
    expect(page.locator("[data-token]")).to_be_empty()
    assert token.split(".")[1] not in page.content()
    row = page.locator("sx-keys tr", has_text="a bot of mine")
    expect(row).to_contain_text("read, trade")
    row.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(row).to_contain_text("revoked")
    assert httpx.get(f"{venue.url}/api/v1/balances", **ask).status_code == 401


def test_only_scopes_one_has_are_offered_for_a_key(open_page: Open) -> None:
    page = open_page("/account", user="buyer")
    page.get_by_role("button", name="New key").click()
    expect(page.get_by_label("trade", exact=True)).to_be_visible()
    expect(page.get_by_label("operate", exact=True)).to_have_count(0)
    page.get_by_label("read", exact=True).uncheck()
    page.get_by_role("button", name="Make the key").click()
    expect(page.locator("[data-key-error]")).to_be_visible()


def test_the_numbers_are_the_ones_of_the_api(open_page: Open, venue: Venue) -> None:
    page = open_page("/rights", user="seller")
    positions = {row["instrument"]: row for row in venue.call("seller", "GET", "/positions")["data"]}
    assert venue.symbol in positions, json.dumps(positions)
    for symbol, row in positions.items():
        expect(page.locator(f"sx-positions tr:has(a:text-is('{symbol}'))")).to_contain_text(f"{int(row['available']):,}")
