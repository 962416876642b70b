"""Orders as clients write them: every wrong field is named at once, in the words that all fields are refused in."""

import json

import pytest

from exchange.api.fields import BadFields, FieldError
from exchange.api.order_entry.operations import aim_of
from exchange.api.order_entry.parse import amend_payload, cancel_many_payload, place_payload
from exchange.domain.command import OrderType, PostOnly, Side, TimeInForce
from exchange.services.payload import AmendPayload, CancelManyPayload, PlacePayload
from exchange.services.rules import Rules
from tests.api.nasty_values import VALUES

NOW_US = 1_700_000_000_000_000
LATER, LATER_US = "2099-01-01T00:00:00.5Z", 4_070_908_800_500_000
ORDER, RIGHT = "0192e4a0-0000-7000-8000-000000000000", "0192e4a0-0000-7000-8000-000000000001"
RULES = Rules(
    1,
    "TXT-A",
    1,
    "TXT",
    "tokens",
    1,
    "s",
    1,
    "USD",
    6,
    5000,
    3,
    1_000_000,
    1,
    9,
    1,
    9,
    0,
    0,
    None,
    0,
    2**60,
    0,
    0,
    1,
    None,
    0,
    "exact",
    "fixed",
    0,
)
GOOD = {"instrument": "TXT-A", "side": "buy", "quantity": "7", "price": "1.005"}


def place(**more):
    return place_payload({k: v for k, v in (GOOD | more).items() if v is not ...}, RULES, NOW_US)


def refused(read, *arguments, **more) -> dict[str, str]:
    """field → what it has to be."""
    with pytest.raises(BadFields) as found:
        read(*arguments, **more)
    assert str(found.value) == "; ".join(f"{error.field} {error.rule}" for error in found.value.errors)
    return {error.field: error.rule for error in found.value.errors}


def test_the_least_and_the_most_an_order_can_say():
    assert place() == (PlacePayload(side=Side.BUY, type=OrderType.LIMIT, quantity_lots=7, price_ticks=201), None)
    whole = place(
        side="sell",
        type="limit",
        time_in_force="gtd",
        expire_time=LATER,
        post_only=True,
        post_only_action="slide",
        self_trade_prevention="decrement",
        client_order_id="mine:1",
        group="g",
        rights=[f"rgt_{RIGHT}"],
        deadline=LATER,
        accept=None,
    )
    assert whole == (
        PlacePayload(
            side=Side.SELL,
            type=OrderType.LIMIT,
            quantity_lots=7,
            price_ticks=201,
            tif=TimeInForce.GTD,
            post_only=PostOnly.SLIDE,
            stp=3,
            expire_us=LATER_US,
            deadline_us=LATER_US,
            group="g",
            rights=[RIGHT],
        ),
        "mine:1",
    )
    assert place(type="market", price=...)[0].tif == TimeInForce.IOC
    assert place(time_in_force="gtc") == place()


def test_null_is_as_good_as_leaving_out():
    assert place(**dict.fromkeys(("type", "time_in_force", "expire_time", "post_only", "group", "rights", "client_order_id"))) == place()
    assert refused(place, side=None, quantity=None, price=None) == dict.fromkeys(("side", "quantity", "price"), "is required")


def test_all_that_is_wrong_is_told_at_once():
    assert refused(place, side="long", quantity=7, price="1.0051", colour="red", group="", deadline="now", rights=[]) == {
        "colour": "is not known here",
        "side": "must be one of buy, sell",
        "quantity": "must be a string of digits",
        "price": "must be a multiple of the tick size 0.005",
        "group": "must be 1 to 64 of A-Z a-z 0-9 _ : + = / . -",
        "deadline": "must be a time in UTC such as 2026-12-01T00:00:00.000000Z",
        "rights": "must be a list of 1 to 100 values",
    }


@pytest.mark.parametrize(
    ("more", "field", "rule"),
    [
        ({"quantity": "0"}, "quantity", "must be from 1 to 1000000000000"),
        ({"price": "0"}, "price", "must be from 0.005 to 5000000000.00"),
        ({"price": "999999999999999"}, "price", "must be from 0.005 to 5000000000.00"),
        ({"price": "1.00500001"}, "price", "may have at most 6 decimals"),
        ({"type": "market"}, "price", "can't be given for a market order"),
        ({"type": "market", "price": ..., "time_in_force": "gtg"}, "time_in_force", "must be ioc or fok for a market order"),
        ({"time_in_force": "gtd"}, "expire_time", "is required"),
        ({"time_in_force": "gtd", "expire_time": "2001-01-01T00:00:00Z"}, "expire_time", "must be in the future"),
        ({"expire_time": LATER}, "expire_time", "needs time_in_force gtd"),
        ({"post_only": True, "time_in_force": "ioc"}, "post_only", "can't go with an order that must trade at once"),
        ({"post_only_action": "slide"}, "post_only_action", "needs post_only"),
        ({"rights": [f"rgt_{RIGHT}"]}, "rights", "can be named by a sell only"),
        ({"side": "sell", "rights": [f"rgt_{RIGHT}", RIGHT]}, "rights.1", "must be an id that begins with rgt_"),
        ({"side": "sell", "rights": [f"rgt_{RIGHT}", f"rgt_{RIGHT}"]}, "rights", "must be different rights"),
        ({"side": "sell", "accept": {}}, "accept", "can be given by a buy only"),
        ({"accept": {"issuers": []}}, "accept.issuers", "is not offered by this venue"),
        ({"accept": []}, "accept", "must be an object"),
    ],
)
def test_what_an_order_may_not_be(more, field, rule):
    assert refused(place, **more) == {field: rule}


def test_amendments():
    assert amend_payload({"quantity": "3"}, RULES, NOW_US) == AmendPayload(quantity_lots=3)
    assert amend_payload({"price": "1.01", "expire_time": LATER}, RULES, NOW_US) == AmendPayload(price_ticks=202, expire_us=LATER_US)
    for nothing in ({}, {"quantity": None}, {"deadline": LATER}):
        assert refused(amend_payload, nothing, RULES, NOW_US) == {"quantity": "is required, or a new price or expire_time"}
    assert refused(amend_payload, {"side": "buy", "quantity": "x"}, RULES, NOW_US) == {
        "side": "is not known here",
        "quantity": "must be a string of digits",
    }


def test_mass_cancels():
    assert cancel_many_payload({}) == CancelManyPayload()
    assert cancel_many_payload({"side": "sell", "group": "g", "class": "TXT", "instrument": "TXT-A"}) == CancelManyPayload(
        side=1, group="g"
    )
    assert set(refused(cancel_many_payload, {"side": "", "group": "", "class": "", "instrument": "é", "x": ""})) == {
        "side",
        "group",
        "class",
        "instrument",
        "x",
    }


def test_which_order_is_meant():
    assert aim_of({"id": f"ord_{ORDER}", "price": "1"}) == (ORDER, None, {"price": "1"})
    assert aim_of({"client_order_id": "mine"}) == (None, "mine", {})
    for source, field in (
        ({}, "id"),
        ({"id": f"ord_{ORDER}", "client_order_id": "a"}, "id"),
        ({"id": ORDER}, "id"),
        ({"client_order_id": 1}, "client_order_id"),
    ):
        with pytest.raises(FieldError) as found:
            aim_of(source)
        assert found.value.field == field


@pytest.mark.parametrize(
    "field", sorted({*GOOD, "type", "time_in_force", "expire_time", "post_only", "group", "rights", "accept", "deadline"} - {"instrument"})
)
def test_nasty_values_are_refused_by_name_or_mean_what_they_say(field):
    for raw in VALUES:
        try:
            value = json.loads(raw)
        except (ValueError, RecursionError):
            continue
        try:
            place(**{field: value})
        except BadFields as found:
            assert {error.field.partition(".")[0] for error in found.errors} == {field}, raw[:80]
