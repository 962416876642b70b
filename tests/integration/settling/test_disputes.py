"""A settlement is challenged within its window, and how each dispute ends (SPEC §9)."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from django.db import IntegrityError, connection, transaction

from rights.domain.units import issuable_units
from rights.models import Event, Right, RightLink
from settlement.domain.envelope import Candidate
from settlement.domain.receipt_body import NewProof
from settlement.domain.settlement_states import TABLE, SettlementEvent, SettlementState, may_move, steps
from settlement.models import Dispute, Endpoint, Posting, Request, Settlement, SettlementRule
from settlement.services.disputes import Decision, DisputeRefused, Opening, add_evidence, assign_reviewer, decide_dispute, open_dispute
from settlement.services.fall_back import fall_back
from settlement.services.finalize import finalize_due
from settlement.services.receipt import add_proofs
from settlement.services.settle import StepRefused, step
from settlement.services.transfer import Part, transfer_units
from tests.registry_desk import MINT
from tests.using_desk import CASH_MINOR, WHO, Using

pytestmark = pytest.mark.django_db
WINDOW = {"dispute_window_seconds": 600}
FALLBACK = {"allow_fallback": True, "substitute_providers": True, "max_quality_loss_bps": 2_000, "max_latency_expansion_bps": 0}


@pytest.fixture
def desk() -> Iterator[Using]:
    made = Using()
    made.accounts["judge"] = made.desk.open("judge")
    yield made
    made.sound()


def settled(desk: Using, *delivered: int, status: str = "completed", units: int = 1_000, **policy: Any) -> tuple[Right, Settlement]:
    right = desk.basic(settlement={**WINDOW, **policy}, limits={"partial_fill_allowed": False})
    request = desk.running((right, units))
    return right, desk.record(request, desk.told(request, *delivered, status=status))


def challenged(desk: Using, settlement: Settlement, by: str = "holder", claim: str = "the answer was empty") -> Dispute:
    opening = Opening(MINT.uuid(desk.now_us), desk.accounts[by], claim, "see for yourself")
    dispute = open_dispute(settlement_id=str(settlement.pk), opening=opening, now_us=desk.now_us, **WHO)
    assign_reviewer(dispute_id=str(dispute.pk), reviewer=desk.accounts["judge"].participant, now_us=desk.now_us, **WHO)
    return dispute


def decide(desk: Using, dispute: Dispute, decision: str, outcome: str | None = None, by: str = "judge") -> Settlement:
    said = Decision(decision, "the log says so", outcome)
    who = desk.accounts[by].participant
    decide_dispute(dispute_id=str(dispute.pk), reviewer=who, decision=said, mint=MINT, now_us=desk.now_us, **WHO)
    return Settlement.objects.get(pk=dispute.settlement_id)


def test_a_window_passes_and_the_escrow_empties(desk: Using) -> None:
    right, settlement = settled(desk, 1_000, units=1_000)
    assert (settlement.state, desk.cash("boreal"), desk.cash("venue:escrow")) == ("pending_dispute_window", 0, 10_000)
    assert finalize_due(mint=MINT, now_us=desk.now_us + 599_999_999, **WHO) == 0
    desk.now_us += 600_000_000
    assert finalize_due(mint=MINT, now_us=desk.now_us, **WHO) == 1
    assert (desk.cash("boreal"), desk.cash("venue:escrow"), desk.units(right)) == (10_000, 0, (9_000, 0, "active"))
    with pytest.raises(DisputeRefused, match="within its window"):
        challenged(desk, settlement)


def test_what_was_drawn_unused_goes_back_with_the_rest(desk: Using) -> None:
    """A correction charges nothing, whatever the budget; a part of the whole costs what was delivered."""
    right = desk.basic(settlement=WINDOW, limits={"partial_fill_allowed": True})
    for decision, outcome, left in (("uphold", None, 10_000), ("reclassify", "partial", 9_600)):
        request = desk.running((right, 1_000), budget="reserved-draw")
        settlement = desk.record(request, desk.told(request, 400))
        assert desk.units(right) == (9_000, 0, "active")
        decide(desk, challenged(desk, settlement), decision, outcome)
        assert desk.units(right) == (left, 0, "active")


def test_an_empty_right_is_used_up_when_its_last_settlement_is_final(desk: Using) -> None:
    right = desk.basic(1_000, settlement=WINDOW)
    first, second = desk.running((right, 400)), desk.running((right, 600))
    desk.record(first, desk.told(first, 400))
    desk.now_us += 300_000_000
    desk.record(second, desk.told(second, 600))
    desk.now_us += 300_000_000
    assert finalize_due(mint=MINT, now_us=desk.now_us, **WHO) == 1
    assert desk.units(right) == (0, 0, "active")
    desk.now_us += 300_000_000
    assert finalize_due(mint=MINT, now_us=desk.now_us, **WHO) == 1
    assert desk.units(right) == (0, 0, "fully_consumed")


def test_rejected_it_stands(desk: Using) -> None:
    right, settlement = settled(desk, 400)
    final = decide(desk, challenged(desk, settlement), "reject")
    assert (final.state, final.outcome, final.units, final.last_event) == ("finalized", "full", 400, "dispute_rejected")
    assert (desk.cash("boreal"), desk.units(right)) == (4_000, (9_600, 0, "active"))


def test_upheld_it_is_reversed_to_the_last_unit(desk: Using) -> None:
    right, settlement = settled(desk, 400)
    final = decide(desk, challenged(desk, settlement), "uphold")
    assert (final.state, final.outcome, final.rule, final.units) == ("finalized", "failed", "dispute_upheld", 0)
    assert (desk.cash("boreal"), desk.cash("issuer"), desk.cash("venue:escrow")) == (0, CASH_MINOR, 0)
    assert desk.units(right) == (10_000, 0, "active")
    legs = Posting.objects.filter(entry_id=settlement.pk).order_by("leg")
    assert [(leg.kind, leg.amount) for leg in legs] == [("consumed", 400), ("release", 10_000), ("reversed", 400)]
    assert (legs[0].debit_id, legs[0].credit_id) == (legs[2].credit_id, legs[2].debit_id)
    said = Event.objects.filter(object_id=f"stl_{settlement.pk}").order_by("seq").values_list("type", flat=True)
    assert [kind.removeprefix("settlement.") for kind in said] == [
        *("classified", "pending_dispute_window", "dispute_opened", "dispute_evidence", "dispute_assigned", "dispute_closed"),
        *("reversed", "finalized"),
    ]


def test_what_left_the_holder_meanwhile_is_given_back_to_nobody(desk: Using) -> None:
    right, settlement = settled(desk, 400)
    giver, taker = desk.accounts["holder"], desk.accounts["other"]
    transfer_units(parts=[Part(str(right.pk), 9_600)], giver=giver, taker=taker, mint=MINT, now_us=desk.now_us, **WHO)
    decide(desk, challenged(desk, settlement), "uphold")
    assert (desk.units(right), desk.cash("issuer")) == ((9_600, 0, "active"), CASH_MINOR)
    assert desk.units_of("units:expired", right) == 400


@pytest.mark.parametrize(("outcome", "units"), [("full", 400), ("failed", 0), ("partial", 400)])
def test_reclassified_units_and_money_move_by_the_difference(desk: Using, outcome: str, units: int) -> None:
    right, settlement = settled(desk, 400)
    final = decide(desk, challenged(desk, settlement), "reclassify", outcome)
    assert (final.state, final.outcome, final.rule, final.units) == ("finalized", outcome, "reviewed", units)
    assert (desk.cash("boreal"), desk.units(right)) == (units * 10, (10_000 - units, 0, "active"))


def test_a_supplier_gets_what_it_proved_out_of_what_the_dispute_locked(desk: Using) -> None:
    right, settlement = settled(desk, 300, status="partially_completed")
    assert (settlement.outcome, desk.units(right)) == ("failed", (10_000, 0, "active"))
    dispute = challenged(desk, settlement, by="boreal", claim="three hundred were delivered")
    assert desk.units(right) == (10_000, 1_000, "active")
    final = decide(desk, dispute, "reclassify", "partial")
    assert (final.units, desk.cash("boreal"), desk.units(right)) == (300, 3_000, (9_700, 0, "active"))


def test_who_only_had_a_lock_is_no_party(desk: Using) -> None:
    right = desk.basic(settlement=WINDOW, fallback_policy=FALLBACK)
    request = desk.running((right, 1_000))
    again(desk, request, (str(request.routes.get(state="executing").pk),))
    told = desk.told(request, 1_000, status="fallback_completed", fallbacks=("substitute_providers",))
    settlement = desk.record(request, told)
    assert settlement.state == "pending_dispute_window"
    with pytest.raises(DisputeRefused, match="opened by the holder"):
        challenged(desk, settlement, by="boreal")
    assert challenged(desk, settlement, by="cloudy").side == "supplier"


def test_by_nobodys_word_is_charged_what_is_not_proven(desk: Using) -> None:
    _, settlement = settled(desk, status="failed")
    dispute = challenged(desk, settlement, by="boreal")
    with pytest.raises(DisputeRefused, match="nothing was delivered"):
        decide(desk, dispute, "reclassify", "full")
    assert Dispute.objects.get(pk=dispute.pk).state == "open"


def test_who_may_do_what(desk: Using) -> None:
    _, settlement = settled(desk, 400)
    with pytest.raises(DisputeRefused, match="opened by the holder"):
        challenged(desk, settlement, by="other")
    dispute = challenged(desk, settlement, by="issuer")
    assert dispute.side == "coordinator"
    known = {"dispute_id": str(dispute.pk), "now_us": desk.now_us, **WHO}
    for party in ("holder", "boreal", "issuer"):
        with pytest.raises(DisputeRefused, match="is a party"):
            assign_reviewer(reviewer=desk.accounts[party].participant, **known)
    with pytest.raises(DisputeRefused, match="assigned to"):
        decide(desk, dispute, "reject", by="other")
    with pytest.raises(DisputeRefused, match="only a party"):
        add_evidence(text="I heard", participant=desk.accounts["other"].participant, **known)
    add_evidence(text="here is the log", participant=desk.accounts["boreal"].participant, **known)
    with pytest.raises(DisputeRefused, match="a decision is one of"):
        decide(desk, dispute, "shrug")
    with pytest.raises(DisputeRefused, match="within its window"):
        challenged(desk, settlement)
    decide(desk, dispute, "reject")
    with pytest.raises(DisputeRefused, match="was rejected"):
        add_evidence(text="and another thing", participant=desk.accounts["holder"].participant, **known)


def test_proofs_that_contradict_each_other_open_a_dispute(desk: Using) -> None:
    _, settlement = settled(desk, 400)
    liar = NewProof(type="usage-meter", reference="other", content_hash="f" * 64, producer="boreal", units=9_999)
    after = add_proofs(receipt_id=str(settlement.receipt_id), proofs=[liar], mint=MINT, now_us=desk.now_us, **WHO)
    assert (after.state, Settlement.objects.get(pk=settlement.pk).state) == ("in_dispute", "in_dispute")
    assert Dispute.objects.get().side == "coordinator"


def test_compensation_in_units_is_a_new_right_where_there_is_room(desk: Using) -> None:
    right = desk.basic(settlement={"refund_policy": "credit-reissue"}, fallback_policy=FALLBACK)
    desk.suppliers["boreal"].desk.now_us = desk.now_us
    desk.suppliers["boreal"].refresh(right.assurance)
    request = desk.running((right, 1_000))
    told = desk.told(request, 1_000, status="fallback_completed", fallbacks=("substitute_providers",), quality_loss_bps=1_000)
    settlement = desk.record(request, told)
    assert (settlement.state, settlement.payout_minor, settlement.compensation_minor) == ("finalized", 10_000, 0)
    link = RightLink.objects.get()
    assert (str(link.former_id), link.units, link.kind) == (str(right.pk), 100, "reissued")
    assert (desk.units(link.latter), link.latter.holder.name) == ((100, 0, "active"), "holder")


def test_a_compensation_is_under_the_same_terms_and_by_nobodys_decision(desk: Using) -> None:
    terms: dict[str, Any] = {"fallback_policy": FALLBACK, "transfer_policy": {"min_transfer_units": "5000"}}
    right = desk.basic(settlement={"refund_policy": "credit-reissue"}, **terms)
    desk.suppliers["boreal"].desk.now_us = desk.now_us
    desk.suppliers["boreal"].refresh(right.assurance)
    request = desk.running((right, 1_000))
    told = desk.told(request, 1_000, status="fallback_completed", fallbacks=("substitute_providers",), quality_loss_bps=1_000)
    desk.record(request, told)
    latter = RightLink.objects.get().latter  # smaller than what its terms let it be given away in
    assert (latter.max_units, latter.terms_id) == (100, right.terms_id)
    made = Event.objects.filter(object_id=f"rgt_{latter.pk}").values_list("body", flat=True)
    assert {json.loads(body)["actor"] for body in made} == {"venue:terms"}


def test_two_rights_of_one_assurance_share_its_room(desk: Using) -> None:
    terms: dict[str, Any] = {"settlement": {"refund_policy": "credit-reissue"}, "fallback_policy": FALLBACK}
    first, second = desk.basic(**terms), desk.basic(**terms)
    desk.suppliers["boreal"].desk.now_us = desk.now_us
    assurance = desk.suppliers["boreal"].refresh(first.assurance)
    most = issuable_units(assurance.gross_units, assurance.haircut_bps, assurance.overbook_bps)
    desk.basic(most - assurance.issued_units - 150, **terms)  # each of the two is owed 100
    request = desk.running((first, 1_000), (second, 1_000))
    degraded: dict[str, Any] = {"status": "fallback_completed", "fallbacks": ("substitute_providers",), "quality_loss_bps": 1_000}
    assert desk.record(request, desk.told(request, 1_000, 1_000, **degraded)).state == "finalized"
    assert RightLink.objects.get().units == 100
    assert (desk.cash("holder"), desk.cash("boreal"), desk.cash("venue:escrow")) == (1_000, 19_000, 0)


def test_two_routes_on_one_right_are_compensated_for_both(desk: Using) -> None:
    right = desk.basic(settlement={"refund_policy": "credit-reissue"}, fallback_policy=FALLBACK)
    desk.suppliers["boreal"].desk.now_us = desk.now_us
    desk.suppliers["boreal"].refresh(right.assurance)
    request = desk.running((right, 1_000), candidates=(Candidate(str(right.pk)),))
    again(desk, request)
    told = desk.told(request, 1_000, 1_000, status="fallback_completed", fallbacks=("substitute_providers",), quality_loss_bps=1_000)
    assert desk.record(request, told).outcome == "fallback"
    assert RightLink.objects.get().units == 200


def test_who_takes_over_draws_no_more_than_was_asked_for(desk: Using) -> None:
    """The most that the rest could take is locked with him, more than the whole request was; what that goes beyond it is nobody's to pay."""
    right = desk.basic(fallback_policy=FALLBACK)
    request = desk.running((right, 1_000), candidates=(Candidate(str(right.pk)),), budget="reserved-draw")
    again(desk, request, units=2_000)
    told = desk.told(request, 500, 480, status="fallback_completed", fallbacks=("substitute_providers",))
    legs = (msgspec.structs.replace(told.legs[0], error="gone"), told.legs[1])
    settlement = desk.record(request, msgspec.structs.replace(told, legs=legs))
    assert (settlement.outcome, settlement.units, desk.units(right)) == ("fallback", 1_000, (9_000, 0, "active"))


def again(desk: Using, request: Request, released: tuple[str, ...] = (), units: int = 1_000) -> None:
    """As much work goes to another supplier too, or `released` goes there."""
    desk.supply("cloudy", constraints=("json-mode", "tool-use"))
    tried = Endpoint.objects.filter(capability=desk.suppliers["boreal"].capability).values_list("pk", flat=True)
    known = {"request_id": str(request.pk), "reason": "boreal failed", "mint": MINT, "now_us": desk.now_us, **WHO}
    assert fall_back(released=released, without_endpoints=set(tried), units=units, **known)


def test_without_room_it_is_money(desk: Using) -> None:
    right = desk.basic(settlement={"refund_policy": "credit-reissue", **WINDOW}, fallback_policy=FALLBACK)  # its assurance is stale
    request = desk.running((right, 1_000))
    told = desk.told(request, 1_000, status="fallback_completed", fallbacks=("substitute_providers",), quality_loss_bps=1_000)
    desk.record(request, told)
    desk.now_us += 600_000_000
    finalize_due(mint=MINT, now_us=desk.now_us, **WHO)
    assert (desk.cash("holder"), desk.cash("boreal"), RightLink.objects.count()) == (1_000, 9_000, 0)


def test_the_table_in_the_database_is_the_codes() -> None:
    assert sorted(SettlementRule.objects.values_list("start", "event", "end")) == steps()


def _force(cursor: Any, sql: str, parameters: list[object]) -> None:
    """Behind the back of the guard."""
    cursor.execute("ALTER TABLE settlement_settlement DISABLE TRIGGER settlement_step")
    cursor.execute(sql, parameters)
    cursor.execute("ALTER TABLE settlement_settlement ENABLE TRIGGER settlement_step")


def test_every_step_outside_the_table_is_refused_by_code_and_database(desk: Using) -> None:
    """From every state that a settlement can be in, by every event, to every state."""
    _, settlement = settled(desk, 400)
    name = str(settlement.pk)
    outside = [
        (start, event, end)
        for start in SettlementState
        for event in SettlementEvent
        for end in SettlementState
        if start is not end and end not in TABLE.get((start, event), ())
    ]
    columns = "finalized_at = CASE WHEN %s = 'finalized' THEN now() END"
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for start in SettlementState:
            _force(cursor, f"UPDATE settlement_settlement SET state = %s, {columns} WHERE id = %s", [start, start, name])
            for _, event, end in (each for each in outside if each[0] is start):
                with pytest.raises(IntegrityError), transaction.atomic():
                    cursor.execute(
                        f"UPDATE settlement_settlement SET state = %s, last_event = %s, {columns} WHERE id = %s", [end, event, end, name]
                    )
                assert not may_move(start, event, end)
                settlement.state = str(start)
                with pytest.raises(StepRefused):
                    step(settlement, event, end, desk.now_us)
        _force(cursor, "UPDATE settlement_settlement SET state = 'pending_dispute_window', finalized_at = NULL WHERE id = %s", [name])
    assert len(outside) == 12 * 11 * 11 - len(steps())
