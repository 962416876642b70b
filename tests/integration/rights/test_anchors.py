"""Anchors cover every event once, in order, and are signed by a key the registry has published."""

import json
import stat
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import override_settings

from exchange.services import anchoring
from exchange.services.venue_key import current_signer, rotate, stored_signer
from rights.domain.anchor_body import GENESIS, hash_of
from rights.domain.canonical_json import canonical_json
from rights.domain.merkle import root_of
from rights.domain.signing import Signer, is_signed
from rights.kernel import rows
from rights.models import Anchor, AnchorSpan, Event, VenueKey
from rights.services import anchor as anchors
from rights.services.venue_keys import VenueKeyRefusal, publish_key
from tests.honest_market import tamper
from tests.registry_desk import NOW_US, Desk

pytestmark = pytest.mark.django_db
SEED, OTHER = "11" * 32, "22" * 32


@pytest.fixture
def desk():
    with override_settings(VENUE_KEY=SEED):
        yield Desk()


def make(now_us=NOW_US):
    return anchoring.anchor_now(actor="test", now_us=now_us)


def leaves_of(anchor):
    """The events an anchor covers, in the order of its leaves."""
    found = []
    for span in AnchorSpan.objects.filter(anchor=anchor).order_by("first_leaf"):
        assert span.first_leaf == len(found)
        events = Event.objects.filter(stream=span.stream, seq__range=(span.first_seq, span.last_seq)).order_by("seq")
        found += list(events.values_list("hash", flat=True))
        assert found[-1] == span.head_hash
    return found


def test_an_anchor_is_the_root_of_all_that_is_new(desk):
    desk.issue()
    (anchor,) = make()
    hashes = leaves_of(anchor)
    before = Event.objects.exclude(type="anchor.made").order_by("stream", "seq")
    assert hashes == list(before.values_list("hash", flat=True))
    assert (anchor.number, anchor.leaves, anchor.root) == (1, len(hashes), root_of(bytes.fromhex(h) for h in hashes).hex())
    body = json.loads(anchor.body)
    assert canonical_json(body).decode() == anchor.body
    assert hash_of(body) == anchor.hash
    assert (body["previous"], body["log_root"], body["key_id"]) == (GENESIS, root_of([]).hex(), Signer(SEED).key_id)
    assert is_signed(public_key=Signer(SEED).public_key, signature=anchor.signature, data=anchor.body.encode())


def test_the_anchor_is_an_event_that_the_next_one_covers(desk):
    (first,) = make()
    event = Event.objects.get(type="anchor.made")
    assert event.object_id == f"anc_{first.uuid}"
    assert json.loads(event.body)["payload"] == {"anchor": json.loads(first.body), "signature": first.signature}
    assert make() == []  # nothing but the anchor itself was added
    desk.issue()
    (second,) = make(NOW_US + 1)
    assert event.hash in leaves_of(second)
    body = json.loads(second.body)
    assert (body["number"], body["previous"]) == ("2", first.hash)
    assert body["log_root"] == anchors.log_root([first.hash])


def test_every_event_is_covered_once(desk, monkeypatch):
    monkeypatch.setattr(anchors, "MOST_LEAVES", 7)
    for units in range(5):
        desk.issue(units + 1)
    made = make()
    assert [anchor.leaves for anchor in made[:-1]] == [7] * (len(made) - 1)
    assert len(made) > 2
    covered = [digest for anchor in made for digest in leaves_of(anchor)]
    assert len(covered) == len(set(covered))
    last = list(Event.objects.filter(type="anchor.made").order_by("seq").values_list("hash", flat=True))[-1]
    left = set(Event.objects.values_list("hash", flat=True)) - set(covered)
    assert last in left
    assert not Event.objects.filter(hash__in=left).exclude(type="anchor.made").exists()


def test_the_timetable_anchors_when_it_is_time_and_there_is_something(desk):
    def due(now_us):
        return anchoring.anchor_due(actor="timetable", now_us=now_us)

    assert due(NOW_US) == 1
    desk.issue()
    with override_settings(ANCHOR_EVERY_S=60):
        assert due(NOW_US + 59_999_999) == 0
        assert due(NOW_US + 60_000_000) == 1
        assert due(NOW_US + 10**9) == 0
    desk.issue()
    with override_settings(VENUE_KEY=OTHER):
        assert due(NOW_US + 10**9) == 0  # not the venue's key: others anchor
    assert due(NOW_US + 10**9) == 1


def test_nothing_is_anchored_over_a_hole(desk):
    desk.issue()
    tamper("DELETE FROM rights_event WHERE seq = 2")
    with pytest.raises(anchors.JournalBroken):
        make()
    assert not Anchor.objects.exists()


def test_anchors_are_memory(desk):
    make()
    rows.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for act in ("UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {} CASCADE"):
        for table in ("rights_anchor", "rights_anchorspan"):
            with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
                rows.execute(act.format(table))


def test_the_command(desk, capsys):
    desk.issue()
    call_command("anchor")
    told = json.loads(capsys.readouterr().out)
    assert told["id"] == f"anc_{Anchor.objects.get().uuid}"
    call_command("anchor")
    assert capsys.readouterr().out == ""
    with override_settings(VENUE_KEY=OTHER), pytest.raises(CommandError, match="the venue signs with key"):
        call_command("anchor")


class TestKeys:
    def test_a_file_of_ones_own_is_made_once(self, db, tmp_path: Path):
        with override_settings(VENUE_KEY="", DATA_DIR=tmp_path):
            assert stored_signer() is None
            signer = current_signer(actor="test", now_us=NOW_US)
            path = tmp_path / "venue_key"
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert [entry.name for entry in tmp_path.iterdir()] == ["venue_key"]
            assert current_signer(actor="test", now_us=NOW_US).key_id == signer.key_id
            assert Signer(path.read_text()).public_key == signer.public_key
        row = VenueKey.objects.get()
        assert (row.key_id, row.public_key, row.retired_at) == (signer.key_id, signer.public_key, None)
        assert list(Event.objects.values_list("type", "object_id")) == [("venue_key.published", signer.key_id)]

    def test_a_rotation_retires_the_old_key_for_good(self, db, tmp_path: Path, capsys):
        with override_settings(VENUE_KEY="", DATA_DIR=tmp_path):
            old = current_signer(actor="test", now_us=NOW_US)
            old_seed = (tmp_path / "venue_key").read_text()
            call_command("venue_key", "--rotate", "--reason", "yearly")
            told = json.loads(capsys.readouterr().out)
            new = current_signer(actor="test", now_us=NOW_US)
            assert told == {"key_id": new.key_id, "public_key": new.public_key}
            assert new.key_id != old.key_id
            with pytest.raises(CommandError, match="state a reason"):
                call_command("venue_key", "--rotate")
        assert VenueKey.objects.get(retired_at=None).key_id == new.key_id
        assert VenueKey.objects.exclude(retired_at=None).get().key_id == old.key_id
        with override_settings(VENUE_KEY=old_seed), pytest.raises(VenueKeyRefusal, match="was retired"):
            current_signer(actor="test", now_us=NOW_US)
        with override_settings(VENUE_KEY=old_seed), pytest.raises(VenueKeyRefusal, match="does not come back"):
            rotate(reason="again", actor="test", now_us=NOW_US)

    def test_the_setting_comes_before_the_file(self, db, tmp_path: Path):
        with override_settings(VENUE_KEY=SEED, DATA_DIR=tmp_path):
            assert current_signer(actor="test", now_us=NOW_US).key_id == Signer(SEED).key_id
            assert list(tmp_path.iterdir()) == []
            with override_settings(VENUE_KEY=OTHER):
                assert rotate(reason="new machine", actor="test", now_us=NOW_US).key_id == Signer(OTHER).key_id
            assert list(tmp_path.iterdir()) == []
        with override_settings(VENUE_KEY="no key"), pytest.raises(VenueKeyRefusal, match="VENUE_KEY: a private key is 64"):
            current_signer(actor="test", now_us=NOW_US)

    def test_one_key_is_live(self, db):
        publish_key(public_key=Signer(SEED).public_key, actor="test", now_us=NOW_US)
        publish_key(public_key=Signer(SEED).public_key, actor="test", now_us=NOW_US)
        with pytest.raises(VenueKeyRefusal, match="this process has another one"):
            publish_key(public_key=Signer(OTHER).public_key, actor="test", now_us=NOW_US)
        with pytest.raises(IntegrityError, match="venue_key_live_once"), transaction.atomic():
            rows.execute("INSERT INTO rights_venuekey (key_id, public_key, created_at) VALUES ('x', 'y', now())")
        assert Event.objects.count() == 1
