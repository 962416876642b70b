"""New terms for a right: never over a holder's head, never under another issuer's name or backing, counted once on each assurance."""

import pytest

from exchange.audit.run import audit
from exchange.replay.run import replay
from rights.domain.amendment import Amendment
from rights.models import Assurance, Right
from rights.services import amend as amend_module
from rights.services.amend import Change, amend_right
from rights.services.refusals import IssuanceRefusedError, LifecycleRefusedError
from settlement.services.transfer import Part, transfer_units
from tests.registry_desk import MINT, NOW_US, START_US, Desk
from tests.seam import elsewhere, holding, once_after
from tests.unit.rights.domain.manifests import chat_day

pytestmark = pytest.mark.django_db(transaction=True)
LOCKED_IN = {"transfer_policy": {"transferable": False}}


@pytest.fixture
def desk():
    return Desk()


def amend(right, amendment, now_us=NOW_US, **patch):
    document = chat_day(**{**patch, "resource": {**patch.get("resource", {}), "amount": str(right.max_units)}})
    return amend_right(right_id=str(right.pk), change=Change(amendment, document, "test"), actor="test", now_us=now_us)


def refused(error, right, amendment, **patch):
    with pytest.raises(error) as caught:
        amend(right, amendment, **patch)
    assert replay().differences == {}
    return {refusal.code for refusal in caught.value.refusals}


def give(desk, right, taker):
    transfer_units(
        parts=[Part(str(right.pk), right.remaining_units)],
        giver=desk.accounts["issuer"],
        taker=desk.accounts[taker],
        mint=MINT,
        actor="test",
        now_us=NOW_US,
    )


def counts():
    return dict(Assurance.objects.filter(issued_units__gt=0).values_list("pk", "issued_units"))


def test_what_was_issued_to_somebody_keeps_its_terms_before_activation_too(desk):
    right = desk.issue(100, activate=False)
    assert refused(LifecycleRefusedError, right, Amendment.CORRECTION, **LOCKED_IN) == {"right_not_held"}
    right.refresh_from_db()
    assert right.terms.transfer_policy["transferable"]
    assert amend(right, Amendment.METADATA, metadata={"label": "evening"}).metadata["label"] == "evening"


def test_what_is_sold_while_the_issuer_waits_for_it_keeps_its_terms(desk):
    right = desk.issue(100, holder="issuer")
    with holding(lambda: give(desk, right, "other")):
        assert refused(LifecycleRefusedError, right, Amendment.CORRECTION, **LOCKED_IN) == {"right_not_held"}
    assert Right.objects.get(pk=right.pk).terms_id == right.terms_id


@pytest.mark.parametrize("activate", [True, False])
@pytest.mark.parametrize(
    ("patch", "code"),
    [
        ({"issuer": {"id": "famous"}}, "issuer_mismatch"),
        ({"issuer": {"issuance_path": "hybrid"}}, "issuer_mismatch"),
        ({"assurance": {"mode": "historical-availability"}}, "assurance_mismatch"),
        ({"assurance": {"usable_basis": "oversubscribed"}}, "assurance_basis"),
    ],
)
def test_an_amendment_tells_the_truth_about_issuer_and_backing(desk, patch, code, activate):
    right = desk.issue(100, holder="issuer", activate=activate)
    error = LifecycleRefusedError if activate and "id" in patch.get("issuer", {}) else IssuanceRefusedError
    assert refused(error, right, Amendment.CORRECTION, **patch) <= {code, "replacement_needed"}


def test_a_suspended_issuer_amends_no_terms(desk):
    right = desk.issue(100, holder="issuer")
    participant = desk.accounts["issuer"].participant
    participant.status = "suspended"
    participant.save()
    with pytest.raises(IssuanceRefusedError, match="suspended"):
        amend(right, Amendment.CORRECTION, **LOCKED_IN)


def test_an_amendment_under_the_same_assurance_takes_no_capacity():
    desk = Desk(units=100)
    amended = amend(desk.issue(100, holder="issuer"), Amendment.CORRECTION, **LOCKED_IN)
    assert not amended.terms.transfer_policy["transferable"]
    assert counts() == {desk.assurance.pk: 100}


def test_two_amendments_count_their_units_once(desk, monkeypatch):
    """The second one found the right on an assurance it had left by the time it could be locked."""
    first, second = ({"limits": {"max_concurrent": most}} for most in (3, 4))
    there, latter = (desk.assure(patch=patch, gross_units=1000) for patch in (first, second))
    right = desk.issue(100, holder="issuer", activate=False)
    act = once_after(amend_module.find_assurance, lambda: elsewhere(lambda: amend(right, Amendment.LIMITS, **first)))
    monkeypatch.setattr(amend_module, "find_assurance", act)
    assert refused(LifecycleRefusedError, right, Amendment.LIMITS, **second) == {"right_changed"}
    assert counts() == {there.pk: 100}
    assert amend(right, Amendment.LIMITS, **second).assurance_id == latter.pk
    assert counts() == {latter.pk: 100}
    assert audit(now_us=START_US).broken == []
