"""Sellers' proceeds wait in escrow until what they sold is final, where the instrument says so; elsewhere they are paid at the fill."""

from typing import Any

import msgspec
import pytest
from django.db import transaction

from exchange.audit.run import audit
from exchange.domain.command import Phase
from exchange.models import ApiKey, Book, Order, Proceeds, Trade
from exchange.models.book import CommandKind
from exchange.replay.run import replay
from exchange.selectors import accounts
from exchange.services import intake, payload, proceeds
from exchange.services.batch import Outcome, match_once
from exchange.services.expiry import expire_due
from exchange.services.lane import LaneMemory
from exchange.services.listing import TradingRules, list_instrument
from exchange.services.proceeds import release_due
from rights.kernel.clock import to_datetime
from rights.models import Right
from rights.services.venue import venue_account
from settlement.models import Balance, Posting
from settlement.services.disputes import Decision, Opening, assign_reviewer, decide_dispute, open_dispute
from settlement.services.finalize import finalize_due
from tests.honest_market import HonestMarket
from tests.redeem_desk import END_US
from tests.registry_desk import MINT
from tests.using_desk import WHO, Using

pytestmark = pytest.mark.django_db(transaction=True)
ACTOR = "timetable"


def cash(account: Any, now_us: int = 0) -> int:
    found = venue_account(code=account, now_us=now_us) if isinstance(account, str) else account
    return Balance.objects.filter(account=found, asset__kind="cash").values_list("amount", flat=True).first() or 0


def sound(now_us: int) -> None:
    assert audit(now_us=now_us).broken == []
    assert replay().differences == {}


class Waiting(HonestMarket):
    """`holder` has sold three lots to `other` and two to `third`, in a book that closed then."""

    def __init__(self, **trading: Any) -> None:
        super().__init__(**trading)
        self.phase(Phase.CONTINUOUS)
        self.place("holder", "sell", 3, 200)
        self.place("other", "buy", 3, 200)
        self.match()
        self.place("third", "buy", 2, 210)
        self.place("holder", "sell", 2, 210)
        self.match()
        self.escrow = f"venue:proceeds:{self.instrument.symbol}"
        self.net = sum(trade.notional_minor - trade.sell_fee_minor for trade in Trade.objects.all())

    def close(self) -> None:
        self.phase(Phase.CLOSED)
        self.match()

    def release(self, now_us: int) -> int:
        return release_due(mint=MINT, actor=ACTOR, now_us=now_us)


def test_a_book_without_the_rule_pays_at_the_fill_and_has_no_escrow() -> None:
    market = Waiting()
    assert Book.objects.get().proceeds_account_id is None
    assert (cash(market.accounts["holder"]), accounts.waiting(account_id=market.accounts["holder"].pk)) == (market.net, {})
    market.close()
    assert (market.release(market.now_us), Posting.objects.filter(kind="proceeds").count()) == (0, 0)
    sound(market.now_us)


@pytest.mark.parametrize(("page", "payments"), [(1, 2), (200, 1)])
def test_what_was_sold_waits_until_the_window_is_over_for_everybody(page: int, payments: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proceeds, "MOST_TRADES", page)
    market = Waiting(proceeds_escrow="until_final")
    holder = market.accounts["holder"]
    assert (cash(holder), cash(market.escrow), market.net > 0) == (0, market.net, True)
    assert accounts.waiting(account_id=holder.pk) == {"USD": (6, market.net)}
    sound(market.now_us)
    market.close()
    assert (market.release(market.now_us), cash(holder)) == (0, 0)  # the units are in their buyers' hands
    expire_due(mint=MINT, now_us=END_US)
    assert (market.release(END_US), market.release(END_US)) == (2, 0)
    assert (cash(holder), cash(market.escrow), accounts.waiting(account_id=holder.pk)) == (market.net, 0, {})
    lines = [line for line in accounts.ledger(account_id=holder.pk, limit=2) if line.kind == "proceeds"]
    assert (len(lines), sum(line.amount for line in lines), {line.incoming for line in lines}) == (payments, market.net, {True})
    sound(END_US)


def test_of_many_that_wait_each_look_sees_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proceeds, "MOST_TRADES", 1)
    monkeypatch.setattr(proceeds, "MOST_PAGES", 1)
    market = Waiting(proceeds_escrow="until_final")
    market.close()
    assert market.release(market.now_us) == 0  # of the first, which is not final
    expire_due(mint=MINT, now_us=END_US)
    assert [market.release(END_US) for _ in range(4)] == [1, 0, 1, 0]  # the second; the end; the first; nothing is left
    assert (cash(market.accounts["holder"]), cash(market.escrow)) == (market.net, 0)
    sound(END_US)


def test_what_waits_buys_nothing() -> None:
    market = Waiting(proceeds_escrow="until_final")
    order = market.place("holder", "buy", 1, 100)
    market.match()
    market.place("third", "buy", 1, 220)
    sold, spent = market.place("holder", "sell", 1, 220), market.place("holder", "buy", 1, 100)  # in one batch
    market.match()
    assert Order.objects.get(pk=sold).filled_lots == 1
    assert {Order.objects.get(pk=one).remaining_lots for one in (order, spent)} == {0}  # refused: there is no cash
    sound(market.now_us)


class Used(Using):
    """`other` has sold `holder` three lots of rights in use, in a book with the rule; the book has closed."""

    def __init__(self, rule: str, **settlement: Any) -> None:
        super().__init__()
        terms = {"proof_profile": "basic", **settlement}
        self.basic(1_000, settlement=settlement)
        sold = self.issue(4_000_000, holder="other", settlement_policy=terms)
        self.fund("holder", "1000")
        self.at_us = self.desk.now_us
        self.sell(sold, rule, "other", "holder")
        trade = Trade.objects.get()
        self.net = trade.notional_minor - trade.sell_fee_minor
        self.bought = Right.objects.get(pk=trade.slice_children[0])

    def sell(self, right: Right, rule: str, seller: str, buyer: str) -> None:
        """Three lots, in a book of the right's window that opens and closes for it."""
        now_us = self.desk.now_us
        rules = TradingRules(
            tick_minor=10_000, collar_low_ticks=1, collar_high_ticks=1_000, opens_us=now_us, taker_bps=20, proceeds_escrow=rule
        )
        self.book, self.lane = list_instrument(series=right.series, rules=rules, actor="command:test", now_us=now_us), LaneMemory()
        self.command(CommandKind.SET_PHASE, payload.PhasePayload(phase=int(Phase.CONTINUOUS), reason="test"), None)
        for slug, side in ((seller, 1), (buyer, 0)):
            self.command(CommandKind.PLACE, payload.PlacePayload(side=side, type=0, quantity_lots=3, price_ticks=200), slug)
        self.command(CommandKind.SET_PHASE, payload.PhasePayload(phase=int(Phase.CLOSED), reason="test"), None)

    def command(self, kind: CommandKind, body: payload.Payload, slug: str | None) -> None:
        account = self.accounts[slug or "issuer"]
        scopes = ["trade"] if slug else ["operate"]
        key = ApiKey.objects.create(
            uuid=MINT.uuid(self.at_us), account=account, secret_sha256="0" * 64, scopes=scopes, created_at=to_datetime(self.desk.now_us)
        )
        command = intake.NewCommand(
            book_id=self.book.pk,
            account_id=account.pk if slug else None,
            kind=int(kind),
            payload=payload.encode(body),
            actor=f"key:{key.uuid}",
            order_id=MINT.uuid(self.at_us) if kind is CommandKind.PLACE else None,
            client_order_id=None,
        )
        with transaction.atomic():
            intake.submit(commands=[command], now_us=self.at_us)
        self.at_us += 1_000
        assert match_once(self.lane, book_id=self.book.pk, now_us=self.at_us).outcome is Outcome.MATCHED

    def end(self) -> int:
        """The rights' window ends; how many trades were released then."""
        self.now_us = END_US
        expire_due(mint=MINT, now_us=END_US)
        return release_due(mint=MINT, actor=ACTOR, now_us=END_US)

    def released(self) -> tuple[int, int]:
        return Proceeds.objects.values_list("seller_minor", "buyer_minor").get()


@pytest.mark.parametrize("rule", ["until_final", "until_delivered"])
def test_what_was_delivered_is_the_sellers(rule: str) -> None:
    desk = Used(rule)
    request = desk.running((desk.bought, 1_000))
    desk.record(request, desk.told(request, 1_000))
    assert (desk.end(), desk.released(), desk.cash("other")) == (1, (desk.net, 0), desk.net)
    desk.sound()


def test_what_failed_and_perished_goes_back_where_the_rule_says_so() -> None:
    desk = Used("until_delivered")
    request = desk.running((desk.bought, 30_000))
    desk.record(request, desk.told(request, 0, status="failed"))
    before, back = desk.cash("holder"), desk.net * 30_000 // 3_000_000
    assert (desk.end(), desk.released()) == (1, (desk.net - back, back))
    assert (desk.cash("other"), desk.cash("holder"), back > 0) == (desk.net - back, before + back, True)
    desk.sound()


def test_what_failed_for_what_the_buyer_asked_is_his_own_loss() -> None:
    """Else he would send what can't be done, again and again for nothing, until all that he bought has failed him."""
    desk = Used("until_delivered")
    alone = desk.running((desk.bought, 30_000))
    desk.record(alone, desk.told(alone, 0, status="failed", error="above_reserved: more", is_callers=True))
    beside = desk.running((desk.bought, 30_000), (desk.basic(1_000), 1))  # one token short in one part fails the whole
    told = desk.told(beside, 0, 0, status="failed")
    legs = (told.legs[0], msgspec.structs.replace(told.legs[1], error="above_reserved: more", is_callers=True))
    desk.record(beside, msgspec.structs.replace(told, legs=legs))
    assert (desk.end(), desk.released()) == (1, (desk.net, 0))
    desk.sound()


def test_a_refusal_that_a_reviewer_finds_unfounded_goes_back() -> None:
    """A supplier may refuse what is sound; his word for whose fault it was is heard only until somebody has looked."""
    desk = Used("until_delivered", dispute_window_seconds=600)
    request = desk.running((desk.bought, 30_000))
    settlement = desk.record(request, desk.told(request, 0, status="failed", error="request_refused: no", is_callers=True))
    opening, judge = Opening(MINT.uuid(desk.now_us), desk.accounts["holder"], "it was sound"), desk.desk.open("judge").participant
    dispute = str(open_dispute(settlement_id=str(settlement.pk), opening=opening, now_us=desk.now_us, **WHO).pk)
    assign_reviewer(dispute_id=dispute, reviewer=judge, now_us=desk.now_us, **WHO)
    decide_dispute(dispute_id=dispute, reviewer=judge, decision=Decision("uphold", "it was"), mint=MINT, now_us=desk.now_us, **WHO)
    back = desk.net * 30_000 // 3_000_000
    assert (desk.end(), desk.released(), back > 0) == (1, (desk.net - back, back), True)
    desk.sound()


def test_a_failure_is_the_buyers_loss_under_the_plain_rule() -> None:
    desk = Used("until_final")
    request = desk.running((desk.bought, 30_000))
    desk.record(request, desk.told(request, 0, status="failed"))
    assert (desk.end(), desk.released()) == (1, (desk.net, 0))
    desk.sound()


def test_what_failed_once_and_was_delivered_then_goes_back_to_nobody() -> None:
    desk = Used("until_delivered")
    failed = desk.running((desk.bought, 3_000_000))
    desk.record(failed, desk.told(failed, 0, status="failed"))
    again = desk.running((desk.bought, 3_000_000))
    desk.record(again, desk.told(again, 3_000_000))
    assert (release_due(mint=MINT, actor=ACTOR, now_us=desk.now_us), desk.cash("other")) == (0, 0)  # the seller still has a lot of it
    assert (desk.end(), desk.released()) == (1, (desk.net, 0))
    desk.sound()


def test_a_settlement_that_may_be_challenged_holds_the_proceeds_back() -> None:
    desk = Used("until_final", dispute_window_seconds=600)
    request = desk.running((desk.bought, 1_000))
    desk.now_us = END_US - 1_000_000
    desk.record(request, desk.told(request, 1_000))
    assert (desk.end(), desk.cash("other")) == (0, 0)
    later_us = desk.now_us = END_US + 600_000_000
    finalize_due(mint=MINT, now_us=later_us, **WHO)
    assert (release_due(mint=MINT, actor=ACTOR, now_us=later_us), desk.cash("other")) == (1, desk.net)
    desk.sound()


def test_a_book_that_has_to_wait_keeps_no_later_one_waiting() -> None:
    desk = Used("until_final", dispute_window_seconds=600)
    desk.fund("other", "1000")
    desk.sell(desk.basic(3_000_000), "until_final", "holder", "other")
    request = desk.running((desk.bought, 1_000))
    desk.now_us = END_US - 1_000_000
    desk.record(request, desk.told(request, 1_000))  # may be challenged for ten minutes more
    expire_due(mint=MINT, now_us=END_US)
    assert release_due(mint=MINT, actor=ACTOR, now_us=END_US, most=1) == 1
    assert list(Proceeds.objects.values_list("trade_id", flat=True)) == [Trade.objects.latest("at").pk]
    desk.now_us = END_US
    desk.sound()
