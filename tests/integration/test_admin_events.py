"""The event browser: every event is found by what it says, shown with the bytes that were hashed, and its chain is judged in words."""

import html
import json
import re

import pytest
from django.urls import reverse

from rights.domain.staff import AUDITORS
from rights.kernel import rows
from rights.kernel.clock import to_us
from rights.models import Event
from tests.honest_market import tamper
from tests.integration.console_market import a_market
from tests.people import in_console

pytestmark = pytest.mark.django_db


@pytest.fixture
def market():
    return a_market()


@pytest.fixture
def console(market):
    return in_console(AUDITORS)


def listed(console, **asked):
    """(stream, number) of every event on the page, by its link."""
    page = console.get(reverse("console_events"), asked).content.decode()
    return {(int(stream), int(seq)) for stream, seq in re.findall(r"/records/events/(\d+)/(\d+)/", page)}


def stored(**asked):
    return set(Event.objects.filter(**asked).values_list("stream_id", "seq"))


def test_events_are_found_by_stream_object_type_actor_and_time(console):
    some = Event.objects.filter(type="account.opened").first()
    actor = json.loads(some.body)["actor"]
    assert listed(console, stream="registry") == stored(stream__code="registry") != set()
    assert listed(console, object=some.object_id) == stored(object_id=some.object_id)
    assert listed(console, type="account.opened") == stored(type="account.opened")
    assert listed(console, type="account") == stored(type__startswith="account.")
    assert listed(console, type="right.split") == stored(type="right.split")
    assert listed(console, actor=actor) == stored(body__startswith=f'{{"actor":"{actor}"')
    assert listed(console, actor="venue:matcher") == stored(body__startswith='{"actor":"venue:matcher"')
    newest = Event.objects.order_by("-at").first()
    second = newest.at.replace(microsecond=0).isoformat().partition("+")[0]
    assert listed(console, **{"from": second}) == {place for place in stored() if at(place) >= second_us(newest)}
    assert listed(console, before=second) == {place for place in stored() if at(place) < second_us(newest)}
    for nonsense in (
        {"from": "yesterday"},
        {"from": "9999-99-99"},
        {"before": "2026-01-01T00:00:00+01:00"},
        {"type": "'"},
        {"actor": "\x00"},
    ):
        assert listed(console, **nonsense) == set()


def at(place):
    return to_us(Event.objects.get(stream_id=place[0], seq=place[1]).at)


def second_us(event):
    return to_us(event.at) // 1_000_000 * 1_000_000


def test_an_actors_events_are_found_by_an_index(market):
    sql = """EXPLAIN SELECT 1 FROM rights_event e WHERE split_part(e.body, '"', 4) = 'user:1' AND split_part(e.body, '"', 4) <> 'venue:matcher'"""
    rows.execute("SET LOCAL enable_seqscan = off")
    assert any("event_actor" in line for (line,) in rows.fetch_all(sql))


def test_one_event_with_its_bytes_and_what_stands_beside_it(console):
    event = Event.objects.get(stream__code="registry", seq=3)
    page = html.unescape(console.get(reverse("console_event", args=[event.stream_id, 3])).content.decode())
    assert event.body in page
    assert event.hash in page
    assert "It is the SHA-256 of the canonical JSON below." in page
    assert "This event knows its hash." in page
    for beside in (2, 4):
        assert reverse("console_event", args=[event.stream_id, beside]) in page
    first = html.unescape(console.get(reverse("console_event", args=[event.stream_id, 1])).content.decode())
    assert "none: this is the first" in first
    assert "This event knows its hash." in first
    assert console.get(reverse("console_event", args=[event.stream_id, 10**6])).status_code == 404
    assert in_console("nobody").get(reverse("console_event", args=[event.stream_id, 3])).status_code == 403


def test_a_changed_event_is_told_on_its_page_and_by_the_check(console):
    tamper("UPDATE rights_event SET body = replace(body, '\"at\"', '\"ät\"') WHERE seq = 3")
    event = Event.objects.get(stream__code="registry", seq=3)
    page = console.get(reverse("console_event", args=[event.stream_id, 3])).content.decode()
    assert "It is not the SHA-256 of the canonical JSON below." in page
    verdict = checked(console, stream="registry")
    assert "are not what was written" in verdict
    assert "event 3: hash is not that of the body" in verdict


def checked(console, **asked):
    return html.unescape(console.get(reverse("console_chain"), asked).content.decode())


def test_a_chain_is_judged_in_words(console):
    last = Event.objects.filter(stream__code="registry").order_by("-seq").first()
    whole = checked(console, stream="registry")
    assert f"Events 1 to {last.seq} of registry are as they were written" in whole
    assert "The last one is the stream's end." in whole
    assert last.hash in whole
    part = checked(console, stream="registry", **{"from": "2", "to": "3"})
    assert "Events 2 to 3 of registry are as they were written" in part
    assert "Go on from event 4" in part
    assert "There is nothing to check: registry ends at event" in checked(console, stream="registry", **{"from": str(last.seq + 1)})
    assert "There is no such stream." in checked(console, stream="x\x00")
    assert 'role="status"' not in checked(console)
    assert in_console("nobody").get(reverse("console_chain")).status_code == 403
