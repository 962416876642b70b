"""Who sees what of the registry's memory; what concerns others alone reaches nobody."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from exchange.models import Trade
from rights.models import Right
from tests.trading_floor import LOT


@pytest.fixture
def traded(floor):
    """`buyer` bought half of the seller's right, under an id of its own."""
    floor.place("seller", "sell", 40, 200)
    floor.place("buyer", "buy", 40, 200)
    floor.match()
    return floor


def of(caller, **asked):
    return caller.get("events?" + "&".join(f"{name}={value}" for name, value in asked.items())).json()["data"]


def test_a_trade_is_its_parties(traded, caller):
    trade = Trade.objects.get()
    buyer, seller = (f"acc_{traded.accounts[slug].uuid}" for slug in ("buyer", "seller"))
    (seen,) = of(caller("buyer", "read"), object=f"trd_{trade.pk}")
    payload = seen["payload"]
    assert (payload["buyer"], payload["buy_order"], payload["buy_fee"]) == (buyer, f"ord_{trade.buy_order_id}", str(trade.buy_fee_minor))
    assert (payload["seller"], payload["sell_order"], payload["sell_fee"]) == (None, None, None)
    assert seen["withheld"] == ["payload.sell_fee", "payload.sell_order", "payload.seller"]
    assert seller not in json.dumps(seen)
    traded.open("stranger")
    assert of(caller("stranger", "read"), object=f"trd_{trade.pk}") == []
    (whole,) = of(caller("stranger", "audit"), object=f"trd_{trade.pk}")
    assert (whole["payload"]["seller"], whole["withheld"]) == (seller, [])


def test_a_rights_timeline_begins_with_its_birth(traded, caller):
    child = Right.objects.exclude(parent=None).get()
    buyer, seller = caller("buyer", "read"), caller("seller", "read")
    (born,) = buyer.get(f"rights/rgt_{child.pk}/events").json()["data"]
    assert (born["type"], born["refs"]) == ("right.split", {"right": f"rgt_{child.pk}"})
    assert (born["payload"]["holder"], born["payload"]["units"]) == (f"acc_{traded.accounts['buyer'].uuid}", str(40 * LOT))
    (sold,) = seller.get(f"rights/rgt_{child.parent_id}/events").json()["data"]
    assert (sold["id"], sold["hash"]) == (born["id"], born["hash"])
    assert (sold["payload"]["holder"], sold["withheld"]) == (None, ["payload.holder"])
    assert seller.get(f"rights/rgt_{child.pk}/events").status_code == 404
    assert of(seller, object=f"rgt_{child.pk}") == []
    assert of(seller, object=f"rgt_{child.parent_id}", type="right.frozen") == []
    assert of(seller, object=f"rgt_{child.parent_id}", after_seq=sold["seq"]) == []


def test_streams_are_for_those_who_see_everything(traded, caller):
    auditor, member = caller("seller", "audit"), caller("buyer", "read")
    assert member.get("events?stream=registry").json()["code"] == "forbidden"
    first = auditor.get("events?stream=registry&limit=2").json()
    rest = auditor.get(f"events?stream=registry&cursor={first['next_cursor']}").json()
    assert [row["seq"] for row in first["data"]] == ["1", "2"]
    assert rest["data"][0]["seq"] == "3"
    assert {row["type"].split(".")[0] for row in of(auditor, stream="registry", type="participant")} == {"participant"}


def test_strangers_see_what_is_public_and_their_own(traded, caller):
    member = caller("buyer", "read")
    symbol = traded.instrument.symbol
    assert of(member, object=symbol)[0]["type"] == "instrument.listed"
    assert of(member, object="seller") == []
    assert of(member, object="buyer")[0]["type"] == "participant.opened"
    assert of(member, object=f"acc_{traded.accounts['seller'].uuid}") == []
    assert of(member, object=f"acc_{traded.accounts['buyer'].uuid}")[0]["type"] == "account.opened"


def test_what_can_not_be_asked(traded, caller):
    member = caller("buyer", "read")
    assert member.get("events").json()["field_errors"][0]["field"] == "object"
    assert member.get("events?object=x&type=A").json()["field_errors"][0]["field"] == "type"
    assert member.get("events?object=x&after_seq=-1").json()["field_errors"][0]["field"] == "after_seq"


def test_a_page_costs_the_same_however_long_it_is(traded, caller):
    auditor = caller("seller", "audit")
    with CaptureQueriesContext(connection) as few:
        auditor.get("events?stream=registry&limit=1")
    with CaptureQueriesContext(connection) as many:
        auditor.get("events?stream=registry&limit=1000")
    assert len(few) == len(many)
