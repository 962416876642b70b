"""Packages: what they lock, what moves with them, what stays when somebody says no."""

import pytest

from rights.kernel.ids import public
from rights.models import Right, UnitLock
from rights.services.consents import Asked, answer_consent, request_consent
from rights.services.freeze import freeze_right
from rights.services.refusals import LifecycleRefusedError
from settlement.services import packages
from settlement.services.packages import Composition
from settlement.services.transfer import TransferRefused
from tests.package_desk import clean, codes, compose, give, part
from tests.registry_desk import MINT, NOW_US, Desk

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def desk():
    return Desk()


def test_a_package_locks_its_parts_and_taking_it_apart_frees_them(desk):
    first, second = desk.issue(100), desk.issue(50)
    package = compose(desk, part(first, 60), part(second, 50))
    assert [lock.units for lock in UnitLock.objects.filter(released_at=None).order_by("pk")] == [60, 50]
    with pytest.raises(LifecycleRefusedError) as refused:
        compose(desk, part(first, 41))
    assert codes(refused) == ["units_unavailable"]
    packages.finalize_package(package_id=str(package.uuid), holder_id=package.holder_id, reason="sold out", actor="test", now_us=NOW_US)
    assert not UnitLock.objects.filter(released_at=None).exists()
    compose(desk, part(first, 100))
    clean()


def test_it_moves_as_a_whole_and_is_locked_anew_in_other_hands(desk):
    whole, some = desk.issue(100), desk.issue(100)
    package = compose(desk, part(whole, 100), part(some, 30))
    moved = give(desk, package)
    package.refresh_from_db()
    assert package.holder == desk.accounts["other"]
    assert moved.receives[str(whole.pk)] == str(whole.pk)
    child = Right.objects.get(pk=moved.receives[str(some.pk)])
    assert (child.holder, child.reserved_units, child.parent_id) == (desk.accounts["other"], 30, some.pk)
    clean()


def test_one_shut_gate_keeps_all_of_it_where_it_is(desk):
    good, bad = desk.issue(100), desk.issue(100)
    package = compose(desk, part(good, 100), part(bad, 10))
    freeze_right(right_id=str(bad.pk), freeze_reason="dispute", note="x", actor="test", now_us=NOW_US)
    with pytest.raises(TransferRefused) as refused:
        give(desk, package)
    assert [(r.right_id, r.verdict.code) for r in refused.value.refusals] == [(str(bad.pk), "right_frozen")]
    assert Right.objects.get(pk=good.pk).holder == desk.accounts["holder"]
    clean()


def test_its_policy_tightens_and_is_asked_when_it_moves(desk):
    right = desk.issue(100, transfer_policy={"min_hold_seconds": 0, "transfer_cutoff_seconds": 600})
    with pytest.raises(LifecycleRefusedError) as refused:
        compose(desk, part(right, 10), policy={"transfer_cutoff_seconds": 60})
    assert [(r.code, r.field) for r in refused.value.refusals] == [("package_policy", "policy.transfer_cutoff_seconds")]
    with pytest.raises(LifecycleRefusedError) as refused:
        compose(desk, part(right, 10), policy={"colour": "red"})
    assert codes(refused) == ["package_policy"]
    denied = public("acc", str(desk.accounts["other"].uuid))
    package = compose(desk, part(right, 10), policy={"denied_holders": [denied], "transferable": False})
    with pytest.raises(TransferRefused) as shut:
        give(desk, package)
    assert {r.verdict.code for r in shut.value.refusals} == {"holder_denied", "not_transferable"}
    clean()


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        ({"eligible_holder_types": ["vault"]}, "holder_type_not_eligible"),
        ({"eligible_jurisdictions": ["DE"]}, "jurisdiction_not_eligible"),
        ({"required_attestations": ["kyc"]}, "attestation_missing"),
        ({"min_hold_seconds": 86_400}, "hold_period"),
        ({"lockup_until": "2026-11-20T00:00:00Z"}, "locked_up"),
        ({"transfer_cutoff_seconds": 40 * 86_400}, "transfer_cutoff"),
        ({"venue_deny": ["synthference"]}, "venue_not_allowed"),
        ({"max_holders": 1}, "max_holders"),
        ({"max_units_per_holder": "9"}, "max_units_per_holder"),
        ({"requires_issuer_consent": True}, "consent_missing"),
        ({"requires_registry_acknowledgment": True}, "acknowledgment_missing"),
    ],
)
def test_each_rule_of_its_own_is_asked_beside_the_terms(desk, policy, code):
    right = desk.issue(100)
    package = compose(desk, part(right, 10), policy=policy)
    with pytest.raises(TransferRefused) as shut:
        give(desk, package)
    assert [(r.right_id, r.verdict.code) for r in shut.value.refusals] == [(str(right.pk), code)]
    assert Right.objects.get(pk=right.pk).reserved_units == 10
    clean()


@pytest.mark.parametrize(
    ("needs", "kind"), [("requires_issuer_consent", "consent"), ("requires_registry_acknowledgment", "acknowledgment")]
)
def test_the_word_that_its_own_policy_asks_for_can_be_had(desk, needs, kind):
    right = desk.issue(100)
    asked = Asked(right=right, taker=desk.accounts["other"], units=10, kind=kind)
    said = {"actor": "test", "now_us": NOW_US}
    with pytest.raises(LifecycleRefusedError) as refused:
        request_consent(asked=asked, consent_id=MINT.uuid(NOW_US), **said)
    assert codes(refused) == ["consent_not_needed"]
    package = compose(desk, part(right, 10), policy={needs: True})
    row = request_consent(asked=asked, consent_id=MINT.uuid(NOW_US), **said)
    answer_consent(consent_id=str(row.uuid), granted=True, note="", **said)
    give(desk, package)
    row.refresh_from_db()
    assert row.state == "used"
    clean()


def test_its_policy_says_how_it_may_be_divided(desk):
    right = desk.issue(100)
    for policy, code in (({"splittable": False}, "not_splittable"), ({"min_transfer_units": "6"}, "below_min_transfer")):
        package = compose(desk, part(right, 10), policy=policy)
        with pytest.raises(LifecycleRefusedError) as refused:
            packages.split_package(
                package_id=str(package.uuid),
                holder_id=package.holder_id,
                parts=[part(right, 5)],
                label="x",
                child_id=MINT.uuid(NOW_US),
                actor="test",
                now_us=NOW_US,
            )
        assert codes(refused) == [code]
    give(desk, package)
    clean()


def test_a_split_leaves_two_of_its_kind_and_names_what_is_wrong(desk):
    first, second = desk.issue(100), desk.issue(100)
    package = compose(desk, part(first, 10, tier="baseline"), part(second, 10, tier="overflow"), kind="tranche")
    for parts, field in (
        ([part(first, 10)], "parts"),  # nothing but overflow would stay
        ([part(first, 5), part(first, 5)], "parts"),
        ([part(first, 1), part(second, 11)], "parts.1.units"),
        ([part(first, 10), part(second, 10)], "parts"),
    ):
        with pytest.raises(LifecycleRefusedError) as refused:
            packages.split_package(
                package_id=str(package.uuid),
                holder_id=package.holder_id,
                parts=parts,
                label="x",
                child_id=MINT.uuid(NOW_US),
                actor="test",
                now_us=NOW_US,
            )
        assert [(r.code, r.field) for r in refused.value.refusals] == [("package_split", field)]
    clean()


@pytest.mark.parametrize(
    ("kind", "parts", "code"),
    [
        ("slice", [{}, {}], "package_parts"),
        ("bundle", [], "package_parts"),
        ("bundle", [{"tier": "baseline"}], "package_tier"),
        ("tranche", [{}], "package_tier"),
        ("tranche", [{"tier": "overflow"}], "package_tier"),
        ("strategy", [{}], "package_branch"),
        ("bundle", [{"branch": "night"}], "package_branch"),
    ],
)
def test_each_type_has_its_shape(desk, kind, parts, code):
    rights = [desk.issue(10) for _ in parts]
    with pytest.raises(LifecycleRefusedError) as refused:
        compose(desk, *(part(right, 1, **more) for right, more in zip(rights, parts, strict=True)), kind=kind)
    assert code in codes(refused)


def test_amended_and_split_it_never_holds_more_than_there_is(desk):
    first, second = desk.issue(100), desk.issue(100)
    package = compose(desk, part(first, 60), part(second, 40))
    wider = Composition("bundle", "more", [part(first, 100), part(second, 1)])
    told = {"package_id": str(package.uuid), "holder_id": package.holder_id, "actor": "test", "now_us": NOW_US}
    amended = packages.amend_package(composition=wider, **told)
    assert (amended.revision, Right.objects.get(pk=second.pk).reserved_units) == (2, 1)
    left, child = packages.split_package(parts=[part(first, 30)], label="cut", child_id=MINT.uuid(NOW_US), **told)
    assert [p.units for p in packages.parts_of(left)] == [70, 1]
    assert [p.units for p in packages.parts_of(child)] == [30]
    with pytest.raises(LifecycleRefusedError, match="has no 71 units"):
        packages.split_package(parts=[part(first, 71)], label="x", child_id=MINT.uuid(NOW_US), **told)
    clean()


def test_whoever_acts_as_its_holder_holds_it_still_under_the_lock(desk):
    package = compose(desk, part(desk.issue(100), 60))
    give(desk, package)
    told = {"package_id": str(package.uuid), "holder_id": desk.accounts["holder"].pk, "actor": "test", "now_us": NOW_US}
    parts = packages.parts_of(package)
    acts = (
        lambda: packages.amend_package(composition=Composition("bundle", "mine", parts), **told),
        lambda: packages.split_package(parts=parts, label="mine", child_id=MINT.uuid(NOW_US), **told),
        lambda: packages.transfer_package(taker=desk.accounts["holder"], mint=MINT, **told),
        lambda: packages.finalize_package(reason="mine", **told),
    )
    for act in acts:
        with pytest.raises(LifecycleRefusedError) as refused:
            act()
        assert codes(refused) == ["right_not_held"]
    clean()
