"""Requests that wait for a worker begin page by page: the oldest first, each once, and one that can't begin keeps no other waiting."""

import pytest

from exchange.feed.record import decode_private
from exchange.models import AccountFeed, AccountMessage
from rights.models import Event
from settlement.models import Request, RequestPayload, Route
from settlement.services.begin import FIRST, begin_execution, begin_waiting
from settlement.services.route import LOCK_US
from tests.redeem_desk import BODY, RedeemDesk

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk():
    return RedeemDesk()


def asked(desk, count):
    """So many requests, a second after each other."""
    made = []
    for _ in range(count):
        made.append(str(desk.submit(units=100).pk))
        desk.now_us += 1_000_000
    return made


def begin(desk, most=10, after=FIRST):
    works, last = begin_waiting(most=most, after=after, actor="executor", now_us=desk.now_us)
    return [work.request_id for work in works], last


def test_all_that_waits_begins_page_by_page(desk):
    first, second, third = asked(desk, 3)
    page, last = begin(desk, most=2)
    assert page == sorted([first, second])
    assert begin(desk, most=2, after=last) == ([third], None)
    assert set(Request.objects.values_list("state", flat=True)) == {"executing"}
    assert set(Route.objects.filter(locked_at__isnull=False).values_list("state", flat=True)) == {"executing"}
    started = Event.objects.filter(type="execution.started").order_by("seq")
    assert [event.object_id for event in started] == [f"req_{one}" for one in (first, second, third)]


def test_what_has_begun_begins_no_more(desk):
    (request,) = asked(desk, 1)
    works, _ = begin_waiting(most=10, after=FIRST, actor="executor", now_us=desk.now_us)
    assert (works[0].request_id, works[0].body, works[0].legs[0].units) == (request, BODY, 100)
    assert begin(desk) == ([], None)
    assert begin_execution(request_id=request, actor="executor", now_us=desk.now_us) is None


def test_one_whose_lock_is_over_keeps_no_other_waiting(desk):
    (stuck,) = asked(desk, 1)
    desk.now_us += LOCK_US
    (other,) = asked(desk, 1)
    page, last = begin(desk, most=1)
    assert page == []
    assert begin(desk, most=1, after=last)[0] == [other]
    assert Request.objects.get(pk=stuck).state == "matched"


def test_without_a_payload_it_is_its_callers(desk):
    (request,) = asked(desk, 1)
    RequestPayload.objects.filter(request_id=request).delete()
    assert begin(desk) == ([], None)


def test_of_those_who_begin_together_each_hears_of_his_own_alone(desk):
    right = desk.issue(1_000_000)
    others = desk.desk.issue(1_000_000, holder="other", assurance={"reference": "pledged"})
    mine = [desk.submit(desk.right, units=100), desk.submit(right, units=100)]
    theirs = [desk.submit(others, by="other", units=100)]
    begin(desk)
    for slug, requests in (("holder", mine), ("other", theirs)):
        last = AccountMessage.objects.filter(account=desk.accounts[slug]).order_by("seq").last()
        heard = decode_private(bytes(last.body)).requests
        assert [(one.event, one.request_id, one.state) for one in heard] == [
            ("execution.started", f"req_{request.pk}", "executing") for request in requests
        ]
        assert last.requests_seq == AccountFeed.objects.get(account=desk.accounts[slug]).requests_seq
    assert (
        not AccountFeed.objects.exclude(account__in=[desk.accounts["holder"], desk.accounts["other"]]).filter(requests_seq__gt=0).exists()
    )
