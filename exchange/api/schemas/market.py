"""Classes, instruments and public market data."""

from exchange.api.schemas.words import (
    BPS,
    COUNT,
    DECIMAL,
    EXPECTED,
    FLAG,
    HASH,
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
)
from exchange.domain.command import Phase
from exchange.domain.proceeds import PROCEEDS

PHASE = one_of(*(phase.name.lower() for phase in Phase))
_WINDOW = answer({"start": MOMENT, "end": MOMENT, "mode": one_of("fixed", "rolling", "epoch")})
_LEVEL: Schema = {
    "type": "array",
    "prefixItems": [PRICE, WHOLE, {"anyOf": [COUNT, public_id("ord")]}],
    "minItems": 3,
    "maxItems": 3,
    "description": "price, quantity, and the number of orders (level 2) or the order's id (level 3)",
}

COMPONENTS: dict[str, Schema] = {
    "ComputeClass": answer(
        {"key": TEXT, "fingerprint": HASH, "dimensions": {"type": "object"}, "unit": TEXT, "lot_size": WHOLE},
        description="One set of dimensions a buyer can't tell rights apart by",
    ),
    "Instrument": answer(
        {
            "symbol": SYMBOL,
            "class": answer({"key": TEXT, "fingerprint": HASH}),
            "unit": TEXT,
            "lot_size": {**WHOLE, "description": "Units per lot"},
            "currency": TEXT,
            "tick_size": PRICE,
            "price_decimals": COUNT,
            "min_quantity": WHOLE,
            "max_quantity": WHOLE,
            "collar": answer({"low": PRICE, "high": PRICE}),
            "position_limit": maybe(WHOLE),
            "window": _WINDOW,
            "opens_at": MOMENT,
            "gate_closes_at": MOMENT,
            "phase": PHASE,
            "phase_reason": maybe(TEXT),
            "post_only": {**FLAG, "description": "Only orders that rest may enter: the disclosure sheet is stale"},
            "post_only_reason": maybe(TEXT),
            "book_seq": WHOLE,
            "fees": answer({"maker_bps": BPS, "taker_bps": BPS}),
            "reference_price": maybe(PRICE),
            "last_price": maybe(PRICE),
            "deliverable_quantity": WHOLE,
            "headroom_quantity": {**WHOLE, "description": "Whole lots that may still be issued under the sound assurances behind it"},
            "backing": one_of("sound", "degraded", "stale"),
            **EXPECTED,
            "delivery_rule": one_of("exact", "dominance"),
            "proceeds_escrow": {**one_of(*PROCEEDS), "description": "When sellers are paid: at the fill, or when what they sold is final"},
            "sheet": {"anyOf": [answer({"version": COUNT, "hash": HASH, "stale": FLAG}), {"type": "null"}]},
        }
    ),
    "Sheet": answer(
        {
            "instrument": SYMBOL,
            "version": COUNT,
            "latest_version": COUNT,
            "hash": {**HASH, "description": "SHA-256 of the canonical JSON (RFC 8785) of `sheet`"},
            "computed_at": MOMENT,
            "stale": {**FLAG, "description": "What it was computed from no longer holds; the book takes only orders that rest"},
            "sheet": {"type": "object"},
            "counts": answer(
                {
                    "supply": answer({"units": WHOLE}),
                    "terms": many(answer({"terms_hash": HASH, "issuer": TEXT, "units": WHOLE})),
                    "terms_left_out": COUNT,
                    "assurances": many(answer({"id": public_id("ast"), "issued_units": WHOLE, "headroom_units": WHOLE})),
                    "outcomes": answer({"consumed": WHOLE, "expired": WHOLE, "burned": WHOLE}),
                },
                description="What is there now, whichever version is asked for; no part of any version",
            ),
        },
        description="What a buyer may know before trading; computed, versioned, never edited",
    ),
    "Vocabulary": answer(
        {
            "axes": many(
                answer(
                    {
                        "name": TEXT,
                        "right_field": {**TEXT, "description": "Where a manifest says it"},
                        "capability_field": {**TEXT, "description": "Where a capability says it"},
                        "says": TEXT,
                        "to_capability": {"type": "object", "additionalProperties": TEXT},
                        "to_right": {"type": "object", "additionalProperties": TEXT},
                        "serving": {
                            "type": "object",
                            "additionalProperties": many(TEXT),
                            "description": "Which may execute a right's word",
                        },
                    }
                )
            ),
            "dimensions": many(answer({"field": TEXT, "better": TEXT}, description="What makes a class, and what is better (dominance)")),
        }
    ),
    "CalendarEntry": answer({"instrument": SYMBOL, "phase": PHASE, "opens_at": MOMENT, "gate_closes_at": MOMENT, "window": _WINDOW}),
    "Book": answer(
        {
            "symbol": SYMBOL,
            "seq": WHOLE,
            "phase": PHASE,
            "checksum": {**WHOLE, "description": "CRC32 over the ten best levels (docs/websocket.md, Hearing)"},
            "bids": many(_LEVEL),
            "asks": many(_LEVEL),
        }
    ),
    "Trade": answer(
        {
            "id": public_id("trd"),
            "trade_no": {**WHOLE, "description": "Rises by one per trade of the instrument"},
            "price": PRICE,
            "quantity": WHOLE,
            "units": WHOLE,
            "aggressor_side": one_of("buy", "sell", "auction"),
            "book_seq": WHOLE,
            "executed_at": MOMENT,
        }
    ),
    "Candle": answer(
        {
            "start": MOMENT,
            "open": PRICE,
            "high": PRICE,
            "low": PRICE,
            "close": PRICE,
            "quantity": WHOLE,
            "units": WHOLE,
            "trades": WHOLE,
            "average_price": maybe(DECIMAL),
        }
    ),
    "Ticker": answer(
        {
            "instrument": SYMBOL,
            "phase": PHASE,
            "post_only": FLAG,
            "book_seq": WHOLE,
            "best_bid": maybe(PRICE),
            "best_bid_quantity": maybe(WHOLE),
            "best_ask": maybe(PRICE),
            "best_ask_quantity": maybe(WHOLE),
            "last_price": maybe(PRICE),
            "reference_price": maybe(PRICE),
            "open_24h": maybe(PRICE),
            "high_24h": maybe(PRICE),
            "low_24h": maybe(PRICE),
            "quantity_24h": WHOLE,
            "trades_24h": WHOLE,
        }
    ),
    "CurvePoint": answer(
        {
            "instrument": SYMBOL,
            "window": answer({"start": MOMENT, "end": MOMENT}),
            "phase": PHASE,
            "best_bid": maybe(PRICE),
            "best_ask": maybe(PRICE),
            "last_price": maybe(PRICE),
            "reference_price": maybe(PRICE),
        }
    ),
}
