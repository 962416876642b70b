"""What a newcomer sees and does: the demo moves by itself, and the documents' first steps work as they are written.

The pictures go to artifacts/; `make pictures` puts them into docs/images, once the charts have something to show.
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import ARTIFACTS, ROOT, Complaints, Venue, log_in, proven
from tests.browser.test_access import broken_rules
from tests.plugins import documents
from tests.plugins.live import LiveExchange, wait_until
from tests.plugins.open_windows import open_windows

PICTURES = Path(os.environ["PICTURES"]) if "PICTURES" in os.environ else ARTIFACTS / "demo"
# A chart worth printing has some candles, one a minute; a test needs one.
CANDLES = int(os.environ.get("PICTURE_CANDLES", "1"))
CLASS = "TXT.CHAT.STD.INT.PRV"
ENOUGH_S = 1800.0
STAYS_OPEN = timedelta(hours=1)
BUSY_MACHINE_MS = 180_000
SIZES = [(1440, 900), (390, 844)]
Show = Callable[..., Page]


@pytest.fixture(scope="module")
def demo(start_exchange: Callable[..., LiveExchange]) -> Iterator[Venue]:
    """`make run`, as far as it goes beyond installing."""
    exchange = start_exchange("--demo")
    found = re.search(r"^password of each: (\S+)$", exchange.output, re.MULTILINE)
    assert found, exchange.output
    tickers = httpx.get(f"{exchange.base_url}/api/v1/tickers", params={"limit": 1000}).json()["data"]
    yield Venue(exchange, exchange.base_url, [row["instrument"] for row in tickers], found[1])
    exchange.close()


@pytest.fixture
def show(browser: Browser, demo: Venue) -> Iterator[Show]:
    """`show("/", user="buyer", width=390, color_scheme="light")`: a fresh browser on the demo, which may not complain."""
    complaints = Complaints()
    contexts = []

    def at(path: str, *, user: str, width: int = 1440, height: int = 900, **options: object) -> Page:
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, base_url=demo.url, **options))
        page = contexts[-1].new_page()
        complaints.hear(page)
        log_in(page, user, demo.password, path)
        return page

    yield at
    for context in contexts:
        context.close()
    assert not complaints, complaints


@pytest.fixture(scope="module")
def busy(demo: Venue) -> str:
    """The symbol of a market that has traded for a while: the nearest, so the busiest, of those that stay open long enough."""

    def candles(symbol: str) -> int:
        return len(demo.call("buyer", "GET", f"/instruments/{symbol}/candles?interval=1m")["data"])

    listed = demo.call("buyer", "GET", f"/instruments?class={CLASS}&phase=continuous&limit=1000")["data"]
    soonest = datetime.now(UTC) + STAYS_OPEN
    symbol = next(each["symbol"] for each in listed if datetime.fromisoformat(each["gate_closes_at"]) > soonest)
    wait_until(lambda: candles(symbol) >= CANDLES, ENOUGH_S, f"{CANDLES} candles of {symbol}")
    return symbol


def rest_two_bids(demo: Venue, symbol: str) -> None:
    """Two orders of the buyer's below all others: nobody gets to them while somebody looks."""
    demo.clear("buyer")
    lowest = Decimal(demo.call("buyer", "GET", f"/instruments/{symbol}/book?depth=1000")["bids"][-1][0])
    tick = Decimal(demo.call("buyer", "GET", f"/instruments/{symbol}")["tick_size"])
    for ticks in (1, 3):
        demo.place("buyer", "buy", str(lowest - ticks * tick), "2", symbol)


def picture(page: Page, name: str, width: int, scheme: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}-{width}-{scheme}.png")


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.usefixtures("busy")
def test_the_board_moves_by_itself(show: Show, width: int, height: int, scheme: str) -> None:
    page = show("/", user="buyer", width=width, height=height, color_scheme=scheme)
    expect(page.locator("sx-connection")).to_have_attribute("data-state", "live")
    last = page.locator("tr[data-symbol] [data-f=last_price]")
    before = last.all_inner_texts()
    page.wait_for_function(
        "before => [...document.querySelectorAll('tr[data-symbol] [data-f=last_price]')].some((cell, i) => cell.innerText !== before[i])",
        arg=before,
        timeout=BUSY_MACHINE_MS,
    )
    picture(page, "markets", width, scheme)


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_market_trades_by_itself_and_the_light_is_green(show: Show, demo: Venue, busy: str, width: int, height: int, scheme: str) -> None:
    rest_two_bids(demo, busy)
    page = show(f"/trade/{busy}", user="buyer", width=width, height=height, color_scheme=scheme)
    proven(page)
    newest = page.locator("sx-tape tbody tr").first
    expect(newest).to_be_attached()
    page.evaluate("() => { window.seen = document.querySelector('sx-tape tbody tr') }")
    page.wait_for_function("() => document.querySelector('sx-tape tbody tr') !== window.seen", timeout=BUSY_MACHINE_MS)
    proven(page)
    red, green, blue = map(
        int, re.findall(r"\d+", page.locator("sx-connection .lamp").evaluate("e => getComputedStyle(e).backgroundColor"))[:3]
    )
    assert green > max(red, blue)
    assert "found the venue's checksum" in str(page.locator("sx-connection").get_attribute("title"))
    if width == 1440:
        expect(page.locator("sx-orders tbody tr")).to_have_count(2)
        assert page.evaluate("() => document.documentElement.scrollHeight") == height, "the desk fits the window"
    else:
        for side in ("ask", "bid"):
            expect(page.locator(f".ladder .{side}:visible")).to_have_count(7)
            for row in page.locator(f".ladder .{side}:visible").all():
                expect(row).to_be_in_viewport()
    expect(page.locator("sx-ticket .sums")).to_have_count(1)
    picture(page, "trade", width, scheme)


def test_the_console_shows_the_venue(show: Show) -> None:
    page = show("/admin/", user="operator", color_scheme="light")
    expect(page.get_by_role("heading", name="Overview").first).to_be_visible()
    picture(page, "console", 1440, "light")


@pytest.fixture(scope="module")
def open_now(demo: Venue) -> str:
    """A market whose window has begun."""
    return open_windows(demo.exchange)["chat"]


def bought_in(demo: Venue, symbol: str) -> str:
    """The right that a lot of it brings the buyer."""
    high = httpx.get(f"{demo.url}/api/v1/instruments/{symbol}", timeout=20).json()["collar"]["high"]
    bought = demo.place("buyer", "buy", high, "1", symbol)["id"]
    wait_until(lambda: demo.call("buyer", "GET", f"/orders/{bought}")["status"] == "filled", ENOUGH_S, "the fill")
    fills = demo.call("buyer", "GET", "/fills")["data"]
    return str(next(fill for fill in fills if fill["order_id"] == bought)["deliveries"][0]["right_id"])


@pytest.mark.parametrize("document", documents.with_blocks())
def test_what_a_document_says_to_type_works(demo: Venue, document: str, request: pytest.FixtureRequest) -> None:
    if document in {"docs/gateway.md", "docs/requests.md"}:  # they begin with a right that can be used at once
        bought_in(demo, request.getfixturevalue("open_now"))
    said = documents.type_in(document, demo.exchange)
    if document == "README.md":
        assert list(said) == ["curl", "python", "proof"]
        book, order, fills = (json.loads(line) for line in said["curl"].splitlines())
        assert book["asks"]
        assert order["status"] == "filled"
        assert fills["data"] == order["fills"]
        assert fills["data"][0]["deliveries"][0]["issuer_id"] == "issuer"
        assert re.search(r"^ord_\S+ is filled\n1 lot at .*: \d+ units, yours now as\n  rgt_\S+ out of rgt_", said["python"], re.MULTILINE)
        assert ", 0 broken" in said["proof"]
        assert "equal, byte for byte" in said["proof"]
    if document == "docs/receipts.md":
        assert "ok: the receipt is sound" in said["receipt"]
        assert '"intact":true' in said["head"]
        assert "gapless, chained" in said["export"]
    if document == "docs/requests.md":
        made, output, receipt, settlement = (json.loads(line) for line in said["request"].splitlines())
        assert made["state"] == "settled"
        assert json.loads(output["output"])["choices"][0]["message"]["content"]
        assert (receipt["id"], settlement["id"]) == (made["receipt_id"], made["settlement_id"])
        assert (receipt["status"], settlement["outcome"]) == ("completed", "full")
    if document == "docs/policies.md":
        assert {"actions", "passed"} <= json.loads(said["dry"]).keys()
    for name, output in said.items():
        assert output.strip(), f"{document}: {name} printed nothing"


def test_the_readme_s_first_trade_in_the_browser(show: Show) -> None:
    """Everything that is set in another face in that paragraph is taken from it, and has to be on the page."""
    told = re.search(r"^\*\*In the browser\.\*\*(.*?)\n\n", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert told
    user, class_key, kind, field, press, tab = (name for pair in re.findall(r"`([^`]+)`|\*([^*]+)\*", told[1]) for name in pair if name)
    lots = re.search(r"type (\d+) under", told[1])
    assert lots
    page = show("/", user=user)
    open_markets = page.locator(f"tr[data-symbol^='{class_key}']:has(td .phase-continuous)")
    open_markets.last.get_by_role("link").click()
    proven(page)
    page.locator("sx-ticket").get_by_text(kind, exact=True).click()
    page.get_by_label(field).fill(lots[1])
    preview = page.locator("sx-ticket .preview")
    for words in ("Trades now", "Worst price", "Fee now", "Held from your cash", "Delivered now from", "transfer gates pass"):
        expect(preview).to_contain_text(words)
    expect(page.get_by_label("Post-only: never take")).to_be_disabled()
    page.get_by_role("button", name=press, exact=True).click()
    expect(page.locator(".outcome")).to_contain_text(f"Buy order filled. {lots[1]} lots traded")
    page.get_by_role("tab", name=tab).click()
    fill = page.locator("sx-fills tbody tr[data-fill]").first
    expect(fill).to_contain_text("Buy")
    fill.get_by_role("button", name="Deliveries of").click()
    delivered = page.locator("sx-fills tr.detail:visible").first
    expect(delivered).to_contain_text("Split from")
    expect(delivered.locator("dt:text-is('Issuer') + dd")).to_have_text("issuer")
    page.goto("/rights")
    expect(page.locator("sx-rights tbody tr").first).to_contain_text("tokens")


def test_a_right_is_spent_in_the_browser(show: Show, demo: Venue, open_now: str) -> None:
    """Bought, tried, sent, and read from what came back to who was paid; then with the routes to choose from."""
    right = bought_in(demo, open_now)
    page = show(f"/use?right={right}", user="buyer", color_scheme="light", reduced_motion="reduce")
    form = page.locator("#redeem")
    expect(form.get_by_label("Right", exact=True)).to_have_value(right)
    expect(form.get_by_label("Kind of work")).to_have_value("text.generation")
    expect(page.locator("[data-snippets] pre code")).to_contain_text(right)
    form.get_by_label("What is to be done").fill("Say what a right is")
    for field in ("Units at most", "What is to be done"):
        expect(form.get_by_label(field)).not_to_have_attribute("aria-invalid", "true")
    form.get_by_role("button", name="Send").click()
    expect(form.get_by_label("Units at most")).to_have_attribute("aria-invalid", "true")
    form.get_by_label("Units at most").fill("500")
    form.get_by_role("button", name="See the routes").click()
    expect(form.locator(".candidates > li").first).to_contain_text("Score")
    assert not broken_rules(page)
    expect(form.locator(".candidates > li .badge").first).to_have_text("Possible")
    form.get_by_role("button", name="Send").click()
    expect(page).to_have_url(re.compile("/use/req_"))
    expect(page.get_by_role("region", name="Settlement")).to_contain_text("Full: done inside all bounds, and proven.")
    expect(page.get_by_role("region", name="What came back")).to_contain_text("Word by word")
    expect(page.get_by_role("region", name="Receipt")).to_contain_text("Usage meter")
    expect(page.get_by_role("region", name="What was asked").locator(".badge")).to_have_text("Done in full")
    picture(page, "request", 1440, "light")
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("() => document.documentElement.scrollWidth") == width
        assert not broken_rules(page)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(f"/use?right={right}")
    expect(form.get_by_label("Right", exact=True)).to_have_value(right)
    form.get_by_label("Units at most").fill("300")
    form.get_by_label("What is to be done").fill("Again")
    form.get_by_label("Show me the routes first, I choose").check()
    form.get_by_role("button", name="Send").click()
    expect(page).to_have_url(re.compile("/use/req_"))
    page.get_by_role("button", name="Use this one").first.click()
    expect(page.get_by_role("region", name="Settlement")).to_contain_text("Full")
    page.goto("/use/disputes")
    expect(page.locator("sx-disputes")).to_contain_text("Nothing is in dispute")
    assert not broken_rules(page)
    # What came of it stands in the issuer's record, and beside every price of the class.
    page.goto("/issuers/issuer")
    card = page.locator("sx-scorecard")
    expect(card.get_by_role("region", name="By class").get_by_role("row", name=CLASS)).to_contain_text("100\u202f%")
    expect(card.get_by_role("region", name="By window").locator("tbody tr").filter(has_text=CLASS).first).to_contain_text("100\u202f%")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in (1440, 390):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("() => document.documentElement.scrollWidth") == width
            assert not broken_rules(page)
            picture(page, "issuer", width, scheme)
    page.goto(f"/trade/{open_now}")
    expect(page.locator("[data-f=expected]")).to_contain_text("100\u202f% of")
    expect(page.locator(".ladder .level.ask td.expected").last).to_have_text(
        page.locator(".ladder .level.ask button.price").last.inner_text()
    )


def test_the_log_of_all_this_warns_of_nothing(demo: Venue) -> None:
    # Valkey's advice on the machine's memory setting is meant for those who let it save to disk.
    lines = [line for line in demo.exchange.output.splitlines() if "Memory overcommit" not in line]
    assert not [line for line in lines if re.search(r"WARNING|ERROR|FATAL|Traceback|Warning: ", line)]
