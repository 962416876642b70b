"""What the channels of requests and settlements tell, as AsyncAPI describes it."""

from exchange.api.schemas.words import MOMENT, TEXT, WHOLE, Schema, answer, many, maybe, one_of, public_id
from settlement.domain.request_states import REQUEST_STATES
from settlement.domain.settlement_states import Outcome, SettlementState
from settlement.models.outcome import DISPUTE_STATES

_SETTLEMENT_STATES = tuple(str(state) for state in SettlementState)
_OUTCOMES = tuple(str(outcome) for outcome in Outcome)
_EVENT: dict[str, Schema] = {
    "event_id": public_id("evt"),
    "event": {**TEXT, "description": "What happened: the type of an event (docs/events.md)", "examples": ["route.locked"]},
}

OPEN_REQUEST = answer({"request_id": public_id("req"), "state": one_of(*REQUEST_STATES), "updated_at": MOMENT})
REQUEST_CHANGE = answer(
    {
        **_EVENT,
        "request_id": public_id("req"),
        "state": {**maybe(one_of(*REQUEST_STATES)), "description": "The request's after it; null where it stays as it was"},
        "route_ids": many(public_id("rte")),
        "right_id": maybe(public_id("rgt")),
        "units": maybe(WHOLE),
        "receipt_id": maybe(public_id("rcp")),
        "reason": maybe(TEXT),
    }
)
OPEN_SETTLEMENT = answer(
    {
        "settlement_id": public_id("stl"),
        "request_id": public_id("req"),
        "receipt_id": public_id("rcp"),
        "state": one_of(*_SETTLEMENT_STATES),
        "outcome": maybe(one_of(*_OUTCOMES)),
        "updated_at": MOMENT,
    }
)
SETTLEMENT_CHANGE = answer(
    {
        **_EVENT,
        "settlement_id": public_id("stl"),
        "request_id": public_id("req"),
        "receipt_id": public_id("rcp"),
        "state": {**maybe(one_of(*_SETTLEMENT_STATES)), "description": "The settlement's after it; null where it stays as it was"},
        "outcome": maybe(one_of(*_OUTCOMES)),
        "rule": maybe(TEXT),
        "units": {**maybe(WHOLE), "description": "Units used"},
        "missing": {**many(TEXT), "description": "Proofs that are still to come"},
        "until": {**maybe(MOMENT), "description": "When proofs are due, or the window for disputes ends"},
        "dispute_id": maybe(public_id("dsp")),
        "dispute_state": maybe(one_of(*DISPUTE_STATES)),
        "reviewer": maybe(TEXT),
    }
)
