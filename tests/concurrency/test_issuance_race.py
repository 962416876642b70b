"""Many issue at once: nothing beyond the capacity, one class, one series, and no request ends in anything but yes or no."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from django.db.models import Sum

from rights.models import Assurance, ComputeClass, Event, Right, Series, Stream
from rights.services.refusals import IssuanceRefusedError
from settlement.models import Balance
from tests.registry_desk import Desk

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(jobs):
    """Run the jobs on threads that start together; each one's result or exception."""
    barrier = Barrier(len(jobs))

    def run(job):
        barrier.wait(10)
        try:
            return job()
        except IssuanceRefusedError as refusal:
            return refusal.code
        finally:
            connection.close()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


def test_the_last_units_are_issued_once():
    desk = Desk(units=100)
    found = at_once([lambda: desk.issue(60).status, lambda: desk.issue(60, holder="other").status])
    assert Counter(found) == {"active": 1, "capacity_exhausted": 1}
    assert Assurance.objects.get().issued_units == 60


def test_eight_issuers_never_issue_too_much():
    desk = Desk(units=100)

    def job(number):
        def issue_some():
            found = []
            for _ in range(4):
                try:
                    found.append(desk.issue(7, holder=("holder", "other")[number % 2]).status)
                except IssuanceRefusedError as refusal:
                    found.append(refusal.code)
            return found

        return issue_some

    found = Counter(answer for answers in at_once([job(n) for n in range(8)]) for answer in answers)
    assert found == {"active": 14, "capacity_exhausted": 18}
    assert Assurance.objects.get().issued_units == 98
    assert Right.objects.aggregate(Sum("max_units"))["max_units__sum"] == 98
    assert Balance.objects.filter(account__code="units:issued").aggregate(Sum("amount"))["amount__sum"] == -98


def test_a_new_class_and_window_are_made_once():
    desk = Desk()
    desk.assure(patch={"window": {"end": "2026-12-04T00:00:00Z"}}, gross_units=1000)
    ComputeClass.objects.exclude(pk=desk.assurance.compute_class_id).delete()
    found = at_once([lambda: desk.issue(10, window={"end": "2026-12-04T00:00:00Z"}).status] * 6)
    assert set(found) == {"active"}
    series = Series.objects.get()
    assert list(Stream.objects.filter(code__startswith="series:").values_list("pk", flat=True)) == [series.stream_id]
    numbers = list(Event.objects.filter(stream=series.stream).order_by("seq").values_list("seq", flat=True))
    assert numbers == list(range(1, 13))


def test_classes_that_share_a_readable_key_are_told_apart_at_once():
    desk = Desk()
    patches = [{"limits": {"max_concurrent": n}} for n in range(1, 7)]

    found = at_once([lambda patch=patch: desk.assure(patch=patch, gross_units=10).compute_class.key for patch in patches])
    assert len(set(found)) == 6
    assert all(key.startswith("TXT.CHAT.STD.INT.PRV.") for key in found)
