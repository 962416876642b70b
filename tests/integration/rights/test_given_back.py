"""Capacity behind units that are burned unused may back others; a replacement of all that is issued needs no more than there is."""

import pytest
from django.db import transaction

from exchange.audit.run import audit
from exchange.replay.run import replay
from exchange.selectors import instruments
from rights.kernel import rows
from rights.models import Assurance, Right
from rights.services.freeze import freeze_right
from rights.services.refusals import IssuanceRefusedError
from rights.services.row import Seen
from rights.services.split import merge_rights, split_right
from settlement.services import endings, issuance
from settlement.services.consume import consume_right
from settlement.services.replace import replace_right
from tests.honest_market import HonestMarket
from tests.registry_desk import DAY_US, MINT, NOW_US, START_US, Desk
from tests.seam import holding
from tests.unit.rights.domain.manifests import chat_day

pytestmark = pytest.mark.django_db(transaction=True)
STRICTER = {"service": {"privacy_class": "confidential"}}


@pytest.fixture
def desk():
    return Desk(units=100, stale_after_s=60 * 86_400)


def replace(desk, right, units, **patch):
    return replace_right(
        right_id=str(right.pk),
        issuer=desk.issuer,
        document=chat_day(**patch, resource={"amount": str(units)}),
        kind="replaced",
        reason="x",
        mint=MINT,
        actor="test",
        now_us=NOW_US,
        anybodys=Seen(right.holder_id, right.max_units),
    )[1]


def end(act, right, now_us=NOW_US):
    more = {"ref": "x"} if act is issuance.finalize_right else {}
    act(right_id=str(right.pk), reason="x", mint=MINT, actor="test", now_us=now_us, **more)


def issued():
    return list(Assurance.objects.order_by("pk").values_list("issued_units", flat=True))


def sound(now_us=START_US):
    return audit(now_us=now_us).broken == [] and replay().differences == {}


def test_a_replacement_takes_the_capacity_of_what_it_replaces(desk):
    latter = replace(desk, desk.issue(100), 100, metadata={"label": "anew"})
    assert (latter.max_units, issued()) == (100, [100])
    with pytest.raises(IssuanceRefusedError):
        desk.issue(1)
    desk.assure(patch=STRICTER, gross_units=60)
    replace(desk, latter, 60, **STRICTER)
    assert issued() == [0, 60]
    assert sound()


@pytest.mark.parametrize("act", [issuance.finalize_right, issuance.burn_right])
def test_only_what_was_not_used_is_given_back(desk, act):
    right = desk.issue(100)
    consume_right(right_id=str(right.pk), units=30, ref="req_1", mint=MINT, actor="test", now_us=START_US)
    children = [split_right(right_id=str(right.pk), units=20, child_id=MINT.uuid(START_US), actor="test", now_us=START_US)[1] for _ in "ab"]
    merge_rights(source_id=str(children[0].pk), target_id=str(children[1].pk), actor="test", now_us=START_US)
    if act is issuance.burn_right:  # only what never was active, or is frozen or over, is burned
        freeze_right(right_id=str(right.pk), freeze_reason="custom", note="x", actor="test", now_us=START_US)
    end(act, right, START_US)
    assert issued() == [70]
    end(issuance.finalize_right, children[1], START_US)
    assert issued() == [30]
    desk.now_us = START_US
    assert desk.issue(70).max_units == 70
    assert sound()


def test_what_expired_is_over_and_not_given_back(desk):
    right = desk.issue(100)
    endings.expire_right(right_id=str(right.pk), mint=MINT, actor="test", now_us=START_US + DAY_US)
    end(issuance.burn_right, right, START_US + DAY_US)
    assert issued() == [100]
    assert sound(START_US + DAY_US)


def test_an_assurance_that_backs_nothing_any_more_keeps_no_book_shut():
    market = HonestMarket()
    dead = market.desk.assure(gross_units=100, reference="dead", stale_after_s=60)
    right = market.desk.issue(100, holder="issuer", assurance={"reference": "dead"})
    late_us = market.now_us + 3600 * 1_000_000

    def backing():
        return instruments.instrument(symbol=market.instrument.symbol, now_us=late_us).backing

    assert backing() == "stale"
    consume_right(right_id=str(right.pk), units=40, ref="req_1", mint=MINT, actor="test", now_us=START_US)
    end(issuance.finalize_right, right, START_US)
    dead.refresh_from_db()
    assert (dead.issued_units, backing()) == (40, "sound")


def test_a_replacement_locks_both_streams_in_order(desk):
    """Whoever holds the first one may still take the second: nobody waits in a ring."""
    desk.assure(patch=STRICTER, gross_units=1000)
    first, second = desk.issue(1, **STRICTER).series.stream_id, (right := desk.issue(99)).series.stream_id
    assert first < second

    def lock(stream_id, wait=""):
        rows.fetch_one(f"SELECT id FROM rights_stream WHERE id = %s FOR NO KEY UPDATE {wait}", [stream_id])

    with holding(lambda: lock(first), then=lambda: lock(second, "NOWAIT")), transaction.atomic():
        latter = replace(desk, right, 99, **STRICTER)
    assert Right.objects.get(pk=latter.pk).status == "active"
    assert sound()
