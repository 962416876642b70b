"""Delegations: bounds that hold at every use, what is passed on, and whose hands end them."""

import pytest

from rights.models import Delegation, Package, Right
from rights.services.delegations import Bounds, Use, delegate, expire_delegations_due, revoke_delegation
from rights.services.refusals import LifecycleRefusedError
from settlement.services import packages
from settlement.services.consume import consume_right
from settlement.services.transfer import Part, transfer_units
from tests.package_desk import END_US, clean, codes, compose, give, part
from tests.registry_desk import MINT, NOW_US, START_US, Desk

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def desk():
    return Desk()


def allow(desk, right, units=50, to="other", parent=None, delegator="holder", package=None, **bounds):
    return delegate(
        right=right if parent is None else None,
        package=package,
        parent=parent,
        delegator=desk.accounts[delegator],
        to=desk.accounts[to],
        bounds=Bounds(units, START_US, END_US, **bounds),
        delegation_id=MINT.uuid(NOW_US),
        actor="test",
        now_us=NOW_US,
    )


def use(desk, row, right, units, who="other", workload="text.generation", fallback=False, now_us=START_US):
    under = Use(str(row.uuid), desk.accounts[who].pk, workload, fallback)
    return consume_right(right_id=str(right.pk), units=units, ref="req", mint=MINT, actor="test", now_us=now_us, under=under)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"units": 51}, "delegation_exhausted"),
        ({"who": "issuer"}, "delegation_ended"),
        ({"workload": "image.edit"}, "delegation_workload"),
        ({"fallback": True}, "delegation_fallback"),
        ({"now_us": START_US - 1}, "delegation_time"),
    ],
)
def test_every_bound_holds_at_every_use(desk, asked, code):
    right = desk.issue(100)
    row = allow(desk, right, workload_classes=("text.generation",))
    with pytest.raises(LifecycleRefusedError) as refused:
        use(desk, row, right, **({"units": 1} | asked))
    assert codes(refused) == [code]
    assert Right.objects.get(pk=right.pk).remaining_units == 100
    use(desk, row, right, 50)
    assert Right.objects.get(pk=right.pk).remaining_units == 50
    clean()


def test_what_is_passed_on_is_never_more_and_ends_with_its_source(desk):
    desk.accounts["third"] = desk.open("third")
    right = desk.issue(100)
    row = allow(desk, right, 50, subdelegation_allowed=True)
    child = allow(desk, right, 30, to="third", parent=row, delegator="other")
    with pytest.raises(LifecycleRefusedError) as refused:
        allow(desk, right, 21, to="third", parent=row, delegator="other")
    assert codes(refused) == ["delegation_exhausted"]
    with pytest.raises(LifecycleRefusedError) as refused:
        allow(desk, right, 1, to="issuer", parent=child, delegator="third")
    assert codes(refused) == ["not_delegable"]
    use(desk, child, right, 10, who="third")
    revoke_delegation(delegation_id=str(child.uuid), reason="done", actor="test", now_us=START_US)
    row.refresh_from_db()
    assert row.passed_units == 10
    use(desk, row, right, 40)
    again = desk.issue(100)
    source = allow(desk, again, 50, subdelegation_allowed=True)
    allow(desk, again, 20, to="third", parent=source, delegator="other")
    assert revoke_delegation(delegation_id=str(source.uuid), reason="over", actor="test", now_us=START_US) == 2
    clean()


def test_what_was_used_of_what_was_passed_on_twice_comes_back_to_nobody(desk):
    desk.accounts["third"] = desk.open("third")
    right = desk.issue(100)
    row = allow(desk, right, 50, subdelegation_allowed=True)
    child = allow(desk, right, 30, to="third", parent=row, delegator="other", subdelegation_allowed=True)
    last = allow(desk, right, 20, to="issuer", parent=child, delegator="third")
    use(desk, child, right, 5, who="third")
    use(desk, last, right, 10, who="issuer")
    assert revoke_delegation(delegation_id=str(child.uuid), reason="done", actor="test", now_us=START_US) == 2
    row.refresh_from_db()
    assert row.passed_units == 15
    with pytest.raises(LifecycleRefusedError, match="35 may still be used"):
        use(desk, row, right, 36)
    use(desk, row, right, 35)
    clean()


def test_a_delegation_does_not_follow_its_right_into_other_hands(desk):
    desk.accounts["third"] = desk.open("third")
    right = desk.issue(100)
    row = allow(desk, right, 50, subdelegation_allowed=True)
    child = allow(desk, right, 30, to="third", parent=row, delegator="other")
    transfer_units(
        parts=[Part(str(right.pk), 100)],
        giver=desk.accounts["holder"],
        taker=desk.accounts["issuer"],
        mint=MINT,
        actor="test",
        now_us=NOW_US + 1,
    )
    for source, who in ((row, "other"), (child, "third")):
        with pytest.raises(LifecycleRefusedError) as refused:
            use(desk, source, right, 1, who=who)
        assert codes(refused) == ["delegation_ended"]
    assert Right.objects.get(pk=right.pk).remaining_units == 100
    clean()


def test_a_delegation_of_a_package_uses_what_is_in_it(desk):
    """Not what its holder has kept out of it; and what is used is in it no more, so an offer of it is another one."""
    right, beside = desk.issue(100), desk.issue(10)
    package = compose(desk, part(right, 60), part(beside, 10))
    row = delegate(
        right=None,
        package=package,
        parent=None,
        delegator=desk.accounts["holder"],
        to=desk.accounts["other"],
        bounds=Bounds(70, START_US, END_US),
        delegation_id=MINT.uuid(NOW_US),
        actor="test",
        now_us=NOW_US,
    )
    with pytest.raises(LifecycleRefusedError, match="the package has 60"):
        use(desk, row, right, 61)
    use(desk, row, right, 20)
    package.refresh_from_db()
    assert [(p.right_id, p.units) for p in packages.parts_of(package)] == [(str(right.pk), 40), (str(beside.pk), 10)]
    assert (package.revision, Right.objects.get(pk=right.pk).reserved_units) == (2, 40)
    use(desk, row, right, 40)
    use(desk, row, beside, 10)
    package.refresh_from_db()
    assert (package.state, Right.objects.get(pk=right.pk).remaining_units) == ("finalized", 40)
    clean()


def give_right(desk, right, to="other"):
    told = {"giver": right.holder, "taker": desk.accounts[to], "mint": MINT, "actor": "test", "now_us": NOW_US}
    return transfer_units(parts=[Part(str(right.pk), right.remaining_units)], **told)


def test_nor_is_one_of_a_package_worth_more(desk):
    right = desk.issue(100)
    package = compose(desk, part(right, 60))
    row = allow(desk, None, 50, to="issuer", package=package)
    received = give(desk, package).receives[str(right.pk)]
    with pytest.raises(LifecycleRefusedError) as refused:
        use(desk, row, Right.objects.get(pk=received), 1, who="issuer")
    assert codes(refused) == ["delegation_ended"]
    clean()


@pytest.mark.parametrize("packaged", [False, True])
def test_nobody_lets_others_use_what_he_has_just_sold(desk, packaged):
    """The rows are those that a caller read before the sale."""
    right = desk.issue(100)
    package = compose(desk, part(right, 60)) if packaged else None
    give(desk, Package.objects.get(pk=package.pk)) if packaged else give_right(desk, Right.objects.get(pk=right.pk))
    with pytest.raises(LifecycleRefusedError) as refused:
        allow(desk, None if packaged else right, 50, to="issuer", package=package)
    assert codes(refused) == ["right_not_held"]
    clean()


def test_delegations_run_out(desk):
    row = allow(desk, desk.issue(100))
    assert expire_delegations_due(actor="timetable", now_us=END_US) == 1
    assert Delegation.objects.get(pk=row.pk).state == "expired"
    clean()
