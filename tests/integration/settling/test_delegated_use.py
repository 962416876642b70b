"""Rights lent to somebody: what is under way, used and given back of a delegation (SPEC §6, §8, §9)."""

from collections.abc import Iterator
from typing import Any

import pytest

from rights.models import Delegation, Right
from rights.services.delegations import Bounds, count_use
from rights.services.refusals import LifecycleRefusedError
from settlement.models import Endpoint
from settlement.services.begin import begin_execution
from settlement.services.delegate import delegate
from settlement.services.disputes import Decision, Opening, assign_reviewer, decide_dispute, open_dispute
from settlement.services.fall_back import fall_back
from tests.redeem_desk import END_US
from tests.registry_desk import MINT, START_US
from tests.using_desk import WHO, Using

pytestmark = pytest.mark.django_db
FALLBACK = {"allow_fallback": True, "substitute_providers": True, "max_quality_loss_bps": 2_000, "max_latency_expansion_bps": 0}


@pytest.fixture
def desk() -> Iterator[Using]:
    made = Using()
    made.accounts["judge"] = made.desk.open("judge")
    yield made
    made.sound()


def lent(desk: Using, right: Right, parent: Delegation | None = None, units: int = 1_500) -> Delegation:
    """The holder's right lent to `other`, or a part of that to `boreal`."""
    return delegate(
        right=right if parent is None else None,
        package=None,
        parent=parent,
        delegator=desk.accounts["holder" if parent is None else "other"],
        to=desk.accounts["other" if parent is None else "boreal"],
        bounds=Bounds(units, START_US, END_US, fallback_allowed=True, subdelegation_allowed=True),
        delegation_id=MINT.uuid(desk.now_us),
        now_us=desk.now_us,
        **WHO,
    )


def test_what_is_under_way_is_not_passed_on_and_counts_when_it_is_done(desk: Using) -> None:
    right = desk.basic()
    row = lent(desk, right)
    request = desk.submit(by="other", delegation_id=str(row.uuid), candidates=())
    assert begin_execution(request_id=str(request.pk), now_us=desk.now_us, **WHO) is not None
    with pytest.raises(LifecycleRefusedError, match="500 may still be passed on"):
        lent(desk, right, row, 501)
    lent(desk, right, row, 500)
    assert desk.record(request, desk.told(request, 1_000)).units == 1_000
    row.refresh_from_db()
    assert (row.used_units, row.passed_units) == (1_000, 500)
    assert count_use(delegation_id=str(row.uuid), units=1) == 0


def test_another_route_of_a_delegates_request_counts_beside_what_it_executes(desk: Using) -> None:
    right = desk.basic(fallback_policy=FALLBACK)
    row = lent(desk, right)
    request = desk.submit(by="other", delegation_id=str(row.uuid), candidates=())
    assert begin_execution(request_id=str(request.pk), now_us=desk.now_us, **WHO) is not None
    desk.supply("cloudy", constraints=("json-mode", "tool-use"))
    tried = set(Endpoint.objects.filter(capability=desk.suppliers["boreal"].capability).values_list("pk", flat=True))
    known: dict[str, Any] = {"request_id": str(request.pk), "reason": "boreal failed", "mint": MINT, "now_us": desk.now_us, **WHO}
    assert fall_back(released=(), without_endpoints=tried, units=501, **known) == ()
    assert len(fall_back(released=(), without_endpoints=tried, units=500, **known)) == 1


def test_what_a_dispute_gives_back_may_be_used_again(desk: Using) -> None:
    right = desk.basic(settlement={"dispute_window_seconds": 600})
    row = lent(desk, right)
    for _ in range(2):
        request = desk.submit(by="other", delegation_id=str(row.uuid), candidates=())
        assert begin_execution(request_id=str(request.pk), now_us=desk.now_us, **WHO) is not None
        settlement = desk.record(request, desk.told(request, 1_000))
        opening = Opening(MINT.uuid(desk.now_us), desk.accounts["holder"], "the answer was empty", "see for yourself")
        dispute = open_dispute(settlement_id=str(settlement.pk), opening=opening, now_us=desk.now_us, **WHO)
        known: dict[str, Any] = {
            "dispute_id": str(dispute.pk),
            "reviewer": desk.accounts["judge"].participant,
            "now_us": desk.now_us,
            **WHO,
        }
        assign_reviewer(**known)
        decide_dispute(decision=Decision("uphold", "it was", None), mint=MINT, **known)
        row.refresh_from_db()
        assert (row.used_units, desk.units(right)) == (0, (10_000, 0, "active"))
