"""A browser on a running exchange: people who log in, and a page that complains when it breaks its own rules."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.plugins.live import LiveExchange

ROOT = Path(__file__).resolve().parent.parent.parent
ARTIFACTS = ROOT / "artifacts"
PASSWORD = "browser-tests-only"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
expect.set_options(timeout=30_000)  # a busy machine is no failure


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.fail("the browser tests need Chromium: `make browser` installs it as root, or says what to install")
    if not (ROOT / "exchange" / "static" / "vendor" / "uplot.mjs").exists():
        pytest.fail("the pages' packages are not installed: run `make assets`")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield launched
        launched.close()


class Venue:
    """The running exchange as the tests use it: its address, its markets, and other people's programs."""

    def __init__(self, exchange: LiveExchange, url: str, symbols: list[str], password: str) -> None:
        self.exchange = exchange
        self.url = url
        self.password = password
        self.symbols = symbols
        self._keys: dict[str, str] = {}

    @property
    def symbol(self) -> str:
        """A market that stays open for the whole run, of a window to come."""
        return self.other("TXT")

    def other(self, prefix: str) -> str:
        """A market of another class, for tests that halt or crowd it."""
        return max(symbol for symbol in self.symbols if symbol.startswith(prefix) and symbol.endswith("P1D"))

    def open_markets(self) -> int:
        """How many markets are not closed; tests list more than the demo did."""
        found = httpx.get(f"{self.url}/api/v1/instruments", params={"limit": "1000"}, timeout=20).json()["data"]
        return sum(row["phase"] not in {"closed", "expired"} for row in found)

    def call(self, who: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The public API with a participant's own key."""
        if who not in self._keys:
            made = self.exchange.manage("create_key", who, "--scopes", "read,trade,cancel")
            self._keys[who] = json.loads(made.stdout)["token"]
        answer = httpx.request(
            method, f"{self.url}/api/v1{path}", json=body, headers={"Authorization": f"Bearer {self._keys[who]}"}, timeout=20
        )
        assert answer.status_code < 400, answer.text
        return answer.json()

    def place(self, who: str, side: str, price: str, quantity: str, symbol: str = "", **more: Any) -> Any:
        return self.call(
            who, "POST", "/orders", {"instrument": symbol or self.symbol, "side": side, "price": price, "quantity": quantity, **more}
        )

    def clear(self, *people: str) -> None:
        for who in people:
            self.call(who, "DELETE", "/orders")


@pytest.fixture(scope="session")
def venue(live_exchange: LiveExchange) -> Venue:
    """The session's exchange with the demo's people and markets, and no bots: nothing moves but what a test moves."""
    seeded = json.loads(live_exchange.manage("seed_demo", "--json", "--password", PASSWORD).stdout.splitlines()[-1])
    venue = Venue(live_exchange, live_exchange.base_url, seeded["instruments"], PASSWORD)
    with httpx.Client(base_url=f"{venue.url}/api/v1") as client:
        for symbol in (venue.symbol, venue.other("GPU"), venue.other("EMB")):
            while client.get(f"/instruments/{symbol}").json()["phase"] == "pre_open":
                pass
    return venue


class Complaints(list[str]):
    """What the page's console and its security policy objected to."""

    def hear(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.append(f"exception: {error}"))

    def _console(self, message: ConsoleMessage) -> None:
        # A refused order and a line that was cut are what some tests are about; the browser logs both by itself.
        if message.type == "error" and "Failed to load resource" not in message.text and "WebSocket connection to" not in message.text:
            self.append(message.text)


@pytest.fixture
def open_page(browser: Browser, venue: Venue) -> Iterator[Callable[..., Page]]:
    """`open_page("/trade/X", user="buyer", width=390)`: a fresh browser profile at that address."""
    contexts: list[BrowserContext] = []
    complaints = Complaints()

    def open_at(path: str, *, user: str = "", width: int = 1440, height: int = 900, base: Venue = venue, **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, base_url=base.url, **options)
        contexts.append(context)
        page = context.new_page()
        complaints.hear(page)
        if user:
            log_in(page, user, base.password, path)
        else:
            page.goto(path)
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert not complaints, complaints


def log_in(page: Page, user: str, password: str, path: str = "/") -> None:
    page.goto(f"/login?next={path}")
    page.get_by_label("User name").fill(user)
    page.get_by_label("Password").fill(password)
    page.get_by_role("main").get_by_role("button", name="Log in").click()
    page.wait_for_url(lambda url: "/login" not in url)


def proven(page: Page) -> None:
    """Wait until the page has rebuilt the book and proven it."""
    expect(page.locator("sx-connection")).to_have_attribute("data-state", "proven")
