"""Assurances (SPEC §7): what may stand behind them, refreshing, staleness, drift, recovery."""

import pytest

from rights.models import Assurance
from rights.services.post_assurance import MOST_UNITS
from rights.services.refresh_assurance import mark_stale_due
from tests.integration.rights.test_supply import desk, everything_told, refused, told
from tests.registry_desk import DAY_US, NOW_US, START_US
from tests.supply_desk import SupplyDesk

pytestmark = pytest.mark.django_db
__all__ = ["desk", "everything_told"]
PLEDGED = {"assurance": {"reference": "pledged"}}


def test_numbers_and_words_are_judged_all_at_once(desk):
    desk.post(10)
    found = refused(
        desk.assure,
        0,
        reference="no blanks please",
        mode="wishful",
        haircut_bps=10_001,
        overbook_bps=5,
        degradation_plan="pray",
        stale_after_s=0,
        sources=(desk.source(10),),
    )
    assert found == [
        ("assurance_mode", "mode"),
        ("assurance_reference", "reference"),
        ("assurance_gross", "gross_units"),
        ("assurance_haircut", "haircut_bps"),
        ("assurance_overbook", "overbook_bps"),
        ("assurance_plan", "degradation_plan"),
        ("assurance_refresh", "stale_after_s"),
        ("path_not_allowed", "mode"),
    ]


def test_the_same_assurance_is_posted_once(desk):
    desk.post(100)
    desk.assure(10)
    assert refused(desk.assure, 20) == [("assurance_exists", "reference")]
    assert desk.posted().pledged_units == 10


def test_sources_have_to_be_there_once_and_be_enough(desk):
    desk.post(100)
    hour = {"window_start_us": START_US, "window_end_us": START_US + 3_600_000_000}
    sources = (desk.source(50), desk.source(10, **hour), desk.source(1))
    assert refused(desk.assure, 50, sources=sources) == [("source_unknown", "sources.1"), ("source_twice", "sources.2")]
    assert refused(desk.assure, 51, sources=(desk.source(50),)) == [("sources_short", "gross_units")]


def test_an_assurance_may_rest_on_parts_of_its_window(desk):
    half = START_US + DAY_US // 2
    desk.post(40, end_us=half)
    desk.post(60, start_us=half)
    morning = desk.source(40, window_start_us=START_US, window_end_us=half)
    evening = desk.source(60, window_start_us=half, window_end_us=START_US + DAY_US)
    assert desk.assure(100, sources=(morning, evening)).sources.count() == 2
    assert [len(payload["sources"]) for payload in told("assurance.posted")] == [0, 2]


def test_capacity_that_was_not_offered_is_not_the_issuers(desk):
    desk.post(100, issuers=())
    assert refused(desk.assure, 10) == [("source_not_offered", "sources.0")]
    own = SupplyDesk(desk.desk, "issuer")
    own.post(100, issuers=())
    assert own.assure(10).gross_units == 10  # its owner needs no offer


def test_each_misfit_with_the_class_is_named(desk):
    wrong = desk.offer(quality_band="economy", latency_band="batch", privacy_mode="public-network")
    desk.post(100, capability=wrong)
    found = refused(desk.assure, 10, sources=(desk.source(10, wrong),))
    assert found == [("source_quality", "sources.0"), ("source_latency", "sources.0"), ("source_privacy", "sources.0")]


def test_refreshing_the_same_numbers_keeps_it_fresh(desk):
    desk.post(100)
    assurance = desk.assure(80)
    desk.desk.now_us = NOW_US + 7 * DAY_US + 1
    assert mark_stale_due(now_us=desk.desk.now_us) == 2  # the desk's own, too
    assert mark_stale_due(now_us=desk.desk.now_us) == 0
    assurance.refresh_from_db()
    assert assurance.status == "stale"
    assert [p["reason"] for p in told("assurance.degraded")] == ["stale", "stale"]
    assert refused(desk.desk.issue, 10, **PLEDGED) == [("assurance_stale", "")]
    refreshed = desk.refresh(assurance)
    assert (refreshed.status, refreshed.revision, refreshed.degraded_at) == ("sound", 2, None)
    assert desk.desk.issue(10, **PLEDGED).status == "active"


def test_a_window_that_is_over_needs_no_refresh(desk):
    desk.post(100)
    assurance = desk.assure(80, stale_after_s=1)
    desk.desk.now_us = START_US + DAY_US
    assert mark_stale_due(now_us=desk.desk.now_us) == 0
    assert refused(desk.refresh, assurance) == [("window_over", "")]


def test_drift_pauses_and_a_refresh_lets_it_go_on(desk):
    desk.post(100)
    assurance = desk.assure(100)
    right = desk.desk.issue(70, **PLEDGED)
    lowered = desk.refresh(assurance, gross_units=60)
    assert (lowered.status, lowered.gross_units, lowered.issued_units) == ("degraded", 60, 70)
    assert refused(desk.desk.issue, 1, **PLEDGED) == [("assurance_degraded", ""), ("capacity_exhausted", "resource.amount")]
    again = desk.refresh(assurance, haircut_bps=100)
    assert (again.status, again.degraded_at) == ("degraded", lowered.degraded_at)
    assert len(told("assurance.degraded")) == 1
    right.refresh_from_db()
    assert (right.status, right.remaining_units) == ("active", 70)  # what was issued stays
    sound = desk.refresh(assurance, gross_units=100, haircut_bps=0)
    assert (sound.status, sound.degraded_at) == ("sound", None)
    desk.desk.issue(30, **PLEDGED)
    assert refused(desk.desk.issue, 1, **PLEDGED) == [("capacity_exhausted", "resource.amount")]


def test_a_refresh_moves_pledges(desk):
    other = desk.offer(availability="scheduled-window")
    desk.post(100)
    desk.post(100, capability=other)
    assurance = desk.assure(100)
    moved = desk.refresh(assurance, gross_units=150, sources=(desk.source(60), desk.source(90, other)))
    assert (moved.gross_units, sorted(moved.sources.values_list("units", flat=True))) == (150, [60, 90])
    desk.refresh(assurance, gross_units=90, sources=(desk.source(90, other),))
    assert desk.posted().pledged_units == 0
    assert refused(desk.refresh, assurance, gross_units=91) == [("sources_short", "gross_units")]
    assert refused(desk.refresh, assurance, gross_units=MOST_UNITS + 1, haircut_bps=-1) == [
        ("assurance_gross", "gross_units"),
        ("assurance_haircut", "haircut_bps"),
    ]


def test_only_an_operator_answers_for_what_has_no_sources(desk):
    plain = desk.desk.assurance
    assert refused(desk.refresh, plain) == [("assurance_unsourced", "sources")]
    assert desk.refresh(plain, attested=True, gross_units=200_000_000).gross_units == 200_000_000
    desk.post(100)
    sourced = desk.refresh(plain, gross_units=100, sources=(desk.source(100),))
    assert (sourced.gross_units, sourced.status) == (100, "sound")
    nothing = desk.refresh(plain, gross_units=0, sources=())
    assert (nothing.gross_units, desk.posted().pledged_units) == (0, 0)


def test_what_a_supplier_no_longer_offers_can_not_be_refreshed(desk):
    desk.post(100)
    assurance = desk.assure(50)
    desk.post(100, issuers=())
    assert refused(desk.refresh, assurance) == [("source_not_offered", "")]
    assert Assurance.objects.get(pk=assurance.pk).status == "sound"


def test_overbooking_is_bounded_by_its_policy(desk):
    desk.post(1000)
    assert refused(desk.assure, 1000, overbook_bps=1000, justification="measured use is 60 %") == [("assurance_overbook", "overbook_bps")]
    assurance = desk.assure(1000, overbook_bps=1000, justification="measured use is 60 %", degradation_plan="halt-books")
    over = {"assurance": {"reference": "pledged", "usable_basis": "oversubscribed"}}
    desk.desk.issue(1100, **over)
    assert desk.refresh(assurance).status == "sound"
    assert refused(desk.desk.issue, 1, **over) == [("capacity_exhausted", "resource.amount")]
    assert desk.refresh(assurance, gross_units=999).status == "degraded"
    assert told("assurance.degraded")[0]["degradation_plan"] == "halt-books"
