"""Where a right and a fill come from: the line to the root, what was made from it, and what of it is others' alone."""

import os

import pytest
from django.db import IntegrityError, connection, transaction

from exchange.api import cursors
from rights.models import Event, Right
from rights.services.split import split_right
from tests.trading_floor import LOT, MINT

DEEP = 3000 if os.environ.get("TORTURE") == "1" else 60


@pytest.fixture
def resold(floor):
    """`buyer` bought 40 of the seller's right and sold 10 on to `third`, who then bought 5 more of the seller himself."""
    floor.open("third", 1000)
    for giver, taker, lots in (("seller", "buyer", 40), ("buyer", "third", 10), ("seller", "third", 5)):
        floor.place(giver, "sell", lots, 200)
        floor.place(taker, "buy", lots, 200)
        floor.match()
    return floor


def of(floor, slug):
    return f"rgt_{Right.objects.get(holder=floor.accounts[slug]).pk}"


def test_a_fill_names_its_own_parent_and_the_event_that_moved_it(resold, caller):
    mine = caller("third", "read")
    later, first = (mine.get(f"fills/{fill['id']}/lineage").json() for fill in mine.get("fills").json()["data"])
    (from_buyer,), (from_seller,) = first["deliveries"], later["deliveries"]
    root, bought = of(resold, "seller"), of(resold, "buyer")
    assert (from_buyer["kind"], from_buyer["parent_right_id"], from_buyer["line"]) == ("split", bought, [bought, root])
    assert (from_seller["kind"], from_seller["parent_right_id"], from_seller["line"]) == ("merged", root, [root])
    assert from_buyer["right_id"] == from_seller["right_id"] == of(resold, "third")
    for told, kind in ((from_buyer, "right.split"), (from_seller, "right.merged")):
        event = Event.objects.get(id=told["event_id"].removeprefix("evt_"))
        assert (event.type, event.stream.code, str(event.seq)) == (kind, told["stream"], told["seq"])
    assert later["event_id"] != first["event_id"]
    assert caller("buyer", "read").get(f"fills/{later['id']}/lineage").status_code == 404


def test_every_fill_of_a_right_that_grew_has_its_own_event(resold, caller):
    for _ in range(3):
        resold.place("seller", "sell", 1, 200)
        resold.place("third", "buy", 1, 200)
        resold.match()
    mine = caller("third", "read")
    fills = [mine.get(f"fills/{fill['id']}/lineage").json() for fill in mine.get("fills").json()["data"]]
    events = [fill["deliveries"][0]["event_id"] for fill in fills]
    assert len(set(events)) == 5
    for fill in fills:
        event = Event.objects.get(id=fill["deliveries"][0]["event_id"].removeprefix("evt_"))
        assert event.seq < Event.objects.get(id=fill["event_id"].removeprefix("evt_")).seq


def test_all_of_a_right_is_told_as_its_move(floor, caller):
    floor.place("seller", "sell", 100, 200)
    floor.fund("buyer", 10_000)
    floor.place("buyer", "buy", 100, 200)
    floor.match()
    mine = caller("buyer", "read")
    (fill,) = mine.get("fills").json()["data"]
    (moved,) = mine.get(f"fills/{fill['id']}/lineage").json()["deliveries"]
    assert (moved["kind"], moved["right_id"], moved["line"]) == ("transferred", moved["parent_right_id"], [moved["right_id"]])


def test_the_line_goes_up_to_the_root_and_hides_what_is_others_alone(resold, caller):
    third, root, bought = of(resold, "third"), of(resold, "seller"), of(resold, "buyer")
    (own, parent, top) = caller("third", "read").get(f"rights/{third}/lineage?direction=up").json()["data"]
    assert [row["id"] for row in (own, parent, top)] == [third, bought, root]
    assert (own["withheld"], own["remaining_amount"], own["steps"]) == (False, str(15 * LOT), 0)
    assert (parent["withheld"], parent["holder"], parent["remaining_amount"], parent["status"]) == (True, None, None, None)
    whole = caller("third", "audit", "read").get(f"rights/{third}/lineage?direction=up").json()["data"]
    assert [(row["id"], row["withheld"], row["steps"]) for row in whole] == [(third, False, 0), (bought, False, 1), (root, False, 2)]


def test_a_holder_sees_of_the_family_what_is_his(resold, caller):
    third, root, bought = of(resold, "third"), of(resold, "seller"), of(resold, "buyer")
    assert [row["id"] for row in caller("third", "read").get(f"rights/{third}/lineage").json()["data"]] == [third]
    issuer = caller("issuer", "read", "issue")
    first = issuer.get(f"rights/{third}/lineage?limit=2").json()
    rest = issuer.get(f"rights/{third}/lineage?limit=2&cursor={first['next_cursor']}").json()
    assert [row["id"] for row in (*first["data"], *rest["data"])] == sorted([root, bought, third])
    assert [row["id"] for row in issuer.get(f"rights/{bought}/lineage?direction=down").json()["data"]] == [third]
    assert caller("buyer", "read").get(f"rights/{bought}/lineage?direction=down").json()["data"] == []


def test_a_deep_line_comes_in_pages(floor, caller):
    """Splits, each of the one before."""
    chain = [str(Right.objects.get(holder=floor.accounts["seller"]).pk)]
    for step in range(DEEP):
        chain.append(
            str(split_right(right_id=chain[-1], units=5000 - step, child_id=MINT.uuid(floor.now_us), actor="t", now_us=floor.now_us)[1].pk)
        )
    auditor, met, cursor = caller("seller", "audit", "read"), [], ""
    while cursor is not None:
        page = auditor.get(f"rights/rgt_{chain[-1]}/lineage?direction=up&limit={DEEP // 3}{cursor}").json()
        met += [(row["id"], row["steps"]) for row in page["data"]]
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    assert met == [(f"rgt_{right}", steps) for steps, right in enumerate(reversed(chain))]
    forged = cursors.encode("up", (chain[0], 2**62))
    assert auditor.get(f"rights/rgt_{chain[-1]}/lineage?direction=up&cursor={forged}").json()["code"] == "validation_failed"
    other = cursors.encode("up", (floor.right("buyer", 1), 1))
    assert auditor.get(f"rights/rgt_{chain[-1]}/lineage?direction=up&cursor={other}").json()["data"] == []


def test_no_right_descends_from_itself(resold):
    root, child = Right.objects.get(parent=None), Right.objects.get(holder=resold.accounts["third"])
    for broken in (
        f"UPDATE rights_right SET parent_id = '{child.pk}' WHERE id = '{root.pk}'",
        f"UPDATE rights_right SET root_id = id WHERE id = '{child.pk}'",
    ):
        with pytest.raises(IntegrityError, match="another parent"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(broken)
    stranger = MINT.uuid(resold.now_us)
    for parent in (stranger, None):
        copy = Right.objects.get(pk=child.pk)
        copy.pk, copy.parent_id = stranger, parent
        with pytest.raises(IntegrityError, match="does not descend"), transaction.atomic():
            copy.save(force_insert=True)
