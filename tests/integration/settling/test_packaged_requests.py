"""Requests that name a package (SPEC §6, §8): which part they use, what that does to the package, what comes back."""

from collections.abc import Iterator
from typing import Any

import pytest

from rights.domain.package import PartFacts
from rights.models import Delegation, Package, PackagePart, Right, UnitLock
from rights.services.delegations import Bounds, delegate
from rights.services.refusals import LifecycleRefusedError
from settlement.domain.envelope import Candidate
from settlement.models import Endpoint, Request, Settlement
from settlement.services import packages
from settlement.services.begin import begin_execution
from settlement.services.disputes import Decision, Opening, assign_reviewer, decide_dispute, open_dispute
from settlement.services.fall_back import fall_back
from settlement.services.packages import Composition, parts_of
from settlement.services.request_refusal import RequestRefused
from settlement.services.route import LOCK_US, expire_locks_due, lock_routes, release_routes
from tests.redeem_desk import END_US
from tests.registry_desk import MINT, START_US
from tests.using_desk import WHO, Using

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk() -> Iterator[Using]:
    made = Using()
    yield made
    made.sound()


def part(right: Right, units: int, **more: str) -> PartFacts:
    return PartFacts(str(right.pk), units, **more)


def compose(desk: Using, kind: str, *parts: PartFacts, **rules: Any) -> Package:
    composition = Composition(kind, "a package", parts, {}, rules)
    return packages.create_package(
        holder=desk.accounts["holder"], composition=composition, package_id=MINT.uuid(desk.now_us), now_us=desk.now_us, **WHO
    )


def ask(desk: Using, package: Package, units: int, **said: Any) -> Request:
    return desk.submit(**{"units": units, "package_id": str(package.uuid), "candidates": (), **said})


def running(desk: Using, package: Package, units: int, **said: Any) -> Request:
    request = ask(desk, package, units, **said)
    assert begin_execution(request_id=str(request.pk), now_us=desk.now_us, **WHO) is not None
    return request


def held(package: Package) -> list[int]:
    return [one.units for one in parts_of(package)]


def routes(request: Request, state: str = "locked") -> list[tuple[Any, int, str, str]]:
    """(right, units, tier, branch) in order."""
    return list(request.routes.filter(state=state).order_by("number").values_list("right_id", "units", "tier", "branch"))


def codes(desk: Using, package: Package, units: int, **said: Any) -> set[str]:
    with pytest.raises(RequestRefused) as refused:
        ask(desk, package, units, **said)
    return {one.reason.code for one in refused.value.refusals}


def test_an_attached_slice_gives_what_it_holds_and_takes_back_the_rest(desk: Using) -> None:
    right = desk.basic(1_000)
    package = compose(desk, "slice", part(right, 600))
    assert codes(desk, package, 601) == {"units_short"}  # what is free beside it is not the slice's
    request = ask(desk, package, 500)
    assert (routes(request), held(package), desk.units(right)) == ([(right.pk, 500, "", "")], [100], (1_000, 600, "active"))
    assert request.routes.get().package == package
    assert codes(desk, package, 101) == {"units_short"}
    release_routes(request_id=str(request.pk), reason="let go", now_us=desk.now_us, **WHO)
    assert (held(package), desk.units(right)) == ([600], (1_000, 600, "active"))
    lock_routes(request_id=str(request.pk), mint=MINT, now_us=desk.now_us, **WHO)
    lock_routes(request_id=str(request.pk), mint=MINT, now_us=desk.now_us, **WHO)  # another choice replaces it
    assert held(package) == [100]
    desk.now_us += LOCK_US
    assert expire_locks_due(now_us=desk.now_us, **WHO) == 1
    used = running(desk, package, 600)
    assert held(package) == [0]
    assert codes(desk, package, 1) == {"units_unavailable"}
    settlement = desk.record(used, desk.told(used, 250))
    assert (settlement.units, held(package), desk.units(right)) == (250, [350], (750, 350, "active"))


def test_a_package_that_is_used_up_has_ended(desk: Using) -> None:
    right = desk.basic(1_000)
    package = compose(desk, "slice", part(right, 600))
    first, second = running(desk, package, 400), running(desk, package, 200)
    desk.record(first, desk.told(first, 400))
    package.refresh_from_db()
    assert (package.state, held(package)) == ("active", [0])  # some of it is still at work
    desk.record(second, desk.told(second, 200))
    package.refresh_from_db()
    assert (package.state, held(package), desk.units(right)) == ("finalized", [], (400, 0, "active"))
    assert codes(desk, package, 1) == {"package_ended"}


def test_a_tranche_gives_its_baseline_before_its_overflow(desk: Using) -> None:
    base, more = desk.basic(1_000), desk.basic(1_000)
    package = compose(desk, "tranche", part(base, 300, tier="baseline"), part(more, 1_000, tier="overflow"))
    manual = ask(desk, package, 200, choose=False)
    (overflow,) = manual.routes.filter(tier="overflow")
    with pytest.raises(RequestRefused) as refused:
        lock_routes(request_id=str(manual.pk), route_ids=[str(overflow.pk)], mint=MINT, now_us=desk.now_us, **WHO)
    assert [one.reason.code for one in refused.value.refusals] == ["baseline_first"]
    request = running(desk, package, 500)
    assert routes(request, "executing") == [(base.pk, 300, "baseline", ""), (more.pk, 200, "overflow", "")]
    lock_routes(request_id=str(manual.pk), route_ids=[str(overflow.pk)], mint=MINT, now_us=desk.now_us, **WHO)  # now it is all there is
    desk.record(request, desk.told(request, 300, 50))
    assert [(one.tier, one.units) for one in parts_of(package)] == [("overflow", 750)]
    assert desk.units(base) == (700, 0, "active")


def test_a_strategy_gives_one_branch(desk: Using) -> None:
    day, night = desk.basic(1_000), desk.basic(1_000)
    rules = {"night": {"workload_classes": ["text.embedding"]}, "day": {"note": "whenever"}}
    package = compose(desk, "strategy", part(night, 400, branch="night"), part(day, 300, branch="day"), **rules)
    assert routes(ask(desk, package, 200)) == [(day.pk, 200, "", "day")]  # by its rules, night is for other work
    assert routes(ask(desk, package, 200, branch="night")) == [(night.pk, 200, "", "night")]
    assert codes(desk, package, 201, branch="night") == {"units_short"}  # the other branch is not asked
    assert codes(desk, package, 1, branch="dawn") == {"branch_unknown"}
    assert codes(desk, package, 1, branch="day", candidates=(Candidate(str(night.pk)),)) == {"package_right"}


def test_a_bundle_gives_its_parts_in_order_or_those_that_are_named(desk: Using) -> None:
    first, second, third = desk.basic(500), desk.basic(500), desk.basic(500)
    package = compose(desk, "bundle", part(first, 100), part(second, 200), part(third, 300))
    assert routes(ask(desk, package, 250)) == [(first.pk, 100, "", ""), (second.pk, 150, "", "")]
    named = (Candidate(str(third.pk), 80), Candidate(str(second.pk)))
    assert routes(ask(desk, package, 120, candidates=named)) == [(second.pk, 50, "", ""), (third.pk, 70, "", "")]
    assert codes(desk, package, 81, candidates=named) == {"units_unavailable", "units_short"}
    assert routes(ask(desk, package, 200, spill_over=False)) == [(third.pk, 200, "", "")]
    assert codes(desk, package, 1, branch="day") == {"branch_unknown"}
    assert codes(desk, package, 1, by="other") == {"package_not_held"}


def lend(desk: Using, package: Package, units: int) -> Delegation:
    return delegate(
        right=None,
        package=package,
        parent=None,
        delegator=desk.accounts["holder"],
        to=desk.accounts["other"],
        bounds=Bounds(units, START_US, END_US),
        delegation_id=MINT.uuid(desk.now_us),
        now_us=desk.now_us,
        **WHO,
    )


def test_a_delegate_of_a_package_uses_it_as_its_holder_does(desk: Using) -> None:
    base, more = desk.basic(1_000, settlement={"dispute_window_seconds": 600}), desk.basic(1_000)
    package = compose(desk, "tranche", part(base, 300, tier="baseline"), part(more, 1_000, tier="overflow"))
    row = lend(desk, package, 700)
    under = {"by": "other", "delegation_id": str(row.uuid), "candidates": ()}
    request = desk.submit(units=500, **under)
    assert (request.holder, routes(request)) == (desk.accounts["holder"], [(base.pk, 300, "baseline", ""), (more.pk, 200, "overflow", "")])
    with pytest.raises(LifecycleRefusedError, match="200 may still be used"):
        desk.submit(units=201, **under)
    beside = compose(desk, "slice", part(desk.basic(10), 10))
    with pytest.raises(RequestRefused, match="not of that package"):
        desk.submit(units=1, package_id=str(beside.uuid), **under)
    release_routes(request_id=str(request.pk), reason="let go", now_us=desk.now_us, **WHO)
    assert held(package) == [300, 1_000]
    packages.transfer_package(
        package_id=str(package.uuid),
        holder_id=package.holder_id,
        taker=desk.accounts["issuer"],
        mint=MINT,
        now_us=desk.now_us + 1,
        **WHO,
    )
    with pytest.raises(RequestRefused, match="no such package is in the holder's hands"):
        desk.submit(units=1, **under)


def test_what_was_taken_out_of_it_meanwhile_comes_back_free(desk: Using) -> None:
    first, second, third = desk.basic(100), desk.basic(100), desk.basic(100)
    package = compose(desk, "bundle", part(first, 100), part(second, 60), part(third, 50))
    request = ask(desk, package, 130)
    assert held(package) == [0, 30, 50]
    told = {"package_id": str(package.uuid), "holder_id": package.holder_id, "now_us": desk.now_us, **WHO}
    left, child = packages.split_package(parts=[part(third, 50)], label="cut", child_id=MINT.uuid(desk.now_us), **told)
    assert (held(left), held(child)) == ([0, 30], [50])
    packages.amend_package(composition=Composition("bundle", "less", [part(second, 30)]), **told)
    release_routes(request_id=str(request.pk), reason="let go", now_us=desk.now_us, **WHO)
    assert (held(package), desk.units(first), desk.units(second)) == ([60], (100, 0, "active"), (100, 60, "active"))
    again = running(desk, package, 60)
    with pytest.raises(LifecycleRefusedError, match="everything in the package is at work"):
        packages.transfer_package(taker=desk.accounts["other"], mint=MINT, **told)
    packages.finalize_package(reason="no longer", **told)
    desk.record(again, desk.told(again, 20))
    assert desk.units(second) == (80, 0, "active")
    assert not PackagePart.objects.filter(package=package, removed_at=None).exists()


def test_another_supplier_takes_over_out_of_the_same_package(desk: Using) -> None:
    fallback = {"allow_fallback": True, "substitute_providers": True, "max_quality_loss_bps": 2_000, "max_latency_expansion_bps": 0}
    right = desk.basic(1_000, fallback_policy=fallback)
    package = compose(desk, "slice", part(right, 300))
    request = running(desk, package, 200)
    desk.supply("cloudy", constraints=("json-mode", "tool-use"))
    tried = set(Endpoint.objects.filter(capability=desk.suppliers["boreal"].capability).values_list("pk", flat=True))
    (failed,) = request.routes.all()
    known = {"request_id": str(request.pk), "reason": "boreal failed", "mint": MINT, "now_us": desk.now_us, **WHO}
    (leg,) = fall_back(released=(str(failed.pk),), without_endpoints=tried, units=200, **known)
    assert (leg.supplier, leg.right_id, held(package), desk.units(right)) == ("cloudy", str(right.pk), [100], (1_000, 300, "active"))
    assert fall_back(released=(), without_endpoints=tried, units=101, **known) == ()  # more than the package has
    settlement = desk.record(request, desk.told(request, 150, status="fallback_completed", fallbacks=("substitute_providers",)))
    assert (settlement.outcome, held(package)) == ("fallback", [150])


@pytest.mark.parametrize(
    ("decision", "outcome", "left", "free"), [("reject", None, 550, 0), ("reclassify", "full", 550, 0), ("uphold", None, 550, 50)]
)
def test_a_dispute_holds_what_went_back_to_the_package(desk: Using, decision: str, outcome: str | None, left: int, free: int) -> None:
    """What a reversal gives back is free on the right: the package may be another one by then."""
    right = desk.basic(1_000, settlement={"dispute_window_seconds": 600})
    package = compose(desk, "slice", part(right, 600))
    request = running(desk, package, 200)
    settlement = desk.record(request, desk.told(request, 50))
    assert held(package) == [550]
    opening = Opening(MINT.uuid(desk.now_us), desk.accounts["boreal"], "more was done")
    dispute = open_dispute(settlement_id=str(settlement.pk), opening=opening, now_us=desk.now_us, **WHO)
    assert (held(package), UnitLock.objects.get(kind="dispute", released_at=None).units) == ([400], 150)
    judge = desk.desk.open("judge").participant
    assign_reviewer(dispute_id=str(dispute.pk), reviewer=judge, now_us=desk.now_us, **WHO)
    said = Decision(decision, "the log says so", outcome)
    decide_dispute(dispute_id=str(dispute.pk), reviewer=judge, decision=said, mint=MINT, now_us=desk.now_us, **WHO)
    assert Settlement.objects.get().state == "finalized"
    assert (held(package), desk.units(right)) == ([left], (950 + free, left, "active"))
