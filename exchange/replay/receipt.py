"""Fill receipts (docs/receipts.md): a fill with the very bytes that were hashed into the chain. Pure."""

import hashlib
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

VERSION = "synthference/fill-receipt/v1"


def receipt_of(*, fill: dict[str, Any], event_body: str, currency_scale: int) -> dict[str, Any]:
    """A receipt for `fill` (API.md, Fill). `event_body` is the canonical event, `currency_scale` the decimals of a minor unit."""
    return {"version": VERSION, "currency_scale": currency_scale, "event": event_body, "fill": fill}


def receipt_faults(receipt: Any) -> list[str]:
    """Everything in which a receipt contradicts the event it carries; empty when it is sound."""
    try:
        if receipt["version"] != VERSION:
            return [f"the version is not {VERSION}"]
        body = receipt["event"].encode()
        return _hash_faults(receipt["fill"], body) + _fact_faults(receipt["fill"], orjson.loads(body), receipt["currency_scale"])
    except (KeyError, TypeError, AttributeError, ValueError, InvalidOperation) as fault:
        return [f"not a receipt: {fault!r}"]


def _hash_faults(fill: dict[str, Any], body: bytes) -> list[str]:
    if hashlib.sha256(body).hexdigest() == fill["receipt_hash"]:
        return []
    return ["receipt_hash is not the SHA-256 of the event"]


def _fact_faults(fill: dict[str, Any], event: dict[str, Any], scale: int) -> list[str]:
    payload = event["payload"]
    side = fill["side"]
    prefix, order = ("buy", "buy_order") if side == "buy" else ("sell", "sell_order")
    moves = [{"parent": d["parent_right_id"], "right": d["right_id"], "units": d["units"]} for d in fill["deliveries"]]
    liquidity = "auction" if payload["aggressor"] == "auction" else "taker" if payload["aggressor"] == side else "maker"
    minor = 10**scale
    said: dict[str, tuple[object, object]] = {
        "side": (side in ("buy", "sell"), True),
        "event_id": (fill["event_id"], event["id"]),
        "the event's type": (event["type"], "trade.executed"),
        "trade_id": (fill["trade_id"], event["object"]["id"]),
        "id": (fill["id"], _fill_id(fill["trade_id"], side)),
        "order_id": (fill["order_id"], payload[order]),
        "instrument": (fill["instrument"], payload["instrument"]),
        "quantity": (fill["quantity"], payload["quantity"]),
        "executed_at": (fill["executed_at"], event["at"]),
        "liquidity": (fill["liquidity"], liquidity),
        "price": (Decimal(fill["price"]) * int(fill["quantity"]) * minor, Decimal(payload["notional"])),
        "fee": (Decimal(fill["fee"]) * minor, Decimal(payload[f"{prefix}_fee"])),
        "deliveries": (moves, payload["deliveries"]),
        "units": (int(fill["units"]), sum(int(move["units"]) for move in payload["deliveries"])),
    }
    return [f"{field} is not what the event says" for field, (stated, told) in said.items() if stated != told]


def _fill_id(trade_id: str, side: str) -> str:
    """The fills of a trade are its id with the last bit 0 for the buyer's, 1 for the seller's."""
    uuid = trade_id.removeprefix("trd_")
    last = int(uuid[-1], 16) & ~1 | (side == "sell")
    return f"fil_{uuid[:-1]}{last:x}"
