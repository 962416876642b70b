"""A receipt becomes a settlement: units, money, states and events, once (SPEC §8, §9)."""

from collections.abc import Iterator

import msgspec
import pytest

from rights.models import Event, UnitLock
from rights.services.freeze import freeze_right
from settlement.domain.receipt_body import NewProof
from settlement.domain.venue_proofs import venue_proofs
from settlement.models import Posting, Proof, Receipt, Request, Route, Settlement
from settlement.services.proof_rows import ReceiptConflict, ReceiptRefused
from settlement.services.receipt import add_proofs, proof_deadlines_due
from tests.registry_desk import DAY_US, MINT, START_US
from tests.using_desk import CASH_MINOR, TARIFF_MINOR, WHO, Using

pytestmark = pytest.mark.django_db
WINDOW = {"dispute_window_seconds": 600}


@pytest.fixture
def desk() -> Iterator[Using]:
    made = Using()
    yield made
    made.sound()


def types(settlement: Settlement) -> list[str]:
    """The events about the request, its receipt and its settlement, in order."""
    names = [f"req_{settlement.request_id}", f"rcp_{settlement.receipt_id}", f"stl_{settlement.pk}"]
    return list(Event.objects.filter(object_id__in=names).order_by("seq").values_list("type", flat=True))


def test_a_full_request_is_charged_and_paid_for_what_was_used(desk: Using) -> None:
    right = desk.basic(10_000)
    request = desk.running((right, 1_000))
    assert desk.cash("venue:escrow") == 1_000 * TARIFF_MINOR
    settlement = desk.record(request, desk.told(request, 400))
    assert (settlement.state, settlement.outcome, settlement.units, settlement.reserved_units) == ("finalized", "full", 400, 1_000)
    assert desk.units(right) == (9_600, 0, "active")
    assert desk.cash("boreal") == 400 * TARIFF_MINOR
    assert desk.cash("venue:escrow") == 0
    assert (settlement.payout_minor, settlement.compensation_minor, settlement.release_minor) == (4_000, 0, 6_000)
    stored = Settlement.objects.get(pk=settlement.pk)
    assert (stored.state, stored.payout_minor, stored.finalized_at) == ("finalized", 4_000, settlement.finalized_at)
    assert Request.objects.get(pk=request.pk).state == "settled"
    assert Route.objects.get(request=request).state == "completed"
    assert types(settlement)[-4:] == ["execution.completed", "receipt.recorded", "settlement.classified", "settlement.finalized"]
    kinds = Posting.objects.filter(entry_id=settlement.pk).order_by("leg").values_list("kind", "amount")
    assert list(kinds) == [("consumed", 400), ("payout", 4_000), ("release", 6_000)]


def test_the_same_receipt_again_is_the_same_settlement_and_another_is_refused(desk: Using) -> None:
    request = desk.running((desk.basic(), 1_000))
    told = desk.told(request, 400)
    first = desk.record(request, told)
    events = Event.objects.count()
    assert desk.record(request, told) == first
    assert (Event.objects.count(), Receipt.objects.count()) == (events, 1)
    with pytest.raises(ReceiptConflict):
        desk.record(request, desk.told(request, 401))


def test_what_is_used_up_is_fully_consumed_when_nothing_of_it_can_come_back(desk: Using) -> None:
    right = desk.basic(1_000)
    desk.record(desk.running((right, 1_000)), desk.told(Request.objects.get(), 1_000))
    assert desk.units(right) == (0, 0, "fully_consumed")
    tentative = desk.basic(1_000, settlement=WINDOW)
    request = desk.running((tentative, 1_000))
    assert desk.record(request, desk.told(request, 1_000)).state == "pending_dispute_window"
    assert desk.units(tentative) == (0, 0, "active")


def test_a_partial_request_pays_for_the_proven_part(desk: Using) -> None:
    right = desk.basic(10_000, limits={"partial_fill_allowed": True})
    request = desk.running((right, 500))
    settlement = desk.record(request, desk.told(request, 300, status="partially_completed"))
    assert (settlement.outcome, settlement.units) == ("partial", 300)
    assert (desk.cash("boreal"), desk.units(right)) == (3_000, (9_700, 0, "active"))


def test_without_leave_a_partial_request_has_failed(desk: Using) -> None:
    right = desk.basic(10_000)
    request = desk.running((right, 500))
    settlement = desk.record(request, desk.told(request, 300, status="partially_completed"))
    assert (settlement.outcome, settlement.rule, settlement.units) == ("failed", "partial_not_allowed", 0)
    assert (desk.cash("boreal"), desk.cash("issuer"), desk.units(right)) == (0, CASH_MINOR, (10_000, 0, "active"))


FALLBACK = {"allow_fallback": True, "substitute_providers": True, "max_quality_loss_bps": 2_000, "max_latency_expansion_bps": 0}


@pytest.mark.parametrize(("refund", "holder", "supplier"), [("none", 0, 10_000), ("pro-rata", 1_000, 9_000), ("custom", 1_000, 9_000)])
def test_a_fallback_compensates_as_the_right_says(desk: Using, refund: str, holder: int, supplier: int) -> None:
    right = desk.basic(settlement={"refund_policy": refund}, fallback_policy=FALLBACK)
    request = desk.running((right, 1_000))
    told = desk.told(request, 1_000, status="fallback_completed", fallbacks=("substitute_providers",), quality_loss_bps=1_000)
    assert desk.record(request, told).outcome == "fallback"
    assert (desk.cash("holder"), desk.cash("boreal"), desk.cash("venue:escrow")) == (holder, supplier, 0)


def test_what_is_not_proven_waits_and_late_proofs_decide(desk: Using) -> None:
    right = desk.basic()
    request = desk.running((right, 1_000))
    told = desk.told(request, 400)
    waiting = desk.record(request, told, without=("usage-meter",))
    assert (waiting.state, waiting.missing) == ("pending_proof", ["usage-meter"])
    assert desk.units(right) == (10_000, 1_000, "active")
    assert Route.objects.get(request=request).state == "executing"
    desk.now_us += 1_000_000
    settlement = desk.record(request, told)  # the same body again, with the proof that was missing
    assert (settlement.state, settlement.units, Proof.objects.filter(receipt=settlement.receipt_id).count()) == ("finalized", 400, 7)
    with pytest.raises(ReceiptRefused, match="final"):
        add_proofs(receipt_id=str(settlement.receipt_id), proofs=[_liar()], mint=MINT, now_us=desk.now_us, **WHO)


def _liar() -> NewProof:
    return NewProof(type="usage-meter", reference="other", content_hash="f" * 64, producer="boreal", units=9_999)


def test_proofs_that_never_come_end_as_failed(desk: Using) -> None:
    right = desk.basic()
    request = desk.running((right, 1_000))
    desk.record(request, desk.told(request, 400), without=("usage-meter",))
    assert proof_deadlines_due(mint=MINT, now_us=desk.now_us + 299_999_999, **WHO) == 0
    desk.now_us += 300_000_000
    assert proof_deadlines_due(mint=MINT, now_us=desk.now_us, **WHO) == 1
    settlement = Settlement.objects.get()
    assert (settlement.state, settlement.outcome, settlement.rule) == ("finalized", "failed", "proofs_unrecoverable")
    assert (desk.units(right), desk.cash("issuer")) == ((10_000, 0, "active"), CASH_MINOR)
    assert proof_deadlines_due(mint=MINT, now_us=desk.now_us, **WHO) == 0


def test_two_meters_that_differ_prove_nothing(desk: Using) -> None:
    request = desk.running((desk.basic(), 1_000))
    told = desk.told(request, 400)
    proofs = [*venue_proofs(request_id=str(request.pk), told=told, envelope_hash="e" * 64), _liar()]
    waiting = desk.record(request, told, proofs)
    assert (waiting.state, waiting.missing) == ("pending_proof", ["conflict:usage-meter"])


def test_several_routes_pay_each_its_own(desk: Using) -> None:
    first, second = desk.basic(), desk.basic()
    request = desk.running((first, 300), (second, 700))
    settlement = desk.record(request, desk.told(request, 300, 100))
    assert (settlement.units, settlement.payout_minor, settlement.release_minor) == (400, 4_000, 6_000)
    assert (desk.units(first), desk.units(second)) == ((9_700, 0, "active"), (9_900, 0, "active"))


def test_more_than_a_route_locked_is_not_proven(desk: Using) -> None:
    request = desk.running((desk.basic(), 300), (desk.basic(), 700))
    settlement = desk.record(request, desk.told(request, 301, 100))
    assert (settlement.outcome, settlement.rule) == ("failed", "more_than_locked")


@pytest.mark.parametrize(
    ("budget", "status", "delivered", "outcome", "units"),
    [
        ("actual", "completed", 400, "full", 400),
        ("actual", "completed", 1_100, "failed", 0),
        ("reserved-draw", "completed", 400, "full", 1_000),
        ("reserved-draw", "fallback_completed", 400, "fallback", 1_000),
        ("reserved-draw", "partially_completed", 400, "partial", 400),
        ("reserved-draw", "completed", 1_100, "failed", 0),
        ("reserved-draw", "failed", 400, "failed", 0),
        ("quoted-cap", "completed", 400, "full", 400),
        ("quoted-cap", "completed", 1_100, "full", 1_000),
        ("quoted-cap", "partially_completed", 1_100, "partial", 1_000),
    ],
)
def test_the_budget_says_what_is_charged(desk: Using, budget: str, status: str, delivered: int, outcome: str, units: int) -> None:
    right = desk.basic(fallback_policy=FALLBACK, limits={"partial_fill_allowed": True})
    request = desk.running((right, 1_000), budget=budget)
    fallbacks = ("substitute_providers",) if status == "fallback_completed" else ()
    settlement = desk.record(request, desk.told(request, delivered, status=status, fallbacks=fallbacks))
    assert (settlement.outcome, settlement.units) == (outcome, units)
    assert desk.units(right) == (10_000 - units, 0, "active")
    assert desk.cash("boreal") == units * TARIFF_MINOR


def test_a_reserved_draw_pays_nobody_who_failed_on_the_way(desk: Using) -> None:
    first, second = desk.basic(), desk.basic()
    request = desk.running((first, 300), (second, 700), budget="reserved-draw")
    told = desk.told(request, 100, 500)
    broken = msgspec.structs.replace(told.legs[0], error="gone")
    settlement = desk.record(request, msgspec.structs.replace(told, legs=(broken, told.legs[1])))
    assert (settlement.outcome, settlement.units) == ("full", 800)
    assert (desk.units(first), desk.units(second)) == ((9_900, 0, "active"), (9_300, 0, "active"))


@pytest.mark.parametrize("status", ["failed", "expired", "cancelled"])
def test_a_request_that_never_ran_lets_everything_go(desk: Using, status: str) -> None:
    right = desk.basic(settlement=WINDOW)
    request = desk.matched((right, 1_000))
    settlement = desk.record(request, desk.told(request, status=status))
    assert (settlement.state, settlement.outcome) == ("finalized", status)
    assert (desk.units(right), desk.cash("issuer"), desk.cash("venue:escrow")) == ((10_000, 0, "active"), CASH_MINOR, 0)
    assert Route.objects.get(request=request).state == "released"
    assert not UnitLock.objects.filter(released_at=None).exists()


def test_a_request_without_routes_ends_too(desk: Using) -> None:
    request = desk.submit(desk.basic(), choose=False)
    settlement = desk.record(request, desk.told(request, status="expired"))
    assert (settlement.state, settlement.outcome, settlement.escrow_minor) == ("finalized", "expired", 0)


def test_a_right_that_froze_or_ended_meanwhile_is_charged_all_the_same(desk: Using) -> None:
    frozen, over = desk.basic(1_000), desk.basic(1_000)
    request, late = desk.running((frozen, 400)), desk.running((over, 400))
    freeze_right(right_id=str(frozen.pk), freeze_reason="compliance", note="looked into", now_us=desk.now_us, **WHO)
    assert desk.record(request, desk.told(request, 400)).outcome == "full"
    assert desk.units(frozen) == (600, 0, "frozen")
    told = desk.told(late, 400)
    desk.now_us = START_US + DAY_US + 1
    assert desk.record(late, told).outcome == "full"
    assert desk.units(over) == (600, 0, "active")


def test_a_receipt_names_routes_that_are_under_lock(desk: Using) -> None:
    mine, other = desk.running((desk.basic(), 10)), desk.running((desk.basic(), 10))
    with pytest.raises(ReceiptRefused, match="under lock"):
        desk.record(mine, desk.told(other, 10))
    with pytest.raises(ReceiptRefused, match="can't end"):
        desk.record(desk.matched((desk.basic(), 10)), desk.told(mine, 10))
    assert not Receipt.objects.exists()
