"""Suppliers that work by themselves (`batch`) share no request with those that the venue calls (SPEC §8)."""

from collections.abc import Iterator

import pytest

from settlement.domain.envelope import Candidate
from settlement.models import Endpoint, Route
from settlement.services.begin import begin_execution
from settlement.services.fall_back import fall_back
from tests.registry_desk import MINT
from tests.using_desk import WHO, Using

pytestmark = pytest.mark.django_db
FALLBACK = {"allow_fallback": True, "substitute_providers": True, "max_quality_loss_bps": 2_000, "max_latency_expansion_bps": 0}


@pytest.fixture
def desk() -> Iterator[Using]:
    made = Using()
    yield made
    made.sound()


def test_they_take_the_place_of_none_whom_the_venue_called(desk: Using) -> None:
    right = desk.basic(fallback_policy=FALLBACK)
    request = desk.running((right, 1_000), candidates=(Candidate(str(right.pk)),))
    cloudy = desk.supply("cloudy", constraints=("json-mode", "tool-use"))
    tried = set(Endpoint.objects.exclude(capability=cloudy).values_list("pk", flat=True))
    known = {"request_id": str(request.pk), "reason": "boreal failed", "mint": MINT, "now_us": desk.now_us, **WHO}
    Endpoint.objects.filter(capability=cloudy).update(adapter="batch")
    assert fall_back(released=(), without_endpoints=tried, units=500, **known) == ()
    Endpoint.objects.filter(capability=cloudy).update(adapter="openai")
    (leg,) = fall_back(released=(), without_endpoints=tried, units=500, **known)
    assert leg.supplier == "cloudy"


def test_one_that_became_such_a_supplier_since_the_lock_shares_nothing(desk: Using) -> None:
    """The lock runs out, and another choice is made."""
    request = desk.submit(*(desk.basic(600) for _ in range(2)), units=1_000)
    ours, theirs = request.routes.filter(state="locked").order_by("number")
    cloudy = desk.supply("cloudy", constraints=("json-mode", "tool-use"))
    Route.objects.filter(pk=theirs.pk).update(capability=cloudy)
    Endpoint.objects.filter(capability=cloudy).update(adapter="batch")
    assert begin_execution(request_id=str(request.pk), now_us=desk.now_us, **WHO) is None
    Endpoint.objects.filter(capability=cloudy).update(adapter="openai")
    Route.objects.filter(pk=theirs.pk).update(capability=ours.capability)
    assert begin_execution(request_id=str(request.pk), now_us=desk.now_us, **WHO) is not None
