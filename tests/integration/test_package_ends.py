"""What a right's end does to the packages it is in, and that nothing that can't end yet keeps other rights from ending."""

import pytest
from django.db import connection

from exchange.audit.run import audit
from exchange.replay.run import replay
from exchange.services import expiry
from rights.domain.package import PartFacts
from rights.models import Package, Right
from rights.services.freeze import freeze_right
from rights.services.locks import Lock
from settlement.services.packages import Composition, create_package, parts_of
from settlement.services.unit_locks import lock_units, release_units
from tests.registry_desk import DAY_US, MINT, NOW_US, START_US, Desk

pytestmark = pytest.mark.django_db
END_US = START_US + DAY_US
LONGER = {"window": {"end": "2026-12-03T00:00:00Z"}}


@pytest.fixture
def desk():
    desk = Desk()
    desk.assure(patch=LONGER, gross_units=10_000)
    return desk


def compose(desk, kind, *parts):
    told = {"package_id": MINT.uuid(NOW_US), "actor": "test", "now_us": NOW_US}
    return create_package(holder=desk.accounts["holder"], composition=Composition(kind, "x", parts), **told)


def part(right, units, tier=""):
    return PartFacts(str(right.pk), units, tier)


def ended(most=200):
    return expiry.expire_due(mint=MINT, now_us=END_US, most=most)


def status(right):
    return Right.objects.values_list("status", "reserved_units").get(pk=right.pk)


def clean():
    assert audit(now_us=END_US).broken == []
    assert replay().differences == {}


def test_a_package_of_ended_rights_is_taken_apart(desk):
    right = desk.issue(100)
    package = compose(desk, "bundle", part(right, 60))
    assert ended() == 1
    package.refresh_from_db()
    assert (package.state, parts_of(package), status(right)) == ("finalized", [], ("expired", 0))
    clean()


@pytest.mark.parametrize(("kind", "tiers", "state"), [("bundle", ("", ""), "active"), ("tranche", ("baseline", "overflow"), "finalized")])
def test_what_is_left_stays_a_package_where_it_has_its_shape(desk, kind, tiers, state):
    short, longer = desk.issue(100), desk.issue(100, **LONGER)
    package = compose(desk, kind, part(short, 60, tiers[0]), part(longer, 70, tiers[1]))
    assert ended() == 1
    package.refresh_from_db()
    kept = [part(longer, 70)] if state == "active" else []
    assert (package.state, package.revision, parts_of(package)) == (state, 2, kept)
    assert [status(short), status(longer)] == [("expired", 0), ("active", 70 if kept else 0)]
    clean()


def test_a_frozen_part_keeps_no_other_from_leaving(desk):
    short, frozen = desk.issue(100), desk.issue(100, **LONGER)
    package = compose(desk, "bundle", part(short, 60), part(frozen, 70))
    freeze_right(right_id=str(frozen.pk), freeze_reason="dispute", note="x", actor="test", now_us=NOW_US)
    assert ended() == 1
    assert parts_of(Package.objects.get(pk=package.pk)) == [part(frozen, 70)]
    clean()


def test_a_right_that_can_not_end_yet_keeps_no_later_one_from_ending(desk):
    """The oldest one's units are in dispute; a look at one right a time goes past it."""
    disputed, later = desk.issue(100), desk.issue(100)
    lock_units(locks=[Lock(str(disputed.pk), "dispute", "dsp_1", 10)], holder_id=disputed.holder_id, now_us=NOW_US)
    assert ended(most=1) == 1
    assert [status(disputed), status(later)] == [("active", 10), ("expired", 0)]
    assert ended(most=1) == 0
    release_units(refs=["dsp_1"], now_us=END_US)  # the audit knows of no such dispute
    clean()


def ddl(*statements):
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for statement in statements:
            cursor.execute(statement)


def test_a_right_whose_end_the_database_refuses_keeps_no_other_from_ending(desk):
    refused, later = desk.issue(100), desk.issue(100)
    ddl(f"ALTER TABLE rights_right ADD CONSTRAINT lives_on CHECK (id <> '{refused.pk}' OR status <> 'expired')")
    assert ended() == 1
    assert [status(refused), status(later)] == [("active", 0), ("expired", 0)]
    ddl("ALTER TABLE rights_right DROP CONSTRAINT lives_on")
    assert ended() == 1
    clean()
