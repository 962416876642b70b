"""Amend, consume, finalize, replace: what each may do, what it leaves behind, and that the events tell all of it."""

import pytest

from exchange.audit.run import audit
from exchange.replay.snapshot import snapshot
from rights.domain.amendment import TOUCHES, Amendment
from rights.domain.manifest import ManifestRefusedError
from rights.models import RightLink, RoleGrant
from rights.selectors.roles import has_role
from rights.services.activate import activate_right
from rights.services.amend import Change, amend_right
from rights.services.refusals import IssuanceRefusedError, LifecycleRefusedError
from rights.services.roles import grant_role, revoke_role
from rights.services.row import Seen
from rights.services.split import split_right
from settlement.models import Balance
from settlement.services import issuance
from settlement.services.consume import consume_right
from settlement.services.replace import replace_right
from tests.registry_desk import DAY_US, MINT, NOW_US, START_US, Desk
from tests.unit.rights.domain.manifests import chat_day

pytestmark = pytest.mark.django_db(transaction=True)
END_US = START_US + DAY_US


@pytest.fixture
def desk():
    return Desk()


def clean():
    with snapshot():
        report = audit(now_us=END_US)
    assert report.broken == []


def amend(right, amendment, now_us=NOW_US, **patch):
    document = chat_day(**{**patch, "resource": {**patch.get("resource", {}), "amount": str(right.max_units)}})
    return amend_right(right_id=str(right.pk), change=Change(amendment, document, "test"), actor="test", now_us=now_us)


def codes(refused):
    return [refusal.code for refusal in refused.value.refusals]


def use(right, units, now_us=START_US):
    return consume_right(right_id=str(right.pk), units=units, ref="req_1", mint=MINT, actor="test", now_us=now_us)


def test_metadata_changes_beside_the_terms_also_along_a_lineage(desk):
    right = desk.issue(100)
    child = split_right(right_id=str(right.pk), units=10, child_id=MINT.uuid(NOW_US), actor="test", now_us=NOW_US)[1]
    terms = child.terms_id
    document = chat_day(resource={"amount": "100"}, metadata={"label": "evening"})
    amended = amend_right(right_id=str(child.pk), change=Change(Amendment.METADATA, document, "renamed"), actor="test", now_us=NOW_US)
    assert (amended.metadata["label"], amended.terms_id) == ("evening", terms)
    clean()


def test_what_an_amendment_does_not_touch_is_refused_by_name(desk):
    right = desk.issue(100, activate=False)
    with pytest.raises(LifecycleRefusedError) as refused:
        amend(right, Amendment.LIMITS, limits={"max_concurrent": 3}, service={"quality_band": "high"})
    assert [(r.code, r.field) for r in refused.value.refusals] == [("amendment_out_of_class", "service")]
    with pytest.raises(LifecycleRefusedError) as refused:
        amend(right, Amendment.LIMITS)
    assert codes(refused) == ["nothing_to_amend"]
    with pytest.raises(ManifestRefusedError):
        amend(right, Amendment.LIMITS, limits={"max_concurrent": -3})


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ({"service": {"privacy_class": "confidential"}}, "service.privacy_class"),
        ({"resource": {"model_class": ["reasoning"]}}, "resource.model_class"),
        ({"settlement_policy": {"proof_profile": "strict"}}, "settlement_policy.proof_profile"),
    ],
)
def test_an_active_right_keeps_its_core_for_ever(desk, patch, field):
    right = desk.issue(100)
    with pytest.raises(LifecycleRefusedError) as refused:
        amend(right, Amendment.CORRECTION, **patch)
    assert ("replacement_needed", field) in [(r.code, r.field) for r in refused.value.refusals]


def test_new_limits_make_another_class_and_take_their_capacity_there(desk):
    right = desk.issue(100, holder="issuer", activate=False)
    patch = {"limits": {"max_concurrent": 3}}
    with pytest.raises(IssuanceRefusedError) as refused:
        amend(right, Amendment.LIMITS, **patch)
    assert "assurance_class" in codes(refused)
    elsewhere = desk.assure(patch=patch, gross_units=100)
    amended = amend(right, Amendment.LIMITS, **patch)
    assert (amended.assurance_id, amended.series_id == right.series_id) == (elsewhere.pk, False)
    desk.assurance.refresh_from_db()
    assert desk.assurance.issued_units == 0
    activate_right(right_id=str(right.pk), actor="test", now_us=NOW_US + 1)
    split_right(right_id=str(right.pk), units=10, child_id=MINT.uuid(NOW_US), actor="test", now_us=NOW_US + 2)
    clean()
    with pytest.raises(LifecycleRefusedError) as refused:
        amend(right, Amendment.LIMITS, limits={"max_concurrent": 4})
    assert "amendment_lineage" in codes(refused) or "assurance" in str(refused.value)


def test_every_class_of_amendment_is_known():
    assert set(TOUCHES) == set(Amendment)
    assert len(Amendment) == 7


def test_use_takes_units_until_nothing_remains(desk):
    right = desk.issue(100)
    with pytest.raises(LifecycleRefusedError, match="not begun"):
        use(right, 1, NOW_US)
    assert use(right, 40).remaining_units == 60
    with pytest.raises(LifecycleRefusedError, match="61 units asked, 60 are free"):
        use(right, 61)
    assert use(right, 60).status == "fully_consumed"
    with pytest.raises(LifecycleRefusedError, match="fully_consumed is not used"):
        use(right, 1)
    assert Balance.objects.get(account__code="units:consumed").amount == 100
    issuance.finalize_right(right_id=str(right.pk), ref="stl_1", reason="test", mint=MINT, actor="test", now_us=START_US)
    clean()


def test_an_epoch_lets_its_share_be_used_and_the_next_one_begins_anew(desk):
    epochs = {"window": {"mode": "epoch", "epoch_size_seconds": 21_600}}
    right = desk.issue(100, **epochs)
    assert use(right, 25).epoch_used_units == 25
    with pytest.raises(LifecycleRefusedError) as refused:
        use(right, 1, START_US + 21_599_000_000)
    assert codes(refused) == ["epoch_exhausted"]
    assert use(right, 20, START_US + 21_600_000_000).epoch_used_units == 20
    clean()


def test_what_is_finalized_gives_its_rest_back_and_never_moves_again(desk):
    right = desk.issue(100)
    issuance.finalize_right(right_id=str(right.pk), ref="closed", reason="test", mint=MINT, actor="test", now_us=NOW_US)
    right.refresh_from_db()
    assert (right.status, right.remaining_units, right.finalization_ref) == ("finalized", 0, "closed")
    with pytest.raises(LifecycleRefusedError):
        issuance.burn_right(right_id=str(right.pk), reason="test", mint=MINT, actor="test", now_us=NOW_US)
    clean()


@pytest.mark.parametrize("kind", ["replaced", "reissued", "migrated"])
def test_a_replacement_is_linked_both_ways(desk, kind):
    patch = {"service": {"privacy_class": "confidential"}}
    desk.assure(patch=patch, gross_units=1000)
    former = desk.issue(100)
    with pytest.raises(LifecycleRefusedError, match="promises no more"):
        replace(desk, former, kind, 101, patch)
    ended, latter = replace(desk, former, kind, 100, patch)
    assert (ended.status, latter.status, latter.holder) == ("finalized", "active", former.holder)
    link = RightLink.objects.get()
    assert (link.former, link.latter, link.kind) == (ended, latter, kind)
    clean()


def replace(desk, right, kind, units, patch):
    return replace_right(
        right_id=str(right.pk),
        issuer=desk.issuer,
        document=chat_day(**patch, resource={"amount": str(units)}),
        kind=kind,
        reason="stricter",
        mint=MINT,
        actor="test",
        now_us=NOW_US,
        anybodys=Seen(right.holder_id, right.max_units),
    )


def test_roles_are_granted_one_by_one_and_over_one_issuer(desk):
    participant = desk.accounts["other"].participant

    def grant(role, issuer=None):
        return grant_role(
            participant=participant, role=role, issuer=issuer, grant_id=MINT.uuid(NOW_US), reason="x", actor="test", now_us=NOW_US
        )

    over_one = grant("freezer", desk.issuer)
    assert has_role(participant_id=participant.pk, role="freezer", issuer_id=desk.issuer.pk)
    assert not has_role(participant_id=participant.pk, role="freezer")
    assert not has_role(participant_id=participant.pk, role="burner", issuer_id=desk.issuer.pk)
    with pytest.raises(LifecycleRefusedError, match="already"):
        grant("freezer", desk.issuer)
    with pytest.raises(LifecycleRefusedError, match="a role is one of"):
        grant("king")
    revoke_role(grant_id=str(over_one.uuid), reason="x", actor="test", now_us=NOW_US)
    assert not has_role(participant_id=participant.pk, role="freezer", issuer_id=desk.issuer.pk)
    with pytest.raises(LifecycleRefusedError, match="before"):
        revoke_role(grant_id=str(over_one.uuid), reason="x", actor="test", now_us=NOW_US)
    assert RoleGrant.objects.filter(role="issuer", issuer=desk.issuer).exists()
    clean()
