"""Several decide one proposal at once: it is done exactly once, or not at all, and every other answer says why."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from exchange.models import Proposal
from exchange.services import proposals
from exchange.services.operator_refusal import OperatorRefusal
from exchange.services.proposal_kinds import DEPOSIT, WITHDRAWAL, cash_payload
from rights.domain.staff import OPERATORS
from rights.kernel.clock import now_us, to_us
from rights.models import Event
from settlement.models import Balance, Posting
from settlement.services.funding import FundingRefusal
from tests.integration.console_market import MINT, a_market
from tests.people import a_member

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(jobs: list[Callable[[], str]]) -> Counter[str]:
    """Run the jobs on threads that start together; how often each answer came."""
    barrier = Barrier(len(jobs))

    def run(job: Callable[[], str]) -> str:
        barrier.wait(10)
        try:
            return job()
        except (OperatorRefusal, FundingRefusal) as refusal:
            return refusal.code
        finally:
            connection.close()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return Counter(pool.map(run, jobs))


class Inbox:
    def __init__(self) -> None:
        self.account = a_market().account
        self.names = [f"user:{a_member(f'operator-{n}', groups=(OPERATORS,)).pk}" for n in range(5)]

    def proposal(self, kind: str, amount: str) -> Proposal:
        payload = cash_payload(account=self.account, amount=amount, currency="USD")
        return proposals.propose(kind=kind, payload=payload, reason="x", mint=MINT, actor=self.names[0], now_us=now_us())

    def approve(self, row: Proposal, by: str) -> Callable[[], str]:
        told = {"reason": "seen", "mint": MINT, "actor": by, "now_us": now_us()}
        return lambda: proposals.approve(proposal_id=str(row.pk), **told).status

    def reject(self, row: Proposal, by: str) -> Callable[[], str]:
        told = {"reason": "unseen", "actor": by, "now_us": now_us()}
        return lambda: proposals.reject(proposal_id=str(row.pk), **told).status

    @property
    def cash(self) -> int:
        return Balance.objects.get(account=self.account, asset__kind="cash").amount


def decisions() -> int:
    return Event.objects.filter(type__in=("proposal.approved", "proposal.rejected", "proposal.expired")).count()


def test_four_approvals_at_once_do_it_once():
    inbox = Inbox()
    row, posted = inbox.proposal(DEPOSIT, "5"), Posting.objects.count()
    assert at_once([inbox.approve(row, by) for by in inbox.names[1:]]) == {"approved": 1, "proposal_decided": 3}
    assert (inbox.cash, Posting.objects.count(), decisions()) == (1_005_000_000, posted + 1, 1)


def test_yes_and_no_at_once_are_one_of_both():
    inbox = Inbox()
    row = inbox.proposal(DEPOSIT, "5")
    found = at_once([inbox.approve(row, inbox.names[1]), inbox.reject(row, inbox.names[2])])
    row.refresh_from_db()
    assert found == {row.status: 1, "proposal_decided": 1}
    assert inbox.cash == (1_005_000_000 if row.status == "approved" else 1_000_000_000)
    assert decisions() == 1


def test_the_clock_and_an_approval_at_once_are_one_of_both():
    inbox = Inbox()
    row = inbox.proposal(DEPOSIT, "5")
    end = to_us(row.expires_at)
    found = at_once([inbox.approve(row, inbox.names[1]), lambda: f"expired {proposals.expire_due(now_us=end)}"])
    row.refresh_from_db()
    assert decisions() == 1
    assert found in ({"approved": 1, "expired 0": 1}, {"proposal_decided": 1, "expired 1": 1})
    assert inbox.cash == (1_005_000_000 if row.status == "approved" else 1_000_000_000)


def test_two_payments_of_the_same_cash_are_one():
    inbox = Inbox()
    both = [inbox.proposal(WITHDRAWAL, "700") for _ in range(2)]
    found = at_once([inbox.approve(row, by) for row, by in zip(both, inbox.names[1:3], strict=True)])
    assert found == {"approved": 1, "insufficient_funds": 1}
    assert inbox.cash == 300_000_000
    assert Counter(Proposal.objects.values_list("status", flat=True)) == {"approved": 1, "open": 1}
