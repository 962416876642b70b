"""The line to the venue: proven while it holds, honest while it does not, complete when it is back."""

from collections.abc import Callable

from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.conftest import Venue, proven

Open = Callable[..., Page]


def test_a_cut_line_comes_back_and_misses_nothing(open_page: Open, venue: Venue) -> None:
    page = open_page(f"/trade/{venue.symbol}", user="buyer")
    proven(page)
    order = venue.place("buyer", "buy", "1.650", "2")
    expect(page.locator(f"[data-order={order['id']}]")).to_be_visible()
    page.evaluate("() => { window.cut = true; }")
    venue.exchange.kill("web-1")
    expect(page.locator("sx-connection")).to_have_attribute("data-state", "waiting")
    expect(page.locator("sx-ladder")).to_have_class("stale")
    proven(page)
    venue.place("seller", "sell", "1.650", "2")
    expect(page.locator("[data-toasts]")).to_contain_text("Bought 2 lots at 1.650")
    expect(page.locator(f"[data-order={order['id']}]")).to_have_count(0)
    assert page.evaluate("() => window.cut"), "the page was not reloaded"


def test_a_wrong_checksum_is_seen_and_a_fresh_snapshot_heals_it(open_page: Open, venue: Venue) -> None:
    spoiled: list[str] = []

    def spoil(route: WebSocketRoute) -> None:
        server = route.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            text = str(message)
            if '"ch":"book"' in text and '"type":"delta"' in text and not spoiled:
                spoiled.append(text)
                text = text.replace('"checksum":"', '"checksum":"1')
            route.send(text)

        server.on_message(pass_on)

    page = open_page("/")
    page.route_web_socket("**/ws/v1", spoil)
    page.goto(f"/trade/{venue.symbol}")
    proven(page)
    venue.place("buyer", "buy", "1.234", "7")
    expect(page.locator(".ladder .bid").first).to_contain_text("1.234")
    proven(page)
    assert spoiled
    assert "start again 1 time" in (page.locator("sx-connection").get_attribute("title") or "")
    venue.clear("buyer")


def test_a_lost_answer_is_asked_for_and_the_order_happens_once(open_page: Open, venue: Venue) -> None:
    def swallow(route: WebSocketRoute) -> None:
        server = route.connect_to_server()
        server.on_message(lambda message: None if '"op":"place"' in str(message) else route.send(message))

    page = open_page("/", user="buyer")
    page.route_web_socket("**/ws/v1", swallow)
    page.clock.install()
    page.goto(f"/trade/{venue.symbol}")
    proven(page)
    page.get_by_label("Price per lot").fill("1.111")
    page.get_by_label("Quantity in lots").fill("3")
    page.locator("[data-submit]").click()
    expect(page.locator("sx-orders tbody tr")).to_have_count(1)
    page.clock.run_for(12_000)
    expect(page.locator(".outcome")).to_contain_text("Buy order open.")
    expect(page.locator("sx-orders tbody tr")).to_have_count(1)
    assert [order["price"] for order in venue.call("buyer", "GET", "/orders?status=live")["data"]] == ["1.111"]
    venue.clear("buyer")


def test_a_halt_is_told_with_its_reason_and_ends(open_page: Open, venue: Venue) -> None:
    symbol = venue.other("GPU")
    page = open_page(f"/trade/{symbol}", user="buyer")
    proven(page)
    set_phase(venue, symbol, "halt", "the supplier reports an outage")
    expect(page.locator("sx-banner")).to_contain_text("Trading is halted.")
    expect(page.locator("sx-banner")).to_contain_text("Reason: the supplier reports an outage.")
    expect(page.locator("[data-submit]")).to_be_disabled()
    expect(page.locator(".headline [data-f=phase]")).to_have_text("Halted")
    set_phase(venue, symbol, "resume", "the outage is over")
    expect(page.locator("sx-banner")).to_be_empty()
    expect(page.locator("[data-submit]")).to_be_enabled()


def set_phase(venue: Venue, symbol: str, verb: str, reason: str) -> None:
    """What an operator does in the console."""
    script = (
        "from exchange.services import phases; from exchange.models import Instrument; from rights.kernel.clock import now_us; "
        f"phases.{verb}(book_id=Instrument.objects.get(symbol='{symbol}').pk, reason='{reason}', actor='user:1', now_us=now_us())"
    )
    venue.exchange.manage("shell", "--no-imports", "-c", script)
