"""Races about one right (SPEC §2 - §4, §6, §7): each of the two comes first in some rounds, and what is there afterwards is as if they had queued.

A few rounds each; a thousand with TORTURE=1. Every test ends with the audit of the whole database and a replay.
"""

import json
from collections import Counter
from typing import Any

import pytest
from django.db.models import Sum

from exchange.audit.run import audit
from exchange.domain.command import Phase
from exchange.models import Order, Trade
from exchange.replay.run import replay
from exchange.services import freeze
from rights.models import Assurance, Event, Right
from rights.services import consents
from rights.services.delegations import Bounds, Use, delegate, revoke_delegation
from rights.services.split import split_right
from settlement.services import issuance
from settlement.services.consume import consume_right
from settlement.services.transfer import Part, transfer_units
from tests.honest_market import HonestMarket
from tests.races import Job, race, rounds
from tests.registry_desk import DAY_US, MINT, START_US, Desk
from tests.supply_desk import SupplyDesk

pytestmark = pytest.mark.django_db(transaction=True)
LOT = 1_000_000
TIMES = rounds(1000, 18)


class Crossing(HonestMarket):
    """Each round an ask of one lot rests, and a bid that would take it waits to be matched."""

    def __init__(self, **policy: Any) -> None:
        super().__init__()
        self.right_id = str(self.desk.issue((TIMES + 1) * LOT, transfer_policy=policy).pk)  # a lot for each round, and one that stays
        self.phase(Phase.CONTINUOUS)
        self.match()
        self.orders: dict[str, str] = {}

    def clear(self) -> None:
        """What the last round left of both orders goes."""
        for slug, order in self.orders.items():
            if Order.objects.filter(pk=order, is_open=True).exists():
                self.cancel(slug, order)
        self.match()

    def set_up(self, right_id: str | None = None) -> None:
        named = {"rights": [right_id or self.right_id]}
        self.orders = {"holder": self.place("holder", "sell", 1, 100, **named)}
        self.match()
        self.orders["other"] = self.place("other", "buy", 1, 100)

    def fill(self, _: int) -> int:
        """Match; how many trades that made."""
        before = Trade.objects.count()
        self.match()
        return Trade.objects.count() - before

    def give(self, right_id: str, units: int, to: str) -> str:
        transfer_units(
            parts=[Part(right_id, units)],
            giver=self.accounts["holder"],
            taker=self.accounts[to],
            mint=MINT,
            actor="test",
            now_us=self.now_us,
        )
        return "moved"


def sound(now_us: int) -> None:
    """Every invariant holds, and what was written down rebuilds what is there."""
    assert audit(now_us=now_us).broken == []
    assert replay().differences == {}


def moved_while_frozen() -> list[str]:
    """Rights that gave units away between their freezing and their thaw, by the order in which the journal has it."""
    frozen: set[str] = set()
    found = []
    kinds = ("right.frozen", "right.unfrozen", "right.split", "right.merged", "right.transferred")
    for event in Event.objects.filter(type__in=kinds).order_by("stream", "seq"):
        body = json.loads(event.body)["payload"]
        if event.type == "right.frozen":
            frozen.add(body["right"])
        elif event.type == "right.unfrozen":
            frozen.discard(body["right"])
        else:
            giver = body.get("parent") or body.get("source") or body["right"]
            found += [giver] if giver in frozen else []
    return found


def test_freeze_against_fill() -> None:
    """In odd rounds it is the buyer's own child that freezes: it takes no more units in, and the fill makes another."""
    market = Crossing()
    targets: dict[int, str] = {}

    def prepare(number: int) -> None:
        for right in Right.objects.filter(status="frozen"):
            freeze.unfreeze_right(right_id=str(right.pk), reason="on", actor="command:test", now_us=market.now_us)
        market.clear()
        market.set_up()
        child = Right.objects.filter(parent=market.right_id, netted=True).first() if number % 2 else None
        targets[number] = market.right_id if child is None else str(child.pk)

    def stop(number: int) -> int:
        return freeze.freeze_right(
            right_id=targets[number], freeze_reason="dispute", reason="a look", actor=f"key:{market.operator.uuid}", now_us=market.now_us
        )

    outcomes = race(market.fill, stop, times=TIMES, prepare=prepare)
    of_parent = [found for number, found in enumerate(outcomes) if targets[number] == market.right_id]
    assert set(of_parent) == {(1, 0), (0, 1)}  # sold, then frozen; or frozen and the ask pulled
    assert {found for number, found in enumerate(outcomes) if targets[number] != market.right_id} == {(1, 0)}
    assert moved_while_frozen() == []
    sound(market.now_us)


def test_consent_revoked_against_fill() -> None:
    """Whoever revokes looks at the trades once that is committed: one that is not there by then never comes."""
    market = Crossing(requires_issuer_consent=True)
    standing: list[str] = []
    trades = [0]

    def prepare(_: int) -> None:
        market.clear()
        row = consents.grant_standing(
            issuer=market.desk.issuer,
            kind="consent",
            coverage=consents.Coverage(),
            taker=market.accounts["other"],
            expires_us=None,
            note="",
            consent_id=MINT.uuid(market.now_us),
            actor="test",
            now_us=market.now_us,
        )
        standing[:] = [str(row.uuid)]
        market.set_up()
        trades[0] = Trade.objects.count()

    def revoke(_: int) -> int:
        consents.revoke_consent(consent_id=standing[0], note="no more", actor="test", now_us=market.now_us)
        return Trade.objects.count() - trades[0]

    outcomes = race(market.fill, revoke, times=TIMES, prepare=prepare)
    assert set(outcomes) == {(1, 1), (0, 0)}
    sound(market.now_us)


def test_two_at_the_last_unit_of_headroom() -> None:
    desk = Desk(units=1)

    def one_more(number: int) -> None:
        SupplyDesk.refresh_attested(desk, number + 1)

    def issue(holder: str) -> Job:
        return lambda _: desk.issue(1, holder=holder).status

    outcomes = race(issue("holder"), issue("other"), times=TIMES, steps=30, prepare=one_more)
    full = ("capacity_exhausted",)
    assert set(outcomes) == {("active", full), (full, "active")}
    issued = Right.objects.aggregate(units=Sum("max_units"))["units"]
    assert Assurance.objects.get(pk=desk.assurance.pk).issued_units == issued == TIMES
    sound(desk.now_us)


def test_the_last_place_among_holders() -> None:
    """A fill and a transfer, in odd rounds two transfers, would each bring a second holder where there may be two."""
    market = Crossing()
    rights: list[str] = []

    def prepare(_: int) -> None:
        market.clear()
        if rights:
            issuance.finalize_right(right_id=rights[-1], ref="", reason="next", mint=MINT, actor="test", now_us=market.now_us)
        rights.append(str(market.desk.issue(3 * LOT, transfer_policy={"max_holders": 2}).pk))
        market.set_up(rights[-1])

    def first(number: int) -> Any:
        return market.give(rights[-1], LOT, "other") if number % 2 else bool(market.fill(number))

    outcomes = race(first, lambda _: market.give(rights[-1], LOT, "third"), times=TIMES, steps=20, prepare=prepare)
    full = ("max_holders",)
    assert set(outcomes) == {(True, full), (False, "moved"), ("moved", full), (full, "moved")}
    held = Right.objects.filter(root_id__in=rights[:-1], parent__isnull=False, remaining_units__gt=0)
    assert set(Counter(root for root, _ in held.values_list("root_id", "holder_id").distinct()).values()) == {1}  # beside the root's
    sound(market.now_us)


def test_split_against_transfer() -> None:
    """In odd rounds the transfer leaves too little for the split, in even ones it takes the right away as a whole."""
    desk = Desk()
    rights: list[str] = []

    def prepare(_: int) -> None:
        rights.append(str(desk.issue(10).pk))

    def split(_: int) -> str:
        split_right(
            right_id=rights[-1],
            units=4,
            child_id=MINT.uuid(desk.now_us),
            holder_id=desk.accounts["holder"].pk,
            actor="test",
            now_us=desk.now_us,
        )
        return "split"

    def give(number: int) -> str:
        transfer_units(
            parts=[Part(rights[-1], 7 if number % 2 else 10)],
            giver=desk.accounts["holder"],
            taker=desk.accounts["other"],
            mint=MINT,
            actor="test",
            now_us=desk.now_us,
        )
        return "moved"

    outcomes = race(split, give, times=TIMES, steps=16, prepare=prepare)
    few = ("units_unavailable",)
    assert set(outcomes[::2]) == {("split", few), (("right_not_held",), "moved")}
    assert set(outcomes[1::2]) == {("split", few), (few, "moved")}
    units = Right.objects.values_list("root_id").annotate(units=Sum("remaining_units"))
    assert set(units.values_list("units", flat=True)) == {10}
    sound(desk.now_us)


def test_delegation_revoked_against_use() -> None:
    """Whoever revokes looks at what has been used once that is committed: nothing is used after it."""
    desk = Desk()
    right = desk.issue(10 * TIMES)
    desk.now_us = START_US
    rows: list[str] = []

    def prepare(_: int) -> None:
        row = delegate(
            right=right,
            package=None,
            parent=None,
            delegator=desk.accounts["holder"],
            to=desk.accounts["other"],
            bounds=Bounds(5, START_US, START_US + DAY_US),
            delegation_id=MINT.uuid(desk.now_us),
            actor="test",
            now_us=desk.now_us,
        )
        rows.append(str(row.uuid))

    def use(_: int) -> int:
        under = Use(rows[-1], desk.accounts["other"].pk, "text.generation")
        before = 5
        consume_right(right_id=str(right.pk), units=before, ref="work", mint=MINT, actor="test", now_us=desk.now_us, under=under)
        return before

    used_before: list[int] = []

    def revoke(_: int) -> int:
        revoke_delegation(delegation_id=rows[-1], reason="over", actor="test", now_us=desk.now_us)
        left = Right.objects.get(pk=right.pk).remaining_units
        used_before.append(10 * TIMES - left)
        return used_before[-1] - (used_before[-2] if len(used_before) > 1 else 0)

    outcomes = race(use, revoke, times=TIMES, steps=16, prepare=prepare)
    assert set(outcomes) == {(5, 5), (("delegation_ended",), 0)}
    sound(desk.now_us)
