"""Two persons: what one proposes another approves, once, in time, with both names on the record."""

import orjson
import pytest
from django.db import Error, connection, transaction
from django.urls import reverse

from exchange.admin.proposals import waiting
from exchange.audit.run import audit
from exchange.models import Instrument, Membership, Proposal
from exchange.services import keys, members, timetable
from exchange.services.members import Standing
from exchange.services.operator_refusal import OperatorRefusal
from exchange.services.proposal_kinds import DEPOSIT, KINDS, LISTING, UNFREEZE, WITHDRAWAL, cash_payload, listing_payload, unfreeze_payload
from exchange.services.proposals import LIFE_US, approve, expire_due, propose, reject
from exchange.services.right_proposals import BURN, FINALIZE, REASSIGN, REPLACE
from rights.domain.reason import ReasonMissing
from rights.domain.staff import AUDITORS, OPERATORS
from rights.kernel.clock import now_us, to_us
from rights.models import Event
from settlement.models import Balance, Posting
from settlement.services.funding import FundingRefusal
from tests.integration.console_market import MINT, RULES, a_market
from tests.people import a_member, in_console

pytestmark = pytest.mark.django_db


class Desk:
    """A venue with two operators and an auditor."""

    def __init__(self) -> None:
        self.market = a_market()
        self.ann, self.bob = (f"user:{a_member(name, groups=(OPERATORS,)).pk}" for name in ("ann", "bob"))
        self.carl = f"user:{a_member('carl', groups=(AUDITORS,)).pk}"
        self.posted = Posting.objects.count()

    def deposit(self, amount: str = "12.50", *, kind: str = DEPOSIT, by: str = "", reason: str = "wire 4711") -> Proposal:
        payload = cash_payload(account=self.market.account, amount=amount, currency="USD")
        return propose(kind=kind, payload=payload, reason=reason, mint=MINT, actor=by or self.ann, now_us=now_us())

    def approve(self, row: Proposal, by: str = "", at: int = 0) -> Proposal:
        return approve(proposal_id=str(row.pk), reason="seen on the statement", mint=MINT, actor=by or self.bob, now_us=at or now_us())

    def reject(self, row: Proposal, by: str = "") -> Proposal:
        return reject(proposal_id=str(row.pk), reason="no such wire", actor=by or self.bob, now_us=now_us())

    @property
    def cash(self) -> int:
        return Balance.objects.get(account=self.market.account, asset__kind="cash").amount


@pytest.fixture
def desk() -> Desk:
    return Desk()


def events(kind: str) -> list[dict]:
    return [orjson.loads(body) for body in Event.objects.filter(type=kind).order_by("stream_id", "seq").values_list("body", flat=True)]


def refused(code: str):
    return pytest.raises(OperatorRefusal, check=lambda refusal: refusal.code == code)


def test_nothing_moves_until_somebody_else_agrees(desk):
    row = desk.deposit()
    assert (row.status, desk.cash, Posting.objects.count()) == ("open", 1_000_000_000, desk.posted)
    made = desk.approve(row)
    assert (made.status, made.decided_by, desk.cash) == ("approved", desk.bob, 1_012_500_000)
    told = events("account.funded")[-1]
    assert (told["actor"], told["payload"]["approved_by"], told["payload"]["reason"]) == (desk.ann, desk.bob, "wire 4711")
    said = events("proposal.approved")[-1]
    assert said["payload"] | {"outcome": ""} == {
        "approved_by": desk.bob,
        "by": desk.ann,
        "kind": "deposit",
        "outcome": "",
        "reason": "seen on the statement",
    }
    assert told["payload"]["entry_id"] in said["payload"]["outcome"]
    assert events("proposal.made")[-1]["payload"]["act"]["amount"] == "12.50"


def test_whoever_proposes_never_approves(desk):
    row = desk.deposit()
    with refused("second_person_needed"):
        desk.approve(row, by=desk.ann)
    with refused("approver_not_allowed"):
        desk.approve(row, by=desk.carl)
    for nobody in ("command:fund", "timetable", "user:999999", "key:01a19467-e80a-7029-9034-05d7b17468c5"):
        with refused("approver_not_allowed"):
            desk.approve(row, by=nobody)
    assert Posting.objects.count() == desk.posted
    assert Proposal.objects.get().status == "open"


def test_a_key_is_everybody_who_acts_for_its_owner(desk):
    """An operator who is a member of the participant that proposed would be both persons."""
    new = keys.create(account_id=desk.market.account.pk, scopes=["operate"], label="", expires_us=None, now_us=now_us())
    row = desk.deposit(by=f"key:{new.key.uuid}")
    insider = a_member("dora", owner=desk.market.participant, groups=(OPERATORS,))
    with refused("second_person_needed"):
        desk.approve(row, by=f"user:{insider.pk}")
    keys.revoke(account_id=desk.market.account.pk, key_uuid=str(new.key.uuid), now_us=now_us())
    with refused("proposer_not_allowed"):
        desk.approve(row)


def test_it_is_decided_once(desk):
    row = desk.deposit()
    desk.approve(row)
    for again in (desk.approve, desk.reject):
        with refused("proposal_decided"):
            again(row)
    turned_down = desk.reject(desk.deposit("1"))
    assert (turned_down.status, turned_down.decision) == ("rejected", "no such wire")
    with refused("proposal_decided"):
        desk.approve(turned_down)
    assert desk.cash == 1_012_500_000
    assert events("proposal.rejected")[-1]["payload"]["rejected_by"] == desk.bob


def test_a_proposal_can_be_taken_back_and_runs_out(desk):
    assert desk.reject(desk.deposit(), by=desk.ann).status == "rejected"
    row = desk.deposit()
    end = to_us(row.expires_at)
    assert end == to_us(row.proposed_at) + LIFE_US
    with refused("proposal_expired"):
        desk.approve(row, at=end)
    assert expire_due(now_us=end - 1) == 0
    assert timetable.run_due(now_us=end).proposals_expired == 1
    assert timetable.run_due(now_us=end + 1).proposals_expired == 0
    row.refresh_from_db()
    assert (row.status, row.decided_by) == ("expired", "timetable")
    assert events("proposal.expired")[-1]["payload"] == {"by": desk.ann, "kind": "deposit"}
    with refused("proposal_decided"):
        desk.approve(row)


def test_what_would_be_refused_is_refused_at_once_and_leaves_nothing(desk):
    before = Event.objects.count()
    for kind, payload in (
        (DEPOSIT, cash_payload(account=desk.market.account, amount="1e3", currency="USD")),
        (DEPOSIT, cash_payload(account=desk.market.account, amount="1", currency="XTS")),
        (WITHDRAWAL, cash_payload(account=desk.market.account, amount="1000.01", currency="USD")),
        (DEPOSIT, {"account": "acc_x", "amount": "1", "currency": "USD"}),
        (UNFREEZE, unfreeze_payload(right_id="01a19467-e80a-7029-9034-05d7b17468c5", freeze_reason="custom")),
        (LISTING, listing_payload(series=desk.market.instrument.series, rules=RULES)),
        ("gift", {}),
    ):
        with pytest.raises((OperatorRefusal, FundingRefusal)):
            propose(kind=kind, payload=payload, reason="x", mint=MINT, actor=desk.ann, now_us=now_us())
    with pytest.raises(ReasonMissing):
        desk.deposit(reason=" ")
    with refused("proposer_not_allowed"):
        desk.deposit(by=desk.carl)
    assert (Event.objects.count(), Proposal.objects.count(), Posting.objects.count()) == (before, 0, desk.posted)


def test_an_act_that_fails_leaves_the_proposal_open(desk):
    row = desk.deposit("600", kind=WITHDRAWAL)
    desk.approve(desk.deposit("500", kind=WITHDRAWAL))
    with pytest.raises(FundingRefusal, match="less cash"), transaction.atomic():
        desk.approve(row)
    row.refresh_from_db()
    assert (row.status, desk.cash) == ("open", 500_000_000)
    desk.approve(desk.deposit("100"))
    assert (desk.approve(row).status, desk.cash) == ("approved", 0)


def test_an_operator_who_has_left_leaves_his_proposals_without_effect(desk):
    row = desk.deposit()
    members.change_member(
        membership=Membership.objects.get(user__username="ann"),
        standing=Standing(("read",)),
        reason="left",
        actor="command:test",
        now_us=now_us(),
        as_root=True,
    )
    with refused("proposer_not_allowed"):
        desk.approve(row)
    assert desk.reject(row).status == "rejected"


def test_listing_by_two(desk):
    payload = listing_payload(series=desk.market.unlisted, rules=RULES)
    row = propose(kind=LISTING, payload=payload, reason="asked for", mint=MINT, actor=desk.ann, now_us=now_us())
    assert not Instrument.objects.filter(series=desk.market.unlisted).exists()
    desk.approve(row)
    listed = Instrument.objects.get(series=desk.market.unlisted)
    assert (listed.symbol, listed.collar_high_ticks, listed.taker_bps) == (payload["symbol"], 100_000, 10)
    told = events("instrument.listed")[-1]
    assert (told["actor"], told["payload"]["approved_by"]) == (desk.ann, desk.bob)


def test_every_kind_says_what_it_does():
    assert set(KINDS) == {DEPOSIT, WITHDRAWAL, UNFREEZE, LISTING, REASSIGN, FINALIZE, BURN, REPLACE}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE exchange_proposal SET payload = '{}'",
        "UPDATE exchange_proposal SET proposed_by = 'user:0'",
        "UPDATE exchange_proposal SET status = 'approved', decided_by = proposed_by, decided_at = now()",
        "UPDATE exchange_proposal SET status = 'approved'",
        "UPDATE exchange_proposal SET status = 'done', decided_by = 'x', decided_at = now()",
        "DELETE FROM exchange_proposal",
        "TRUNCATE exchange_proposal",
    ],
)
def test_the_database_refuses_too(desk, statement):
    desk.deposit()
    with pytest.raises(Error), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_a_decided_row_is_final(desk):
    desk.reject(desk.deposit())
    with pytest.raises(Error), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE exchange_proposal SET decision = 'another'")


def test_the_registry_and_the_audit_agree_about_all_of_it(desk):
    desk.approve(desk.deposit())
    desk.reject(desk.deposit("2"))
    desk.deposit("3")
    expire_due(now_us=now_us() + LIFE_US + 1)
    desk.deposit("4")
    report = audit(now_us=now_us())
    found = {broken.check: broken.rows for broken in report.broken}
    assert not {"proposals", "members", "two_persons", "actor_allowed", "events_apply", "cash"} & found.keys(), found


class TestConsole:
    def test_an_inbox_a_proposal_and_a_decision(self, desk):
        client, another, reader = in_console(OPERATORS, "eve"), in_console(OPERATORS, "fay"), in_console(AUDITORS, "gil")
        fund = reverse("admin:rights_account_fund", args=[desk.market.account.pk])
        assert client.post(fund, {"amount": "12.50", "currency": "USD"}).status_code == 200
        assert client.post(fund, {"amount": "1e3", "currency": "USD", "reason": "deposit"}).status_code == 422
        assert client.post(fund, {"amount": "12.50", "currency": "USD", "reason": "wire 4712"}).status_code == 302
        row = Proposal.objects.get()
        assert (row.kind, row.status, desk.cash) == ("deposit", "open", 1_000_000_000)

        for reading in (client, another, reader):
            inbox = reading.get(reverse("admin:exchange_proposal_changelist"), {"status__exact": "open"})
            assert b"credit 12.50 USD to acme" in inbox.content
            page = reading.get(reverse("admin:exchange_proposal_change", args=[row.pk]))
            assert b"wire 4712" in page.content
            assert (b"/approve" in page.content) == (reading is another)
            assert (b"/reject" in page.content) == (reading is not reader)
        approval = reverse("admin:exchange_proposal_approve", args=[row.pk])
        assert client.get(approval).status_code == 403
        assert client.post(approval, {"reason": "I am sure"}).status_code == 403
        assert reader.post(approval, {"reason": "I am sure"}).status_code == 403
        assert b"wire 4712" in another.get(approval).content
        assert another.post(approval, {"reason": ""}).status_code == 200
        assert desk.cash == 1_000_000_000
        assert another.post(approval, {"reason": "on the statement"}).status_code == 302
        assert desk.cash == 1_012_500_000
        assert another.post(approval, {"reason": "again"}).status_code == 403
        assert Posting.objects.count() == desk.posted + 1

    def test_rejecting_and_paying_out(self, desk):
        client, another = in_console(OPERATORS, "eve"), in_console(OPERATORS, "fay")
        pay = reverse("admin:rights_account_withdraw", args=[desk.market.account.pk])
        assert client.post(pay, {"amount": "2000", "currency": "USD", "reason": "asked for"}).status_code == 422
        assert client.post(pay, {"amount": "20", "currency": "USD", "reason": "asked for"}).status_code == 302
        row = Proposal.objects.get()
        rejection = reverse("admin:exchange_proposal_reject", args=[row.pk])
        assert another.get(rejection).status_code == 200
        assert another.post(rejection, {"reason": "another owner asked"}).status_code == 302
        row.refresh_from_db()
        assert (row.status, desk.cash) == ("rejected", 1_000_000_000)

    def test_listing_through_the_form(self, desk):
        client, another = in_console(OPERATORS, "eve"), in_console(OPERATORS, "fay")
        address = reverse("admin:exchange_instrument_list_new")
        form = {
            "series": str(desk.market.unlisted.pk),
            "tick": "0.001",
            "collar_low": "0.001",
            "collar_high": "100.000",
            "reference": "2.500",
            "maker_bps": "0",
            "taker_bps": "10",
            "min_quantity_lots": "1",
            "max_quantity_lots": "1000",
            "reason": "the issuer asked",
        }
        assert client.get(address).status_code == 200
        assert client.post(address, {**form, "tick": "0"}).status_code == 422
        assert client.post(address, {**form, "reference": "2.5001"}).status_code == 422
        assert client.post(address, form).status_code == 302
        approval = reverse("admin:exchange_proposal_approve", args=[Proposal.objects.get().pk])
        assert another.post(approval, {"reason": "rules read"}).status_code == 302
        listed = Instrument.objects.get(series=desk.market.unlisted)
        assert (listed.price_decimals, listed.collar_high_ticks, listed.reference_price_ticks) == (3, 100_000, 2500)

    def test_the_sidebar_counts_what_waits(self, desk):
        client = in_console(OPERATORS, "eve")
        desk.deposit()
        desk.deposit("3")
        request = client.get(reverse("admin:index")).wsgi_request
        assert waiting(request) == "2"
