"""Units locked by name, and units that change hands outside a book: the gate under the locks, units and money in one entry."""

import pytest

from exchange.audit.run import audit
from exchange.replay.snapshot import snapshot
from rights.kernel.ids import public
from rights.models import Right, UnitLock
from rights.services.freeze import freeze_right
from rights.services.locks import Lock
from rights.services.refusals import LifecycleRefusedError
from settlement.models import Balance
from settlement.services.transfer import Part, TransferRefused, transfer_units
from settlement.services.unit_locks import lock_units, release_units
from tests.registry_desk import MINT, NOW_US, Desk

pytestmark = pytest.mark.django_db(transaction=True)
REF = public("pkg", MINT.uuid(NOW_US))


@pytest.fixture
def desk():
    return Desk()


def lock(right, units, ref=REF):
    return Lock(str(right.pk), "route_lock", ref, units)


def hold(desk, *locks):
    lock_units(locks=locks, holder_id=desk.accounts["holder"].pk, now_us=NOW_US)


def move(desk, *parts, unlock=()):
    giver, taker = desk.accounts["holder"], desk.accounts["other"]
    return transfer_units(parts=parts, giver=giver, taker=taker, mint=MINT, actor="test", now_us=NOW_US + 1_000_000, unlock=unlock)


def broken():
    with snapshot():
        report = audit(now_us=NOW_US + 2_000_000)
    return {row.check for row in report.broken}


def clean():
    assert broken() == set()


def test_a_lock_reserves_and_its_release_gives_back(desk):
    first, second = desk.issue(100), desk.issue(50)
    hold(desk, lock(first, 60), lock(second, 50))
    first.refresh_from_db()
    assert first.reserved_units == 60
    assert sum(Balance.objects.filter(account=desk.accounts["holder"]).values_list("held", flat=True)) == 110
    assert broken() == {"route_locks"}  # no route is behind them
    assert sorted(lock.units for lock in release_units(refs=[REF], now_us=NOW_US)) == [50, 60]
    assert release_units(refs=[REF], now_us=NOW_US) == []
    assert Right.objects.get(pk=first.pk).reserved_units == 0
    clean()


def test_more_than_is_free_is_not_locked_and_nothing_of_it_stays(desk):
    first, second = desk.issue(100), desk.issue(50)
    with pytest.raises(LifecycleRefusedError, match="51 units asked"):
        hold(desk, lock(first, 60), lock(second, 51))
    assert not UnitLock.objects.exists()
    clean()


def test_only_the_holder_locks(desk):
    with pytest.raises(LifecycleRefusedError, match="not in the holder's hands"):
        hold(desk, lock(desk.issue(100, holder="other"), 1))


def test_locked_units_do_not_move_but_the_move_they_were_locked_for_takes_them(desk):
    right = desk.issue(100)
    hold(desk, lock(right, 100))
    with pytest.raises(TransferRefused, match="0 available"):
        move(desk, Part(str(right.pk), 100))
    moved = move(desk, Part(str(right.pk), 100), unlock=[REF])
    right.refresh_from_db()
    assert moved.receives == {str(right.pk): str(right.pk)}
    assert (right.holder_id, right.reserved_units) == (desk.accounts["other"].pk, 0)
    clean()


def test_a_part_becomes_a_child_and_every_part_moves_or_none(desk):
    whole, part = desk.issue(100), desk.issue(100)
    moved = move(desk, Part(str(whole.pk), 100), Part(str(part.pk), 30))
    child = Right.objects.get(pk=moved.receives[str(part.pk)])
    assert (child.parent_id, child.remaining_units, child.holder) == (part.pk, 30, desk.accounts["other"])
    freeze_right(right_id=str(part.pk), freeze_reason="dispute", note="test", actor="test", now_us=NOW_US)
    third = desk.issue(100)
    with pytest.raises(TransferRefused) as refused:
        move(desk, Part(str(third.pk), 100), Part(str(part.pk), 30))
    assert {r.verdict.code for r in refused.value.refusals} == {"right_frozen"}
    third.refresh_from_db()
    assert third.holder == desk.accounts["holder"]
    clean()


def test_every_shut_gate_of_every_part_is_named(desk):
    held = desk.issue(100, transfer_policy={"transferable": False, "denied_holders": [public("acc", str(desk.accounts["other"].uuid))]})
    foreign = desk.issue(100, holder="other")
    with pytest.raises(TransferRefused) as refused:
        move(desk, Part(str(held.pk), 101), Part(str(foreign.pk), 1))
    assert [r.verdict.code for r in refused.value.refusals] == [
        "not_transferable",
        "units_unavailable",
        "holder_denied",
        "right_not_held",
    ]
