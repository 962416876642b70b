"""Packages, delegations and block offers: what they lock, what moves with them, what stays when somebody says no."""

import pytest

from exchange.audit.run import audit
from exchange.models import AccountFeed
from exchange.replay.snapshot import snapshot
from exchange.services.block_offers import Terms, accept_offer, expire_offers_due, make_offer, withdraw_offer
from exchange.services.funding import fund
from exchange.services.operator_refusal import OperatorRefusal
from rights.domain.package import PartFacts
from rights.kernel.ids import public
from rights.models import Delegation, Package, Right, UnitLock
from rights.services.consents import Asked, answer_consent, request_consent
from rights.services.delegations import Bounds, Use, delegate, expire_delegations_due, revoke_delegation
from rights.services.freeze import freeze_right
from rights.services.refusals import LifecycleRefusedError
from rights.services.roles import grant_role
from settlement.models import Balance
from settlement.services import packages
from settlement.services.consume import consume_right
from settlement.services.ledger import cash_asset
from settlement.services.packages import Composition
from settlement.services.transfer import Part, TransferRefused, transfer_units
from tests.registry_desk import DAY_US, MINT, NOW_US, START_US, Desk
from tests.seam import holding

pytestmark = pytest.mark.django_db(transaction=True)
END_US = START_US + DAY_US


@pytest.fixture
def desk():
    return Desk()


def clean(now_us=END_US):
    with snapshot():
        report = audit(now_us=now_us)
    assert report.broken == []


def part(right, units, **more):
    return PartFacts(str(right.pk), units, **more)


def compose(desk, *parts, kind="bundle", policy=None, holder="holder"):
    return packages.create_package(
        holder=desk.accounts[holder],
        composition=Composition(kind, "a package", parts, policy or {}),
        package_id=MINT.uuid(NOW_US),
        actor="test",
        now_us=NOW_US,
    )


def give(desk, package, to="other"):
    return packages.transfer_package(
        package_id=str(package.uuid),
        holder_id=desk.accounts["holder"].pk,
        taker=desk.accounts[to],
        mint=MINT,
        actor="test",
        now_us=NOW_US + 1_000_000,
    )


def codes(refused):
    return [refusal.code for refusal in refused.value.refusals]


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


@pytest.fixture
def rich(desk):
    cash_asset()
    fund(account=desk.accounts["other"], amount="100", currency="USD", reason="x", mint=MINT, actor="command:t", now_us=NOW_US)
    return desk


def offer(desk, package, price="40", buyer=None):
    terms = Terms(int(price) * 10**6, cash_asset(), NOW_US + DAY_US, None if buyer is None else desk.accounts[buyer])
    return make_offer(
        seller=desk.accounts["holder"],
        package_id=str(package.uuid),
        terms=terms,
        fee_bps=20,
        offer_id=MINT.uuid(NOW_US),
        actor="test",
        now_us=NOW_US,
    )


def take(desk, row, who="other", now_us=NOW_US + 1_000_000):
    return accept_offer(offer_id=str(row.uuid), buyer=desk.accounts[who], mint=MINT, actor="test", now_us=now_us)


def cash(desk, slug):
    return Balance.objects.get(account=desk.accounts[slug], asset=cash_asset()).amount


def test_a_block_is_delivered_against_payment(rich):
    package = compose(rich, part(rich.issue(100), 100), part(rich.issue(100), 10))
    row = offer(rich, package)
    take(rich, row)
    package.refresh_from_db()
    assert package.holder == rich.accounts["other"]
    assert (cash(rich, "other"), cash(rich, "holder")) == (100_000_000 - 40_080_000, 40_000_000)
    with pytest.raises(OperatorRefusal, match="accepted"):
        take(rich, row)
    clean()


def test_a_block_sale_tells_its_parties_before_it_writes_the_registry(rich):
    """Somebody else has the buyer's feed and wants the registry next, as a suspension does: the sale waits for him, not he for it."""
    row = offer(rich, compose(rich, part(rich.issue(100), 100)))
    buyer = rich.accounts["other"]
    feed = AccountFeed.objects.select_for_update(no_key=True).filter(account=buyer)
    told = {"grant_id": MINT.uuid(NOW_US), "reason": "x", "actor": "test", "now_us": NOW_US}
    with holding(feed.get, lambda: grant_role(participant=buyer.participant, role="freezer", issuer=None, **told)):
        take(rich, row)
    assert Package.objects.get().holder == buyer
    clean()


@pytest.mark.parametrize("why", ["funds", "frozen", "changed", "another", "late", "withdrawn", "self"])
def test_a_block_that_can_not_go_whole_does_not_go(rich, why):
    right = rich.issue(100)
    package = compose(rich, part(right, 100))
    row = offer(rich, package, "101" if why == "funds" else "40", "issuer" if why == "another" else None)
    now_us = NOW_US + 1_000_000
    if why == "frozen":
        freeze_right(right_id=str(right.pk), freeze_reason="dispute", note="x", actor="test", now_us=NOW_US)
    elif why == "changed":
        packages.amend_package(
            package_id=str(package.uuid),
            holder_id=package.holder_id,
            composition=Composition("bundle", "less", [part(right, 1)]),
            actor="test",
            now_us=NOW_US,
        )
    elif why == "late":
        now_us = NOW_US + DAY_US
        assert expire_offers_due(actor="timetable", now_us=now_us) == 1
    elif why == "withdrawn":
        withdraw_offer(offer_id=str(row.uuid), actor="test", now_us=NOW_US)
    with pytest.raises(TransferRefused if why == "frozen" else OperatorRefusal):
        take(rich, row, "holder" if why == "self" else "other", now_us)
    assert Package.objects.get(pk=package.pk).holder == rich.accounts["holder"]
    assert cash(rich, "other") == 100_000_000
    clean()


@pytest.mark.parametrize("noticed", ["by the timetable", "by the next offer"])
def test_an_offer_ends_with_the_hands_it_was_made_by(rich, noticed):
    """Else whoever was given the package could not offer it, and nobody but the giver could clear the way."""
    package = compose(rich, part(rich.issue(5_000_000), 100))
    former = offer(rich, package)
    give(rich, package)
    if noticed == "by the timetable":
        assert expire_offers_due(actor="timetable", now_us=NOW_US + 2_000_000) == 1
    account = rich.accounts["other"]
    terms = Terms(price_minor=5, currency=cash_asset(), expires_us=NOW_US + DAY_US)
    later = {"actor": "test", "now_us": NOW_US + 3_000_000}
    row = make_offer(seller=account, package_id=str(package.uuid), terms=terms, fee_bps=0, offer_id=MINT.uuid(NOW_US), **later)
    former.refresh_from_db()
    assert (former.state, row.state) == ("withdrawn", "open")
    assert expire_offers_due(actor="timetable", now_us=NOW_US + 4_000_000) == 0
    clean()
