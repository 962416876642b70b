"""Rights lent to somebody: what is under way, used and given back of a delegation (SPEC §6, §8, §9)."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from rights.models import Delegation, Event, Right
from rights.services.delegations import Bounds, count_use, expire_delegations_due, revoke_delegation
from rights.services.refusals import LifecycleRefusedError
from settlement.models import Endpoint, Request, Settlement
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


def lent(
    desk: Using, right: Right, parent: Delegation | None = None, units: int = 1_500, *, giver: str | None = None, to: str | None = None
) -> Delegation:
    """The holder's right lent to `other`, or a part of that to `boreal`; or as is said."""
    return delegate(
        right=right if parent is None else None,
        package=None,
        parent=parent,
        delegator=desk.accounts[giver or ("holder" if parent is None else "other")],
        to=desk.accounts[to or ("other" if parent is None else "boreal")],
        bounds=Bounds(units, START_US, END_US, fallback_allowed=True, subdelegation_allowed=True),
        delegation_id=MINT.uuid(desk.now_us),
        now_us=desk.now_us,
        **WHO,
    )


def upheld(desk: Using, settlement: Settlement) -> None:
    """The holder challenges it and is right."""
    opening = Opening(MINT.uuid(desk.now_us), desk.accounts["holder"], "the answer was empty", "see for yourself")
    dispute = open_dispute(settlement_id=str(settlement.pk), opening=opening, now_us=desk.now_us, **WHO)
    judge = desk.accounts["judge"].participant
    known: dict[str, Any] = {"dispute_id": str(dispute.pk), "reviewer": judge, "now_us": desk.now_us, **WHO}
    assign_reviewer(**known)
    decide_dispute(decision=Decision("uphold", "it was", None), mint=MINT, **known)


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
    assert count_use(delegation_id=str(row.uuid), units=1).units == 0


def begun(desk: Using, row: Delegation, by: str, units: int = 1_000) -> Request:
    request = desk.submit(by=by, delegation_id=str(row.uuid), candidates=(), units=units)
    assert begin_execution(request_id=str(request.pk), now_us=desk.now_us, **WHO) is not None
    return request


def counted(*delegations: Delegation) -> list[tuple[int, int]]:
    for row in delegations:
        row.refresh_from_db()
    return [(row.used_units, row.passed_units) for row in delegations]


@pytest.mark.parametrize("how", ["revoked", "expired"])
def test_what_was_under_way_when_it_ended_counts_against_it(desk: Using, how: str) -> None:
    right = desk.basic()
    row = lent(desk, right)
    request = begun(desk, row, "other")
    if how == "revoked":
        revoke_delegation(delegation_id=str(row.uuid), reason="enough", now_us=desk.now_us, **WHO)
    else:
        desk.now_us = END_US
        assert expire_delegations_due(now_us=desk.now_us, **WHO) == 1
    with pytest.raises(LifecycleRefusedError, match=how):
        desk.submit(by="other", delegation_id=str(row.uuid), candidates=(), units=1)
    desk.record(request, desk.told(request, 900))
    assert counted(row) == [(900, 0)]
    assert [told["payload"]["taken_from"] for told in uses(row)] == [None]


def uses(row: Delegation) -> list[dict[str, Any]]:
    told = Event.objects.filter(object_id=f"dlg_{row.uuid}", type="delegation.used").order_by("pk")
    return [orjson.loads(body) for body in told.values_list("body", flat=True)]


def test_what_was_under_way_of_one_that_was_passed_on_keeps_its_room(desk: Using) -> None:
    """Else it and what is done in the room it gave back together were more than was ever lent."""
    right = desk.basic()
    above = lent(desk, right)
    below = lent(desk, right, above, 1_200)
    request = begun(desk, below, "boreal")
    revoke_delegation(delegation_id=str(below.uuid), reason="enough", now_us=desk.now_us, **WHO)
    assert counted(above, below) == [(0, 0), (0, 0)]
    with pytest.raises(LifecycleRefusedError, match="501 units asked, 500 may still be used"):
        begun(desk, above, "other", 501)
    with pytest.raises(LifecycleRefusedError, match="500 may still be passed on"):
        lent(desk, right, above, 501)
    desk.record(request, desk.told(request, 900))
    assert counted(above, below) == [(0, 900), (900, 0)]
    assert [told["payload"]["taken_from"] for told in uses(below)] == [f"dlg_{above.uuid}"]
    whole = begun(desk, above, "other", 600)
    desk.record(whole, desk.told(whole, 600))
    assert counted(above, below) == [(600, 900), (900, 0)]


def test_what_ended_together_takes_from_the_one_above_both(desk: Using) -> None:
    right = desk.basic(settlement={"dispute_window_seconds": 600})
    first = lent(desk, right)
    second = lent(desk, right, first, 1_200)
    third = lent(desk, right, second, 1_000, giver="boreal", to="other")
    request = begun(desk, third, "other")
    revoke_delegation(delegation_id=str(second.uuid), reason="enough", now_us=desk.now_us, **WHO)
    settlement = desk.record(request, desk.told(request, 1_000))
    assert counted(first, second, third) == [(0, 1_000), (0, 1_000), (1_000, 0)]
    upheld(desk, settlement)
    assert counted(first, second, third) == [(0, 0), (0, 1_000), (0, 0)]
    assert [(told["payload"]["units"], told["payload"]["taken_from"]) for told in uses(third)] == [
        (units, f"dlg_{first.uuid}") for units in ("1000", "-1000")
    ]


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
        upheld(desk, desk.record(request, desk.told(request, 1_000)))
        row.refresh_from_db()
        assert (row.used_units, desk.units(right)) == (0, (10_000, 0, "active"))
