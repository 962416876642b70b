"""A right's life in the database: split, merge, freeze, unfreeze, expire, burn; units never get lost."""

import contextlib
import json

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Sum

from rights.domain.lifecycle import LIFECYCLE, RightStatus, may_become
from rights.domain.reason import ReasonMissing
from rights.models import Event, Right
from rights.services.activate import activate_right
from rights.services.freeze import freeze_right
from rights.services.refusals import LifecycleRefusedError
from rights.services.split import merge_rights, split_right
from settlement.models import Balance
from settlement.services import endings, issuance
from tests.registry_desk import DAY_US, MINT, NOW_US, START_US, Desk

pytestmark = pytest.mark.django_db
END_US = START_US + DAY_US


@pytest.fixture
def desk():
    return Desk()


def refused(code, act, **arguments):
    with pytest.raises(LifecycleRefusedError) as caught:
        act(**arguments)
    assert caught.value.code == code


def split(right, units, now_us=NOW_US):
    return split_right(right_id=str(right.pk), units=units, child_id=MINT.uuid(now_us), actor="test", now_us=now_us)


def merge(source, target):
    return merge_rights(source_id=str(source.pk), target_id=str(target.pk), actor="test", now_us=NOW_US)


def freeze(right, reason="compliance", now_us=NOW_US):
    return freeze_right(right_id=str(right.pk), freeze_reason=reason, note="looked odd", actor="test", now_us=now_us)


def thaw(right, now_us=NOW_US):
    return endings.unfreeze_right(right_id=str(right.pk), note="looks fine", mint=MINT, actor="test", now_us=now_us)


def expire(right, now_us=END_US):
    return endings.expire_right(right_id=str(right.pk), mint=MINT, actor="test", now_us=now_us)


def burn(right):
    return issuance.burn_right(right_id=str(right.pk), reason="test", mint=MINT, actor="test", now_us=NOW_US)


def payload_of(right, kind):
    return json.loads(Event.objects.filter(object_id=f"rgt_{right.pk}", type=kind).latest("seq").body)["payload"]


def units_in(account_code, root):
    return Balance.objects.get(account__code=account_code, asset__root_right=root.pk).amount


def held_units(root):
    """What the ledger says holders have, which is what their rights say."""
    ledger = Balance.objects.filter(asset__root_right=root.pk, account__code=None).aggregate(Sum("amount"))["amount__sum"]
    assert ledger == Right.objects.filter(root_id=root.pk).aggregate(Sum("remaining_units"))["remaining_units__sum"]
    return ledger


def test_activation_comes_once_and_in_time(desk):
    right = desk.issue(activate=False)
    assert (right.status, right.activated_at) == ("issued", None)
    refused("window_over", activate_right, right_id=str(right.pk), actor="test", now_us=END_US)
    active = activate_right(right_id=str(right.pk), actor="test", now_us=NOW_US)
    assert active.status == "active"
    refused("lifecycle_refused", activate_right, right_id=str(right.pk), actor="test", now_us=NOW_US)


def test_a_split_conserves_units_and_keeps_terms(desk):
    root = desk.issue(100)
    parent, child = split(root, 30, now_us=NOW_US + 5)
    assert (parent.max_units, parent.remaining_units, child.max_units, child.remaining_units) == (70, 70, 30, 30)
    assert (child.parent_id, child.root_id, child.terms_id, child.series_id) == (root.pk, root.pk, root.terms_id, root.series_id)
    assert (child.holder_id, child.status, child.activated_at, child.acquired_at) == (
        root.holder_id,
        "active",
        root.activated_at,
        root.acquired_at,
    )
    grandchild = split(child, 10)[1]
    assert (grandchild.parent_id, grandchild.root_id) == (child.pk, root.pk)
    assert held_units(root) == 100
    assert payload_of(root, "right.split") == {
        "child": f"rgt_{child.pk}",
        "holder": f"acc_{root.holder.uuid}",
        "netted": False,
        "parent": f"rgt_{root.pk}",
        "units": "30",
    }


def test_a_split_leaves_something_and_takes_only_what_is_free(desk):
    right = desk.issue(100)
    Right.objects.filter(pk=right.pk).update(reserved_units=40)
    for units in (0, -1, 61, 100):
        refused("units_unavailable", split, right=right, units=units)
    split(right, 60)
    solid = desk.issue(100, transfer_policy={"splittable": False})
    refused("not_splittable", split, right=solid, units=1)
    refused("lifecycle_refused", split, right=freeze(desk.issue(100)), units=1)


def test_siblings_merge_and_nobody_else(desk):
    root = desk.issue(100)
    one, two = split(root, 30)[1], split(root, 20)[1]
    merged = merge(one, two)
    one.refresh_from_db()
    assert (merged.max_units, merged.remaining_units) == (50, 50)
    assert (one.status, one.max_units, one.remaining_units) == ("finalized", 0, 0)
    assert held_units(root) == 100
    assert payload_of(two, "right.merged") == {
        "source": f"rgt_{one.pk}",
        "source_status": "finalized",
        "target": f"rgt_{two.pk}",
        "units": "30",
    }
    refused("not_siblings", merge, source=root, target=two)
    refused("not_siblings", merge, source=two, target=two)
    refused("not_siblings", merge, source=split(desk.issue(10), 5)[1], target=two)


def test_freezing_remembers_and_thawing_restores(desk):
    for activate, prior in ((True, "active"), (False, "issued")):
        right = freeze(desk.issue(activate=activate))
        assert (right.status, right.prior_status, right.freeze_reason) == ("frozen", prior, "compliance")
        assert payload_of(right, "right.frozen")["note"] == "looked odd"
        refused("lifecycle_refused", freeze, right=right)
        right = thaw(right)
        assert (right.status, right.prior_status, right.freeze_reason) == (prior, "", "")
        refused("lifecycle_refused", thaw, right=right)


def test_a_freeze_has_a_reason_of_the_list_and_words(desk):
    right = desk.issue()
    refused("freeze_reason_unknown", freeze, right=right, reason="because")
    with pytest.raises(ReasonMissing):
        freeze_right(right_id=str(right.pk), freeze_reason="custom", note=" ", actor="test", now_us=NOW_US)


def test_what_ended_while_frozen_thaws_into_expiry(desk):
    right = desk.issue(100)
    freeze(right)
    refused("lifecycle_refused", expire, right=right)
    right = thaw(right, now_us=END_US)
    assert (right.status, right.remaining_units, right.max_units) == ("expired", 0, 100)
    assert units_in("units:expired", right) == 100
    types = list(Event.objects.filter(object_id=f"rgt_{right.pk}").order_by("seq").values_list("type", flat=True))
    assert types[-2:] == ["right.unfrozen", "right.expired"]
    refused("lifecycle_refused", expire, right=right)


def test_expiry_takes_what_remains_back(desk):
    root = desk.issue(100)
    child = split(root, 30)[1]
    refused("window_open", expire, right=root, now_us=END_US - 1)
    assert expire(root).status == "expired"
    assert (held_units(root), units_in("units:expired", root)) == (30, 70)
    expire(child)
    assert (held_units(root), units_in("units:expired", root), units_in("units:issued", root)) == (0, 100, -100)
    told = {"carried_units": "0", "policy": "burn", "right": f"rgt_{child.pk}", "units": "30", "why": None}
    assert payload_of(child, "right.expired") == told


def test_reserved_units_hold_expiry_and_burning_up(desk):
    right = desk.issue(100, activate=False)
    Right.objects.filter(pk=right.pk).update(reserved_units=1)
    refused("units_reserved", expire, right=right)
    refused("units_reserved", burn, right=right)
    assert held_units(right) == 100


def test_burning_follows_the_table(desk):
    right = desk.issue(100, activate=False)
    burned = burn(right)
    assert (burned.status, burned.remaining_units, units_in("units:burned", right)) == ("burned", 0, 100)
    refused("lifecycle_refused", burn, right=desk.issue(100))
    burn(freeze(desk.issue(50)))


def test_a_rolling_right_ends_by_its_activation(desk):
    rolling = {"window": {"mode": "rolling", "rolling_length_seconds": 3600}}
    desk.now_us = START_US
    desk.assurance.__class__.objects.update(stale_after_s=10**9)
    right = desk.issue(100, **rolling)
    refused("window_open", expire, right=right, now_us=START_US + 3_600_000_000 - 1)
    expire(right, now_us=START_US + 3_600_000_000)


PATHS = {"active": [], "issued": ["frozen", "issued"], "burned": ["expired", "burned"]}


@pytest.mark.parametrize("status", list(RightStatus))
def test_the_database_knows_the_table_too(desk, status):
    rows = Right.objects.filter(pk=desk.issue().pk)
    for step in PATHS.get(status, [str(status)]):
        rows.update(status=step, freeze_reason="custom" if step == "frozen" else "")
    found = set()
    for following in LIFECYCLE:
        with contextlib.suppress(IntegrityError), transaction.atomic():
            rows.update(status=following, freeze_reason="custom" if following == "frozen" else "")
            found.add(following)
            transaction.set_rollback(True)  # back to where it was
    assert found == {status} | {following for following in RightStatus if may_become(status, following)}
