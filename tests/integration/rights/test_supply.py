"""Suppliers, capabilities and posted capacity (SPEC §7): who they are, what they can do, and what falls with them."""

import base64
import json

import pytest
from django.db import IntegrityError, transaction

from exchange.audit.run import audit
from rights.domain.reason import ReasonMissing
from rights.models import Assurance, AssuranceSource, Capability, Event, PostedCapacity, Supplier
from rights.services import capabilities, suppliers
from rights.services.refusals import IssuanceRefusedError, SupplyRefusedError
from tests.registry_desk import DAY_US, NOW_US, START_US, Desk
from tests.supply_desk import SupplyDesk

pytestmark = pytest.mark.django_db
WHY = {"reason": "looked", "actor": "test", "now_us": NOW_US}
KEY = base64.b64encode(bytes(32)).decode()


@pytest.fixture
def desk():
    return SupplyDesk(Desk())


@pytest.fixture(autouse=True)
def everything_told(desk):
    """After each test the audit is clean: the events alone rebuild every table, and every count is right."""
    yield
    assert audit(now_us=desk.desk.now_us).broken == []


def refused(act, *arguments, **keywords):
    """The codes and fields of a refusal that changed nothing."""
    before = Event.objects.count()
    with pytest.raises((SupplyRefusedError, IssuanceRefusedError)) as caught:
        act(*arguments, **keywords)
    assert Event.objects.count() == before
    return [(r.code, r.field) for r in caught.value.refusals]


def told(kind):
    return [json.loads(body)["payload"] for body in Event.objects.filter(type=kind).order_by("seq").values_list("body", flat=True)]


def test_a_supplier_is_registered_once(desk):
    assert (desk.supplier.status, desk.supplier.trust_bps, desk.supplier.participant) == ("active", 5000, desk.account.participant)
    assert refused(desk.register, "boreal") == [("supplier_exists", "slug")]
    assert told("supplier.registered")[0]["participant"] == "boreal"


def test_a_description_is_judged_field_by_field(desk):
    found = refused(desk.register, "Bad Slug", name="", region="Mars", public_key="AAAA")
    assert found == [
        ("supplier_slug", "slug"),
        ("supplier_description", "name"),
        ("supplier_description", "region"),
        ("supplier_description", "public_key"),
    ]
    assert desk.register("signing", public_key=KEY).public_key == KEY


def test_changing_the_description(desk):
    said = suppliers.Description("Boreal North", "EU-WEST", KEY)
    changed = suppliers.change_supplier(supplier_id=str(desk.supplier.uuid), said=said, actor="test", now_us=NOW_US)
    assert (changed.name, changed.region, changed.public_key) == ("Boreal North", "EU-WEST", KEY)
    desk.post(100)
    desk.assure(50)
    moved = suppliers.Description("Boreal North", "US", KEY)
    change = {"supplier_id": str(desk.supplier.uuid), "actor": "test", "now_us": NOW_US}
    assert refused(suppliers.change_supplier, said=moved, **change) == [("region_pledged", "region")]
    assert suppliers.change_supplier(said=moved, **{**change, "now_us": START_US + DAY_US}).region == "US"


def test_trust_is_the_venues_with_a_reason(desk):
    assert suppliers.assess_supplier(supplier_id=str(desk.supplier.uuid), trust_bps=9000, **WHY).trust_bps == 9000
    assert told("supplier.changed")[0]["reason"] == "looked"
    assert refused(suppliers.assess_supplier, supplier_id=str(desk.supplier.uuid), trust_bps=10_001, **WHY) == [
        ("supplier_trust", "trust_bps")
    ]
    with pytest.raises(ReasonMissing):
        suppliers.assess_supplier(supplier_id=str(desk.supplier.uuid), trust_bps=1, **{**WHY, "reason": " "})


def test_the_axes_are_judged_all_at_once(desk):
    wrong = {"workload": "poetry", "quality_band": "best", "latency_band": "soon", "privacy_mode": "open", "environment": "moon"}
    found = refused(desk.offer, **wrong, availability="maybe", unit="words", constraints=["region-us-only", "No!"], tariff_units=0)
    assert found == [
        *(("capability_axis", axis) for axis in ("workload", "quality_band", "latency_band", "privacy_mode", "environment")),
        ("capability_axis", "availability"),
        ("capability_axis", "unit"),
        ("capability_axis", "constraints.1"),
        ("capability_tariff", "tariff"),
    ]


def test_the_database_knows_the_axes_too(desk):
    with pytest.raises(IntegrityError), transaction.atomic():
        Capability.objects.filter(pk=desk.capability.pk).update(workload="poetry")


def test_capacity_is_posted_anew_for_the_same_window(desk):
    first, second = desk.post(100), desk.post(70, issuers=())
    assert (first.pk, second.units, second.revision, second.issuers) == (second.pk, 70, 2, [])
    assert [payload["units"] for payload in told("capacity.posted")] == ["100", "70"]


def test_what_may_not_be_posted(desk):
    assert refused(desk.post, -1, start_us=5, end_us=5, issuers=("issuer", "nobody")) == [
        ("capacity_posting", "window.end"),
        ("capacity_posting", "window.end"),
        ("capacity_posting", "units"),
        ("capacity_posting", "issuers.1"),
    ]


def test_pledges_never_exceed_what_is_posted(desk):
    desk.post(100)
    desk.assure(60)
    assert refused(desk.assure, 41, reference="more") == [("capacity_pledged", "sources.0")]
    desk.assure(40, reference="rest")
    assert desk.posted().pledged_units == 100
    with pytest.raises(IntegrityError, match="capacity_pledged"), transaction.atomic():
        AssuranceSource.objects.filter(units=40).update(units=41)
    with pytest.raises(IntegrityError, match="capacity_pledged"), transaction.atomic():
        PostedCapacity.objects.update(units=99)


def test_posting_less_takes_pledges_back_by_their_shares(desk):
    desk.post(100)
    large, small = desk.assure(60), desk.assure(30, reference="small", sources=(desk.source(40),))
    desk.post(50)
    large.refresh_from_db()
    small.refresh_from_db()
    assert [(a.gross_units, a.status, a.revision) for a in (large, small)] == [(30, "sound", 2), (20, "sound", 2)]
    assert desk.posted().pledged_units == desk.posted().units == 50
    drifts = told("assurance.drifted")
    assert [(p["gross_units"], p["cause"]) for p in drifts] == [
        ("30", f"cap_{desk.capability.uuid}"),
        ("20", f"cap_{desk.capability.uuid}"),
    ]


def test_retiring_withdraws_windows_to_come_and_degrades_what_was_issued(desk):
    desk.post(100)
    assurance = desk.assure(100)
    past = desk.post(7, start_us=NOW_US - 2 * DAY_US, end_us=NOW_US + 1)
    desk.desk.issue(80, assurance={"reference": "pledged"})
    desk.desk.now_us = NOW_US + 1
    capabilities.retire_capability(capability_id=str(desk.capability.uuid), actor="test", now_us=NOW_US + 1)
    assurance.refresh_from_db()
    assert (assurance.gross_units, assurance.status, assurance.issued_units) == (0, "degraded", 80)
    assert not assurance.sources.exists()
    past.refresh_from_db()
    assert past.units == 7  # the past is what it was
    assert told("assurance.degraded") == [
        {"degradation_plan": "pause-issuance", "issuable_units": "0", "issued_units": "80", "reason": "drift", "status": "degraded"}
    ]
    retire = {"capability_id": str(desk.capability.uuid), "actor": "test", "now_us": NOW_US + 1}
    assert refused(capabilities.retire_capability, **retire) == [("source_retired", "")]
    assert refused(desk.post, 10) == [("source_retired", "")]


def test_suspending_a_supplier_withdraws_it_and_reinstating_lets_it_begin_again(desk):
    desk.post(100)
    desk.assure(100)
    desk.desk.issue(80, assurance={"reference": "pledged"})
    supplier = {"supplier_id": str(desk.supplier.uuid)}
    suppliers.suspend_supplier(**supplier, **WHY)
    assert refused(suppliers.suspend_supplier, **supplier, **WHY) == [("status_unchanged", "")]
    assert [p["reason"] for p in told("capacity.posted")] == ["posted", "supplier_suspended"]
    assert refused(desk.post, 10) == [("supplier_suspended", "")]
    assert refused(desk.offer) == [("supplier_suspended", "")]
    assert Assurance.objects.get(reference="pledged").status == "degraded"
    suppliers.reinstate_supplier(**supplier, **WHY)
    assert refused(suppliers.reinstate_supplier, **supplier, **WHY) == [("status_unchanged", "")]
    desk.post(100)
    assurance = desk.refresh(Assurance.objects.get(reference="pledged"), gross_units=90, sources=(desk.source(90),))
    assert (assurance.status, assurance.gross_units, assurance.degraded_at) == ("sound", 90, None)
    assert Supplier.objects.get().status == "active"


def test_what_was_measured_raises_the_haircut_it_asks_for(desk):
    spot = desk.offer(availability="spot")
    measure = {"capability_id": str(spot.uuid), **WHY}
    desk.post(1000, capability=spot)
    history = {"mode": "historical-availability", "sources": (desk.source(1000, spot),)}
    assert refused(desk.assure, 1000, **history) == [("source_unmeasured", "sources.0")]
    capabilities.measure_capability(reliability_bps=9500, **measure)
    assert refused(desk.assure, 1000, haircut_bps=499, **history) == [("haircut_small", "haircut_bps")]
    assurance = desk.assure(1000, haircut_bps=500, **history)
    desk.desk.issue(900, assurance={"reference": "pledged", "mode": "historical-availability"})
    capabilities.measure_capability(reliability_bps=9800, **measure)
    assurance.refresh_from_db()
    assert (assurance.haircut_bps, assurance.status) == (500, "sound")
    capabilities.measure_capability(reliability_bps=8999, **measure)
    assurance.refresh_from_db()
    assert (assurance.haircut_bps, assurance.status) == (1001, "degraded")
    assert refused(capabilities.measure_capability, reliability_bps=10_001, **measure) == [("capability_reliability", "reliability_bps")]


def test_a_reserved_source_is_not_measured(desk):
    desk.post(1000)
    assurance = desk.assure(1000)
    capabilities.measure_capability(capability_id=str(desk.capability.uuid), reliability_bps=100, **WHY)
    assurance.refresh_from_db()
    assert (assurance.haircut_bps, assurance.revision) == (0, 1)
