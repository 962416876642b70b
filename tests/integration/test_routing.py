"""Requests and their routes on real PostgreSQL: what is reserved, what is set aside, what is given back. Every test ends with the audit."""

from collections.abc import Iterator

import pytest

from exchange.audit.run import audit
from exchange.replay.run import replay
from exchange.replay.snapshot import snapshot
from rights.models import Right, UnitLock
from settlement.domain import route_events
from settlement.models import Balance, Request, Route, Settlement
from settlement.services.begin import begin_execution
from settlement.services.cancel import cancel_request, expire_requests_due
from settlement.services.request_refusal import RequestRefused
from settlement.services.route import LOCK_US, expire_locks_due, lock_routes
from tests.integration.rights.test_events_page import written
from tests.redeem_desk import BODY, RedeemDesk
from tests.registry_desk import MINT

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def desk() -> Iterator[RedeemDesk]:
    made = RedeemDesk()
    yield made
    with snapshot():
        assert audit(now_us=made.now_us).broken == []
        assert replay().differences == {}


def codes(refused: pytest.ExceptionInfo[RequestRefused]) -> set[tuple[str | None, str]]:
    return {(one.supplier, one.reason.code) for one in refused.value.refusals}


def escrow() -> int:
    return sum(Balance.objects.filter(account__code="venue:escrow").values_list("amount", flat=True))


def test_a_request_reserves_units_and_sets_the_issuers_cash_aside(desk: RedeemDesk) -> None:
    request = desk.submit()
    route = Route.objects.get(request=request)
    assert (request.state, route.state, route.units, route.escrow_minor) == ("matched", "locked", 1000, 10_000)
    assert sum(reason["points"] for reason in route.reasons) == route.score
    assert Right.objects.get(pk=desk.right.pk).reserved_units == 1000
    assert escrow() == 10_000
    work = begin_execution(request_id=str(request.pk), actor="test", now_us=desk.now_us)
    assert work is not None
    assert (work.body, [leg.units for leg in work.legs], work.legs[0].supplier) == (BODY, [1000], "boreal")
    assert begin_execution(request_id=str(request.pk), actor="test", now_us=desk.now_us) is None


def test_a_cancelled_request_holds_nothing(desk: RedeemDesk) -> None:
    request = desk.submit()
    ended = cancel_request(request_id=str(request.pk), reason="no longer", mint=MINT, actor="test", now_us=desk.now_us)
    assert (ended.state, Settlement.objects.get(request=request).outcome) == ("settled", "cancelled")
    assert not UnitLock.objects.filter(released_at=None).exists()
    assert escrow() == 0


def test_a_lock_runs_out_and_another_may_follow(desk: RedeemDesk) -> None:
    request = desk.submit()
    desk.now_us += LOCK_US
    assert begin_execution(request_id=str(request.pk), actor="test", now_us=desk.now_us) is None
    assert expire_locks_due(actor="test", now_us=desk.now_us) == 1
    assert (Request.objects.get(pk=request.pk).state, escrow()) == ("validated", 0)
    again = lock_routes(request_id=str(request.pk), mint=MINT, actor="test", now_us=desk.now_us)
    assert [route.state for route in again] == ["locked"]
    assert escrow() == 10_000


def test_the_caller_chooses(desk: RedeemDesk) -> None:
    request = desk.submit(choose=False)
    route = Route.objects.get(request=request)
    assert (request.state, route.state, escrow()) == ("validated", "quoted", 0)
    chosen = lock_routes(request_id=str(request.pk), route_ids=[str(route.pk)], mint=MINT, actor="test", now_us=desk.now_us)
    assert [one.units for one in chosen] == [1000]


def test_refusals_name_every_reason(desk: RedeemDesk) -> None:
    desk.supply("cloudy", privacy_mode="public-network")
    with pytest.raises(RequestRefused) as refused:
        desk.submit(units=2_000_000)
    assert codes(refused) == {
        (None, "units_short"),
        ("cloudy", "privacy_mode"),
        ("cloudy", "no_substitute_providers"),
        ("cloudy", "tags_missing"),
    }
    assert not Request.objects.exists()


def test_what_is_written_is_what_is_documented(desk: RedeemDesk) -> None:
    expired, cancelled, begun = (desk.submit() for _ in range(3))
    begin_execution(request_id=str(begun.pk), actor="test", now_us=desk.now_us)
    lock_routes(request_id=str(expired.pk), mint=MINT, actor="test", now_us=desk.now_us)
    cancel_request(request_id=str(cancelled.pk), reason="no longer", mint=MINT, actor="test", now_us=desk.now_us)
    desk.now_us += LOCK_US
    expire_locks_due(actor="test", now_us=desk.now_us)
    late = desk.submit(latest_us=desk.now_us + 1)
    desk.now_us += 1
    assert expire_requests_due(mint=MINT, actor="test", now_us=desk.now_us) == 1
    assert (Request.objects.get(pk=late.pk).state, Settlement.objects.get(request=late).outcome) == ("settled", "expired")
    own = {value for name, value in vars(route_events).items() if name.isupper() and isinstance(value, str)}
    assert own <= written()
