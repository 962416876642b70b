"""Requests and their routes on real PostgreSQL: what is reserved, what is set aside, what is given back. Every test ends with the audit."""

from collections.abc import Iterator

import pytest

from exchange.audit.run import audit
from exchange.replay.run import replay
from exchange.replay.snapshot import snapshot
from rights.models import Right, UnitLock
from rights.services.delegations import Bounds, delegate
from rights.services.refusals import LifecycleRefusedError
from settlement.domain import route_events
from settlement.domain.receipt_body import Told
from settlement.domain.venue_proofs import venue_proofs
from settlement.models import Balance, Endpoint, Request, Route, Settlement
from settlement.selectors.candidates import FRESH_US
from settlement.services.begin import begin_execution
from settlement.services.cancel import cancel_request, expire_requests_due
from settlement.services.receipt import record_receipt
from settlement.services.request_refusal import RequestRefused
from settlement.services.route import AGAIN_US, LOCK_US, expire_locks_due, lock_routes, release_routes, route_again_due
from tests.integration.rights.test_events_page import written
from tests.redeem_desk import BODY, END_US, RedeemDesk
from tests.registry_desk import MINT, START_US

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
    expired, cancelled, begun, released = (desk.submit() for _ in range(4))
    assert release_routes(request_id=str(released.pk), reason="let go", actor="test", now_us=desk.now_us).state == "validated"
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
    assert own - {route_events.PROGRESSED} <= written()  # tests/suppliers writes that


def test_a_request_spills_over_to_the_next_right(desk: RedeemDesk) -> None:
    second = desk.issue(500)
    request = desk.submit(desk.right, second, units=1_000_400)
    assert [(route.right_id, route.units) for route in request.routes.filter(state="locked").order_by("number")] == [
        (desk.right.pk, 1_000_000),
        (second.pk, 400),
    ]
    work = begin_execution(request_id=str(request.pk), actor="test", now_us=desk.now_us)
    assert work is not None
    assert [leg.units for leg in work.legs] == [1_000_000, 400]


def test_the_issuers_last_cash_goes_to_one(desk: RedeemDesk) -> None:
    """A thousand dollars pay for a hundred million units; the second request finds nothing left, and says whose cash is short."""
    desk.suppliers["boreal"].assure(10**8, reference="big")
    big = desk.issue(100_000_000, assurance={"reference": "big"})
    desk.submit(big, units=99_999_990)
    with pytest.raises(RequestRefused) as refused:
        desk.submit(units=11)
    assert codes(refused) == {("boreal", "issuer_cash")}
    desk.fund("issuer", "0.00001")
    desk.submit(units=11)


def test_the_limits_of_a_right_count_what_is_in_flight(desk: RedeemDesk) -> None:
    limits = {"max_concurrent": 2, "max_burst": "1000", "rate_limit_per_minute": 3, "max_per_request": "600"}
    desk.suppliers["boreal"].assure(10**6, patch={"limits": limits, "assurance": {"reference": "limited"}}, reference="limited")
    right = desk.issue(10_000, limits=limits, assurance={"reference": "limited"})

    def refused(units: int) -> set[str]:
        with pytest.raises(RequestRefused) as found:
            desk.submit(right, units=units)
        return {code for _, code in codes(found)}

    assert refused(601) == {"units_short"}
    first = desk.submit(right, units=600)
    assert refused(401) == {"units_short"}
    desk.submit(right, units=400)
    assert refused(1) == {"max_concurrent", "max_burst"}
    cancel_request(request_id=str(first.pk), reason="room", mint=MINT, actor="test", now_us=desk.now_us)
    desk.submit(right, units=1)
    assert refused(1) == {"max_concurrent", "rate_per_minute"}
    desk.now_us += 60_000_000
    assert refused(1) == {"max_concurrent"}
    expire_locks_due(actor="test", now_us=desk.now_us)
    desk.submit(right, units=1)


def test_what_may_wait_is_tried_again(desk: RedeemDesk) -> None:
    terms = {
        "limits": {"max_concurrent": 1},
        "fallback_policy": {"allow_fallback": True, "defer_within_window": True},
        "assurance": {"reference": "patient"},
    }
    desk.suppliers["boreal"].assure(10**6, patch=terms, reference="patient")
    right = desk.issue(10_000, **terms)
    first = desk.submit(right)
    second = desk.submit(right, delivery="async")
    assert (second.state, [route.state for route in second.routes.all()]) == ("deferred", [])
    desk.now_us += AGAIN_US
    assert route_again_due(mint=MINT, actor="test", now_us=desk.now_us) == 0
    cancel_request(request_id=str(first.pk), reason="room", mint=MINT, actor="test", now_us=desk.now_us)
    desk.now_us += AGAIN_US
    assert route_again_due(mint=MINT, actor="test", now_us=desk.now_us) == 1
    (route,) = Route.objects.filter(request=second, state="locked")
    assert route.fallbacks == ["defer_within_window"]
    with pytest.raises(RequestRefused):
        desk.submit(right, fallbacks=frozenset())  # the request itself does not wait


def test_a_delegate_uses_what_it_was_given(desk: RedeemDesk) -> None:
    row = delegate(
        right=desk.right,
        package=None,
        parent=None,
        delegator=desk.accounts["holder"],
        to=desk.accounts["other"],
        bounds=Bounds(1500, START_US, END_US, ("text.generation",)),
        delegation_id=MINT.uuid(desk.now_us),
        actor="test",
        now_us=desk.now_us,
    )
    request = desk.submit(by="other", delegation_id=str(row.uuid), candidates=())
    assert (request.account, request.holder) == (desk.accounts["other"], desk.accounts["holder"])
    with pytest.raises(LifecycleRefusedError) as refused:
        desk.submit(by="other", delegation_id=str(row.uuid), units=501)
    assert [one.code for one in refused.value.refusals] == ["delegation_exhausted"]
    with pytest.raises(RequestRefused, match="other rights"):
        desk.submit(desk.issue(10), by="other", delegation_id=str(row.uuid), units=1)
    with pytest.raises(RequestRefused, match="no such delegation"):
        desk.submit(by="issuer", delegation_id=str(row.uuid), units=1)
    cancel_request(request_id=str(request.pk), reason="room", mint=MINT, actor="test", now_us=desk.now_us)
    desk.submit(by="other", delegation_id=str(row.uuid), units=1500)


def test_a_substitute_takes_over_where_the_terms_let_it(desk: RedeemDesk) -> None:
    terms = {"fallback_policy": {"allow_fallback": True, "substitute_providers": True}, "assurance": {"reference": "replaceable"}}
    desk.suppliers["boreal"].assure(10**6, patch=terms, reference="replaceable")
    right = desk.issue(10_000, **terms)
    desk.supply("cloudy", constraints=("json-mode", "tool-use"))
    assert [route.supplier.slug for route in desk.submit(right).routes.filter(state="locked")] == ["boreal"]
    Endpoint.objects.filter(capability=desk.suppliers["boreal"].capability).update(status="paused")
    (route,) = desk.submit(right).routes.filter(state="locked")
    assert (route.supplier.slug, route.fallbacks) == ("cloudy", ["substitute_providers"])
    Endpoint.objects.filter(capability=desk.suppliers["boreal"].capability).update(status="active")


def test_what_a_supplier_delivered_lately_counts_in_its_score(desk: RedeemDesk) -> None:
    first = desk.submit(units=10)
    work = begin_execution(request_id=str(first.pk), actor="test", now_us=desk.now_us)
    assert work is not None
    before = Route.objects.get(request=first)
    told = Told(status="failed")
    proofs = venue_proofs(request_id=str(first.pk), told=told, envelope_hash=first.envelope_hash)
    record_receipt(request_id=str(first.pk), told=told, proofs=proofs, mint=MINT, actor="test", now_us=desk.now_us)
    desk.now_us += FRESH_US  # until then what was counted last is good enough
    after = Route.objects.get(request=desk.submit(units=10))
    points = [next(reason["points"] for reason in route.reasons if reason["code"] == "delivery") for route in (before, after)]
    assert points[1] < points[0]
