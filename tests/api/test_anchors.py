"""Anchors and proofs over REST, and a stranger who checks them with the page's own lines."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import override_settings

from exchange.services import anchoring
from rights.models import Event

PAGE = Path(__file__).resolve().parents[2] / "docs" / "anchors.md"


@pytest.fixture
def anchored(desk):
    """Two anchors, and events that neither covers."""
    with override_settings(VENUE_KEY="11" * 32):
        for _ in range(2):
            desk.issue()
            anchoring.anchor_now(actor="test", now_us=desk.now_us)
        desk.issue()
        yield desk


def event_id(event):
    return f"evt_{event.id}"


def test_the_newest_comes_first(anchored, caller):
    stranger = caller()
    first = stranger.get("anchors?limit=1").json()
    assert [row["number"] for row in first["data"]] == ["2"]
    rest = stranger.get(f"anchors?limit=1&cursor={first['next_cursor']}").json()
    assert ([row["number"] for row in rest["data"]], rest["next_cursor"]) == (["1"], None)
    one = stranger.get(f"anchors/{first['data'][0]['id']}").json()
    assert json.loads(one["body"])["previous"] == rest["data"][0]["hash"]


def test_every_anchored_event_has_its_proof_and_no_other(anchored, caller, tmp_path, capsys):
    stranger = caller()
    keys = tmp_path / "keys.json"
    keys.write_bytes(stranger.client.get("/.well-known/venue-keys").content)
    script = tmp_path / "check.py"
    script.write_text(re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0])
    covered = 0
    for event in Event.objects.order_by("stream", "seq"):
        found = stranger.get(f"anchors?event={event_id(event)}").json()["data"]
        if not found:
            continue
        covered += 1
        proof = stranger.get(f"anchors/{found[0]['id']}/proof?event={event_id(event)}").json()
        assert proof["event_hash"] == event.hash
        path = tmp_path / "proof.json"
        path.write_text(json.dumps(proof))
        call_command("verify", str(path), keys=str(keys))
        if covered % 7 == 1:
            done = subprocess.run([sys.executable, str(script), str(path), str(keys)], capture_output=True, text=True, check=False)
            assert (done.returncode, done.stdout[:9]) == (0, "in anchor"), done.stderr
    assert 0 < covered < Event.objects.count()
    assert capsys.readouterr().out.count("ok: the event is in the anchor") == covered


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"event_hash": "0" * 64}, "the path does not lead"),
        ({"leaf_index": "99999"}, "the path does not lead"),
        ({"leaves": "1"}, "another number of leaves"),
        ({"path": []}, "the path does not lead"),
        ({"public_key": "0" * 64}, "the key id is not that"),
        ({"anchor": {}}, "not an inclusion proof"),
    ],
)
def test_a_changed_proof_is_found(anchored, caller, tmp_path, capsys, change, fault):
    stranger = caller()
    event = Event.objects.order_by("stream", "seq")[2]
    anchor = stranger.get(f"anchors?event={event_id(event)}").json()["data"][0]
    proof = stranger.get(f"anchors/{anchor['id']}/proof?event={event_id(event)}").json()
    path = tmp_path / "proof.json"
    path.write_text(json.dumps(proof | change))
    with pytest.raises(SystemExit):
        call_command("verify", str(path))
    assert fault in capsys.readouterr().out


def test_another_venues_keys_and_times(anchored, caller, tmp_path, capsys):
    stranger = caller()
    event = Event.objects.order_by("stream", "seq")[2]
    anchor = stranger.get(f"anchors?event={event_id(event)}").json()["data"][0]
    path, keys = tmp_path / "proof.json", tmp_path / "keys.json"
    path.write_text(json.dumps(stranger.get(f"anchors/{anchor['id']}/proof?event={event_id(event)}").json()))
    listed = stranger.client.get("/.well-known/venue-keys").json()["keys"]
    assert [(key["kty"], key["crv"], key["until"]) for key in listed] == [("OKP", "Ed25519", None)]
    for wrong, fault in (
        ([], "is not one of the venue's"),
        ([listed[0] | {"until": listed[0]["from"]}], None),
        ([listed[0] | {"from": "2030-01-01T00:00:00Z"}], "was not the venue's at"),
    ):
        keys.write_text(json.dumps({"keys": wrong}))
        if fault is None:
            call_command("verify", str(path), keys=str(keys))
            continue
        with pytest.raises(SystemExit):
            call_command("verify", str(path), keys=str(keys))
        assert fault in capsys.readouterr().out


def test_what_is_not_there(anchored, caller):
    stranger = caller()
    anchor = stranger.get("anchors").json()["data"][0]
    left_over = Event.objects.order_by("-id")[0]
    assert stranger.get(f"anchors/{anchor['id']}/proof?event={event_id(left_over)}").status_code == 404
    assert stranger.get(f"anchors/{anchor['id']}/proof").json()["field_errors"][0]["field"] == "event"
    assert stranger.get("anchors/anc_1").status_code == 404
    assert stranger.get("anchors?event=evt_1").json()["field_errors"][0]["field"] == "event"
    assert stranger.get("anchors?event=evt_0192e4a0-0000-7000-8000-000000000000").json()["data"] == []
