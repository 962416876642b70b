"""What an instrument discloses: computed at listing, again when something changed, and takers kept out while it is stale."""

import hashlib
import json
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from exchange.api import render
from exchange.audit.run import audit
from exchange.domain.command import Phase, Reason
from exchange.models import Book, DisclosureSheet, Order
from exchange.models.order import OrderStatus
from exchange.replay.run import replay
from exchange.selectors import instruments, sheets
from exchange.services.disclosure import EVERY_US, Unreadable, books_due, disclose, disclose_due, forget
from rights.domain.canonical_json import canonical_json
from rights.models import Event
from rights.services.refresh_assurance import Refresh, mark_stale_due, refresh_assurance
from settlement.services.issuance import burn_right
from tests.honest_market import MINT, HonestMarket, tamper

pytestmark = pytest.mark.django_db
LOT = 1_000_000


@pytest.fixture
def market() -> HonestMarket:
    market = HonestMarket()
    market.phase(Phase.CONTINUOUS)
    market.place("holder", "sell", 5, 200)
    market.match()
    return market


def look(market: HonestMarket, *, after_us: int = 1000) -> int:
    """The timetable's look at the sheets, and the book's lane after it."""
    market.now_us += after_us
    made = disclose_due(now_us=market.now_us)
    market.match()
    return made


def shown(market: HonestMarket) -> dict[str, Any]:
    row = instruments.instrument(symbol=market.instrument.symbol, now_us=market.now_us)
    assert row is not None
    return render.instrument(row)


def sound(market: HonestMarket) -> None:
    assert audit(now_us=market.now_us).broken == []
    assert replay().differences == {}


def refresh(market: HonestMarket, gross_units: int) -> None:
    """An operator looks at the assurance and finds that much."""
    found = Refresh(gross_units=gross_units)
    uuid = str(market.desk.assurance.uuid)
    who = {"actor": "command:test", "note": "looked at the racks"}
    refresh_assurance(assurance_id=uuid, refresh=found, attested=True, now_us=market.now_us, **who)


def weaken(market: HonestMarket, cause: str) -> None:
    """`degraded`: less is found than was issued. Else the time to refresh passes, and is noted in the registry (`stale`) or not yet."""
    if cause == "degraded":
        refresh(market, LOT)
        return
    market.now_us += (market.desk.assurance.stale_after_s + 1) * 1_000_000
    if cause == "stale":
        mark_stale_due(now_us=market.now_us)


def buy(market: HonestMarket) -> tuple[OrderStatus, Reason]:
    order_id = market.place("other", "buy", 1, 200)
    market.match()
    order = Order.objects.get(pk=order_id)
    return OrderStatus(order.status), Reason(order.reason)


def test_listing_discloses_and_nothing_changes_by_trading(market: HonestMarket) -> None:
    sheet = DisclosureSheet.objects.get()
    body = json.loads(sheet.body)
    assert (sheet.version, sheet.hash) == (1, hashlib.sha256(sheet.body.encode()).hexdigest())
    assert sheet.body == canonical_json(body).decode()
    assert body["class"]["fingerprint"] == market.series.compute_class.fingerprint
    assert counts(market)["supply"] == {"units": str(50 * LOT)}
    assert [(term["issuer"], term["transfer_policy"]["transferable"]) for term in body["terms"]] == [("issuer", True)]
    assert [a["reference"] for a in body["assurances"]] == [market.desk.assurance.reference]
    assert buy(market) == (OrderStatus.FILLED, Reason.NONE)
    assert look(market, after_us=EVERY_US) == 0
    assert shown(market)["sheet"] == {"version": 1, "hash": sheet.hash, "stale": False}
    sound(market)


def counts(market: HonestMarket) -> dict[str, Any]:
    row = sheets.sheet(symbol=market.instrument.symbol, version=None, now_us=market.now_us)
    assert row is not None
    return render.sheet(market.instrument.symbol, row)["counts"]


def test_what_is_issued_and_ends_is_counted_and_makes_no_version(market: HonestMarket) -> None:
    look(market)
    assert [row["issued_units"] for row in counts(market)["assurances"]] == [str(50 * LOT)]
    right = market.desk.issue(7 * LOT, activate=False)
    assert look(market, after_us=EVERY_US) == 0
    now = counts(market)
    assert (now["supply"], sorted(row["units"] for row in now["terms"])) == ({"units": str(57 * LOT)}, [str(50 * LOT), str(7 * LOT)])
    assert right.terms_id in {row["terms_hash"] for row in now["terms"]}
    assert [(row["issued_units"], row["headroom_units"]) for row in now["assurances"]] == [(str(57 * LOT), str(10**12 - 57 * LOT))]
    burn_right(right_id=str(right.pk), reason="spoilt", mint=MINT, actor="command:test", now_us=market.now_us)
    assert look(market, after_us=EVERY_US) == 0
    assert counts(market)["outcomes"] == {"consumed": "0", "expired": "0", "burned": str(7 * LOT)}
    assert counts(market)["supply"] == {"units": str(50 * LOT)}
    assert DisclosureSheet.objects.count() == 1
    sound(market)


def test_what_changes_makes_a_new_version_and_the_old_one_stays(market: HonestMarket) -> None:
    look(market)
    market.desk.issue(7 * LOT, transfer_policy={"splittable": False})
    assert look(market) == 0  # not yet its turn
    assert look(market, after_us=EVERY_US) == 1
    old, new = (sheets.sheet(symbol=market.instrument.symbol, version=v, now_us=market.now_us) for v in (1, None))
    assert old is not None
    assert new is not None
    assert (old.version, new.version, old.latest) == (1, 2, 2)
    assert [json.loads(row.body)["strictest_policy"]["splittable"] for row in (old, new)] == [True, False]
    assert Event.objects.filter(type="instrument.disclosed").count() == 2
    assert sheets.sheet(symbol=market.instrument.symbol, version=3, now_us=market.now_us) is None
    sound(market)


@pytest.mark.parametrize("cause", ["degraded", "stale", "unrefreshed"])
def test_a_weak_assurance_keeps_takers_out_until_it_is_sound(market: HonestMarket, cause: str) -> None:
    look(market)
    weaken(market, cause)
    look(market)
    document = shown(market)
    assert (document["post_only"], document["sheet"]["stale"]) == (True, True)
    assert "capacity" in document["post_only_reason"] or "refreshed" in document["post_only_reason"]
    assert buy(market) == (OrderStatus.REJECTED, Reason.POST_ONLY_BOOK)
    look(market)
    assert Event.objects.filter(type="instrument.post_only_changed").count() == 1

    refresh(market, 10**12)
    look(market)
    assert (shown(market)["post_only"], shown(market)["sheet"]["stale"]) == (False, False)
    assert buy(market) == (OrderStatus.FILLED, Reason.NONE)
    sound(market)


def test_inputs_that_are_not_what_they_were_keep_takers_out(market: HonestMarket) -> None:
    tamper("UPDATE rights_terms SET manifest = manifest || ' '")
    with pytest.raises(Unreadable):
        disclose(instrument_id=market.book_id, actor="timetable", now_us=market.now_us)
    look(market, after_us=EVERY_US)
    assert "terms" in shown(market)["post_only_reason"]
    tamper("UPDATE rights_terms SET manifest = rtrim(manifest)")
    look(market)
    assert not Book.objects.get(pk=market.book_id).post_only
    sound(market)


def test_only_books_that_may_be_due_are_looked_at(market: HonestMarket) -> None:
    def looked_at() -> list[int]:
        return [row[0] for row in books_due(now_us=market.now_us)]

    forget()
    assert looked_at() == [market.book_id]
    look(market)
    assert looked_at() == []
    market.now_us += EVERY_US
    assert looked_at() == [market.book_id]
    look(market)
    weaken(market, "stale")
    assert looked_at() == [market.book_id]
    look(market)
    assert Book.objects.get(pk=market.book_id).post_only
    refresh(market, 10**12)
    assert looked_at() == [market.book_id]  # takers are to be let in again
    look(market)
    assert looked_at() == []


def test_one_command_is_enough_however_often_one_looks(market: HonestMarket) -> None:
    weaken(market, "degraded")
    for _ in range(3):
        market.now_us += 1000
        disclose_due(now_us=market.now_us)
    market.match()
    assert Event.objects.filter(type="instrument.post_only_changed").count() == 1
    assert Book.objects.get(pk=market.book_id).last_command_seq == 3  # the opening, the ask, and this


def test_a_sheet_is_never_edited(market: HonestMarket) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        DisclosureSheet.objects.update(body="{}")
