"""What becomes of requests, story by story (SPEC §8, §9): told through the public API, with suppliers that are processes of their own."""

import concurrent.futures
import json
from typing import Any

from exchange.audit.run import audit
from exchange.replay.run import replay
from rights.domain.moment import text_of
from rights.kernel.ids import public
from settlement.models import Settlement
from tests.flows.stories.stage import PAYS, Stage
from tests.flows.stories.telling import (
    CLASSIFIED,
    DONE,
    LOCKED,
    METERED,
    STANDARD,
    chat,
    dollars,
    lies,
    money,
    outcome,
    receipt_of,
    signed_by_boreal,
    why,
    wish,
)
from tests.node_desk import register
from tests.plugins.live import wait_until


def test_full_on_a_reserved_text_right(stage: Stage) -> None:
    """Two hundred tokens are reserved; what the supplier's meter says is used and paid, and the rest is free again. The holder hears of it."""
    right = stage.right_for("reserved", kind="reserved")
    purses, meter = stage.purses(), stage.metered(stage.first)
    with stage.holder.hears("requests") as ear:
        asked = stage.holder.post("requests", wish(right, 200, chat("say what a right is")))
        assert (asked["state"], stage.left(right)) == ("matched", (100_000, 200, "active"))
        assert purses.moved() == [-200 * PAYS, 0, 0, 200 * PAYS]
        stage.works(asked)
        told = ear.until("settlement.finalized")
    assert [event["event"] for event in told] == [*LOCKED, "execution.started", *DONE, "settlement.finalized"]
    assert [event["state"] for event in told if event["state"]] == ["received", "validated", "matched", "executing", "completed", "settled"]

    used = stage.metered(stage.first) - meter
    settled = stage.settlement(asked)
    assert 0 < used < 200
    assert outcome(settled) == ("finalized", "full", "inside_bounds", "200", str(used))
    assert money(settled) == dollars(200 * PAYS, used * PAYS, 0, (200 - used) * PAYS)
    assert purses.moved() == [-used * PAYS, used * PAYS, 0, 0]
    assert (stage.state(asked), stage.left(right)) == ("settled", (100_000 - used, 0, "active"))
    assert json.loads(stage.holder.get(f"requests/{asked['id']}/output")["output"])["usage"]["total_tokens"] == used
    assert stage.proofs(asked) == METERED
    assert stage.events(right) == [*LOCKED, "execution.started", *DONE, *CLASSIFIED, "right.partially_consumed"]


def test_an_allowed_fallback_from_premium_to_high(stage: Stage) -> None:
    """The premium model is out of order. The right allows `high` in its place, and its holder gets a fortieth of the pay in compensation."""
    premium = stage.capability("cygnus", stage.first, quality_band="premium")
    stage.capability("cygnus", stage.second, quality_band="high", tariff_minor=8)
    degrades = {"allow_fallback": True, "downgrade_quality_to": "high", "max_quality_loss_bps": 1_000}
    terms = {"fallback_policy": degrades, "settlement_policy": {"refund_policy": "pro-rata"}}
    right = stage.right_for("premium", premium, service={"quality_band": "premium"}, **terms)
    purses, meter = stage.purses("issuer", "cygnus", "holder"), stage.metered(stage.second)
    stage.first.misbehave("fail")
    body = {"model": "any", "messages": [{"role": "user", "content": "say what a fallback is"}], "max_tokens": 64}
    answer = stage.holder.http.post("/v1/chat/completions", json=body, headers={"X-Right": right})
    assert (answer.status_code, answer.headers["x-outcome"]) == (200, "fallback")

    used = stage.metered(stage.second) - meter
    assert (answer.headers["x-units"], answer.json()["usage"]["total_tokens"]) == (str(used), used)
    settled = stage.holder.get(f"settlements/{answer.headers['x-settlement']}")
    asked = stage.holder.get(f"requests/{settled['request_id']}")
    reserved, earned = int(settled["reserved_units"]), used * 8
    lost = earned * 250 // 10_000
    assert (used > 0, lost > 0, reserved > used) == (True, True, True)
    assert outcome(settled) == ("finalized", "fallback", "allowed_fallback", str(reserved), str(used))
    assert money(settled) == dollars(reserved * 8, earned - lost, lost, reserved * 8 - earned)
    assert purses.moved() == [-earned, earned - lost, lost, 0]
    assert stage.left(right) == (100_000 - used, 0, "active")
    locked = [route for route in asked["routes"] if route["locked_at"]]
    assert [(route["state"], route["fallbacks"], route["quality_loss_bps"]) for route in locked] == [
        ("released", [], 0),
        ("completed", ["downgrade_quality"], 250),
    ]
    assert stage.proofs(asked) == [*METERED, "fallback-reason", "policy-evaluation"]
    another = ["route.released", "route.quoted", "route.locked", "execution.progressed"]
    assert stage.events(right) == [*LOCKED, "execution.started", *another, *DONE, *CLASSIFIED, "right.partially_consumed"]


def test_three_of_five_batch_jobs(stage: Stage) -> None:
    """One node claims five jobs of which it did three, and is not believed; another does three and says so, and three are charged."""
    batch = stage.capability("drones", None, workload="gpu.batch", latency_band="batch", unit="jobs", tariff_minor=1_000)
    resource = {"type": "gpu_time", "unit": "jobs", "model_class": [], "capability_tags": []}
    service = {"priority": "background", "latency_class": "batch"}
    terms = {"resource": resource, "service": service, "limits": {"partial_fill_allowed": True}, "assurance": {"unit": "jobs"}}
    right = stage.right_for("batch", batch, units=20, **terms)
    supplier, purses = stage.suppliers["drones"].supplier, stage.purses("issuer", "drones", "holder")
    braggart, honest = (register(supplier, name, stage.clock()) for name in ("braggart", "honest"))
    payload = json.dumps({"jobs": ["north", "east", "south", "west", "middle"]})
    asked = stage.holder.post("requests", wish(right, 5, payload, workload="gpu.batch", operation="batch.run"))
    stage.works(asked)  # who offers it to the nodes, and goes on
    (lease,) = braggart.lease()
    assert (lease["units"], stage.left(right), purses.moved()) == ("5", (20, 5, "active"), [-5_000, 0, 0, 5_000])

    drawn = json.dumps({"outputs": ["a map of the north", None, "a map of the south", "a map of the west", None]})
    assert braggart.complete(braggart.result(lease, drawn, 5)) == ["refused"]
    (again,) = honest.lease()
    assert again["job_id"] == lease["job_id"]
    assert honest.complete({**honest.result(again, drawn, 3), "partial": True}) == ["accepted"]

    settled = stage.settlement(asked)
    assert outcome(settled) == ("finalized", "partial", "subset_proven", "5", "3")
    assert money(settled) == dollars(5_000, 3_000, 0, 2_000)
    assert (purses.moved(), stage.left(right)) == ([-3_000, 3_000, 0, 0], (17, 0, "active"))
    assert stage.holder.get(f"requests/{asked['id']}/output")["output"] == drawn
    assert stage.proofs(asked) == [*STANDARD[:5], "delivered-unit-count", *METERED[5:], "supplier-signature"]
    assert lies(stage, asked) == [("supplier-signature", "5")]
    assert stage.events(right) == [*LOCKED, "execution.started", *DONE, *CLASSIFIED, "right.partially_consumed"]


def test_a_request_of_17_58_is_over_at_18_00(stage: Stage) -> None:
    """The supplier takes the work and falls silent; at 18:00 nothing of it counts, nothing is charged, and what the right had left is gone."""
    slow = stage.capability("dorado", stage.first, timeout_ms=1_000)
    right = stage.right_for("evening", slow, until="18:00", units=1_000, settlement_policy={"expiry_policy": "burn"})
    purses = stage.purses("issuer", "dorado", "holder")
    stage.first.misbehave("hang")
    stage.at("17:58")
    asked = stage.holder.post("requests", wish(right, 200, chat("say when it is over")))
    assert (asked["state"], asked["latest_at"][:19]) == ("matched", text_of(stage.moment("18:00"))[:19])
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        at_work = pool.submit(stage.works, asked)
        wait_until(lambda: stage.state(asked) == "executing" or at_work.done(), 30, "the work to begin")
        stage.at("18:00")
        at_work.result(60)

    settled = stage.settlement(asked)
    assert outcome(settled) == ("finalized", "expired", "after_the_window", "200", "0")
    assert (money(settled), settled["charges"]) == (dollars(2_000, 0, 0, 2_000), [])
    assert (purses.moved(), stage.left(right)) == ([0, 0, 0, 0], (1_000, 0, "active"))
    assert settled["rights"][0]["is_usable"] is False
    stage.timetable()
    assert stage.left(right) == (0, 0, "expired")
    assert stage.proofs(asked) == ["request-envelope-hash", "window-reference"]
    assert stage.events(right) == [*LOCKED, "execution.started", *DONE, *CLASSIFIED, "right.expired"]


def test_what_is_left_at_18_00_rolls_into_the_next_window(stage: Stage) -> None:
    """A request of 17:58 is done in time, and the right says that the rest rolls: there it is, as a right of the next eighteen hours."""
    own, terms = stage.suppliers["boreal"].capability, {"settlement_policy": {"expiry_policy": "roll"}}
    right = stage.right_for("rolling", own, until="18:00", units=1_000, **terms)
    stage.at("17:58")
    stage.back("rolling", (own,), stage.moment("18:00"), stage.moment("36:00"), **terms)
    asked = stage.holder.post("requests", wish(right, 200, chat("say when it is over")))
    stage.works(asked)
    used = int(stage.settlement(asked)["units"])
    assert (stage.settlement(asked)["outcome"], stage.left(right)) == ("full", (1_000 - used, 0, "active"))

    stage.at("18:00")
    stage.timetable()
    assert stage.left(right) == (0, 0, "expired")
    assert stage.events(right)[-3:] == ["right.partially_consumed", "right.expired", "right.replaced"]
    told = stage.player("clerk").get(f"rights/{right}/events")["data"]
    expired, replaced = told[-2]["payload"], told[-1]["payload"]
    left = str(1_000 - used)
    assert [expired[name] for name in ("policy", "units", "carried_units")] == ["roll", left, left]
    assert stage.left(replaced["by"]) == (1_000 - used, 0, "active")
    again = stage.holder.post("requests", wish(replaced["by"], 200, chat("say that it goes on")))
    stage.works(again)
    assert stage.settlement(again)["outcome"] == "full"


def test_a_request_that_waits_for_its_supplier_is_over_at_18_00_too(stage: Stage) -> None:
    """The supplier has paused, and the right lets work wait within its window: tried again and again, never begun, and over at 18:00."""
    paused = stage.capability("elders", stage.first)
    right = stage.right_for("waiting", paused, until="18:00", fallback_policy={"allow_fallback": True, "defer_within_window": True})
    supplier, purses = stage.player("elders"), stage.purses("issuer", "elders", "holder")
    place = f"suppliers/{public('sup', str(paused.supplier.uuid))}/endpoints"
    (endpoint,) = supplier.get(place)["data"]
    supplier.patch(f"{place}/{endpoint['id']}", {"status": "paused"})
    stage.at("17:58")
    asked = stage.holder.post("requests", wish(right, 200, chat("say when it is over")), 202)
    assert (asked["state"], stage.left(right)) == ("deferred", (100_000, 0, "active"))
    stage.at("17:59")
    stage.timetable()
    assert (stage.state(asked), purses.moved()) == ("deferred", [0, 0, 0, 0])

    stage.at("18:00")
    stage.timetable()
    settled = stage.settlement(asked)
    assert outcome(settled) == ("finalized", "expired", "after_the_window", "0", "0")
    assert (money(settled), purses.moved()) == (dollars(0, 0, 0, 0), [0, 0, 0, 0])
    assert (stage.left(right), stage.proofs(asked)) == ((0, 0, "expired"), ["request-envelope-hash", "window-reference"])
    assert stage.events(right) == ["request.submitted", "request.accepted", "route.quoted", *DONE, *CLASSIFIED, "right.expired"]


def test_route_quotes_stand_apart_from_the_right(stage: Stage) -> None:
    """Routes are asked for, chosen, exchanged for others and left to run out: of the right nothing but its reservation ever moves."""
    own = stage.suppliers["boreal"].capability
    right = stage.right_for("quotes", own, stage.capability("aurora", stage.second, tariff_minor=9))
    untouched, purses = stage.holder.get(f"rights/{right}"), stage.purses("issuer", "boreal", "aurora")

    def moved() -> dict[str, Any]:
        now = stage.holder.get(f"rights/{right}")
        return {name: value for name, value in now.items() if value != untouched[name] and name != "updated_at"}

    def states() -> list[tuple[str, str]]:
        routes = stage.holder.get(place)["routes"]
        return [(route["supplier"], route["state"]) for route in routes if route["locked_at"]]

    asked = stage.holder.post("requests", wish(right, 200, chat("say what a route is"), route="manual"))
    place = f"requests/{asked['id']}"
    quotes = {quote["supplier"]: quote for quote in stage.holder.post(f"{place}/quotes", status=200)["data"]}
    offered = {supplier for supplier, quote in quotes.items() if quote["state"] == "quoted"}
    assert (asked["state"], offered) == ("validated", {"boreal", "aurora"})
    assert all(sum(reason["points"] for reason in quotes[supplier]["reasons"]) == quotes[supplier]["score"] > 0 for supplier in offered)
    assert (moved(), purses.moved()) == ({}, [0, 0, 0, 0])

    stage.holder.post(f"{place}/lock", {"route_ids": [quotes["boreal"]["id"]]}, status=200)
    assert (moved(), purses.moved()) == ({"reserved_amount": "200"}, [-2_000, 0, 0, 2_000])
    stage.holder.post(f"{place}/lock", {"route_ids": [quotes["aurora"]["id"]]}, status=200)
    assert (moved(), purses.moved()) == ({"reserved_amount": "200"}, [-1_800, 0, 0, 1_800])
    assert states() == [("boreal", "replaced"), ("aurora", "locked")]

    stage.after(61)
    stage.timetable()
    assert (moved(), purses.moved()) == ({}, [0, 0, 0, 0])
    assert (stage.state(asked), states()) == ("validated", [("boreal", "replaced"), ("aurora", "expired")])
    stage.holder.post(f"{place}/cancel", status=200)
    assert outcome(stage.settlement(asked)) == ("finalized", "cancelled", "cancelled_before_use", "0", "0")
    assert (moved(), purses.moved()) == ({}, [0, 0, 0, 0])
    assert stage.events(right) == [
        *("request.submitted", "request.accepted", "route.quoted", "route.quoted"),
        *("request.accepted", "route.quoted", "route.locked"),
        *("route.replaced", "request.accepted", "route.quoted", "route.locked", "route.expired"),
        *(*DONE, *CLASSIFIED, "request.cancelled"),
    ]


def test_a_delegate_spends_within_its_bounds(stage: Stage) -> None:
    """Three hundred tokens of text are lent: what fits is done out of the holder's right, what goes beyond is refused and changes nothing."""
    right = stage.right_for("delegated")
    delegate, purses = stage.player("other"), stage.purses("issuer", "boreal", "other")
    bounds = {"max_units": "300", "valid_from": text_of(stage.moment("06:00")), "valid_until": text_of(stage.moment("12:00"))}
    named = {"right_id": right, "delegate": public("acc", str(stage.accounts["other"].uuid)), "workload_classes": ["text.generation"]}
    lent = stage.holder.post("delegations", {**named, **bounds})
    place, mine = f"delegations/{lent['id']}", {"rights": [], "delegation_id": lent["id"]}

    def wanted(units: int, **more: Any) -> dict[str, Any]:
        return {**wish(right, units, chat("say what a delegate is")), **mine, **more}

    asked = delegate.post("requests", wanted(200))
    assert why(delegate.post("requests", wanted(101), 409)) == {"delegation_exhausted"}  # while the first may still take two hundred
    stage.works(asked)
    settled = stage.settlement(asked)
    used = int(settled["units"])
    assert 0 < used < 200
    assert outcome(settled) == ("finalized", "full", "inside_bounds", "200", str(used))
    assert (stage.left(right), purses.moved()) == ((100_000 - used, 0, "active"), [-used * PAYS, used * PAYS, 0, 0])
    told = delegate.get(place)
    assert (told["used_units"], told["left_units"]) == (str(used), str(300 - used))

    assert why(delegate.post("requests", wanted(301 - used), 409)) == {"delegation_exhausted"}
    embed = {"workload": "text.embedding", "operation": "embeddings", "payload": json.dumps({"input": ["a"]})}
    assert why(delegate.post("requests", wanted(10, **embed), 409)) == {"delegation_workload"}
    stage.holder.delete(place)
    assert why(delegate.post("requests", wanted(10), 409)) == {"delegation_ended"}
    assert stage.left(right) == (100_000 - used, 0, "active")
    assert stage.events(right) == [*LOCKED, "execution.started", *DONE, *CLASSIFIED, "delegation.used", "right.partially_consumed"]


def test_a_delegate_spends_what_was_packed_for_it(stage: Stage) -> None:
    """A hundred and fifty tokens of one right and a thousand of another are packed and lent: used is what is in the package, in its order."""
    first, second = (stage.right_for(story) for story in ("packed", "packed-too"))
    delegate, purses = stage.player("other"), stage.purses("issuer", "boreal", "other")
    parts = [{"right_id": first, "units": "150"}, {"right_id": second, "units": "1000"}]
    package = stage.holder.post("packages", {"type": "delegation", "label": "for a colleague", "parts": parts})
    bounds = {"max_units": "400", "valid_from": text_of(stage.moment("06:00")), "valid_until": text_of(stage.moment("12:00"))}
    given = {"package_id": package["id"], "delegate": public("acc", str(stage.accounts["other"].uuid))}
    lent = stage.holder.post("delegations", {**given, **bounds})

    def wanted(units: int, **more: Any) -> dict[str, Any]:
        return {**wish(first, units, chat("say what a package is"), rights=[], delegation_id=lent["id"]), **more}

    def held() -> list[str]:
        return [part["units"] for part in stage.holder.get(f"packages/{package['id']}")["parts"]]

    asked = delegate.post("requests", wanted(200))
    told = [(route["right_id"], route["package_id"], route["units"]) for route in asked["routes"] if route["state"] == "locked"]
    assert (told, held()) == ([(first, package["id"], "150"), (second, package["id"], "50")], ["0", "950"])
    assert why(delegate.post("requests", wanted(201), 409)) == {"delegation_exhausted"}
    stage.works(asked)
    settled = stage.settlement(asked)
    used = int(settled["units"])
    by_right = {charge["right_id"]: int(charge["units"]) for charge in settled["charges"]}
    assert outcome(settled) == ("finalized", "full", "inside_bounds", "200", str(used))
    assert (sum(by_right.values()), purses.moved()) == (used, [-used * PAYS, used * PAYS, 0, 0])
    left = [150 - by_right.get(first, 0), 1_000 - by_right.get(second, 0)]
    assert held() == [str(units) for units in left if units]
    assert [stage.left(right)[:2] for right in (first, second)] == [
        (100_000 - (150 - left[0]), left[0]), (100_000 - (1_000 - left[1]), left[1]),
    ]  # fmt: skip
    state = delegate.get(f"delegations/{lent['id']}")
    assert (state["used_units"], state["left_units"]) == (str(used), str(400 - used))
    assert {leg["package_id"] for leg in stage.holder.get(f"requests/{asked['id']}/receipt")["legs"]} == {package["id"]}

    assert why(delegate.post("requests", wanted(10, rights=[], package_id=package["id"], delegation_id=None), 422)) == {"package_not_held"}
    stage.holder.post(f"packages/{package['id']}/finalize", {"reason": "the colleague has left"}, 200)
    assert why(delegate.post("requests", wanted(10), 422)) == {"package_ended"}


def test_what_is_not_proven_in_time_has_failed(stage: Stage) -> None:
    """A strict right wants the supplier's signature under the result. None comes: after five minutes it has failed, and costs nothing."""
    right = stage.right_for("strict", settlement_policy={"proof_profile": "strict"})
    purses = stage.purses()
    asked = stage.holder.post("requests", wish(right, 200, chat("say what a proof is")))
    stage.works(asked)
    waiting = stage.settlement(asked)
    assert (waiting["state"], waiting["outcome"], waiting["missing"]) == ("pending_proof", None, ["supplier-signature"])
    assert (stage.left(right), purses.moved()) == ((100_000, 200, "active"), [-2_000, 0, 0, 2_000])
    stage.after(240)
    stage.timetable()
    assert stage.settlement(asked) == {**waiting, "rights": stage.settlement(asked)["rights"]}

    stage.after(60)
    stage.timetable()
    settled = stage.settlement(asked)
    assert outcome(settled) == ("finalized", "failed", "proofs_unrecoverable", "200", "0")
    assert (money(settled), settled["charges"]) == (dollars(2_000, 0, 0, 2_000), [])
    assert (stage.left(right), purses.moved()) == ((100_000, 0, "active"), [0, 0, 0, 0])
    assert (stage.state(asked), stage.proofs(asked)) == ("settled", METERED)
    assert stage.events(right) == [*LOCKED, "execution.started", *DONE, "settlement.pending_proof", *CLASSIFIED]


def test_a_signature_that_comes_in_time_proves_it(stage: Stage) -> None:
    """The supplier reads what the venue tells of its work, signs just that, and is paid."""
    right = stage.right_for("signed", settlement_policy={"proof_profile": "strict"})
    purses, supplier = stage.purses(), stage.player("boreal")
    asked = stage.holder.post("requests", wish(right, 200, chat("say what a signature is")))
    stage.works(asked)
    assert stage.settlement(asked)["state"] == "pending_proof"
    stage.after(240)
    told = supplier.get(f"requests/{asked['id']}/receipt")
    settled = supplier.post("receipts", signed_by_boreal(stage, receipt_of(told), []))
    used = int(settled["units"])
    assert outcome(settled) == ("finalized", "full", "inside_bounds", "200", str(used))
    assert (stage.left(right), purses.moved()) == ((100_000 - used, 0, "active"), [-used * PAYS, used * PAYS, 0, 0])
    assert stage.proofs(asked) == [*METERED, "supplier-signature"]
    waited = ["settlement.pending_proof", "receipt.proofs_added"]
    assert stage.events(right) == [*LOCKED, "execution.started", *DONE, *waited, *CLASSIFIED, "right.partially_consumed"]


def test_a_request_is_called_off_before_it_is_done(stage: Stage) -> None:
    """What nobody has begun is called off at no cost, once; the worker who comes too late finds nothing to do."""
    right = stage.right_for("cancelled")
    purses, meter = stage.purses(), stage.metered(stage.first)
    asked = stage.holder.post("requests", wish(right, 200, chat("say nothing")))
    stage.holder.post(f"requests/{asked['id']}/cancel", {"reason": "thought better of it"}, 200)
    stage.works(asked)
    assert stage.metered(stage.first) == meter
    assert stage.holder.post(f"requests/{asked['id']}/cancel", {}, 409)["code"] == "request_state"
    settled = stage.settlement(asked)
    assert outcome(settled) == ("finalized", "cancelled", "cancelled_before_use", "200", "0")
    assert (money(settled), stage.state(asked)) == (dollars(2_000, 0, 0, 2_000), "settled")
    assert (stage.left(right), purses.moved()) == ((100_000, 0, "active"), [0, 0, 0, 0])
    assert stage.proofs(asked) == ["request-envelope-hash", "cancel-authorisation"]
    assert stage.events(right) == [*LOCKED, *DONE, *CLASSIFIED, "request.cancelled"]


def test_at_the_end_the_books_agree(stage: Stage) -> None:
    """After all the stories that were told: nothing is broken, nothing lies in escrow, and the events alone say the same."""
    assert audit(now_us=stage.clock()).broken == []
    assert replay().differences == {}
    assert (stage.escrow(), Settlement.objects.exclude(state="finalized").count()) == (0, 0)
