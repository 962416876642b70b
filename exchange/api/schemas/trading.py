"""Orders, fills and what an account has."""

from exchange.api.schemas.words import (
    CLIENT_ID,
    COUNT,
    DECIMAL,
    EXPECTED,
    FLAG,
    GIVEN_MOMENT,
    HASH,
    LOTS,
    MOMENT,
    PRICE,
    SYMBOL,
    TEXT,
    WHOLE,
    Schema,
    answer,
    many,
    maybe,
    one_of,
    public_id,
    ref,
    request,
)
from exchange.domain.command import Reason
from exchange.feed import wire

SIDE = one_of(*wire.SIDES)
TYPE = one_of(*wire.TYPES)
STP = one_of(*wire.STPS)
TIF = one_of(*wire.TIFS)
REASON = one_of(*(reason.name.lower() for reason in Reason if reason))
STATUS = one_of(*wire.STATUSES.values())

_ASKED: dict[str, Schema] = {"instrument": SYMBOL, "side": SIDE, "quantity": LOTS}
# In what a client writes, null is as good as leaving out.
_OPTIONS: dict[str, Schema] = {
    "type": {**TYPE, "default": "limit"},
    "price": {**PRICE, "description": "A multiple of the tick size; not for market orders"},
    "time_in_force": {**one_of(*wire.TIFS, "gtc"), "description": "gtg (good till gate) unless it is a market order, which is ioc"},
    "expire_time": {**GIVEN_MOMENT, "description": "With gtd only"},
    "post_only": FLAG,
    "post_only_action": one_of("reject", "slide"),
    "self_trade_prevention": {**STP, "default": "cancel_newest"},
    "client_order_id": CLIENT_ID,
    "group": CLIENT_ID,
    "rights": {**many(public_id("rgt"), 1, 100), "uniqueItems": True},
    "accept": {"type": "object", "additionalProperties": False, "description": "The buyer's filter on what may be delivered"},
    "deadline": {**GIVEN_MOMENT, "description": "Refuse the order if it would be applied later"},
}
_PLACE: dict[str, Schema] = {**_ASKED, **{name: maybe(schema) for name, schema in _OPTIONS.items()}}
_NEW: dict[str, Schema] = {"quantity": LOTS, "price": PRICE, "expire_time": GIVEN_MOMENT, "deadline": GIVEN_MOMENT}
_AMEND: dict[str, Schema] = {name: maybe(schema) for name, schema in _NEW.items()}
_WHICH: dict[str, Schema] = {"id": maybe(public_id("ord")), "client_order_id": maybe(CLIENT_ID)}
_ORDER: dict[str, Schema] = {
    "id": public_id("ord"),
    "client_order_id": maybe(CLIENT_ID),
    "instrument": SYMBOL,
    "side": SIDE,
    "type": TYPE,
    "quantity": WHOLE,
    "price": maybe(PRICE),
    "time_in_force": TIF,
    "expire_time": maybe(MOMENT),
    "post_only": FLAG,
    "post_only_action": maybe(one_of("reject", "slide")),
    "self_trade_prevention": STP,
    "group": maybe(TEXT),
    "rights": maybe(many(public_id("rgt"))),
    "deadline": maybe(MOMENT),
    "status": STATUS,
    "reason": maybe(REASON),
    "filled_quantity": WHOLE,
    "remaining_quantity": WHOLE,
    "average_price": maybe(DECIMAL),
    "fee_total": DECIMAL,
    "book_seq": WHOLE,
    "created_at": MOMENT,
    "updated_at": MOMENT,
}
_SLICE: dict[str, Schema] = {
    "right_id": public_id("rgt"),
    "parent_right_id": public_id("rgt"),
    "root_right_id": public_id("rgt"),
    "units": WHOLE,
    "issuer_id": TEXT,
    "assurance_id": public_id("ast"),
    "terms_hash": HASH,
}
_DELIVERY = answer(_SLICE)
_FILL: dict[str, Schema] = {
    "id": public_id("fil"),
    "trade_id": public_id("trd"),
    "order_id": public_id("ord"),
    "instrument": SYMBOL,
    "side": SIDE,
    "price": PRICE,
    "quantity": WHOLE,
    "units": WHOLE,
    "liquidity": one_of(*wire.LIQUIDITY),
    "fee": DECIMAL,
    "book_seq": WHOLE,
    "executed_at": MOMENT,
    "deliveries": many(_DELIVERY),
    "event_id": TEXT,
    "receipt_hash": TEXT,
}

COMPONENTS: dict[str, Schema] = {
    "Order": answer(_ORDER),
    "PlacedOrder": answer(
        {
            **_ORDER,
            "fills": {**many(ref("Fill")), "description": "Those of this call"},
            "replayed": {**FLAG, "description": "True when the client_order_id came before with the same body"},
            "priority": {**one_of("kept", "lost"), "description": "After an amend"},
        },
        optional=tuple(name for name in [*_ORDER, "fills", "replayed", "priority"] if name not in {"id", "status", "instrument"}),
        description="An order as it stands after the call; only its ids and its status while it is pending",
    ),
    "PlaceOrder": request(_PLACE, required=("instrument", "side", "quantity")),
    "AmendOrder": request(_AMEND, description="New totals; what is left out stays"),
    "Batch": request(
        {
            "operations": many(
                {
                    "oneOf": [
                        request({"op": {"const": "place"}, **_PLACE}, required=("op", "instrument", "side", "quantity")),
                        request({"op": {"const": "amend"}, **_WHICH, **_AMEND}, required=("op",)),
                        request({"op": {"const": "cancel"}, **_WHICH}, required=("op",)),
                    ]
                },
                1,
                500,
            )
        },
        required=("operations",),
    ),
    "BatchResult": answer(
        {
            "results": many(
                answer({"op": TEXT, "status": COUNT, "order": ref("PlacedOrder"), "error": ref("Problem")}, optional=("order", "error"))
            )
        },
        description="One result per operation, in order",
    ),
    "Cancelled": answer({"ids": many(public_id("ord")), "count": COUNT, "complete": FLAG}),
    "Preview": answer(
        {
            "instrument": SYMBOL,
            "accepted": FLAG,
            "reason": {**maybe(TEXT), "description": "A reason of orders, or the limit of the key that would keep it out"},
            "phase": TEXT,
            "would_fill": WHOLE,
            "would_rest": WHOLE,
            "worst_price": maybe(PRICE),
            "notional": DECIMAL,
            "fee": {"type": "object"},
            "hold": {"type": "object"},
            "available": {"type": "object"},
            "self_cross": FLAG,
            **EXPECTED,
            "price_per_expected_lot": {
                **maybe(DECIMAL),
                "description": "For a buy: the average price of what trades now, or the limit, × 10,000 / `expected_delivery_bps`, rounded up",
            },
            "rights": many(answer({"right_id": public_id("rgt"), "units": WHOLE, "issuer_id": TEXT})),
            "gates": many(ref("Gate")),
        },
        description="What the order would meet now; not a promise",
    ),
    "OrderEvent": answer({"at": MOMENT, "type": TEXT}),
    "Fill": answer(_FILL),
    "FillLineage": answer(
        _FILL
        | {
            "deliveries": many(
                answer(
                    _SLICE
                    | {
                        "kind": {
                            **maybe(one_of("split", "merged", "transferred")),
                            "description": "A right was made of it, it joined one that the buyer has, or the right itself moved",
                        },
                        "event_id": {**maybe(public_id("evt")), "description": "The event that says so"},
                        "stream": TEXT,
                        "seq": maybe(WHOLE),
                        "line": {
                            **many(maybe(public_id("rgt"))),
                            "description": "From the parent up to the root; null stands for a right that is others' alone",
                        },
                        "line_goes_on": {**FLAG, "description": "The line is longer than what is shown"},
                    }
                )
            )
        }
    ),
    "Balance": answer({"currency": TEXT, "total": DECIMAL, "available": DECIMAL, "held": DECIMAL}),
    "Cash": answer(
        {
            "currency": TEXT,
            "total": DECIMAL,
            "available": DECIMAL,
            "held": DECIMAL,
            "in_escrow": {**DECIMAL, "description": "What was sold brought so much more; it comes when the units are final"},
        }
    ),
    "Position": answer(
        {"instrument": SYMBOL, "quantity": WHOLE, "available": WHOLE, "reserved": WHOLE, "units": WHOLE, "rights": COUNT},
        description="Whole lots that could be sold there",
    ),
    "LedgerLine": answer(
        {
            "entry_id": TEXT,
            "leg": COUNT,
            "kind": TEXT,
            "asset": TEXT,
            "asset_kind": one_of("cash", "units"),
            "direction": one_of("in", "out"),
            "amount": DECIMAL,
            "at": MOMENT,
        }
    ),
}
