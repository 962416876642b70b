"""Why some reasons of the transfer gate can't come up behind an ask or in a package: each tries what would bring one about."""

import pytest
from django.db import IntegrityError, connection, transaction

from exchange.models import Order
from rights.domain import gates
from rights.domain.amendment import Amendment
from rights.domain.gate_rules import RIGHT_RULES, TAKER_RULES
from rights.domain.gates import HolderFacts, RightFacts
from rights.domain.lifecycle import RightStatus, may_become
from rights.kernel.ids import public
from rights.models import Right
from rights.services.amend import Change, amend_right
from rights.services.refusals import LifecycleRefusedError
from rights.services.split import merge_rights, split_right
from tests.gate_acts import END_US, HOUR_US, at, burned, expired, finalized, locked, refused_with, suspended, used_up
from tests.gate_doors import LOT, TAKER, Scene
from tests.honest_market import HonestMarket
from tests.registry_desk import MINT, START_US
from tests.unit.rights.domain.manifests import chat_day


def nothing_ends_it_while_it_is_reserved(scene: Scene) -> None:
    refused_with("units_reserved", lambda: finalized(scene))
    refused_with("units_reserved", lambda: expired(scene))
    at(scene, START_US)
    refused_with("units_unavailable", lambda: used_up(scene))
    with pytest.raises(LifecycleRefusedError) as refused, transaction.atomic():
        burned(scene)
    assert [one.code for one in refused.value.refusals] == ["units_reserved"]
    assert Right.objects.get(pk=scene.right_id).status == "active"


def behind_an_ask_it_does_not_end(market: HonestMarket) -> None:
    scene = Scene(market)
    scene.resting_ask(2)
    nothing_ends_it_while_it_is_reserved(scene)


def in_a_package_it_does_not_end(market: HonestMarket) -> None:
    scene = Scene(market)
    scene.compose(2 * LOT)
    nothing_ends_it_while_it_is_reserved(scene)


def terms_do_not_change_behind_an_ask(market: HonestMarket) -> None:
    scene = Scene(market)
    scene.resting_ask()
    document = chat_day(resource={"amount": str(2 * LOT)}, transfer_policy={"transferable": False})
    change = Change(Amendment.CORRECTION, document, "x")
    refused_with("right_not_held", lambda: amend_right(right_id=scene.right_id, change=change, **scene.told))
    own = Scene(market, giver="issuer")
    own.resting_ask()
    refused_with("units_reserved", lambda: amend_right(right_id=own.right_id, change=change, **own.told))
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE rights_terms SET transfer_policy = '{}' WHERE terms_hash = %s", [scene.right.terms_id])


def what_is_reserved_goes_nowhere_else(scene: Scene) -> None:
    told = scene.told
    holder = scene.accounts["holder"].pk
    assert "units_unavailable" in [verdict.code for verdict in scene.transfer()]
    refused_with("units_unavailable", lambda: locked(scene))
    refused_with(
        "units_unavailable", lambda: split_right(right_id=scene.right_id, units=LOT, child_id=MINT.uuid(0), holder_id=holder, **told)
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        Right.objects.filter(pk=scene.right_id).update(remaining_units=LOT)


def units_behind_an_ask_stay(market: HonestMarket) -> None:
    scene = Scene(market)
    scene.resting_ask(2)
    what_is_reserved_goes_nowhere_else(scene)


def units_in_a_package_stay(market: HonestMarket) -> None:
    scene = Scene(market)
    scene.compose(2 * LOT)
    what_is_reserved_goes_nowhere_else(scene)
    with pytest.raises(AssertionError):
        scene.resting_ask()


def nothing_becomes_issued_again(market: HonestMarket) -> None:
    """Only a thaw leads back to `issued`, of a right that was so before: its terms let it move then, and still do."""
    assert [status for status in RightStatus if may_become(status, RightStatus.ISSUED)] == [RightStatus.FROZEN]
    assert "right_not_active" in [verdict.code for verdict in Scene(market, activate=False).ask()]
    scene = Scene(market, activate=False, pre_activation_transfer=True)
    scene.resting_ask()
    terms_do_not_change_behind_an_ask(market)


def a_lock_up_only_ends(market: HonestMarket) -> None:
    until = market.now_us + HOUR_US
    policy = {"lockup_until": "2026-11-01T01:00:00Z"}
    facts = RightFacts("r", "active", "", 2, 0, END_US, 0, True)
    who = HolderFacts(1, "acc_1", "app", "US", "active")
    told = {"right": facts, "policy": policy, "units": 1, "giver": who, "taker": None}
    moments = [until - HOUR_US, until, until + HOUR_US, END_US - 1]
    shut = [bool(gates.transfer_refusals(now_us=moment, **told)) for moment in moments]
    assert shut == sorted(shut, reverse=True)  # once it is open it stays so
    terms_do_not_change_behind_an_ask(market)


def no_fresh_units_join_what_rests(market: HonestMarket) -> None:
    """Units that were got later are held since then; they don't join a right whose older units are on offer."""
    root = Scene(market, lots=10, min_hold_seconds=3600)
    at(root, market.now_us + HOUR_US)
    target, now_us = root.give(2 * LOT), market.now_us
    at(root, now_us + HOUR_US - 1_000_000)
    source = root.give(LOT)
    at(root, now_us + HOUR_US)
    order = market.place(TAKER, "sell", 1, 100, rights=[target])
    market.match()
    assert Order.objects.get(pk=order).is_open
    refused_with("units_reserved", lambda: merge_rights(source_id=source, target_id=target, **root.told))
    market.cancel(TAKER, order)
    market.match()
    merge_rights(source_id=source, target_id=target, **root.told)


def an_ask_names_no_taker(market: HonestMarket) -> None:
    """It is taken although nobody who is there might have it: each bidder is judged when he comes."""
    denied = [public("acc", str(market.accounts[slug].uuid)) for slug in (TAKER, "other", "third")]
    scene = Scene(
        market,
        eligible_holder_types=["app"],
        eligible_jurisdictions=["US"],
        denied_holders=denied,
        required_attestations=["kyc"],
        max_holders=1,
    )
    suspended(TAKER)(scene)
    scene.resting_ask()
    takers = {code for code, _, _ in TAKER_RULES} - {"consent_missing", "acknowledgment_missing"}
    assert takers.isdisjoint(code for code, _, _ in RIGHT_RULES)
