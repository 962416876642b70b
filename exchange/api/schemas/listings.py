"""Asking for a book, and what operators decide."""

from exchange.api.schemas.words import (
    BPS,
    GIVEN_MOMENT,
    MOMENT,
    MONEY,
    POSITIVE,
    PRICE,
    REASON,
    SLUG,
    SYMBOL,
    TEXT,
    WHOLE,
    Schema,
    answer,
    maybe,
    one_of,
    public_id,
    request,
)
from exchange.domain.proceeds import PROCEEDS as ESCROWS
from rights.domain.fungibility import DOMINANCE, EXACT

STATES = ("submitted", "reviewed", "approved", "rejected", "withdrawn")
_FEE: Schema = {**BPS, "maximum": 1000}
_RULE = one_of(EXACT, DOMINANCE)
_PROCEEDS: Schema = {
    **one_of(*ESCROWS),
    "description": "When sellers are paid: at the fill, or when what they sold is final; `until_delivered` gives back what failed",
}
_WINDOW = {"start": MOMENT, "end": MOMENT, "mode": one_of("fixed", "rolling", "epoch")}

COMPONENTS: dict[str, Schema] = {
    "Listing": answer(
        {
            "id": public_id("lst"),
            "state": one_of(*STATES),
            "issuer_id": TEXT,
            "class": TEXT,
            "window": answer(_WINDOW),
            "currency": TEXT,
            "tick_size": PRICE,
            "collar": answer({"low": PRICE, "high": PRICE}),
            "reference_price": maybe(PRICE),
            "fees": answer({"maker_bps": BPS, "taker_bps": BPS}),
            "min_quantity": WHOLE,
            "max_quantity": WHOLE,
            "position_limit": maybe(WHOLE),
            "opens_at": maybe(MOMENT),
            "gate_closes_at": maybe(MOMENT),
            "delivery_rule": _RULE,
            "proceeds_escrow": _PROCEEDS,
            "deliverable_quantity": WHOLE,
            "headroom_quantity": WHOLE,
            "sheet": {"type": "object", "description": "The disclosure sheet as it was asked with, or as it was reviewed"},
            "note": TEXT,
            "instrument": maybe(SYMBOL),
            "requested_at": MOMENT,
            "reviewed_at": maybe(MOMENT),
            "reviewed_by": {**maybe(TEXT), "description": "For operators and auditors"},
            "decided_at": maybe(MOMENT),
            "decided_by": {**maybe(TEXT), "description": "For operators and auditors"},
            "decision_note": maybe(TEXT),
        },
        description="A request for a book",
    ),
    "ListingRequest": request(
        {
            "issuer": {**SLUG, "description": "Which of the caller's issuers; the only one unless given"},
            "class": SYMBOL,
            "window": request({**_WINDOW, "start": GIVEN_MOMENT, "end": GIVEN_MOMENT}, required=("start", "end")),
            "currency": {"type": "string", "minLength": 1, "maxLength": 8, "default": "USD"},
            "tick_size": MONEY,
            "collar": request({"low": MONEY, "high": MONEY}, required=("low", "high")),
            "reference_price": MONEY,
            "fees": request({"maker_bps": _FEE, "taker_bps": _FEE}),
            "min_quantity": POSITIVE,
            "max_quantity": POSITIVE,
            "position_limit": POSITIVE,
            "opens_at": {**GIVEN_MOMENT, "description": "As soon as it is approved unless given"},
            "gate_closes_at": {**GIVEN_MOMENT, "description": "A quarter of an hour before the window ends unless given"},
            "delivery_rule": _RULE,
            "proceeds_escrow": _PROCEEDS,
            "note": {"type": "string", "maxLength": 500},
        },
        required=("class", "window", "tick_size", "collar"),
    ),
    "ListingDecision": request({"reason": REASON}, required=("reason",)),
}
