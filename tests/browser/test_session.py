"""Logging in and out."""

from collections.abc import Callable

from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Venue, log_in


def _try(page: Page, user: str, password: str) -> str:
    page.goto("/login")
    page.get_by_label("User name").fill(user)
    page.get_by_label("Password").fill(password)
    page.get_by_role("main").get_by_role("button", name="Log in").click()
    return page.get_by_role("alert").inner_text()


def test_a_failure_does_not_say_what_was_wrong(open_page: Callable[..., Page]) -> None:
    page = open_page("/login")
    assert _try(page, "buyer", "wrong") == _try(page, "nobody-of-that-name", "wrong")


def test_log_in_leads_to_the_page_that_was_wanted_and_only_within_the_venue(open_page: Callable[..., Page], venue: Venue) -> None:
    page = open_page("/rights")
    expect(page).to_have_url(f"{venue.url}/login?next=/rights")
    log_in(page, "buyer", venue.password, "/rights")
    expect(page).to_have_url(f"{venue.url}/rights")
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(f"{venue.url}/login")
    log_in(page, "buyer", venue.password, "https://example.com/")
    expect(page).to_have_url(f"{venue.url}/")


def test_nobody_can_frame_the_pages_or_run_scripts_in_them(browser: Browser, venue: Venue) -> None:
    page = browser.new_page(base_url=venue.url)
    response = page.goto("/")
    assert response is not None
    policy = response.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    page.evaluate("() => { const s = document.createElement('script'); s.textContent = 'window.hacked = 1'; document.head.append(s); }")
    assert page.evaluate("() => window.hacked") is None
    page.close()
