"""Cash in and out: strict amounts, an event with actor and reason, the owner told, nothing below zero."""

import json
from io import StringIO

import orjson
import pytest
from django.core.management import CommandError, call_command

from exchange.feed.record import decode_private
from exchange.models import AccountFeed, AccountMessage
from exchange.services import funding, participants
from exchange.services.operator_refusal import OperatorRefusal
from rights.domain.reason import ReasonMissing
from rights.kernel.clock import now_us
from rights.models import Account, Event
from settlement.domain.money import NotAnAmount, minor_of
from settlement.models import Balance, Posting
from settlement.services.funding import FundingRefusal
from settlement.services.ledger import cash_asset
from tests.integration.console_market import MINT


@pytest.mark.parametrize(
    ("text", "minor"),
    [("0", 0), ("1", 10**6), ("12.50", 12_500_000), ("0.000001", 1), ("100000.00", 10**11), ("9999999999999999", 9999999999999999 * 10**6)],
)
def test_plain_decimals_are_amounts(text, minor):
    assert minor_of(text, 6) == minor


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "+1",
        "-1",
        "-0",
        "01",
        "1.",
        ".5",
        "1e3",
        "1_000",
        "1,000",
        "NaN",
        "Infinity",
        "0x10",
        "1.0000001",
        "٣",
        "1\n",
        "1.2.3",
        "1" * 17,
    ],
)
def test_nothing_else_is_an_amount(text):
    with pytest.raises(NotAnAmount):
        minor_of(text, 6)


def acme():
    cash_asset()
    opened = participants.open_participant(
        slug="acme", name="Acme", account=participants.NewAccount("main"), mint=MINT, actor="test", now_us=now_us()
    )
    return opened.accounts.get()


def move(service, account, amount, reason="a test"):
    return service(account=account, amount=amount, currency="USD", reason=reason, mint=MINT, actor="user:7", now_us=now_us())


@pytest.mark.django_db
class TestFunding:
    def test_funding_moves_posts_remembers_and_tells(self):
        account = acme()
        assert move(funding.fund, account, "1000.50").amount_minor == 1_000_500_000
        assert move(funding.withdraw, account, "0.50").amount_minor == 1_000_000_000
        venue = Account.objects.get(code="venue:funding")
        assert sum(Balance.objects.values_list("amount", flat=True)) == 0
        assert Balance.objects.get(account=venue).amount == -1_000_000_000
        assert Posting.objects.count() == 2
        events = [orjson.loads(e.body) for e in Event.objects.filter(type__startswith="account.").order_by("seq")]
        assert [e["type"] for e in events] == ["account.opened", "account.funded", "account.withdrawn"]
        assert events[1]["payload"]["amount_minor"] == "1000500000"
        assert (events[1]["actor"], events[1]["payload"]["reason"]) == ("user:7", "a test")
        messages = AccountMessage.objects.filter(account=account).order_by("seq")
        assert [(m.seq, m.balances_seq) for m in messages] == [(1, 1), (2, 2)]
        assert decode_private(messages[1].body).balances[0].amount == 1_000_000_000
        assert AccountFeed.objects.get(account=account).balances_seq == 2

    @pytest.mark.parametrize("amount", ["0", "0.00", "-1", "1e3", "10000000001"])
    def test_amounts_that_are_refused(self, amount):
        account = acme()
        with pytest.raises(FundingRefusal):
            move(funding.fund, account, amount)
        assert not Posting.objects.exists()
        assert not Event.objects.filter(type="account.funded").exists()

    @pytest.mark.parametrize("reason", ["", "   ", "x" * 501, "a\x00b"])
    def test_a_reason_is_needed(self, reason):
        account = acme()
        with pytest.raises(ReasonMissing):
            move(funding.fund, account, "1", reason)
        assert not Posting.objects.exists()

    def test_held_cash_stays(self):
        account = acme()
        move(funding.fund, account, "10")
        Balance.objects.filter(account=account).update(held=6_000_000)
        with pytest.raises(FundingRefusal, match="less cash"):
            move(funding.withdraw, account, "4.000001")
        assert move(funding.withdraw, account, "4").amount_minor == 6_000_000

    def test_the_venue_does_not_fund_itself(self):
        account = acme()
        move(funding.fund, account, "1")
        with pytest.raises(FundingRefusal, match="belongs to the venue"):
            move(funding.fund, Account.objects.get(code="venue:funding"), "1")

    def test_an_unknown_currency(self):
        account = acme()
        with pytest.raises(FundingRefusal, match="no currency"):
            funding.fund(account=account, amount="1", currency="XTS", reason="x", mint=MINT, actor="t", now_us=now_us())

    def test_the_command(self):
        account = acme()
        out = StringIO()
        call_command("fund", "acme", "250.25", stdout=out)
        answer = json.loads(out.getvalue())
        assert (answer["account_id"], answer["total"], answer["held"]) == (f"acc_{account.uuid}", "250.25", "0.00")
        for wrong in (("nobody", "1"), ("acme", "1e3"), ("acme", "0")):
            with pytest.raises(CommandError):
                call_command("fund", *wrong, stdout=StringIO())


@pytest.mark.django_db
class TestParticipants:
    def test_a_suspended_account_is_seen_on_its_feed(self):
        account = acme()
        participants.suspend(participant=account.participant, reason="a review", actor="user:1", now_us=now_us())
        assert AccountFeed.objects.get(account=account).suspended
        with pytest.raises(OperatorRefusal, match="already"):
            participants.suspend(participant=account.participant, reason="again", actor="user:1", now_us=now_us())
        participants.reinstate(participant=account.participant, reason="all is well", actor="user:1", now_us=now_us())
        assert not AccountFeed.objects.get(account=account).suspended

    def test_a_member_has_argon2_and_scopes(self):
        account = acme()
        member = participants.NewMember("ann", "a long secret", ["trade", "read"])
        user = participants.add_member(participant=account.participant, member=member, actor="t", now_us=now_us())
        assert user.password.startswith("argon2$")
        assert user.membership.scopes == ["read", "trade"]
        assert "a long secret" not in "".join(Event.objects.values_list("body", flat=True))
        with pytest.raises(OperatorRefusal, match="exists"):
            participants.add_member(participant=account.participant, member=member, actor="t", now_us=now_us())

    @pytest.mark.parametrize("slug", ["", "A", "a b", "-a", "a-", "é", "a" * 41, "a_b"])
    def test_slugs_are_plain(self, slug):
        with pytest.raises(OperatorRefusal, match="slug"):
            participants.open_participant(
                slug=slug, name="x", account=participants.NewAccount("main"), mint=MINT, actor="t", now_us=now_us()
            )
