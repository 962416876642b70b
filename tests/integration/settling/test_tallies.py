"""What an issuer's record counts of the requests against its rights, and that it is counted again alike (docs/adr/0018)."""

from importlib import import_module

import pytest
from django.db.models import Sum

from exchange.audit.run import audit
from rights.domain.amendment import Amendment
from rights.services.amend import Change, amend_right
from settlement.models import OutcomeTally
from settlement.services.begin import begin_execution
from settlement.services.disputes import Decision, Opening, assign_reviewer, decide_dispute, open_dispute
from settlement.services.transfer import Part, transfer_units
from tests.honest_market import tamper
from tests.registry_desk import MINT
from tests.unit.rights.domain.manifests import chat_day
from tests.using_desk import WHO, Using

pytestmark = pytest.mark.django_db
REFUSED = {"status": "failed", "error": "request_refused: no", "is_callers": True}
COUNT = import_module("settlement.migrations.0013_records_of_others").COUNT


def counted() -> dict[str, tuple[int, int]]:
    """Requests and used units, by outcome."""
    sums = OutcomeTally.objects.values_list("outcome").annotate(Sum("requests"), Sum("used_units"))
    return {outcome: (requests, int(used)) for outcome, requests, used in sums}


def counted_again(desk: Using) -> None:
    """The audit finds them right, and so it does what the migration counts."""
    desk.sound()
    before = counted()
    tamper("DELETE FROM settlement_outcometally", COUNT)
    assert (counted(), [found.check for found in audit(now_us=desk.now_us).broken]) == (before, [])


def test_what_the_asker_or_the_issuer_does_himself_is_no_record() -> None:
    desk = Using()
    right, windowed = desk.basic(), desk.basic(settlement={"dispute_window_seconds": 600})
    asked = desk.running((right, 1_000))
    desk.record(asked, desk.told(asked, 0, **REFUSED))
    own = desk.submit(desk.issue(2_000, holder="issuer", settlement_policy={"proof_profile": "basic"}), by="issuer")
    assert begin_execution(request_id=str(own.pk), now_us=desk.now_us, **WHO) is not None
    desk.record(own, desk.told(own, 1_000))
    assert counted() == {}
    broken = desk.running((right, 1_000))
    desk.record(broken, desk.told(broken, 0, status="failed", error="supplier_error: gone"))
    assert counted() == {"failed": (1, 0)}
    unfounded = desk.running((windowed, 1_000))
    settlement = desk.record(unfounded, desk.told(unfounded, 0, **REFUSED))
    opening, judge = Opening(MINT.uuid(desk.now_us), desk.accounts["holder"], "it was sound"), desk.desk.open("judge").participant
    dispute = str(open_dispute(settlement_id=str(settlement.pk), opening=opening, now_us=desk.now_us, **WHO).pk)
    assign_reviewer(dispute_id=dispute, reviewer=judge, now_us=desk.now_us, **WHO)
    decide_dispute(dispute_id=dispute, reviewer=judge, decision=Decision("uphold", "it was"), mint=MINT, now_us=desk.now_us, **WHO)
    assert counted() == {"failed": (2, 0)}
    counted_again(desk)


def test_a_right_that_comes_under_other_terms_leaves_its_record_where_it_was() -> None:
    desk = Using()
    right, other = desk.basic(), {"limits": {"max_concurrent": 3}}
    boreal = desk.suppliers["boreal"]
    boreal.desk.now_us = desk.now_us
    boreal.refresh(desk.basic(10, **other).assurance)  # on which the new terms may rest
    request = desk.running((right, 1_000))
    desk.record(request, desk.told(request, 400))
    holder, issuer = desk.accounts["holder"], desk.accounts["issuer"]
    transfer_units(parts=[Part(str(right.pk), 9_600)], giver=holder, taker=issuer, mint=MINT, now_us=desk.now_us, **WHO)
    terms = {"settlement_policy": {"proof_profile": "basic"}, "assurance": {"reference": "pledged"}, "resource": {"amount": "10000"}}
    desk.now_us += 1
    amended = amend_right(
        right_id=str(right.pk), change=Change(Amendment.LIMITS, chat_day(**terms, **other), "test"), now_us=desk.now_us, **WHO
    )
    assert (amended.series_id != right.series_id, counted()) == (True, {"full": (1, 400)})
    counted_again(desk)
