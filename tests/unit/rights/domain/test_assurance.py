"""Assurance in numbers and rules (SPEC §7): modes, paths, pledges, haircuts, shares of a shortfall."""

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rights.domain.assurance import MODE_RULES, MODES, Pledge, Stand, least_haircut_bps, shared_cut, stand_refusals
from rights.domain.issuance import PATHS, path_refusals
from rights.domain.units import issuable_units, usable_units
from rights.models.party import ISSUER_TYPES
from tests.unit.rights.domain.test_capability import dims, facts

DAY = 86_400_000_000
STAND = Stand("hybrid", "provider", "reserved-capacity", dims(), 0, DAY, 1000, 0)
PLEDGE = Pledge(facts(), 0, DAY, 1000, 1000, own=True, offered=False, field="sources.0")


def codes(stand=None, pledge=None, **stands):
    changed = msgspec.structs.replace(STAND, **(stand or {}), **stands)
    return [(r.code, r.field) for r in stand_refusals(changed, [msgspec.structs.replace(PLEDGE, **(pledge or {}))])]


def test_the_five_modes():
    assert set(MODES) == {"reserved-capacity", "inventory-posted", "historical-availability", "local-allocation", "hybrid"}


def test_what_carries_an_assurance():
    assert codes() == []


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("issuer_type", ISSUER_TYPES)
@pytest.mark.parametrize("mode", MODES)
def test_paths(path, issuer_type, mode):
    allowed = issuer_type in PATHS[path].issuer_types and mode in PATHS[path].modes
    found = path_refusals(path, issuer_type, mode, field="mode")
    assert [(r.code, r.field) for r in found] == ([] if allowed else [("path_not_allowed", "mode")])
    assert allowed or (path in found[0].detail)


def test_an_unknown_path_is_no_path():
    assert [r.code for r in path_refusals("by-post", "provider", "hybrid", field="")] == ["path_not_allowed"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("availability", ["reserved", "on-demand", "burst", "spot", "scheduled-window"])
def test_which_availability_a_mode_takes(mode, availability):
    found = codes(mode=mode, pledge={"capability": facts(availability=availability, reliability_bps=10_000)})
    assert found == ([] if availability in MODE_RULES[mode].availabilities else [("source_availability", "sources.0")])


def test_history_counts_as_far_as_it_was_measured():
    unmeasured = {"capability": facts(availability="spot")}
    assert codes(mode="historical-availability", pledge=unmeasured) == [("source_unmeasured", "sources.0")]
    measured = {"capability": facts(availability="spot", reliability_bps=9200)}
    assert codes(mode="historical-availability", haircut_bps=799, pledge=measured) == [("haircut_small", "haircut_bps")]
    assert codes(mode="historical-availability", haircut_bps=800, pledge=measured) == []
    assert codes(mode="hybrid", haircut_bps=799, pledge=measured) == [("haircut_small", "haircut_bps")]
    assert codes(mode="hybrid", pledge={"capability": facts(availability="reserved", reliability_bps=9200)}) == []


def test_local_allocation_is_in_the_issuers_own_house():
    assert codes(mode="local-allocation", pledge={"own": False, "offered": True}) == [("source_foreign", "sources.0")]
    hosted = {"capability": facts(environment="centralized-api")}
    assert codes(mode="local-allocation", pledge=hosted) == [("source_environment", "sources.0")]


@pytest.mark.parametrize("path", PATHS)
def test_which_paths_take_other_peoples_supply(path):
    mode = "reserved-capacity"
    foreign = codes(stand={"issuance_path": path}, mode=mode, pledge={"own": False, "offered": True})
    assert foreign == ([("source_foreign", "sources.0")] if path in {"supplier-self", "enterprise-private"} else [])


@pytest.mark.parametrize(
    ("pledge", "code"),
    [
        ({"own": False}, "source_not_offered"),
        ({"window_start_us": -1}, "source_window"),
        ({"window_end_us": DAY + 1}, "source_window"),
        ({"free_units": 999}, "capacity_pledged"),
        ({"capability": facts(supplier_active=False)}, "supplier_suspended"),
        ({"capability": facts(retired=True)}, "source_retired"),
        ({"capability": facts(privacy_mode="public-network")}, "source_privacy"),
    ],
)
def test_a_pledge_that_does_not_count(pledge, code):
    assert codes(pledge=pledge) == [(code, "sources.0")]


def test_the_sources_come_to_the_gross():
    assert codes(gross_units=1001) == [("sources_short", "gross_units")]
    assert codes(gross_units=999) == []
    assert [r.code for r in stand_refusals(STAND, [])] == ["sources_short"]


def test_every_reason_at_once():
    found = codes(
        stand={"issuance_path": "supplier-self", "issuer_type": "vault"},
        gross_units=2000,
        pledge={"own": False, "free_units": 1, "capability": facts(unit="jobs", availability="spot")},
    )
    assert [code for code, _ in found] == [
        "path_not_allowed",
        "source_unit",
        "source_not_offered",
        "source_foreign",
        "source_availability",
        "capacity_pledged",
        "sources_short",
    ]


def test_the_weakest_measured_source_sets_the_least_haircut():
    some = [facts(availability="spot", reliability_bps=bps) for bps in (9900, 9500, 9999)]
    assert least_haircut_bps("historical-availability", some) == 500
    assert least_haircut_bps("reserved-capacity", some) == 0
    assert least_haircut_bps("historical-availability", []) == 0


@given(st.integers(0, 2**62), st.integers(0, 10_000), st.integers(0, 10_000))
def test_each_step_is_rounded_down(gross, haircut, overbook):
    usable = usable_units(gross, haircut)
    assert usable * 10_000 <= gross * (10_000 - haircut) < (usable + 1) * 10_000
    assert issuable_units(gross, haircut, 0) == usable <= issuable_units(gross, haircut, overbook)


@given(st.lists(st.integers(1, 2**62), min_size=1, max_size=20), st.integers(0, 2**62))
def test_a_shortfall_is_shared_and_never_promises_more_than_there_is(units, posted):
    cut = shared_cut(units, posted)
    assert sum(cut) <= max(posted, 0) or cut == units
    assert all(0 <= after <= before for after, before in zip(cut, units, strict=True))
    if sum(units) > posted:
        assert posted - sum(cut) < len(units)
        for (a, x), (b, y) in itertools.combinations(zip(units, cut, strict=True), 2):
            assert (a > b) <= (x >= y)
    else:
        assert cut == units
