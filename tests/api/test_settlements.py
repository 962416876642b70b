"""Receipts, settlements and disputes over REST: who may look, what they answer, what is refused."""

import hashlib
from base64 import b64encode
from typing import Any

import orjson
import pytest

from exchange.api import base
from exchange.services import redeem_bell
from exchange.services.redemption import redeem_due
from rights.domain.signing import Signer
from rights.kernel.clock import to_us
from rights.services.freeze import freeze_right
from settlement.domain.receipt_body import Told, signed_bytes
from settlement.domain.work import OWN_ADAPTERS
from settlement.models import Endpoint, Request, Settlement
from settlement.selectors.candidates import FRESH_US
from settlement.services.begin import FIRST, begin_execution, begin_waiting
from settlement.services.cancel import cancel_request
from settlement.services.endpoints import Setup, change_endpoint
from settlement.services.route import lock_routes, release_routes
from tests.registry_desk import MINT
from tests.using_desk import Using

ABSENT = "0192e4a0-0000-7000-8000-000000000000"
SIGNER = Signer("33" * 32)
WINDOW = {"dispute_window_seconds": 600}


@pytest.fixture
def desk(db: None, monkeypatch: pytest.MonkeyPatch) -> Using:
    made = Using()
    made.accounts["judge"] = made.desk.open("judge")
    monkeypatch.setattr(base, "now_us", lambda: made.now_us)
    return made


@pytest.fixture
def settled(desk: Using) -> Settlement:
    right = desk.basic(settlement=WINDOW)
    request = desk.running((right, 1_000))
    return desk.record(request, desk.told(request, 400))


def test_a_settlement_answers_every_question(desk, settled, caller):
    holder = caller("holder", "read")
    shown = holder.get(f"settlements/stl_{settled.pk}").json()
    assert (shown["state"], shown["outcome"], shown["units"], shown["payments"]) == ("pending_dispute_window", "full", "400", [])
    assert [(charge["units"], charge["right_id"]) for charge in shown["charges"]] == [("400", shown["rights"][0]["right_id"])]
    assert (shown["rights"][0]["remaining_units"], shown["rights"][0]["is_usable"]) == ("9600", True)
    assert (shown["escrow"], shown["payout"], shown["release"]) == ("0.01", "0.004", "0.006")
    desk.now_us += 600_000_000
    assert redeem_due(mint=MINT, actor="timetable", now_us=desk.now_us) == 1
    final = holder.get(f"requests/{shown['request_id']}/settlement").json()
    assert final["payments"] == [
        {"to": "supplier", "supplier": "boreal", "amount": "0.004"},
        {"to": "issuer", "supplier": None, "amount": "0.006"},
    ]
    assert holder.get("settlements?state=finalized&outcome=full").json()["data"] == [final]
    assert holder.get("settlements?outcome=failed").json()["data"] == []
    outcomes = caller().get("issuers/issuer/outcomes").json()
    assert (outcomes["sample_size"], outcomes["counts"]["full"], outcomes["rates_bps"]["full"]) == (1, 1, 10_000)
    assert outcomes["windows"][0]["sample_size"] == 1
    assert caller().get("issuers/issuer/outcomes?class=NONE").json()["sample_size"] == 0


def test_an_issuers_record_counts_what_was_tried_and_says_how_surely(desk, caller):
    right = desk.basic(100_000, limits={"partial_fill_allowed": True})
    for delivered, status in ((1_000, "completed"), (400, "completed"), (250, "partially_completed"), (0, "failed")):
        request = desk.running((right, 1_000))
        desk.record(request, desk.told(request, delivered, status=status))
    desk.record(desk.matched((right, 500)), Told(status="expired"))
    cancel_request(request_id=str(desk.matched((right, 700)).pk), reason="no need", mint=MINT, actor="test", now_us=desk.now_us)
    freeze_right(right_id=str(right.pk), freeze_reason="compliance", note="asked", actor="test", now_us=desk.now_us)
    found = caller().get("issuers/issuer/outcomes").json()
    assert found["counts"] == {"full": 2, "fallback": 0, "partial": 1, "failed": 1, "expired": 1, "cancelled": 0}
    assert (found["sample_size"], found["rates_bps"]["full"], found["rates_lower_bps"]["full"]) == (5, 4_000, 1_176)
    # Two whole, a quarter of one, nothing of two: of five.
    assert (found["expected_delivery_bps"], found["expected_delivery_sample"]) == (4_500, 5)
    assert found["frozen_rights"] == {"count": 1, "reasons": {"compliance": 1}}
    (of_class,), (of_window,) = found["classes"], found["windows"]
    assert (of_class["used_units"], of_class["reserved_units"]) == ("1650", "4500")
    alike = {name: value for name, value in found.items() if name in of_class and name != "issuer_id"}
    assert {**of_class, **alike} == of_class
    assert {**of_window, **alike} == of_window
    desk.sound()


def test_a_request_may_ask_for_a_record(desk, caller):
    right = desk.basic(100_000)
    holder = caller("holder", "read", "redeem")
    wish = {
        "workload": "text.generation",
        "operation": "chat.completions",
        "units": "100",
        "rights": [{"right_id": f"rgt_{right.pk}"}],
        "payload": "{}",
        "constraints": {"min_full_rate_bps": 6_000},
    }

    def refused() -> set[tuple[str | None, str]]:
        return {(gate["supplier"], gate["code"]) for gate in holder.post("requests", wish).json()["gates"]}

    assert refused() == {(None, "issuer_record")}  # nobody has seen him deliver
    for delivered, status in ((100, "completed"), (0, "failed")):
        request = desk.running((right, 100))
        desk.record(request, desk.told(request, delivered, status=status))
    assert refused() == {(None, "issuer_record")}
    request = desk.running((right, 100))
    desk.record(request, desk.told(request, 100))
    assert refused() == {("boreal", "supplier_record")}  # as it was known ten seconds ago
    desk.now_us += FRESH_US
    made = holder.post("requests", wish).json()
    assert (made["state"], made["constraints"]) == ("matched", {"min_full_rate_bps": 6_000})
    assert made["effective"][0]["policy"]["min_full_rate_bps"] == 6_000
    wrong = holder.post("requests", {**wish, "constraints": {"min_full_rate_bps": 10_001}})
    assert (wrong.status_code, wrong.json()["field_errors"][0]["field"]) == (400, "constraints.min_full_rate_bps")
    desk.sound()


def test_a_receipt_is_shown_with_its_proofs_and_its_hash_can_be_made_again(desk, settled, caller):
    shown = caller("holder", "read").get(f"requests/req_{settled.request_id}/receipt").json()
    assert hashlib.sha256(shown["body"].encode()).hexdigest() == shown["hash"]
    assert orjson.loads(shown["body"])["status"] == shown["status"] == "completed"
    assert [(leg["supplier"], leg["delivered_units"]) for leg in shown["legs"]] == [("boreal", "400")]
    assert "usage-meter" in {proof["type"] for proof in shown["proofs"]}


def test_parties_see_it_and_nobody_else(desk, settled, caller):
    path = f"settlements/stl_{settled.pk}"
    told = {part: f"requests/req_{settled.request_id}/{part}" for part in ("receipt", "settlement")}
    for party in ("holder", "boreal", "issuer"):
        assert caller(party, "read").get(path).json()["id"] == f"stl_{settled.pk}"
        assert caller(party, "read").get(told["settlement"]).json()["id"] == f"stl_{settled.pk}"
        assert caller(party, "read").get(told["receipt"]).json()["id"] == f"rcp_{settled.receipt_id}"
    for stranger in ("other", "judge"):
        assert [caller(stranger, "read").get(one).status_code for one in (path, *told.values())] == [404] * 3
        assert caller(stranger, "read").get("settlements").json()["data"] == []
    assert caller("other", "read", "audit").get(path).status_code == 200


def test_who_only_had_a_lock_sees_nothing_and_stands_in_nobodys_way(desk, keyed, caller):
    """Cloudy's route was locked first, and replaced by boreal's before any work began."""
    right = desk.basic(settlement=WINDOW, fallback_policy={"allow_fallback": True, "substitute_providers": True})
    desk.supply("cloudy", constraints=("json-mode", "tool-use"))
    request = desk.without_payload((right, 1_000))
    routes = {route.supplier.slug: route for route in request.routes.select_related("supplier")}
    known = {"request_id": str(request.pk), "mint": MINT, "actor": "test", "now_us": desk.now_us}
    lock_routes(route_ids=[str(routes["cloudy"].pk)], **known)
    release_routes(request_id=str(request.pk), reason="another choice", actor="test", now_us=desk.now_us)
    lock_routes(**known)
    made = caller("boreal", "supply", "read").post("receipts", signed(desk, told(desk, request, 1_000), proofs(1_000)))
    assert made.status_code == 201, made.json()
    path = f"settlements/{made.json()['id']}"
    assert caller("cloudy", "read").get(path).status_code == 404
    assert caller("cloudy", "read").get("settlements").json()["data"] == []
    assert caller("boreal", "read").get(path).status_code == 200


@pytest.mark.parametrize(("budget", "charged", "payout"), [("actual", "400", "0.004"), ("reserved-draw", "1000", "0.01")])
def test_a_settlement_says_what_its_budget_charged(desk, caller, budget, charged, payout):
    request = desk.running((desk.basic(), 1_000), budget=budget)
    settlement = desk.record(request, desk.told(request, 400))
    shown = caller("holder", "read").get(f"settlements/stl_{settlement.pk}").json()
    assert (shown["budget"], shown["units"], shown["payout"]) == (budget, charged, payout)
    assert [charge["units"] for charge in shown["charges"]] == [charged]


def test_a_dispute_from_claim_to_decision(desk, settled, caller):
    holder, clerk = caller("holder", "read", "redeem"), caller("other", "read", "clearing", "operate")
    path = f"settlements/stl_{settled.pk}/disputes"
    assert caller("other", "read", "redeem").post(path, {"claim": "mine"}).status_code == 404
    made = holder.post(path, {"claim": "it was empty", "evidence": "a picture"})
    assert made.status_code == 201
    dispute = made.json()
    assert (dispute["side"], dispute["state"], len(dispute["evidence"])) == ("holder", "open", 1)
    assert holder.post(path, {"claim": "again"}).json()["code"] == "dispute_window_over"
    place = f"disputes/{dispute['id']}"
    assert caller("boreal", "supply", "read").post(f"{place}/evidence", {"text": "it was not"}).status_code == 201
    assert clerk.post(f"{place}/assign", {"reviewer": "boreal"}).json()["code"] == "reviewer_is_party"
    assert clerk.post(f"{place}/assign", {"reviewer": "judge"}).json()["reviewer"] == "judge"
    said = {"decision": "uphold", "reason": "it was empty indeed"}
    assert clerk.post(f"{place}/decide", said).json()["code"] == "not_the_reviewer"
    judge = caller("judge", "read", "clearing")
    assert judge.get("disputes?state=open").json()["data"][0]["id"] == dispute["id"]
    assert judge.post(f"{place}/decide", {**said, "outcome": "full"}).status_code == 400
    assert judge.post(f"{place}/decide", said).json()["state"] == "upheld"
    assert judge.post(f"{place}/decide", said).json()["code"] == "dispute_decided"
    final = holder.get(f"settlements/stl_{settled.pk}").json()
    assert (final["state"], final["outcome"], final["charges"], final["payout"]) == ("finalized", "failed", [], "0.00")
    assert final["payments"] == [{"to": "issuer", "supplier": None, "amount": "0.01"}]
    desk.sound()


def test_what_is_not_there_is_not_found(desk, caller):
    everything = caller("holder")
    for path in (f"settlements/stl_{ABSENT}", f"disputes/dsp_{ABSENT}", f"requests/req_{ABSENT}/receipt", "issuers/nobody/outcomes"):
        assert everything.get(path).status_code == 404
    request = desk.matched((desk.basic(), 10))
    for part in ("receipt", "settlement"):
        assert everything.get(f"requests/req_{request.pk}/{part}").status_code == 404


def told(desk: Using, request: Any, units: int, **changes: Any) -> dict[str, Any]:
    leg = {"route_id": f"rte_{request.routes.get(state='locked').pk}", "delivered_units": str(units)}
    moment = "2026-12-01T01:00:00Z"
    return {"request_id": f"req_{request.pk}", "status": "completed", "completed_at": moment, "legs": [leg], **changes}


def proofs(units: int) -> list[dict[str, Any]]:
    return [
        {"type": "usage-meter", "reference": "meter", "content_hash": "1" * 64, "units": str(units)},
        {"type": "completion-record", "reference": "log", "content_hash": "2" * 64},
    ]


def signed(desk: Using, receipt: dict[str, Any], shown: list[dict[str, Any]]) -> dict[str, Any]:
    signature = bytes.fromhex(SIGNER.sign(signed_bytes(receipt=receipt, proofs=shown)))
    supplier = desk.suppliers["boreal"].supplier
    return {"supplier_id": f"sup_{supplier.uuid}", "receipt": receipt, "proofs": shown, "signature": b64encode(signature).decode()}


@pytest.fixture
def keyed(desk: Using) -> Using:
    supplier = desk.suppliers["boreal"].supplier
    supplier.public_key = b64encode(bytes.fromhex(SIGNER.public_key)).decode()
    supplier.save(update_fields=["public_key"])
    return desk


def test_a_supplier_tells_what_it_did_once(keyed, caller):
    desk, supplier = keyed, caller("boreal", "supply", "read")
    request = desk.without_payload((desk.basic(), 1_000))
    receipt = told(desk, request, 400)
    forged = {**signed(desk, receipt, proofs(400)), "proofs": proofs(900)}
    assert supplier.post("receipts", forged).json()["code"] == "signature_invalid"
    waiting = supplier.post("receipts", signed(desk, receipt, proofs(400)[:1]))
    assert (waiting.status_code, waiting.json()["state"], waiting.json()["missing"]) == (201, "pending_proof", ["completion-record"])
    assert caller("holder", "supply").post("receipts", signed(desk, receipt, [])).status_code == 404
    final = supplier.post("receipts", signed(desk, receipt, proofs(400))).json()
    assert (final["state"], final["outcome"], final["units"]) == ("finalized", "full", "400")
    assert supplier.post("receipts", signed(desk, receipt, proofs(400)[:1])).json()["id"] == final["id"]
    other = told_again(receipt, 500)
    assert supplier.post("receipts", signed(desk, other, proofs(500))).json()["code"] == "receipt_conflict"
    kinds = [proof["type"] for proof in caller("holder", "read").get(f"requests/req_{request.pk}/receipt").json()["proofs"]]
    assert {"supplier-signature", "request-envelope-hash", "route-selection-record", "usage-meter"} <= set(kinds)


def told_again(receipt: dict[str, Any], units: int) -> dict[str, Any]:
    return {**receipt, "legs": [{**receipt["legs"][0], "delivered_units": str(units)}]}


def test_a_supplier_that_works_by_itself_has_the_time_its_endpoint_says(keyed, caller, monkeypatch):
    desk, supplier, rung = keyed, caller("boreal", "supply", "read"), []
    monkeypatch.setattr(redeem_bell, "ring", lambda: rung.append("rung") is None)
    said = Setup("batch", timeout_ms=600_000, max_attempts=2)
    known = {"actor": "test", "now_us": desk.now_us}
    change_endpoint(endpoint_id=str(Endpoint.objects.get().uuid), said=said, status="active", is_operator=True, **known)
    right = desk.basic()
    short = desk.matched((right, 10), latest_us=desk.now_us + 90_000_000)
    assert to_us(short.routes.get(state="locked").expires_at) == desk.now_us + 90_000_000
    request = desk.matched((right, 1_000))
    assert to_us(request.routes.get(state="locked").expires_at) == desk.now_us + 1_200_000_000
    # Its payload is kept, and yet nobody at the venue begins it.
    assert not redeem_bell.ring_waiting(now_us=desk.now_us + redeem_bell.WAITED_US)
    assert rung == []
    assert begin_waiting(most=10, after=FIRST, **known) == ([], None)
    assert begin_execution(request_id=str(request.pk), leaving=OWN_ADAPTERS, **known) is None
    desk.now_us += 1_199_000_000
    assert redeem_due(mint=MINT, actor="timetable", now_us=desk.now_us) == 2  # the short one's lock, and itself
    assert list(Request.objects.filter(state="matched")) == [request]
    done = supplier.post("receipts", signed(desk, told(desk, request, 400, completed_at="2026-12-01T01:19:59Z"), proofs(400))).json()
    assert (done["state"], done["outcome"], done["units"]) == ("finalized", "full", "400")


def test_what_the_venue_meters_by_itself_no_supplier_tells(keyed, caller):
    desk, supplier = keyed, caller("boreal", "supply", "read")
    request = desk.matched((desk.basic(), 1_000))
    assert supplier.post("receipts", signed(desk, told(desk, request, 400), proofs(400))).json()["code"] == "receipt_not_awaited"
    assert not Settlement.objects.exists()


def test_what_the_venue_has_begun_for_a_caller_no_supplier_tells(keyed, caller):
    """A call through the gateway keeps no payload; its work is metered all the same."""
    desk, supplier = keyed, caller("boreal", "supply", "read")
    request = desk.without_payload((desk.basic(), 1_000))
    receipt = told(desk, request, 1_000)
    assert begin_execution(request_id=str(request.pk), actor="test", now_us=desk.now_us) is not None
    assert supplier.post("receipts", signed(desk, receipt, proofs(1_000))).json()["code"] == "receipt_not_awaited"
    assert not Settlement.objects.exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"status": "cancelled"}, "receipt.status"),
        ({"legs": [{"route_id": "rte_1", "delivered_units": "1"}]}, "receipt.legs.0.route_id"),
        ({"legs": [{"route_id": f"rte_{ABSENT}", "delivered_units": 1}]}, "receipt.legs.0.delivered_units"),
        ({"completed_at": "noon"}, "receipt.completed_at"),
    ],
)
def test_a_receipt_is_read_strictly(keyed, caller, change, field):
    request = keyed.without_payload((keyed.basic(), 1_000))
    answer = caller("boreal", "supply").post("receipts", signed(keyed, told(keyed, request, 400, **change), [])).json()
    assert (answer["code"], [error["field"] for error in answer["field_errors"]]) == ("validation_failed", [field])
