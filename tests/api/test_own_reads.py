"""What a member reads of its own; what is somebody else's is not there."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from exchange.models import Book, Instrument
from exchange.services import rules
from exchange.services.lane import LaneMemory
from exchange.services.listing import proceeds_code
from rights.kernel.ids import Mint
from rights.services.venue import venue_account


@pytest.fixture
def traded(floor):
    floor.ask = floor.place("seller", "sell", 5, 100, client_order_id="ask/1")
    floor.bid = floor.place("buyer", "buy", 3, 100, client_order_id="bid:1")
    floor.match()
    return floor


def test_order_reads(caller, traded):
    seller = caller("seller", "read")
    body = seller.get(f"orders/ord_{traded.ask}").json()
    assert (body["status"], body["filled_quantity"], body["remaining_quantity"], body["price"]) == ("partially_filled", "3", "2", "1.00")
    assert seller.get("orders/by-client-id/ask/1").json() == body
    assert seller.get(f"orders/ord_{traded.ask}")["X-Book-Seq"] == body["book_seq"]
    assert seller.get("orders?status=live").json()["data"] == [body]
    assert seller.get("orders?status=filled").json()["data"] == []
    assert seller.get(f"orders?instrument={traded.instrument.symbol}").json()["data"] == [body]
    assert seller.get("orders?instrument=OTHER").json()["data"] == []


def test_foreign_orders_are_missing(caller, traded):
    seller, missing = caller("seller", "read"), Mint().uuid(traded.now_us)
    answers = [seller.get(f"orders/ord_{uuid}", **{"X-Request-Id": "same"}) for uuid in (traded.bid, missing)]
    assert [a.status_code for a in answers] == [404, 404]
    assert answers[0].content == answers[1].content
    for path in ("orders/by-client-id/bid:1", f"orders/ord_{traded.bid}/events", "orders/ord_nonsense", f"orders/{traded.ask}"):
        assert seller.get(path).status_code == 404


def test_accepted_orders_read_as_pending(caller, traded):
    seller = caller("seller", "read")
    waiting = traded.place("seller", "sell", 1, 120, client_order_id="ask/2")
    body = seller.get(f"orders/ord_{waiting}").json()
    assert (body["status"], body["price"], body["quantity"]) == ("pending", "1.20", "1")
    assert [o["id"] for o in seller.get("orders").json()["data"]] == [f"ord_{waiting}", f"ord_{traded.ask}"]
    assert [o["id"] for o in seller.get("orders?status=pending").json()["data"]] == [f"ord_{waiting}"]
    traded.match()
    assert seller.get("orders/by-client-id/ask/2").json()["status"] == "open"
    assert seller.get("orders?status=pending").json()["data"] == []
    assert len(seller.get("orders").json()["data"]) == 2


def test_fills_with_deliveries(caller, traded):
    buyer, seller = caller("buyer", "read"), caller("seller", "read")
    bought, sold = buyer.get("fills").json()["data"], seller.get("fills").json()["data"]
    assert len(bought) == len(sold) == 1
    assert bought[0]["trade_id"] == sold[0]["trade_id"]
    assert bought[0]["id"] != sold[0]["id"]
    assert (bought[0]["liquidity"], sold[0]["liquidity"]) == ("taker", "maker")
    assert bought[0]["deliveries"][0]["units"] == "3000000"
    assert bought[0]["event_id"].startswith("evt_")
    assert len(bought[0]["receipt_hash"]) == 64
    assert buyer.get(f"fills/{bought[0]['id']}").json() == bought[0]
    assert buyer.get(f"fills/{sold[0]['id']}").status_code == 404
    assert buyer.get(f"fills?order_id=ord_{traded.bid}").json()["data"] == bought
    assert buyer.get(f"fills?order_id=ord_{traded.ask}").json()["data"] == []


def test_order_events_tell_the_story(caller, traded):
    traded.amend("seller", traded.ask, price_ticks=105)
    traded.match()
    traded.cancel("seller", traded.ask)
    traded.match()
    events = caller("seller", "read").get(f"orders/ord_{traded.ask}/events").json()["data"]
    assert [e["type"] for e in events] == ["accepted", "traded", "amend_requested", "cancel_requested", "cancelled"]
    assert events[2]["price"] == "1.05"
    assert events[-1]["reason"] == "user"


def test_balances_positions_ledger(caller, traded):
    buyer = caller("buyer", "read")
    (cash,) = buyer.get("balances").json()["data"]
    assert (cash["currency"], cash["total"], cash["held"]) == ("USD", "9996.994", "0.00")
    (position,) = buyer.get("positions").json()["data"]
    assert position == {
        "instrument": traded.instrument.symbol,
        "quantity": "3",
        "available": "3",
        "reserved": "0",
        "units": "3000000",
        "rights": 1,
    }
    (sold,) = caller("seller", "read").get("positions").json()["data"]
    assert (sold["quantity"], sold["available"], sold["reserved"]) == ("97", "95", "2")
    lines, cursor = [], ""
    while cursor is not None:
        answer = buyer.get("ledger?limit=1" + (f"&cursor={cursor}" if cursor else "")).json()
        lines += answer["data"]
        cursor = answer["next_cursor"]
    assert {(line["asset_kind"], line["direction"], line["amount"]) for line in lines} == {
        ("cash", "in", "10000.00"),
        ("cash", "out", "3.00"),
        ("cash", "out", "0.006"),
        ("units", "in", "3000000"),
    }
    assert buyer.get("limits").json()["position_limits"] == []
    assert buyer.get("fees/mine").json()["data"][0]["taker_bps"] == 20


def test_what_waits_in_escrow_stands_beside_the_cash(caller, floor):
    escrow = venue_account(code=proceeds_code(floor.instrument.symbol), now_us=floor.now_us)
    Instrument.objects.update(proceeds_escrow="until_final")
    Book.objects.update(proceeds_account=escrow)
    rules.forget()
    floor.lane = LaneMemory()
    floor.place("seller", "sell", 5, 100)
    floor.place("buyer", "buy", 3, 100)
    floor.match()
    (sold,), (bought,) = (caller(slug, "read").get("balances").json()["data"] for slug in ("seller", "buyer"))
    assert (sold["total"], sold["available"], sold["in_escrow"]) == ("10000.00", "10000.00", "2.997")
    assert (bought["total"], bought["in_escrow"]) == ("9996.994", "0.00")
    assert caller().get(f"instruments/{floor.instrument.symbol}").json()["proceeds_escrow"] == "until_final"
    assert {line["kind"] for line in caller("seller", "read").get("ledger").json()["data"]} == {"deposit", "issue", "units"}


def test_lists_page_by_key_and_cost_the_same_at_any_length(caller, floor):
    for number in range(30):
        floor.place("buyer", "buy", 1, 50 + number)
    floor.match()
    buyer = caller("buyer", "read")
    seen, cursor = [], ""
    while cursor is not None:
        answer = buyer.get("orders?limit=7" + (f"&cursor={cursor}" if cursor else "")).json()
        seen += [o["id"] for o in answer["data"]]
        cursor = answer["next_cursor"]
    assert len(seen) == len(set(seen)) == 30
    assert seen == sorted(seen, reverse=True)
    counts = []
    for limit in (1, 30):
        with CaptureQueriesContext(connection) as queries:
            buyer.get(f"orders?limit={limit}")
        counts.append(len(queries))
    assert counts[0] == counts[1]
