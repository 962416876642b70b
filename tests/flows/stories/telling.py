"""How stories ask, and what they read in the answers."""

import base64
import json
from typing import Any

from exchange.domain.amounts import decimal_text
from rights.domain.moment import text_of
from rights.kernel.ids import public
from settlement.domain.receipt_body import signed_bytes
from tests.flows.stories.stage import SIGNER, Stage

# What the registry remembers of a request until it is executed, and from its receipt on.
LOCKED = ["request.submitted", "request.accepted", "route.quoted", "route.locked"]
DONE = ["execution.completed", "receipt.recorded"]
CLASSIFIED = ["settlement.classified", "settlement.finalized"]
STANDARD = ["request-envelope-hash", "route-selection-record", "execution-log", "usage-meter", "completion-record", "output-reference"]
METERED = [*STANDARD, "artifact-hash", "latency-measurement"]
# Of what a supplier tells by itself under the `basic` profile.
TOLD = ["request-envelope-hash", "route-selection-record", "usage-meter", "completion-record", "delivered-unit-count", "supplier-signature"]
# What a supplier tells of a leg.
LEG = (
    *("route_id", "delivered_units", "billable_units", "latency_us", "queue_us", "fallbacks", "quality_loss_bps", "latency_expansion_bps"),
    *("output_ref", "output_hash", "error"),
)
WINDOW = {"dispute_window_seconds": 600}


def chat(text: str, most: int = 64) -> str:
    """The payload of a chat of at most so many tokens for the answer."""
    return json.dumps({"messages": [{"role": "user", "content": text}], "max_tokens": most})


def wish(right_id: str, units: int, payload: str | None, **more: Any) -> dict[str, Any]:
    """A request for a chat out of this right; without a payload its supplier has it already."""
    plain = {"workload": "text.generation", "operation": "chat.completions", "units": str(units), "rights": [{"right_id": right_id}]}
    return {**plain, "delivery": "async", **({} if payload is None else {"payload": payload}), **more}


def done_by(stage: Stage, asked: dict[str, Any], status: str, units: int, *, second_meter: int | None = None) -> dict[str, Any]:
    """What boreal tells of work that it did by itself, under its signature. `second_meter`: what another meter of its says."""
    leg = {"route_id": next(route["id"] for route in asked["routes"] if route["state"] == "locked"), "delivered_units": str(units)}
    receipt = {"request_id": asked["id"], "status": status, "completed_at": text_of(stage.moment("06:00")), "legs": [leg]}
    counts = [("usage-meter", units, "1"), ("completion-record", None, "2"), ("delivered-unit-count", units, "3")]
    counts += [] if second_meter is None else [("usage-meter", second_meter, "4")]
    proofs = [
        {"type": kind, "reference": f"log {digit}", "content_hash": digit * 64, **({} if count is None else {"units": str(count)})}
        for kind, count, digit in counts
    ]
    return signed_by_boreal(stage, receipt, proofs)


def receipt_of(shown: dict[str, Any]) -> dict[str, Any]:
    """A receipt as a supplier tells it, of one that the venue shows."""
    legs = [{name: leg[name] for name in LEG} for leg in shown["legs"]]
    return {**{name: shown[name] for name in ("request_id", "status", "started_at", "completed_at")}, "legs": legs}


def signed_by_boreal(stage: Stage, receipt: dict[str, Any], proofs: list[dict[str, Any]]) -> dict[str, Any]:
    """The body of a POST to /receipts."""
    supplier = public("sup", str(stage.suppliers["boreal"].supplier.uuid))
    signature = base64.b64encode(bytes.fromhex(SIGNER.sign(signed_bytes(receipt=receipt, proofs=proofs)))).decode()
    return {"supplier_id": supplier, "receipt": receipt, "proofs": proofs, "signature": signature}


def outcome(settlement: dict[str, Any]) -> tuple[str, ...]:
    """(state, outcome, rule, units reserved, units charged)."""
    return tuple(settlement[name] for name in ("state", "outcome", "rule", "reserved_units", "units"))


def money(settlement: dict[str, Any]) -> list[str]:
    """[escrow, payout, compensation, release]."""
    return [settlement[name] for name in ("escrow", "payout", "compensation", "release")]


def dollars(*micro: int) -> list[str]:
    return [decimal_text(amount, 6) for amount in micro]


def lies(stage: Stage, asked: dict[str, Any]) -> list[tuple[str, str]]:
    """(type, units) of proofs that prove nothing."""
    found = stage.holder.get(f"requests/{asked['id']}/receipt")["proofs"]
    return [(proof["type"], proof["units"]) for proof in found if not proof["is_valid"]]


def why(problem: dict[str, Any]) -> set[str]:
    """Everything that a refusal names."""
    return {gate["code"] for gate in problem["gates"]}
