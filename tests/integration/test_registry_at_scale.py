"""Pages of a large registry find what they show by an index. The registry is the bench's own, small; the server is told that it is large."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.db import connection, transaction

from benchmarks import registry
from benchmarks.registry_load import Loaded, Sizes, load
from benchmarks.registry_plans import whole_reads
from exchange.replay.event_chain import Chain
from exchange.replay.event_source import events_of, stream_heads
from exchange.replay.finding import Findings
from exchange.replay.right_state import RightStates
from exchange.replay.right_tables import StateHash, compare_rights
from exchange.selectors import registry as reads
from exchange.services import deliverable, rules
from exchange.services.identity import Principal
from rights.kernel import rows
from rights.kernel.clock import now_us
from rights.models import Account, Issuer, Right
from rights.services import reception

pytestmark = pytest.mark.django_db  # has the test database made; `loaded` works in it by itself
SIZES = Sizes(rights=1500, events=6000)
TOLD = {"rights_right": 1_000_000, "rights_event": 5_000_000}  # rows that the server believes there are


@pytest.fixture(scope="module")
def loaded(django_db_setup: None, django_db_blocker: Any) -> Iterator[Loaded]:
    with django_db_blocker.unblock():
        outer = transaction.atomic()
        outer._from_testcase = True  # durable blocks may run inside
        with outer:
            for forget in (rules.forget, deliverable.forget, reception.forget_policies):
                forget()
            yield load(SIZES, now_us=now_us())
            transaction.set_rollback(True)
        for forget in (rules.forget, deliverable.forget, reception.forget_policies):
            forget()
        connection.close()


@pytest.fixture(scope="module")
def believed(loaded: Loaded) -> Loaded:
    """The server plans as for a registry of full size: its tables are as they are, its idea of their rows is not."""
    for table, count in TOLD.items():
        told = "SELECT pg_restore_relation_stats('schemaname', 'public', 'relname', %s::text, 'reltuples', %s::real)"
        if not rows.fetch_one("SELECT to_regproc('pg_restore_relation_stats') IS NOT NULL")[0]:
            pytest.skip("this server can't be told so")
        assert rows.fetch_one(told, [table, count])[0]
    return loaded


def test_what_is_loaded_is_what_its_events_say(loaded: Loaded) -> None:
    assert (loaded.rights, Right.objects.count()) == (SIZES.rights, SIZES.rights)
    assert loaded.events > SIZES.events // 2
    findings, kinds = Findings(), set()
    for head in stream_heads():
        if not head.stream.startswith("series:"):
            continue
        chain, states = Chain(), RightStates()
        for row in events_of(head):
            faults, body = chain.faults(row)
            assert faults == []
            if states.knows(row.type):
                kinds.add(row.type)
                states.apply(row.type, body["payload"], row.at)
        assert chain.end_faults(head) == []
        compare_rights(int(head.stream_id), states, StateHash(), findings)
    assert not findings, findings.listed[:3]
    told = ("issued", "activated", "split", "merged", "transferred", "frozen", "expired")
    assert kinds >= {f"right.{kind}" for kind in told}


def test_no_page_reads_a_large_table_from_end_to_end(believed: Loaded) -> None:
    asked = registry.pages(believed, registry.here)
    assert len(asked) > 20
    found = {page.name: scans for page in asked if (scans := registry.scans(page, large=100_000))}
    assert found == {}


def test_a_page_that_does_is_named(believed: Loaded) -> None:
    (scan,) = whole_reads(lambda: list(Right.objects.filter(freeze_reason="dispute").values_list("pk")), large=100_000)
    assert scan.startswith("Seq Scan on rights_right (1000000 rows): SELECT")
    sql = "SELECT count(*) FROM rights_event WHERE hash = %s AND %s::text IS NOT NULL"
    (scan,) = whole_reads(lambda: rows.fetch_one(sql, ["0" * 64, "x"]), large=100_000)
    assert scan.startswith("Seq Scan on rights_event (5000000 rows): SELECT")


def _principal(account: Account, *scopes: str) -> Principal:
    return Principal(
        account_id=account.pk,
        account_uuid=str(account.uuid),
        participant_id=account.participant_id,
        participant_slug=account.participant.slug,
        holder_type=account.holder_type,
        scopes=frozenset({"read", *scopes}),
        actor="test",
        key_id=None,
        user_id=None,
    )


def test_a_page_is_what_the_caller_may_see_newest_first(loaded: Loaded) -> None:
    """Every filter with every other, for each kind of caller, against the plain question; page by page."""
    holder, other = (Account.objects.select_related("participant").get(pk=pk) for pk in loaded.holders[:2])
    issuer = Issuer.objects.order_by("pk").first()
    assert issuer is not None
    desk = Account.objects.select_related("participant").get(participant=issuer.participant)
    callers = [_principal(holder), _principal(desk, "issue"), _principal(desk, "audit"), _principal(holder, "issue")]
    holders = (None, str(holder.uuid), str(other.uuid), "00000000-0000-7000-8000-000000000000")
    classes = (None, loaded.classes[0], "NO.SUCH.CLASS")
    seen = 0
    for who, at, key, status, slug in product(callers, holders, classes, (None, "frozen"), (None, issuer.slug)):
        wanted = reads.visible(who)
        for asked, field in ((at, "holder__uuid"), (key, "series__compute_class__key"), (status, "status"), (slug, "issuer__slug")):
            wanted = wanted if asked is None else wanted.filter(**{field: asked})
        expected = list(wanted.order_by("-pk").values_list("pk", flat=True)[:41])
        seen += len(expected)
        found = [right.pk for right in reads.rights(who, limit=40, holder_uuid=at, class_key=key, status=status, after=None, issuer=slug)]
        assert found == expected
        if len(expected) > 40:
            last = str(expected[19])
            rest = reads.rights(who, limit=20, holder_uuid=at, class_key=key, status=status, after=last, issuer=slug)
            assert [right.pk for right in rest] == expected[20:]
    assert seen > 500


def test_a_registry_that_was_kept_is_asked_again(loaded: Loaded, tmp_path: Path) -> None:
    made = registry.Registry(SIZES, registry.Sold(400, [("rgt_x", loaded.holders[0])], []), loaded)
    kept, said = tmp_path / "registry.json", []
    kept.write_bytes(msgspec.json.encode(made))
    assert registry.filled(kept, SIZES, fills=400, say=said.append) == made
    assert said == [f"{SIZES.rights} rights, {loaded.events} events in {loaded.series} series are there already"]
    with pytest.raises(ValueError, match="cut short"):
        registry.filled(tmp_path / "nothing.json", SIZES, fills=400, say=said.append)
    for sizes, fills in ((SIZES, 500), (Sizes(rights=SIZES.rights, events=1), 400)):
        with pytest.raises(ValueError, match="ask for as many"):
            registry.filled(kept, sizes, fills=fills, say=said.append)
