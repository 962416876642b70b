"""Degradation plans (SPEC §7, drift): what each does once, what it never does, and what ends when the assurance is sound again."""

import json

import pytest

from benchmarks.registry_plans import statements_of
from exchange.audit.run import audit
from exchange.domain.command import Phase, Reason
from exchange.models import Command, Order
from exchange.replay.run import replay
from exchange.selectors import instruments
from exchange.selectors.accounts import positions
from exchange.services import degradation, freeze, timetable
from exchange.services.degradation import follow_plans_due, lift_plans_due
from rights.domain.lifecycle import FreezeReason
from rights.models import Assurance, Event, PlanAct, Right
from rights.services.freeze_many import freeze_rights
from settlement.services.transfer import Part, transfer_units
from tests.honest_market import HonestMarket
from tests.registry_desk import DAY_US, MINT, START_US
from tests.seam import holding

pytestmark = pytest.mark.django_db
LOT = 1_000_000


class Venue(HonestMarket):
    """The plain market, with 50 lots of its own; `issuer` still holds 20 lots and rests two asks, and `sold` lots are the holder's."""

    def __init__(self, plan: str, sold: int = 30) -> None:
        super().__init__()
        self.keys["issuer"] = self._key(self.accounts["issuer"])
        self.supply.post(10**12)
        source = self.supply.source(100 * LOT)
        self.behind = self.supply.assure(100 * LOT, reference="planned", sources=(source,), degradation_plan=plan)
        named = {"assurance": {"reference": "planned"}}
        self.unsold = [str(self.desk.issue(10 * LOT, holder="issuer", **named).pk) for _ in range(2)]
        self.sold = str(self.desk.issue(sold * LOT, holder="holder", **named).pk)
        self.phase(Phase.CONTINUOUS)
        self.match()
        self.asks = [self.place("issuer", "sell", 10, 300) for _ in range(2)]
        self.match()

    def drift(self, lots: int) -> None:
        self.now_us += 1000
        self.desk.now_us = self.now_us
        self.supply.refresh(self.behind, gross_units=lots * LOT)

    def run(self) -> timetable.Run:
        self.now_us += 1000
        done = timetable.run_due(now_us=self.now_us)
        self.match()
        return done

    def status(self, right_id: str) -> tuple[str, str]:
        return Right.objects.values_list("status", "freeze_reason").get(pk=right_id)

    def row(self):
        return instruments.instrument(symbol=self.instrument.symbol, now_us=self.now_us)


def acts():
    return list(PlanAct.objects.order_by("id").values_list("act", "object_id", "lifted_at"))


def told(kind):
    return [json.loads(body)["payload"] for body in Event.objects.filter(type=kind).order_by("seq").values_list("body", flat=True)]


def test_pausing_needs_no_act():
    venue = Venue("pause-issuance")
    assert venue.row().backing == "sound"
    # The desk's own assurance, the honest market's small one, and what is left of 100 lots after 50.
    others = 10**12 - 50 * LOT + 10**8
    assert venue.row().headroom_units == others + 50 * LOT
    venue.drift(40)
    assert venue.run().plan_acts == 0
    assert (venue.row().backing, venue.row().headroom_units) == ("degraded", others)
    assert [venue.status(right) for right in (*venue.unsold, venue.sold)] == [("active", "")] * 3
    assert audit(now_us=venue.now_us).broken == []


def test_the_unsold_freezes_once_and_its_asks_are_pulled():
    venue = Venue("freeze-unsold")
    venue.drift(40)
    assert venue.run().plan_acts == 2
    assert [venue.status(right) for right in venue.unsold] == [("frozen", "settlement_lock")] * 2
    assert venue.status(venue.sold) == ("active", "")
    assert [Order.objects.get(pk=ask).is_open for ask in venue.asks] == [False, False]
    assert {(act, right) for act, right, _ in acts()} == {("freeze", f"rgt_{right}") for right in venue.unsold}
    assert told("assurance.plan_followed") == [
        {"act": "freeze", "degradation_plan": "freeze-unsold", "objects": sorted(f"rgt_{right}" for right in venue.unsold)}
    ]
    # An operator who decides otherwise is not overruled.
    freeze.unfreeze_right(right_id=venue.unsold[0], reason="looked at", mint=MINT, actor="command:test", now_us=venue.now_us)
    assert venue.run().plan_acts == 0
    assert venue.status(venue.unsold[0]) == ("active", "")
    assert audit(now_us=venue.now_us).broken == []


def test_recovery_lets_the_unsold_go_on():
    venue = Venue("freeze-unsold")
    venue.drift(40)
    venue.run()
    freeze.unfreeze_right(right_id=venue.unsold[0], reason="looked at", mint=MINT, actor="command:test", now_us=venue.now_us)
    freeze.freeze_right(right_id=venue.unsold[0], freeze_reason="dispute", reason="claimed", actor="command:test", now_us=venue.now_us)
    venue.drift(60)
    assert venue.run().plan_acts == 2
    assert venue.status(venue.unsold[0]) == ("frozen", "dispute")  # for another reason by now
    assert venue.status(venue.unsold[1]) == ("active", "")
    assert [lifted is None for *_, lifted in acts()] == [False, False]
    assert venue.row().backing == "sound"
    venue.drift(10)
    assert venue.run().plan_acts == 1  # a new degradation, what is not frozen freezes again
    assert venue.status(venue.unsold[1]) == ("frozen", "settlement_lock")
    assert audit(now_us=venue.now_us).broken == []


def test_when_the_window_is_over_the_frozen_expire_with_their_units():
    venue = Venue("freeze-unsold")
    venue.drift(40)
    venue.run()
    venue.now_us = START_US + DAY_US
    for _ in range(3):
        venue.run()
    assert {venue.status(right)[0] for right in venue.unsold} == {"expired"}
    assert {lifted is None for *_, lifted in acts()} == {False}
    assert audit(now_us=venue.now_us).broken == []


def test_books_halt_once_with_the_reason_and_wait_for_an_operator():
    venue = Venue("halt-books", sold=31)
    venue.drift(40)
    assert venue.run().plan_acts == 1
    row = venue.row()
    assert (Phase(row.phase), row.backing) == (Phase.HALTED, "degraded")
    assert "planned" in row.phase_reason
    assert acts() == [("halt", venue.instrument.symbol, None)]
    venue.phase(Phase.CONTINUOUS)  # an operator resumes all the same
    venue.match()
    assert venue.run().plan_acts == 0
    assert Phase(venue.row().phase) is Phase.CONTINUOUS
    venue.phase(Phase.HALTED)
    venue.match()
    venue.drift(60)
    assert venue.run().plan_acts == 1
    assert Phase(venue.row().phase) is Phase.HALTED
    assert [Order.objects.get(pk=ask).is_open for ask in venue.asks] == [True, True]
    assert told("assurance.plan_lifted") == [{"act": "halt", "degradation_plan": "halt-books", "objects": [venue.instrument.symbol]}]
    assert audit(now_us=venue.now_us).broken == []


def looks(venue: Venue) -> int:
    """How many plans the timetable looks into when it comes by."""
    prepared, _ = statements_of(lambda: follow_plans_due(now_us=venue.now_us))
    return sum("FOR NO KEY UPDATE OF a" in text for text, _ in prepared)


def test_a_plan_that_is_done_rests_until_something_changes():
    venue = Venue("freeze-unsold")
    venue.drift(40)
    assert venue.run().plan_acts == 2
    assert [looks(venue) for _ in range(3)] == [1, 0, 0]
    told = {"giver": venue.accounts["holder"], "taker": venue.accounts["issuer"], "mint": MINT, "actor": "test", "now_us": venue.now_us}
    transfer_units(parts=[Part(venue.sold, 5 * LOT)], **told)
    assert venue.run().plan_acts == 1  # its issuer holds some again
    assert [looks(venue) for _ in range(2)] == [1, 0]
    venue.drift(60)
    assert venue.run().plan_acts == 3
    venue.drift(40)
    assert venue.run().plan_acts == 3


def test_a_halted_book_is_looked_at_again_when_its_phase_changes():
    venue = Venue("halt-books", sold=31)
    venue.drift(40)
    assert venue.run().plan_acts == 1
    assert [looks(venue) for _ in range(2)] == [1, 0]
    venue.phase(Phase.CONTINUOUS)
    venue.match()
    assert [looks(venue) for _ in range(2)] == [1, 0]
    assert Phase(venue.row().phase) is Phase.CONTINUOUS


def test_half_of_the_supply_stops_no_book_and_its_asks_leave():
    """What others have asked stays and is traded; what is weak comes back when it is sound."""
    venue = Venue("halt-books")
    sound = venue.place("holder", "sell", 10, 310, rights=[venue.right_id])
    mixed = venue.place("holder", "sell", 55, 320)  # its first 40 lots are sound
    bid = venue.place("other", "buy", 1, 100)
    venue.match()
    venue.drift(40)
    assert venue.run().plan_acts == 0
    row = venue.row()
    assert (Phase(row.phase), row.backing, row.post_only, row.sheet_is_stale) == (Phase.CONTINUOUS, "degraded", False, False)
    ended = Order.objects.filter(is_open=False).values_list("pk", "reason")
    assert {(str(pk), Reason(reason)) for pk, reason in ended} == {(ask, Reason.BACKING_UNSOUND) for ask in (*venue.asks, mixed)}
    pulls = Command.objects.filter(actor="timetable", order_id__isnull=False).count()
    assert pulls == 3
    venue.run()
    assert Command.objects.filter(actor="timetable", order_id__isnull=False).count() == pulls

    refused = venue.place("issuer", "sell", 1, 300)
    named = venue.place("holder", "sell", 1, 300, rights=[venue.sold])
    taken = venue.place("other", "buy", 3, 310)
    venue.match()
    assert [Reason(Order.objects.get(pk=order).reason) for order in (refused, named)] == [Reason.BACKING_UNSOUND] * 2
    assert [Order.objects.get(pk=order).filled_lots for order in (taken, sound)] == [3, 3]
    assert Order.objects.get(pk=bid).is_open
    held = positions(account_id=venue.accounts["holder"].pk, now_us=venue.now_us, limit=1)[0]
    assert (held.units, held.sellable, held.free) == (77 * LOT, 47 * LOT, 40 * LOT)

    venue.drift(60)
    venue.run()
    again = venue.place("issuer", "sell", 1, 300)
    venue.match()
    assert Order.objects.get(pk=again).is_open
    assert audit(now_us=venue.now_us).broken == []
    assert replay().differences == {}


def test_a_closed_book_is_left_alone():
    venue = Venue("halt-books", sold=31)
    venue.phase(Phase.CLOSED)
    venue.match()
    venue.drift(40)
    before = Command.objects.count()
    assert follow_plans_due(now_us=venue.now_us) == 0
    assert Command.objects.count() == before


def test_staleness_follows_no_plan():
    venue = Venue("freeze-unsold")
    Assurance.objects.filter(pk=venue.behind.pk).update(stale_after_s=1)
    venue.now_us += 2_000_000
    done = timetable.run_due(now_us=venue.now_us)
    assert (done.assurances_stale, done.plan_acts) == (1, 0)
    assert venue.row().backing == "stale"
    assert not PlanAct.objects.exists()


def test_nothing_is_due_where_nothing_drifted():
    venue = Venue("freeze-unsold")
    assert (follow_plans_due(now_us=venue.now_us), lift_plans_due(mint=MINT, now_us=venue.now_us)) == (0, 0)


def test_many_freeze_together_and_only_what_may():
    venue = Venue("pause-issuance")
    done = {"actor": "command:test", "now_us": venue.now_us, "note": "x", "freeze_reason": FreezeReason.CUSTOM}
    freeze.freeze_right(right_id=venue.unsold[0], freeze_reason="dispute", reason="x", actor="command:test", now_us=venue.now_us)
    assert freeze_rights(right_ids=[*venue.unsold, MINT.uuid(venue.now_us)], **done) == [venue.unsold[1]]
    assert freeze_rights(right_ids=[], **done) == []
    assert [venue.status(right)[1] for right in venue.unsold] == ["dispute", "custom"]


def test_a_plan_lifts_no_freeze_but_its_own():
    """Two operators let a right go on, and one stops it again for a cause of its own, in the same word."""
    venue = Venue("freeze-unsold")
    venue.drift(40)
    venue.run()
    done = {"actor": "command:test", "now_us": venue.now_us}
    freeze.unfreeze_right(right_id=venue.unsold[0], reason="looked at", mint=MINT, **done)
    freeze.freeze_right(right_id=venue.unsold[0], freeze_reason="settlement_lock", reason="a claim", **done)
    venue.drift(60)
    assert venue.run().plan_acts == 2
    assert [venue.status(right) for right in venue.unsold] == [("frozen", "settlement_lock"), ("active", "")]
    assert audit(now_us=venue.now_us).broken == []


def test_a_right_with_nothing_left_is_not_frozen_and_thaws_after_its_end():
    venue = Venue("freeze-unsold")
    for lots in (2, 8):  # the second time into what the buyer has
        venue.place("other", "buy", lots, 300)
        venue.match()
    empty = venue.unsold[0]
    assert (venue.status(empty), Right.objects.get(pk=empty).remaining_units) == (("active", ""), 0)
    venue.drift(40)
    assert venue.run().plan_acts == 1
    done = {"actor": "command:test", "now_us": venue.now_us}
    freeze.freeze_right(right_id=empty, freeze_reason="custom", reason="look", **done)
    venue.now_us = START_US + DAY_US
    freeze.unfreeze_right(right_id=empty, reason="over", mint=MINT, actor="command:test", now_us=venue.now_us)
    assert venue.status(empty)[0] == "expired"
    assert replay().differences == {}
    assert audit(now_us=venue.now_us).broken == []


def test_what_can_not_be_lifted_yet_keeps_nobody_waiting(monkeypatch):
    venue = Venue("freeze-unsold")
    venue.drift(40)
    venue.run()
    waiting, other = sorted(venue.unsold)
    Right.objects.filter(pk=waiting).update(reserved_units=1)  # as a lock that is still on it
    monkeypatch.setattr(degradation, "MOST", 1)
    for second in range(2):
        lift_plans_due(mint=MINT, now_us=START_US + DAY_US + second * 1_000_000)
    assert (venue.status(waiting)[0], venue.status(other)[0]) == ("frozen", "expired")


@pytest.mark.django_db(transaction=True)
def test_what_is_sold_meanwhile_is_not_unsold():
    """The sale has the right's lock when the plan looks for what the issuer still holds."""
    venue = Venue("freeze-unsold")
    named = {"assurance": {"reference": "planned"}}
    late = str(venue.desk.issue(10 * LOT, holder="issuer", **named).pk)
    venue.drift(40)
    told = {"giver": venue.accounts["issuer"], "taker": venue.accounts["other"], "mint": MINT, "actor": "test", "now_us": venue.now_us}
    with holding(lambda: transfer_units(parts=[Part(late, 10 * LOT)], **told)):
        assert follow_plans_due(now_us=venue.now_us) == 2
    assert [venue.status(right) for right in (*venue.unsold, late)] == [("frozen", "settlement_lock")] * 2 + [("active", "")]
    venue.match()
    assert audit(now_us=venue.now_us).broken == []
