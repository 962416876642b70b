"""Every row of SPEC's tables, by name (§2, §3, §4, §6, §7, §10), against the tables in the code."""

import re
from pathlib import Path
from typing import Any

import pytest

from exchange.audit.registry import CHECKS
from rights.domain import capability, fungibility, lifecycle, package
from rights.domain.amendment import NEVER_ONCE_ACTIVE, TOUCHES, Amendment, amendment_refusals
from rights.domain.gates import CODES
from rights.domain.issuance import PATHS, path_refusals
from rights.domain.lifecycle import RightStatus, may_become
from rights.domain.manifest import SCHEMA, ManifestRefusedError, read_manifest
from rights.models import Right
from rights.models import party as parties
from rights.models import role as roles
from tests import spec_tables as spec
from tests.gate_table import WAYS
from tests.property.naive_registry import MAY_BECOME
from tests.unit.rights.domain.manifests import chat_day, valid

DOCS = Path(__file__).resolve().parents[4] / "docs"


def leaves(schema: dict[str, Any], at: str = "") -> dict[str, dict[str, Any]]:
    """Field of the published schema → what it says of it."""
    found: dict[str, dict[str, Any]] = {}
    for name, said in schema.get("properties", {}).items():
        below = leaves(said, f"{at}{name}.")
        found |= below or {f"{at}{name}": said}
    return found


FIELDS = leaves(SCHEMA)


def put(field: str, value: object) -> dict[str, Any]:
    """A merge patch that sets one field."""
    patch: Any = value
    for name in reversed(field.split(".")):
        patch = {name: patch}
    return patch


def faults_at(field: str, value: object) -> list[str]:
    """What is said against this value of this field."""
    patch = put(field, value)
    if field == "assurance.unit":
        patch["resource"] = {"unit": value}  # both count the same
    try:
        read_manifest(chat_day(**patch))
    except ManifestRefusedError as refused:
        return [fault["detail"] for fault in refused.field_errors if fault["field"] == field]
    return []


def test_section_2_has_every_field_and_no_other():
    policy = {f"transfer_policy.{field}" for field in spec.TRANSFER_POLICY}
    assert set(spec.MANIFEST) | policy | set(spec.BESIDE) == set(FIELDS)


@pytest.mark.parametrize("field", spec.MANIFEST)
def test_section_2_field(field):
    """Its words and no other are taken; what has no closed list refuses what is of no such kind, and names the field."""
    words = spec.MANIFEST[field]
    if words is not None:
        said = FIELDS[field]
        assert tuple(said.get("enum", [said.get("const")])) == words
    assert faults_at(field, {"nonsense": []})
    assert faults_at(field, "no such word") or field in ("metadata.label", "metadata.description", "assurance.reference")
    stated: Any = valid()
    for name in field.split("."):
        stated = stated.get(name) if isinstance(stated, dict) else None
    assert stated is None or faults_at(field, stated) == []


@pytest.mark.parametrize(("field", "word"), [(field, word) for field, words in spec.MANIFEST.items() for word in words or ()])
def test_section_2_word(field, word):
    assert not [fault for fault in faults_at(field, word) if "one of" in fault or "must be" in fault]


@pytest.mark.parametrize("field", spec.STATE)
def test_section_2_state(field):
    assert Right._meta.get_field(spec.STATE[field]).column


@pytest.mark.parametrize("status", spec.LIFECYCLE)
@pytest.mark.parametrize("following", spec.LIFECYCLE)
def test_section_2_edge(status, following):
    assert may_become(RightStatus(status), RightStatus(following)) == (following in spec.LIFECYCLE[status])


def test_section_2_words():
    assert set(spec.LIFECYCLE) == set(RightStatus)
    assert spec.LIFECYCLE == MAY_BECOME
    assert set(spec.FREEZE_REASONS) == set(lifecycle.FreezeReason)
    assert set(spec.HOLDER_TYPES) == set(parties.HOLDER_TYPES)
    assert set(spec.MANIFEST["issuer.issuer_type"] or ()) == set(parties.ISSUER_TYPES)
    assert set(spec.ROLES) == set(roles.ROLES)
    assert set(spec.AMENDMENTS) == set(Amendment) == set(TOUCHES)


ONE_CHANGE = {
    "metadata": {"metadata": {"label": "another"}},
    "window": {"window": {"end": "2026-12-01T12:00:00Z"}},
    "limits": {"limits": {"max_concurrent": 3}},
    "fallback_policy": {"fallback_policy": {"allow_fallback": True}},
    "settlement_policy": {"settlement_policy": {"refund_policy": "pro-rata"}},
}


@pytest.mark.parametrize("name", spec.AMENDMENTS)
def test_section_2_amendment(name):
    """It changes what it is named for, and nothing else."""
    former = read_manifest(chat_day()).document
    for part, patch in ONE_CHANGE.items():
        latter = read_manifest(chat_day(**patch)).document
        told = {"amendment": Amendment(name), "status": RightStatus.ISSUED, "former": former, "latter": latter}
        refused = [why.code for why in amendment_refusals(**told) if why.code == "amendment_out_of_class"]
        assert bool(refused) == (part not in TOUCHES[Amendment(name)])
    assert name in ("holder-reassignment", "administrative-freeze") or any(part in TOUCHES[Amendment(name)] for part in ONE_CHANGE)


@pytest.mark.parametrize("field", spec.NEVER_AMENDED)
def test_section_2_never_amended_once_active(field):
    assert field in NEVER_ONCE_ACTIVE
    patch = {"issuer.id": {"issuer": {"id": "other"}}}.get(field) or spec.CLASS_AXES[field]
    former, latter = read_manifest(chat_day()).document, read_manifest(chat_day(**patch)).document
    told = {"amendment": Amendment.CORRECTION, "former": former, "latter": latter}
    assert "replacement_needed" in [why.code for why in amendment_refusals(status=RightStatus.ACTIVE, **told)]


@pytest.mark.parametrize("axis", spec.CLASS_AXES)
def test_section_3_axis(axis):
    """Another value is another class, and the verdicts name the axis."""
    plain, other = read_manifest(chat_day()), read_manifest(chat_day(**spec.CLASS_AXES[axis]))
    one, two = (fungibility.dimensions(manifest, issuer_tier=1) for manifest in (plain, other))
    assert fungibility.fingerprint(one) != fungibility.fingerprint(two)
    verdicts = fungibility.eligibility_verdicts(other, issuer_tier=1, class_dims=one, window=fungibility.own_window(plain))
    named = [verdict.field for verdict in verdicts if not verdict.passed]
    assert named
    assert all(field.startswith(axis) for field in named)


def test_section_3_issuer_tier_is_an_axis():
    plain = read_manifest(chat_day())
    one, two = (fungibility.dimensions(plain, issuer_tier=tier) for tier in (1, 2))
    assert {field for field in one if one[field] != two[field]} == {"issuer.tier"}


def test_section_3_has_no_other_axis():
    dims = fungibility.dimensions(read_manifest(chat_day()), issuer_tier=1)
    named = (*spec.CLASS_AXES, "issuer.tier", "settlement_policy.proof_requirements")
    assert [field for field in dims if not field.startswith(named)] == []


@pytest.mark.parametrize("field", spec.TRANSFER_POLICY)
def test_section_4_rule(field):
    """It has a code of the gate, whose case at the doors is a right under this rule; delegation has its own door."""
    code = spec.TRANSFER_POLICY[field]
    assert f"transfer_policy.{field}" in FIELDS
    if field == "delegable":
        assert code not in CODES
        return
    policy = WAYS[code].policy
    assert code in CODES
    assert field == "venue_allow" or (isinstance(policy, dict) and field in policy) or callable(policy)


def test_section_4_codes_are_rules_statuses_units_and_standing():
    statuses = {"right_not_active", "right_frozen", "right_expired", "right_fully_consumed", "right_finalized", "right_burned"}
    others = {"units_unavailable", "giver_suspended", "taker_suspended"}
    assert set(CODES) == set(spec.TRANSFER_POLICY.values()) - {"not_delegable"} | statuses | others


@pytest.mark.parametrize("kind", spec.PACKAGES)
def test_section_6_type(kind):
    part = package.PartFacts("r", 1, "baseline" if kind == "tranche" else "", "day" if kind == "strategy" else "")
    assert package.part_refusals(kind, [part]) == []
    assert set(spec.PACKAGES) == set(package.TYPES)


@pytest.mark.parametrize("workload", spec.WORKLOADS)
def test_section_7_workload(workload):
    assert capability.RESOURCE_OF[workload] in (spec.MANIFEST["resource.type"] or ())


@pytest.mark.parametrize("name", spec.MODES_OF_PRIVACY)
@pytest.mark.parametrize("mode", spec.PRIVACY_MODES)
def test_section_7_privacy(name, mode):
    assert (mode in capability.MODES_OF_PRIVACY[name]) == (mode in spec.MODES_OF_PRIVACY[name])


@pytest.mark.parametrize("path", spec.ISSUANCE_PATHS)
@pytest.mark.parametrize("mode", spec.ASSURANCE_MODES)
def test_section_7_path_names_who_and_which_modes(path, mode):
    """Each path takes some issuers and some modes, and refuses the others with their field."""
    named = PATHS[path]
    for issuer_type in parties.ISSUER_TYPES:
        refused = path_refusals(path, issuer_type, mode, "mode")
        assert (refused == []) == (issuer_type in named.issuer_types and mode in named.modes)
        assert all((why.code, why.field) == ("path_not_allowed", "mode") for why in refused)


def test_section_7_words():
    assert set(spec.WORKLOADS) == set(capability.WORKLOADS)
    assert set(spec.PRIVACY_MODES) == set(capability.PRIVACY_MODES)
    assert set(spec.ENVIRONMENTS) == set(capability.ENVIRONMENTS)
    assert set(spec.AVAILABILITIES) == set(capability.AVAILABILITIES)
    assert spec.MANIFEST["service.quality_band"] == capability.QUALITY_BANDS
    assert spec.MANIFEST["service.latency_class"] == capability.LATENCY_BANDS
    assert set(spec.ISSUANCE_PATHS) == set(PATHS)
    assert {mode for path in PATHS.values() for mode in path.modes} == set(spec.ASSURANCE_MODES)


DOCUMENTED = re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|", (DOCS / "events.md").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("kind", spec.EVENTS)
def test_section_10_type(kind):
    """It is documented; another test compares that page with what a day at the venue wrote down."""
    assert kind in DOCUMENTED


def test_section_10_what_belongs_to_later_versions_is_not_written():
    assert [kind for kind in DOCUMENTED if kind.startswith(spec.LATER_EVENTS)] == []


def test_the_registrys_invariants_are_asked():
    assert {"L4", "E1", "E2", "G1", "G2", "G3", "A1"} <= {check.code for check in CHECKS}
