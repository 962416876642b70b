"""`manage.py issue_right ISSUER HOLDER MANIFEST.json`, as an operator types it."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from rights.kernel import clock
from rights.models import Right
from tests.registry_desk import NOW_US, Desk
from tests.unit.rights.domain.manifests import chat_day

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(monkeypatch):
    monkeypatch.setattr("exchange.management.commands.issue_right.now_us", lambda: NOW_US)
    return Desk()


@pytest.fixture
def issue(tmp_path):
    def run(document, issuer="issuer", holder="holder"):
        path = tmp_path / "manifest.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
        printed = StringIO()
        call_command("issue_right", issuer, holder, str(path), stdout=printed)
        return json.loads(printed.getvalue())

    return run


@pytest.mark.parametrize("by_account", [False, True])
def test_it_issues_activates_and_prints_the_right(desk, issue, by_account):
    account = desk.accounts["holder"]
    shown = issue(chat_day(), holder=f"acc_{account.uuid}" if by_account else "holder")
    right = Right.objects.get()
    assert shown["id"] == f"rgt_{right.pk}"
    assert (shown["status"], shown["holder"], shown["controller"]) == ("active", f"acc_{account.uuid}", f"acc_{account.uuid}")
    assert (shown["max_amount"], shown["remaining_amount"], shown["reserved_amount"]) == ("50000000", "50000000", "0")
    assert (shown["parent_right_id"], shown["root_right_id"]) == (None, shown["id"])
    assert shown["resource"]["amount"] == "50000000"
    assert shown["class_key"] == "TXT.CHAT.STD.INT.PRV"
    assert shown["instruments"] == []
    assert shown["activated_at"] == clock.rfc3339(NOW_US)
    assert all(gate["passed"] for gate in shown["gates"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"holder": "nobody"}, "no participant or account nobody"),
        ({"holder": "acc_01930000-0000-7000-8000-000000000001"}, "no participant or account acc_"),
        ({"issuer": "nobody"}, "no issuer nobody"),
        ({"document": "{"}, "manifest.json: "),
        ({"document": '{"version": 1.5}'}, "manifest.json: "),
        ({"document": "[]"}, "must be an object"),
        ({"document": chat_day(resource={"amount": 5})}, r"resource\.amount: must be a text .*\(wrong_type\)"),
        ({"document": chat_day(assurance={"reference": "gone"})}, "assurance_missing: issuer issuer has posted no assurance called gone"),
        ({"document": chat_day(resource={"amount": "100000001"})}, "capacity_exhausted: 100000001 units asked, 100000000 may still"),
        ({"document": chat_day(window={"end": "2026-12-03T00:00:00Z"})}, "assurance_window"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(desk, issue, change, words):
    with pytest.raises(CommandError, match=words):
        issue(**{"document": chat_day(), **change})
    assert not Right.objects.exists()


def test_a_missing_file_is_said(desk):
    with pytest.raises(CommandError, match="can't read /nowhere"):
        call_command("issue_right", "issuer", "holder", "/nowhere")


def test_the_demos_capacity_has_room_for_ones_own_right(tmp_path):
    call_command("seed_demo", "--json", stdout=StringIO())
    shown = Right.objects.filter(series__compute_class__key="TXT.CHAT.STD.INT.PRV").select_related("terms")[:1].get()
    manifest = json.loads(shown.terms.manifest)
    manifest["resource"]["amount"] = "3000000"
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(manifest), encoding="utf-8")
    printed = StringIO()
    call_command("issue_right", "issuer", "seller", str(path), stdout=printed)
    right = json.loads(printed.getvalue())
    assert right["status"] == "active"
    assert right["instruments"][0].startswith("TXT.CHAT.STD.INT.PRV-")
