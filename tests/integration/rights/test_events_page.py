"""docs/events.md says exactly what events hold: it is compared with the constructors and with a day at the venue."""

import inspect
import json
import re
from pathlib import Path

import pytest

from exchange.services.freeze import freeze_right, unfreeze_right
from exchange.services.funding import fund
from exchange.services.participants import reinstate, suspend
from rights.domain import right_events, supply_events
from rights.models import Event
from rights.services.capabilities import measure_capability, retire_capability
from rights.services.split import merge_rights, split_right
from rights.services.suppliers import assess_supplier, suspend_supplier
from settlement.domain import node_events, settlement_events
from settlement.domain.settlement_events import ShareTold
from tests.registry_desk import NOW_US, Desk
from tests.supply_desk import SupplyDesk
from tests.trading_floor import LOT, MINT, Floor

PAGE = Path(__file__).resolve().parents[3] / "docs" / "events.md"
ROW = re.compile(r"^\| `([a-z_]+\.[a-z_]+)` \| ([a-z_]+) \| (.*) \|$", re.MULTILINE)
DOCUMENTED = {
    kind: (thing, sorted(re.findall(r"`([a-z_]+)`", fields))) for kind, thing, fields in ROW.findall(PAGE.read_text(encoding="utf-8"))
}

STARTED = {"execution.started", "execution.progressed"}  # of the router and the executor


def test_every_constructor_of_a_rights_event_is_documented():
    names = {value for name, value in vars(right_events).items() if name.isupper() and name[0] != "_"}
    assert names == {kind for kind in DOCUMENTED if kind.startswith("right.")}
    for kind in names:
        build = getattr(right_events, kind.removeprefix("right."))
        payload = build(**dict.fromkeys(inspect.signature(build).parameters, "1"))
        assert sorted(payload) == DOCUMENTED[kind][1], kind


@pytest.mark.django_db(transaction=True)
def test_a_day_at_the_venue_writes_what_is_documented():
    floor = Floor()
    floor.open("seller")
    floor.open("buyer")
    fund(account=floor.accounts["buyer"], amount="5000.00", currency="USD", reason="x", mint=MINT, actor="t", now_us=floor.now_us)
    right = floor.right("seller", 10)
    floor.right("seller", 4)
    for lots in (2, 3, 5, 4):  # the last is all of another right
        floor.place("seller", "sell", lots, 200)
        floor.place("buyer", "buy", lots, 200)
        floor.match()
    freeze_right(right_id=right, freeze_reason="custom", reason="x", actor="t", now_us=floor.now_us)
    unfreeze_right(right_id=right, reason="x", actor="t", now_us=floor.now_us)
    suspend(participant=floor.accounts["seller"].participant, reason="x", actor="t", now_us=floor.now_us)
    reinstate(participant=floor.accounts["seller"].participant, reason="x", actor="t", now_us=floor.now_us)
    found = written()
    assert {"right.split", "right.merged", "right.transferred", "right.frozen", "trade.executed", "instrument.listed"} <= found


@pytest.mark.django_db
def test_a_day_at_the_registry_writes_what_is_documented():
    desk = Desk()
    right = desk.issue(10 * LOT)
    parts = [split_right(right_id=str(right.pk), units=LOT, child_id=MINT.uuid(NOW_US), actor="t", now_us=NOW_US)[1] for _ in range(2)]
    merge_rights(source_id=str(parts[0].pk), target_id=str(parts[1].pk), actor="t", now_us=NOW_US)
    assert {"right.issued", "right.activated", "right.split", "right.merged", "assurance.posted", "issuer.appointed"} <= written()


def test_the_end_of_a_request_writes_what_is_documented():
    one = ShareTold("1", "1", "completed", 1, 1, 1, 0, 0)
    made = {
        settlement_events.EXECUTED: settlement_events.executed(status="completed"),
        settlement_events.RECORDED: settlement_events.recorded(request="1", status="completed", body="{}", body_hash="0", proofs=[]),
        settlement_events.PROVEN: settlement_events.proven(proofs=[]),
        settlement_events.PENDING_PROOF: settlement_events.pending_proof(
            request="1", receipt="1", reserved_units=1, escrow_minor=1, missing=[], due_at="x"
        ),
        settlement_events.CLASSIFIED: settlement_events.classified(
            **dict.fromkeys(("request", "receipt", "cause", "outcome", "rule", "digest"), "1"),
            shares=[one],
            reserved_units=1,
            escrow_minor=1,
        ),
        settlement_events.WINDOW_OPENED: settlement_events.window_opened(until="x"),
        settlement_events.DISPUTED: settlement_events.disputed(dispute="1", side="holder", opener=None, claim="x"),
        settlement_events.ASSIGNED: settlement_events.assigned(dispute="1", reviewer="x", reason=None),
        settlement_events.EVIDENCE: settlement_events.evidence(dispute="1", number=1, by="x", text="x", content_hash="x"),
        settlement_events.DECIDED: settlement_events.decided(dispute="1", state="upheld", reason="x"),
        settlement_events.REVERSED: settlement_events.reversed_(units=1),
        settlement_events.FINALIZED: settlement_events.finalized(request="1", cause="x", shares=[one], moves=[], outcome="full", rule="x"),
    }
    kinds = {value for name, value in vars(settlement_events).items() if name.isupper() and isinstance(value, str)}
    assert set(made) == kinds == {kind for kind in DOCUMENTED if kind.partition(".")[0] in {"execution", "receipt", "settlement"}} - STARTED
    for kind, payload in made.items():
        assert sorted(payload) == DOCUMENTED[kind][1], kind


@pytest.mark.django_db
def test_a_day_of_supply_writes_what_is_documented():
    desk = SupplyDesk(Desk())
    supplier, capability = {"supplier_id": str(desk.supplier.uuid)}, {"capability_id": str(desk.capability.uuid)}
    who = {"actor": "t", "now_us": NOW_US}
    assess_supplier(**supplier, trust_bps=9000, reason="x", **who)
    measure_capability(**capability, reliability_bps=9000, reason="x", **who)
    desk.post(100)
    desk.refresh(desk.assure(100, overbook_bps=1, justification="x", degradation_plan="freeze-unsold"))
    desk.desk.issue(90, assurance={"reference": "pledged", "usable_basis": "oversubscribed"})
    desk.post(50)
    suspend_supplier(**supplier, reason="x", **who)
    retire_capability(**capability, **who)
    kinds = {value for name, value in vars(supply_events).items() if name.isupper() and isinstance(value, str)}
    assert kinds == {kind for kind in DOCUMENTED if kind.partition(".")[0] in {"supplier", "capability", "capacity", "assurance"}}
    plans = {supply_events.PLAN_FOLLOWED, supply_events.PLAN_LIFTED}
    assert kinds - plans <= written()
    for kind in plans:  # written by the venue's timetable: tests/integration/rights/test_supply_plans.py
        assert sorted(supply_events.plan_acts(degradation_plan="x", act="halt", objects=[])) == DOCUMENTED[kind][1]


def written():
    """The types in the journal, each compared with the page."""
    types = set()
    for body in Event.objects.values_list("body", flat=True):
        event = json.loads(body)
        types.add(event["type"])
        assert (event["object"]["type"], sorted(event["payload"])) == DOCUMENTED[event["type"]], event["type"]
    return types


def test_every_constructor_of_a_nodes_event_is_documented():
    names = {value for name, value in vars(node_events).items() if name.isupper() and name[0] != "_"}
    assert names == {kind for kind in DOCUMENTED if kind.startswith("node.")}
    for kind in names:
        build = getattr(node_events, kind.removeprefix("node."))
        payload = build(**dict.fromkeys(inspect.signature(build).parameters, "1"))
        assert sorted(payload) == DOCUMENTED[kind][1], kind
