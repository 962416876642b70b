"""After every kind of registry act the events rebuild the rights, and the audit finds nothing."""

import pytest

from exchange.audit.run import audit
from exchange.replay.event_walk import walk_events
from exchange.replay.snapshot import snapshot
from rights.domain.lifecycle import FreezeReason
from rights.services.activate import activate_right
from rights.services.freeze import freeze_right
from rights.services.split import merge_rights, split_right
from settlement.services import endings, issuance
from tests.registry_desk import DAY_US, MINT, NOW_US, START_US, Desk

pytestmark = pytest.mark.django_db(transaction=True)
END_US = START_US + DAY_US


def split(right, units):
    return split_right(right_id=str(right.pk), units=units, child_id=MINT.uuid(NOW_US), actor="test", now_us=NOW_US)[1]


def merge(source, target):
    merge_rights(source_id=str(source.pk), target_id=str(target.pk), actor="test", now_us=NOW_US)


def freeze(right, reason):
    freeze_right(right_id=str(right.pk), freeze_reason=reason, note="test", actor="test", now_us=NOW_US)


def thaw(right, now_us):
    endings.unfreeze_right(right_id=str(right.pk), note="test", mint=MINT, actor="test", now_us=now_us)


def expire(right):
    endings.expire_right(right_id=str(right.pk), mint=MINT, actor="test", now_us=END_US)


def burn(right):
    issuance.burn_right(right_id=str(right.pk), reason="test", mint=MINT, actor="test", now_us=NOW_US)


def test_a_life_of_every_kind_replays_and_audits_clean():
    desk = Desk()
    root = desk.issue(1000)
    children = [split(root, units) for units in (100, 200, 300)]
    merge(children[0], children[1])
    grandchildren = [split(children[1], 50), split(children[1], 60)]
    merge(*grandchildren)
    waiting = desk.issue(70, activate=False)
    part = split(waiting, 20)
    activate_right(right_id=str(part.pk), actor="test", now_us=NOW_US + 1)
    burn(waiting)
    frozen = [desk.issue(10) for _ in FreezeReason]
    for right, reason in zip(frozen, FreezeReason, strict=True):
        freeze(right, reason)
    thaw(frozen[0], NOW_US + 2)
    burn(frozen[1])
    check(NOW_US + 3)
    thaw(frozen[2], END_US)
    expire(root)
    expire(grandchildren[1])
    expire(part)
    check(END_US)


def check(now_us):
    with snapshot():
        assert walk_events().findings.listed == []
        assert [(broken.name, broken.rows) for broken in audit(now_us=now_us).broken] == []
