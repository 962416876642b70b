"""What a position calls available is what an ask may offer, lot by lot, whatever the rights' terms say."""

from typing import Any

import pytest

from exchange.domain.command import Phase
from exchange.models import Order
from exchange.models.order import OrderStatus
from exchange.selectors import accounts, sellable
from exchange.selectors.accounts import PositionRow
from exchange.services import freeze
from exchange.services.expiry import expire_due
from exchange.services.facts import load_parties
from exchange.services.funding import fund
from exchange.services.listing import TradingRules, list_instrument
from exchange.services.rules import rules_of
from rights.kernel.clock import to_us
from tests.honest_market import HonestMarket
from tests.registry_desk import MINT

pytestmark = pytest.mark.django_db
LOT = 1_000_000
OPEN, REJECTED = int(OrderStatus.OPEN), int(OrderStatus.REJECTED)


def position(market: HonestMarket) -> PositionRow:
    return accounts.positions(account_id=market.accounts["third"].pk, now_us=market.now_us, limit=10)[0]


@pytest.mark.parametrize(
    ("policy", "lots"),
    [
        ({}, 5),
        ({"transferable": False}, 0),
        ({"lockup_until": "2026-11-30T00:00:00Z"}, 0),
        ({"min_hold_seconds": 86_400}, 0),
        ({"venue_deny": ["synthference"]}, 0),
        ({"requires_issuer_consent": True}, 0),
        ({"splittable": False}, 0),
        ({"min_transfer_units": "2000000"}, 0),
        ({"min_transfer_units": "1000000"}, 4),
    ],
)
def test_available_is_what_an_ask_may_offer(policy: dict[str, Any], lots: int) -> None:
    market = HonestMarket()
    market.phase(Phase.CONTINUOUS)
    for units in (2_300_000, 2_700_000):
        market.desk.issue(units, holder="third", transfer_policy=policy)
    held = position(market)
    assert (held.units, held.sellable, held.free, held.rights) == (5 * LOT, lots * LOT, lots * LOT, 2)
    over = market.place("third", "sell", lots + 1, 100)
    just = market.place("third", "sell", lots, 100) if lots else None
    market.match()
    assert Order.objects.get(pk=over).status == REJECTED
    if just is not None:
        assert Order.objects.get(pk=just).status == OPEN
        assert (position(market).sellable, position(market).free) == (lots * LOT, 0)


def test_nothing_can_be_sold_behind_the_gate_or_by_the_suspended() -> None:
    market = HonestMarket()
    market.desk.issue(2 * LOT, holder="third")
    assert position(market).free == 2 * LOT
    participant = market.accounts["third"].participant
    participant.status = "suspended"
    participant.save()
    assert (position(market).sellable, position(market).free) == (0, 0)
    participant.status = "active"
    participant.save()
    market.desk.issue(LOT, holder="third", transfer_policy={"transfer_cutoff_seconds": 40_000})
    assert position(market).free == 3 * LOT
    market.now_us = to_us(market.series.window_end) - 40_000_000_000
    assert (position(market).free, position(market).units) == (2 * LOT, 3 * LOT)
    market.now_us = to_us(market.instrument.gate_closes_at)
    assert (position(market).sellable, position(market).units) == (0, 3 * LOT)


PLAIN, BY_LOTS, LOT_AND_MORE = {}, {"min_transfer_units": "1000000"}, {"min_transfer_units": "1500000"}
WHOLE, LATER, ASKED = {"splittable": False}, {"min_hold_seconds": 60}, {"requires_issuer_consent": True}


@pytest.mark.parametrize(
    "policies",
    [
        [PLAIN] * 5,
        [BY_LOTS] * 5,
        [PLAIN, BY_LOTS, PLAIN, BY_LOTS, PLAIN],
        [BY_LOTS, WHOLE, BY_LOTS, LATER, BY_LOTS],
        [PLAIN, ASKED, PLAIN, LOT_AND_MORE, LATER],
    ],
)
def test_rights_judged_together_sell_as_if_each_were_looked_at(policies: list[dict[str, Any]]) -> None:
    market = HonestMarket()
    market.phase(Phase.CONTINUOUS)
    account, books = market.accounts["third"], [market.book_id]
    issued = [
        market.desk.issue(units, holder="third", transfer_policy=policy)
        for units, policy in zip((2_300_000, 1_700_000, 1_600_000, 3_000_000, 1_999_999), policies, strict=True)
    ]
    market.desk.issue(4 * LOT, holder="third", activate=False, transfer_policy=policies[0])
    actor = f"key:{market.operator.uuid}"
    freeze.freeze_right(right_id=str(issued[3].pk), freeze_reason="custom", reason="look", actor=actor, now_us=market.now_us)
    market.place("third", "sell", 1, 100)
    for _ in range(2):
        parties = load_parties(rules_of(market.book_id), [account.pk])
        each = sellable._one_by_one(account.pk, books, parties, market.now_us, frozenset())[market.book_id]
        stock = sellable.stocks(account_id=account.pk, book_ids=books, now_us=market.now_us)[market.book_id]
        assert (stock.sellable_lots, stock.free_lots) == each
        assert (stock.units, stock.rights) == (10_599_999 + 4 * LOT, 6)
        market.match()
    assert stock.reserved == LOT


def test_what_is_sold_or_over_is_no_position_and_a_page_goes_on_behind_the_last() -> None:
    market = HonestMarket()
    market.phase(Phase.CONTINUOUS)
    for slug in ("holder", "third"):
        fund(account=market.accounts[slug], amount="100", currency="USD", reason="to trade", mint=MINT, actor="test", now_us=market.now_us)
    later = {"window": {"start": "2026-12-02T00:00:00Z", "end": "2026-12-03T00:00:00Z"}}
    market.desk.assure(patch=later, gross_units=10**9)
    other = market.desk.issue(3 * LOT, holder="third", **later)
    rules = TradingRules(tick_minor=10_000, collar_low_ticks=1, collar_high_ticks=1000, opens_us=market.now_us)
    second = list_instrument(series=other.series, rules=rules, actor="command:test", now_us=market.now_us)
    market.place("holder", "sell", 2, 100)
    market.place("third", "buy", 2, 100)
    market.match()
    third = {"account_id": market.accounts["third"].pk, "now_us": market.now_us}
    symbols = sorted((market.instrument.symbol, second.symbol))
    assert [row.symbol for row in accounts.positions(**third, limit=10)] == symbols
    assert [row.symbol for row in accounts.positions(**third, limit=10, after=symbols[0])] == symbols[1:]
    assert [row.symbol for row in accounts.positions(**third, limit=10, symbol=second.symbol)] == [second.symbol]
    assert [row.symbol for row in accounts.positions(**third, limit=0)] == symbols[:1]
    market.place("third", "sell", 2, 100)
    market.place("holder", "buy", 2, 100)
    market.match()
    assert [row.symbol for row in accounts.positions(**third, limit=10)] == [second.symbol]
    expire_due(mint=MINT, now_us=to_us(other.series.window_end))
    assert accounts.positions(**third, limit=10) == []
