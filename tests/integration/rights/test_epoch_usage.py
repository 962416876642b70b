"""What an epoch lets be used (SPEC §2) does not grow by splitting, selling or merging: usage goes with the units."""

import json
from typing import Any

import pytest

from exchange.audit.run import audit
from exchange.domain.command import Phase
from exchange.replay.right_state import RightError, RightStates
from exchange.replay.run import replay
from exchange.services.listing import TradingRules, list_instrument
from rights.kernel.clock import rfc3339, to_us
from rights.models import Event, Right
from rights.services.activate import activate_right
from rights.services.refusals import LifecycleRefusedError
from rights.services.split import merge_rights, split_right
from settlement.services import issuance
from settlement.services.consume import consume_right
from settlement.services.transfer import Part, transfer_units
from tests.honest_market import HonestMarket
from tests.registry_desk import MINT, NOW_US, START_US, Desk

pytestmark = pytest.mark.django_db(transaction=True)
EPOCH_US = 21_600_000_000
EPOCHS: dict[str, Any] = {"window": {"mode": "epoch", "epoch_size_seconds": EPOCH_US // 1_000_000}}  # four in the day
HOUR_S = 3600
ROLLING: dict[str, Any] = {"window": {"mode": "rolling", "rolling_length_seconds": HOUR_S}}
LOT = 1_000_000


def use(right, units, now_us=START_US):
    return consume_right(right_id=str(right.pk), units=units, ref="req_1", mint=MINT, actor="test", now_us=now_us)


def split(right, units, now_us=START_US):
    return split_right(right_id=str(right.pk), units=units, child_id=MINT.uuid(now_us), actor="test", now_us=now_us)[1]


def merge(source, target, now_us=START_US):
    return merge_rights(source_id=str(source.pk), target_id=str(target.pk), actor="test", now_us=now_us)


def codes(act, *arguments):
    with pytest.raises(LifecycleRefusedError) as refused:
        act(*arguments)
    return [refusal.code for refusal in refused.value.refusals]


def exhausted(*rights):
    return {tuple(codes(use, right, 1)) for right in rights} == {("epoch_exhausted",)}


def sound(now_us=START_US):
    return audit(now_us=now_us).broken == [] and replay().differences == {}


def test_a_split_divides_what_was_used():
    right = use(Desk().issue(100, **EPOCHS), 25)
    child = split(right, 50)
    right.refresh_from_db()
    assert (child.epoch_used_units, right.epoch_used_units) == (13, 13)
    assert child.epoch_at == right.epoch_at
    grains = [split(right, 1) for _ in range(5)]
    assert exhausted(right, child, *grains)
    assert use(child, 13, START_US + EPOCH_US).epoch_used_units == 13  # the next one begins anew
    assert sound()


def test_a_transfer_takes_what_was_used_along():
    desk = Desk()
    right = use(desk.issue(100, **EPOCHS), 25)
    units = 50
    transfer_units(
        parts=[Part(str(right.pk), units)],
        giver=desk.accounts["holder"],
        taker=desk.accounts["other"],
        mint=MINT,
        actor="test",
        now_us=START_US,
    )
    assert exhausted(right, Right.objects.get(holder=desk.accounts["other"]))
    assert sound()


def test_a_merge_adds_what_was_used_in_the_same_epoch():
    root = Desk().issue(100, **EPOCHS)
    first, second = split(root, 40), split(root, 40)
    use(first, 10)
    merged = merge(first, second)
    assert merged.epoch_used_units == 8  # of the 30 that came along, of 40
    use(merged, 10)
    assert exhausted(merged)
    older, newer = split(root, 8), split(root, 8)
    use(older, 2)
    use(newer, 1, START_US + EPOCH_US)
    assert merge(older, newer, START_US + EPOCH_US).epoch_used_units == 1
    assert sound()


class EpochMarket(HonestMarket):
    """A book of a window in epochs, which has begun; `holder` sells parts of its root, `other` buys."""

    def __init__(self) -> None:
        super().__init__()
        another = {"service": {"quality_band": "high"}, **EPOCHS}
        self.desk.assure(patch=another, gross_units=100 * LOT)
        self.root = self.desk.issue(100 * LOT, **another)
        rules = TradingRules(tick_minor=10_000, collar_low_ticks=1, collar_high_ticks=1000, opens_us=self.now_us)
        self.instrument = list_instrument(series=self.root.series, rules=rules, actor="command:test", now_us=self.now_us)
        self.book_id = self.instrument.pk
        self.now_us = START_US
        self.phase(Phase.CONTINUOUS)
        self.match()

    def sell(self, seller: str, lots: int, buyer: str = "other") -> Right:
        """What the buyer got, or got more of."""
        self.place(seller, "sell", lots, 100)
        self.place(buyer, "buy", lots, 100)
        self.match()
        return Right.objects.filter(holder=self.accounts[buyer]).latest("acquired_at")

    def give(self, lots: int) -> Right:
        """A sibling of what `other` buys, outside the book."""
        part = split_right(right_id=str(self.root.pk), units=lots * LOT, child_id=MINT.uuid(NOW_US), actor="test", now_us=self.now_us)[1]
        transfer_units(
            parts=[Part(str(part.pk), lots * LOT)],
            giver=self.accounts["holder"],
            taker=self.accounts["other"],
            mint=MINT,
            actor="test",
            now_us=self.now_us,
        )
        return part


def test_a_fill_takes_what_was_used_along_also_into_a_right_that_grows():
    market = EpochMarket()
    use(market.root, 25 * LOT, market.now_us)
    bought = market.sell("holder", 20)
    assert bought.epoch_used_units == 5 * LOT
    grown = market.sell("holder", 20)
    assert (grown.pk, grown.max_units, grown.epoch_used_units) == (bought.pk, 40 * LOT, 10 * LOT)
    market.root.refresh_from_db()
    assert exhausted(grown, market.root)
    assert sound(market.now_us)


def finalize(right, now_us):
    issuance.finalize_right(right_id=str(right.pk), ref="x", reason="x", mint=MINT, actor="test", now_us=now_us)


@pytest.mark.parametrize(
    "end", [finalize, lambda right, now_us: merge(right, Right.objects.get(parent=right.parent_id, netted=False), now_us)]
)
def test_a_right_that_ended_absorbs_nothing_more(end):
    """What its former holder buys of the same root later is another right, and replay says so too."""
    market = EpochMarket()
    bought = market.sell("holder", 20)
    assert bought.netted
    if end is not finalize:
        market.give(5)
    end(bought, market.now_us)
    bought.refresh_from_db()
    assert (bought.status, bought.netted) == ("finalized", False)
    again = market.sell("holder", 20)
    assert again.pk != bought.pk
    assert sound(market.now_us)


def test_what_is_empty_is_not_merged():
    """It stays with whoever sold all of it, to grow again."""
    market = EpochMarket()
    market.sell("holder", 1, buyer="third")
    empty = market.sell("holder", 2)
    market.sell("other", 2, buyer="third")
    assert codes(merge, empty, market.give(5), market.now_us) == ["units_unavailable"]
    assert sound(market.now_us)


def test_siblings_that_end_at_different_moments_are_not_merged():
    root = Desk().issue(100, activate=False, **ROLLING)
    first, second = split(root, 10, NOW_US), split(root, 10, NOW_US)
    for wait_us, right in enumerate((first, second)):
        activate_right(right_id=str(right.pk), actor="test", now_us=START_US + wait_us)
    assert codes(merge, first, second) == ["not_siblings"]
    assert sound()


def test_what_has_ended_is_not_merged():
    root = Desk().issue(100, **ROLLING)
    first, second = split(root, 10, NOW_US), split(root, 10, NOW_US)
    ended_us = to_us(first.activated_at) + HOUR_S * 1_000_000
    assert codes(merge, first, second, ended_us) == ["window_over"]
    assert merge(first, second, ended_us - 1).remaining_units == 20
    with pytest.raises(RightError, match="ended"):
        retold(ended_us)
    retold(ended_us - 1)


def retold(merged_us):
    """The rights' events told again, with the merge at another moment."""
    states = RightStates()
    for event in map(json.loads, Event.objects.filter(object_id__startswith="rgt_").order_by("seq").values_list("body", flat=True)):
        states.apply(event["type"], event["payload"], rfc3339(merged_us) if event["type"] == "right.merged" else event["at"])
