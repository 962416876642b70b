"""Manifests: every example has its verdict, and one meaning has one form and one hash."""

import json
from contextlib import nullcontext

import msgspec
import pytest
from django.core.management import CommandError, call_command
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from exchange.management.commands import check_manifest
from rights.domain.canonical_json import NotCanonicalError, canonical_json
from rights.domain.manifest import SCHEMA, ManifestRefusedError, read_manifest, stored_manifest
from rights.domain.reference_manifests import reference_manifests, verdict_of
from tests.unit.rights.domain.manifests import FIXTURES, chat_day, names, valid

GOLDEN = json.loads((FIXTURES / "golden.json").read_text(encoding="utf-8"))


def faults_of(document):
    with pytest.raises(ManifestRefusedError) as caught:
        read_manifest(document)
    return [(fault.field, fault.code) for fault in caught.value.faults]


def test_the_schema_is_a_schema():
    Draft202012Validator.check_schema(SCHEMA)
    assert len(names("valid")) + len(names("invalid")) >= 40


@pytest.mark.parametrize("name", names("valid"))
def test_valid_examples_keep_their_hash(name):
    manifest = read_manifest(valid(name))
    assert manifest.terms_hash == GOLDEN[name]["terms_hash"]
    assert read_manifest(manifest.document) == manifest
    assert stored_manifest(manifest.text, manifest.terms_hash) == manifest
    assert manifest.document.keys() == SCHEMA["properties"].keys()


@pytest.mark.parametrize("reference", reference_manifests(), ids=lambda reference: reference.name)
def test_every_example_gets_exactly_its_verdict(reference):
    assert verdict_of(reference.manifest) == (tuple(sorted(reference.expect)), reference.terms_hash)
    assert reference.about.endswith(".")


def test_the_examples_are_tried_by_command(tmp_path, capsys, monkeypatch):
    call_command("check_manifest", reference=True)
    assert f"{len(names('valid')) + len(names('invalid'))} reference manifests, 0 with another verdict" in capsys.readouterr().out
    path = tmp_path / "manifest.json"
    for reference in reference_manifests():
        if reference.name == "control-characters":  # not even JSON that is taken here
            continue
        path.write_text(json.dumps(reference.manifest))
        with pytest.raises(SystemExit) if reference.expect else nullcontext():
            call_command("check_manifest", str(path))
        said = capsys.readouterr().out
        if reference.expect:
            assert all(f"({code})" in said and field in said for field, code in reference.expect), reference.name
        else:
            assert json.loads(said)["terms_hash"] == reference.terms_hash
    wrong = msgspec.structs.replace(reference_manifests()[0], terms_hash="0" * 64)
    monkeypatch.setattr(check_manifest, "reference_manifests", lambda: (wrong,))
    with pytest.raises(SystemExit):
        call_command("check_manifest", reference=True)
    assert "WRONG" in capsys.readouterr().out
    with pytest.raises(CommandError):
        call_command("check_manifest")


def test_every_rule_across_fields_is_published_and_exampled():
    codes = {rule["code"] for rule in SCHEMA["x-rules"]}
    exampled = set()
    for name in names("invalid"):
        exampled |= {fault["code"] for fault in json.loads((FIXTURES / "invalid" / f"{name}.json").read_text(encoding="utf-8"))["expect"]}
    assert codes <= exampled


def test_order_spelling_and_defaults_do_not_change_the_terms():
    plain = read_manifest(chat_day())
    assert plain.terms_hash == read_manifest(chat_day(resource={"capability_tags": ["json-mode", "tool-use"]})).terms_hash
    assert plain.terms_hash == read_manifest(chat_day(window={"start": "2026-12-01T00:00:00.000Z", "mode": "fixed"})).terms_hash
    assert plain.terms_hash == read_manifest(chat_day(transfer_policy={"transferable": True})).terms_hash
    assert plain.terms_hash != read_manifest(chat_day(transfer_policy={"splittable": False})).terms_hash


@pytest.mark.parametrize("document", [None, [], "x", 1, True, {}, {"version": {}}, {"resource": [], "window": "x", "issuer": None}])
def test_what_is_no_manifest_is_refused(document):
    assert faults_of(document)


NASTY = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.text(max_size=8),
        st.sampled_from(["any", "0", "-1", "٣", "1e3", " 7 ", "9" * 25, "2026-13-01T00:00:00Z", "0000-01-01T00:00:00Z", "\ud800", "\x00"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=6,
)
PATHS = [(section, name) for section, inner in SCHEMA["properties"].items() for name in inner.get("properties", {"": 0})]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(PATHS), NASTY)
def test_nasty_values_are_taken_whole_or_refused_by_name(path, value):
    section, name = path
    document = valid("every-field")
    if name:
        document[section][name] = value
    else:
        document[section] = value
    try:
        read_manifest(document)
    except ManifestRefusedError as refusal:
        assert refusal.field_errors
        assert all(set(error) == {"field", "code", "detail"} for error in refusal.field_errors)


def test_canonical_json_follows_rfc_8785():
    # The example of RFC 8785, section 3.2.3 (names by UTF-16 code units), and the escapes of 3.2.2.2.
    value = {"\u20ac": "Euro", "\r": "CR", "\ufb33": "Dalet", "1": "One", "\U0001f600": "Grin", "\u0080": "Ctrl", "\u00f6": "o"}
    assert list(json.loads(canonical_json(value))) == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert canonical_json('\u20ac$\u000f\nA\'B"\\\\"/') == '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'.encode()
    assert canonical_json({"b": [True, None, -5], "a": {}}) == b'{"a":{},"b":[true,null,-5]}'


@pytest.mark.parametrize("value", [1.0, float("nan"), 2**53, {1: 2}, "\ud800", b"x", {"a": [0.5]}])
def test_what_has_no_canonical_form_is_refused(value):
    with pytest.raises(NotCanonicalError):
        canonical_json(value)


def test_a_rolling_window_ends_by_its_activation_but_never_late():
    manifest = read_manifest(valid("gpu-rolling"))
    day_us = 86_400_000_000
    assert manifest.ends_us(None) == manifest.window_end_us
    assert manifest.ends_us(manifest.window_start_us) == manifest.window_start_us + day_us
    assert manifest.ends_us(manifest.window_end_us - 1) == manifest.window_end_us
