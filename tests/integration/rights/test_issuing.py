"""Issuing (SPEC §7): what has to fit, what it leaves in registry, ledger and journal."""

import json

import pytest
from django.db import IntegrityError, transaction

from rights.domain.canonical_json import sha256_of
from rights.domain.lifecycle import LIFECYCLE
from rights.domain.manifest import ManifestRefusedError
from rights.kernel import rows
from rights.models import Assurance, ComputeClass, Event, Right, Series, Stream, Terms
from rights.services.refusals import IssuanceRefusedError
from settlement.models import Balance, Posting
from tests.registry_desk import DAY_US, NOW_US, START_US, Desk

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk():
    return Desk()


def refusals(desk, units=10_000_000, **patch):
    before = (Right.objects.count(), Posting.objects.count(), Event.objects.count(), Assurance.objects.values_list("issued_units").first())
    with pytest.raises(IssuanceRefusedError) as caught:
        desk.issue(units, **patch)
    after = (Right.objects.count(), Posting.objects.count(), Event.objects.count(), Assurance.objects.values_list("issued_units").first())
    assert before == after
    return [refusal.code for refusal in caught.value.refusals]


def test_the_database_has_the_same_lifecycle():
    found = set(rows.fetch_all("SELECT from_status, to_status FROM rights_lifecycle"))
    assert found == {(str(a), str(b)) for a, following in LIFECYCLE.items() for b in following}


def test_an_issued_right_is_active_and_in_its_holders_inventory(desk):
    right = desk.issue()
    right.refresh_from_db()
    assert (right.status, right.max_units, right.remaining_units, right.reserved_units) == ("active", 10_000_000, 10_000_000, 0)
    assert (right.root_id, right.parent_id, right.holder) == (right.pk, None, desk.accounts["holder"])
    balance = Balance.objects.get(asset__root_right=right.pk, account=right.holder)
    assert (balance.amount, balance.held, balance.asset.code) == (10_000_000, 0, f"U:rgt_{right.pk}")
    assert Balance.objects.get(asset=balance.asset, account__code="units:issued").amount == -10_000_000
    desk.assurance.refresh_from_db()
    assert desk.assurance.issued_units == 10_000_000
    assert right.series.compute_class.key == "TXT.CHAT.STD.INT.PRV"
    assert right.series.stream.code == f"series:{right.series_id}"


def test_the_journal_alone_tells_everything(desk):
    right = desk.issue()
    issued, activated = Event.objects.filter(object_id=f"rgt_{right.pk}").order_by("seq")
    assert [issued.type, activated.type] == ["right.issued", "right.activated"]
    payload = json.loads(issued.body)["payload"]
    assert payload["units"] == "10000000"
    assert payload["holder"] == f"acc_{right.holder.uuid}"
    assert payload["assurance"] == f"ast_{desk.assurance.uuid}"
    assert payload["class"] == {"fingerprint": right.series.compute_class.fingerprint, "key": "TXT.CHAT.STD.INT.PRV"}
    assert sha256_of(payload["manifest"]) == payload["terms_hash"] == right.terms_id
    assert json.loads(right.terms.manifest) == payload["manifest"]


def test_rights_of_one_class_and_window_share_series_and_terms(desk):
    one, two = desk.issue(), desk.issue(holder="other")
    assert (one.series_id, one.terms_id) == (two.series_id, two.terms_id)
    assert (ComputeClass.objects.count(), Series.objects.count(), Terms.objects.count()) == (1, 1, 1)
    assert Stream.objects.filter(code__startswith="series:").count() == 1


def test_a_class_that_differs_elsewhere_gets_a_longer_key(desk):
    desk.assure(patch={"limits": {"max_concurrent": 5}}, gross_units=10**8)
    other = desk.issue(limits={"max_concurrent": 5})
    assert other.series.compute_class.key.startswith("TXT.CHAT.STD.INT.PRV.")
    assert desk.issue().series.compute_class.key == "TXT.CHAT.STD.INT.PRV"


def test_the_last_unit_may_be_issued_and_no_more(desk):
    desk.issue(60_000_000)
    desk.issue(40_000_000)
    assert refusals(desk, 1) == ["capacity_exhausted"]


def test_the_haircut_rounds_down():
    desk = Desk(units=1001, haircut_bps=500)  # usable 950.95
    desk.issue(950)
    assert refusals(desk, 1) == ["capacity_exhausted"]


def test_overbooking_has_to_be_explained_disclosed_and_bounded(desk):
    plan = {"justification": "measured use is 60 %", "degradation_plan": "freeze-unsold"}
    over = {"assurance": {"reference": "over", "usable_basis": "oversubscribed"}}
    with pytest.raises(IssuanceRefusedError, match="justification"):
        desk.assure(reference="over", gross_units=1000, overbook_bps=1000)
    desk.assure(reference="over", gross_units=1000, overbook_bps=1000, **plan)
    assert refusals(desk, 1, assurance={"reference": "over"}) == ["assurance_basis"]
    desk.issue(1100, **over)
    assert refusals(desk, 1, **over) == ["capacity_exhausted"]


def test_the_database_refuses_what_the_service_would_miss(desk):
    with pytest.raises(IntegrityError, match="can not back"), transaction.atomic():
        Assurance.objects.filter(pk=desk.assurance.pk).update(issued_units=100_000_001)


@pytest.mark.parametrize(
    ("patch", "codes"),
    [
        ({"assurance": {"reference": "nowhere"}}, ["assurance_missing"]),
        ({"assurance": {"mode": "inventory-posted"}}, ["assurance_mismatch"]),
        ({"service": {"priority": "premium"}}, ["assurance_class"]),
        ({"window": {"end": "2026-12-03T00:00:00Z"}}, ["assurance_window"]),
        ({"assurance": {"usable_basis": "oversubscribed"}}, ["assurance_basis"]),
        ({"issuer": {"id": "another"}}, ["issuer_mismatch"]),
        ({"issuer": {"issuance_path": "supplier-self"}}, ["issuer_mismatch"]),
        ({"transfer_policy": {"eligible_holder_types": ["vault"]}}, ["holder_type_not_eligible"]),
        ({"transfer_policy": {"max_units_per_holder": "5"}}, ["max_units_per_holder"]),
        (
            {"resource": {"unit": "requests"}, "assurance": {"unit": "requests"}, "issuer": {"id": "x"}},
            ["issuer_mismatch", "assurance_class", "assurance_unit"],
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_every_reason(desk, patch, codes):
    assert refusals(desk, **patch) == codes


def test_a_manifest_with_faults_goes_no_further(desk):
    with pytest.raises(ManifestRefusedError):
        desk.issue(window={"end": "2020-01-01T00:00:00Z"})


def test_stale_and_degraded_capacity_pauses_issuance(desk):
    desk.now_us = NOW_US + 7 * DAY_US
    desk.issue(1)
    desk.now_us += 1
    assert refusals(desk) == ["assurance_stale"]
    desk.now_us = NOW_US
    for status in ("stale", "degraded"):
        Assurance.objects.update(status=status)
        assert refusals(desk) == [f"assurance_{status}"]


def test_nothing_is_issued_when_the_window_is_over(desk):
    Assurance.objects.update(stale_after_s=10**9)
    desk.now_us = START_US + DAY_US - 1
    desk.issue(1)
    desk.now_us += 1
    assert refusals(desk) == ["window_over"]


def test_suspended_parties_neither_issue_nor_receive(desk):
    participant = desk.accounts["holder"].participant
    participant.status = "suspended"
    participant.save()
    assert refusals(desk) == ["taker_suspended"]
    desk.issuer.participant.status = "suspended"
    assert refusals(desk, holder="other") == ["issuer_suspended"]


def test_a_path_names_who_may_issue_and_on_what(desk):
    desk.issuer.issuance_path = "supplier-self"
    desk.issuer.issuer_type = "market"
    stated = {"issuer": {"issuance_path": "supplier-self", "issuer_type": "market"}}
    assert refusals(desk, **stated) == ["path_not_allowed"]
