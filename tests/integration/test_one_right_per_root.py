"""What a holder buys of one root grows in one right (docs/adr/0014), through however many hands and batches it came."""

import os
import random
from collections import Counter
from typing import Any

import pytest

from exchange.audit.run import audit
from exchange.domain.command import Phase
from exchange.models import Trade
from exchange.replay.run import replay
from exchange.services import freeze
from exchange.services.funding import fund
from exchange.services.lane import LaneMemory
from exchange.services.listing import TradingRules, list_instrument
from rights.models import Event, Right
from rights.services.activate import activate_right
from tests.honest_market import MINT, HonestMarket

pytestmark = pytest.mark.django_db
LOT = 1_000_000
TORTURE = os.environ.get("TORTURE") == "1"


def sound(market: HonestMarket) -> None:
    report = audit(now_us=market.now_us)
    assert report.broken == [], [(broken.code, broken.check, broken.rows[:3]) for broken in report.broken]
    assert replay().differences == {}


def opened(**more: Any) -> HonestMarket:
    market = HonestMarket(**more)
    pay(market, "holder")
    market.phase(Phase.CONTINUOUS)
    market.match()
    return market


def pay(market: HonestMarket, slug: str) -> None:
    fund(
        account=market.accounts[slug],
        amount="10000",
        currency="USD",
        reason="to trade",
        mint=MINT,
        actor="command:test",
        now_us=market.now_us,
    )


def join(market: HonestMarket, slug: str) -> None:
    """One more who may trade."""
    market.accounts[slug] = market.desk.open(slug)
    market.keys[slug] = market._key(market.accounts[slug])
    pay(market, slug)


def sell(market: HonestMarket, giver: str, taker: str, lots: int) -> None:
    market.place(giver, "sell", lots, 100)
    market.place(taker, "buy", lots, 100)
    market.match()


def held(market: HonestMarket, slug: str) -> list[tuple[int, bool]]:
    """(lots, netted) of each right in an account's hands, the empty ones too."""
    found = Right.objects.filter(holder=market.accounts[slug]).order_by("created_at", "pk")
    return [(right.remaining_units // LOT, right.netted) for right in found]


def test_what_comes_back_from_a_second_hand_joins_the_same_right() -> None:
    market = opened()
    sell(market, "holder", "other", 6)
    sell(market, "other", "third", 2)
    sell(market, "holder", "third", 3)  # of another parent than what `third` has, and of the same root
    assert held(market, "third") == [(5, True)]
    last = Trade.objects.latest("trade_no")
    assert (str(last.slice_parents[0]), last.slice_children[0]) == (market.right_id, Right.objects.get(holder=market.accounts["third"]).pk)
    merged = Event.objects.filter(type="right.merged").latest("seq")
    assert merged.ref_right == f"rgt_{market.right_id}"
    sound(market)


def test_a_right_that_sells_everything_stays_empty_and_fills_again() -> None:
    market = opened()
    sell(market, "holder", "other", 6)
    sell(market, "other", "third", 2)
    sell(market, "other", "third", 4)
    assert (held(market, "other"), held(market, "third")) == ([(0, True)], [(6, True)])
    sell(market, "third", "other", 1)
    assert (held(market, "other"), held(market, "third")) == ([(1, True)], [(5, True)])
    sound(market)


def test_a_right_that_moves_whole_is_the_one_that_grows() -> None:
    market = opened()
    sell(market, "holder", "other", 50)
    sell(market, "other", "holder", 50)
    sell(market, "holder", "third", 20)
    sell(market, "holder", "third", 30)
    assert (held(market, "holder"), held(market, "third")) == ([(0, True)], [(50, True)])
    sound(market)


def test_two_rights_swap_their_holders_within_one_batch() -> None:
    market = opened()
    sell(market, "holder", "other", 5)
    sell(market, "other", "third", 2)
    for giver, taker, lots, price in (("other", "third", 3, 90), ("third", "other", 2, 80)):
        market.place(giver, "sell", lots, price)
        market.place(taker, "buy", lots, price)
    market.match()
    assert (held(market, "other"), held(market, "third")) == ([(2, True)], [(3, True)])
    sound(market)


def test_two_parents_of_one_root_make_one_child_in_one_batch() -> None:
    market = opened()
    sell(market, "holder", "other", 5)
    join(market, "fourth")
    market.place("holder", "sell", 2, 90)
    market.place("other", "sell", 5, 90)
    market.place("fourth", "buy", 4, 90)
    market.place("third", "buy", 3, 90)
    market.match()
    assert (held(market, "fourth"), held(market, "third"), held(market, "other")) == ([(4, True)], [(3, True)], [])
    sound(market)


def test_units_bound_for_a_time_stay_apart() -> None:
    market = opened(policy={"min_hold_seconds": 60})
    market.now_us += 61_000_000
    sell(market, "holder", "other", 2)
    sell(market, "holder", "other", 3)
    assert held(market, "other") == [(2, False), (3, False)]
    sound(market)


def test_rights_that_are_not_active_yet_join_too_and_stop_once_they_are() -> None:
    market = HonestMarket()
    market.phase(Phase.CONTINUOUS)
    market.match()
    early = {"transfer_policy": {"pre_activation_transfer": True}}
    root = market.desk.issue(9 * LOT, activate=False, **early)
    named = [str(root.pk)]
    for _ in range(2):
        market.place("holder", "sell", 2, 90, rights=named)
        market.place("other", "buy", 2, 90)
        market.match()
    child = Right.objects.get(parent=root)
    assert (child.remaining_units, child.netted, child.status) == (4 * LOT, True, "issued")
    activate_right(right_id=str(child.pk), actor="command:test", now_us=market.now_us)
    market.place("holder", "sell", 2, 90, rights=named)
    market.place("other", "buy", 2, 90)
    market.match()
    assert sorted(Right.objects.filter(parent=root).values_list("remaining_units", "netted", "status")) == [
        (2 * LOT, True, "issued"),
        (4 * LOT, False, "active"),
    ]
    sound(market)


def test_an_empty_right_thaws_into_what_it_was_and_ends_with_its_window() -> None:
    market = opened()
    sell(market, "holder", "other", 2)
    sell(market, "holder", "third", 1)
    sell(market, "other", "third", 2)
    empty = Right.objects.get(holder=market.accounts["other"])
    actor = f"key:{market.operator.uuid}"
    freeze.freeze_right(right_id=str(empty.pk), freeze_reason="custom", reason="look", actor=actor, now_us=market.now_us)
    freeze.unfreeze_right(right_id=str(empty.pk), reason="fine", actor="command:test", now_us=market.now_us)
    empty.refresh_from_db()
    assert (empty.status, empty.max_units, empty.netted) == ("active", 0, False)
    sound(market)


@pytest.mark.parametrize("seed", range(3))
def test_what_a_holder_keeps_does_not_grow_with_fills(seed: int) -> None:
    """Three hands sell to each other at random, often all they have, now and then through a lane that has forgotten everything."""
    chance = random.Random(seed)
    market = opened()
    slugs = ("holder", "other", "third")
    free = {"holder": 50, "other": 0, "third": 0}
    for step in range(100):
        giver, taker = chance.sample([slug for slug in slugs if free[slug]] * 2 + list(slugs), 2)
        lots = free[giver] if chance.random() < 0.4 else chance.randint(0, free[giver])
        if giver != taker and lots:
            market.place(giver, "sell", lots, 100)
            market.place(taker, "buy", lots, 100)
            free[giver] -= lots  # what he buys in the same batch, he can't sell in it
        if chance.random() < 0.6:
            market.match()
            free = {slug: sum(units for units, _ in held(market, slug)) for slug in slugs}
        if step % 20 == 19:
            market.lane = LaneMemory()
    market.match()
    assert Trade.objects.count() > 25
    kept = Counter(Right.objects.filter(remaining_units__gt=0).values_list("holder__participant__slug", flat=True))
    assert max(kept.values()) <= 2  # the root, in whoever's hands, and what grows
    assert Right.objects.filter(root_id=market.right_id).count() <= 2 * len(slugs)
    sound(market)


FILLS, BUYERS, AT_ONCE = (10_000, 100, 100) if TORTURE else (400, 20, 40)


def test_a_right_sold_in_very_many_fills() -> None:
    """A right of 100,000 units sold in 10,000 fills to 100 buyers; in CI a part of it."""
    market = opened()
    jobs: dict[str, Any] = {"resource": {"unit": "jobs"}, "assurance": {"unit": "jobs"}}
    market.desk.assure(patch=jobs, gross_units=10**9)
    root = market.desk.issue(FILLS * 10, **jobs)
    rules = TradingRules(tick_minor=10_000, collar_low_ticks=1, collar_high_ticks=1000, opens_us=market.now_us)
    market.book_id = list_instrument(series=root.series, rules=rules, actor="command:test", now_us=market.now_us).pk
    market.phase(Phase.CONTINUOUS)
    buyers = [f"buyer-{number}" for number in range(BUYERS)]
    for slug in buyers:
        join(market, slug)
    market.place("holder", "sell", FILLS * 10, 1)
    for fill in range(FILLS):
        market.place(buyers[fill % BUYERS], "buy", 10, 1)
        if (fill + 1) % AT_ONCE == 0:
            market.match()
    assert Trade.objects.count() == FILLS
    kept = Right.objects.filter(root_id=root.pk, remaining_units__gt=0)
    assert Counter(kept.values_list("holder_id", "remaining_units")) == {
        (market.accounts[slug].pk, FILLS * 10 // BUYERS): 1 for slug in buyers
    }
    assert all(parents == [root.pk] for parents in Trade.objects.values_list("slice_parents", flat=True))  # each fill names its own
    sound(market)
