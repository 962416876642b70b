"""Fill receipts (docs/receipts.md): what the venue signs of a fill and of its place in the event chain. Pure."""

import hashlib
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec
import orjson

from rights.domain.anchor_body import proof_faults
from rights.domain.signing import Signer
from rights.domain.statement import BROKEN, document_faults, signed_by

VERSION: Final = "synthference/fill-receipt/v2"
Keys = Mapping[str, Mapping[str, Any]]


class Place(msgspec.Struct, frozen=True):
    """An event's place in the chain: which stream, the number there, its hash and the hash of the event before."""

    id: str
    stream: str
    seq: str
    hash: str
    prev_hash: str


def receipt_of(*, fill: dict[str, Any], account: str, place: Place, currency_scale: int, at: str, signer: Signer) -> dict[str, Any]:
    """A receipt for `fill` (API.md, Fill) of `account`, signed at `at`. `currency_scale` is the decimals of a minor unit."""
    members = {"account": account, "currency_scale": currency_scale, "event": msgspec.to_builtins(place), "fill": fill}
    return signed_by(signer, version=VERSION, at=at, members=members)


def receipt_faults(receipt: Any, keys: Keys | None = None) -> list[str]:
    """Everything in which a receipt contradicts itself, the event or the proof it carries; empty when it is sound."""
    try:
        found = document_faults(receipt, version=VERSION, keys=keys)
        body = orjson.loads(receipt["body"])
        found += _own_faults(body["fill"], body["event"])
        if receipt.get("event") is not None:
            found += _event_faults(body, receipt["event"])
        if receipt.get("proof") is not None:
            found += _proof_faults(receipt["proof"], body["event"], keys)
    except (*BROKEN, InvalidOperation) as fault:
        return [f"not a receipt: {fault!r}"]
    return found


def _own_faults(fill: dict[str, Any], event: dict[str, Any]) -> list[str]:
    """What a receipt says twice."""
    said: dict[str, tuple[object, object]] = {
        "side": (fill["side"] in ("buy", "sell"), True),
        "id": (fill["id"], _fill_id(fill["trade_id"], fill["side"])),
        "event_id": (fill["event_id"], event["id"]),
        "receipt_hash": (fill["receipt_hash"], event["hash"]),
        "units": (int(fill["units"]), sum(int(part["units"]) for part in fill["deliveries"])),
    }
    return [f"{field} is not what the receipt says elsewhere" for field, (stated, told) in said.items() if stated != told]


def _event_faults(body: dict[str, Any], text: str) -> list[str]:
    place, event = body["event"], orjson.loads(text)
    found = []
    if hashlib.sha256(text.encode()).hexdigest() != place["hash"]:
        found.append("the event's hash is not the SHA-256 of the event")
    told = {"id": event["id"], "stream": event["registry"], "seq": event["seq"], "prev_hash": event["prev_hash"]}
    found += [f"the event's {name} is not what the event says" for name, value in told.items() if place[name] != value]
    return found + _fact_faults(body["fill"], event, body["account"], body["currency_scale"])


def _fact_faults(fill: dict[str, Any], event: dict[str, Any], account: str, scale: int) -> list[str]:
    payload = event["payload"]
    side = fill["side"]
    prefix, owner = ("buy", "buyer") if side == "buy" else ("sell", "seller")
    moves = [{"parent": d["parent_right_id"], "right": d["right_id"], "units": d["units"]} for d in fill["deliveries"]]
    liquidity = "auction" if payload["aggressor"] == "auction" else "taker" if payload["aggressor"] == side else "maker"
    minor = 10**scale
    said: dict[str, tuple[object, object]] = {
        "the event's type": (event["type"], "trade.executed"),
        "account": (account, payload[owner]),
        "trade_id": (fill["trade_id"], event["object"]["id"]),
        "order_id": (fill["order_id"], payload[f"{prefix}_order"]),
        "instrument": (fill["instrument"], payload["instrument"]),
        "quantity": (fill["quantity"], payload["quantity"]),
        "executed_at": (fill["executed_at"], event["at"]),
        "liquidity": (fill["liquidity"], liquidity),
        "price": (Decimal(fill["price"]) * int(fill["quantity"]) * minor, Decimal(payload["notional"])),
        "fee": (Decimal(fill["fee"]) * minor, Decimal(payload[f"{prefix}_fee"])),
        "deliveries": (moves, payload["deliveries"]),
    }
    return [f"{field} is not what the event says" for field, (stated, told) in said.items() if stated != told]


def _proof_faults(proof: Any, place: dict[str, Any], keys: Keys | None) -> list[str]:
    found = proof_faults(proof, keys)
    if (proof["event_id"], proof["event_hash"]) != (place["id"], place["hash"]):
        found.append("the proof is of another event")
    return found


def _fill_id(trade_id: str, side: str) -> str:
    """The fills of a trade are its id with the last bit 0 for the buyer's, 1 for the seller's."""
    uuid = trade_id.removeprefix("trd_")
    last = int(uuid[-1], 16) & ~1 | (side == "sell")
    return f"fil_{uuid[:-1]}{last:x}"
