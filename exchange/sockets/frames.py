"""The texts that go to clients: {"ch", "inst", "type", "seq", "prev_seq", "ts", "data", "checksum"}.

Each is encoded once and sent to every socket of the process that wants it. Numbers of a channel are JSON integers (they
stay below 2^53), and so is a level's count of orders; every amount and the checksum are strings.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from exchange.feed.replica import ASK, BID, Changes, Replica
from exchange.services.rules import Rules
from rights.kernel.clock import rfc3339


def message(
    channel: str, instrument: str | None, kind: str, *, seq: int, prev_seq: int | None, at_us: int, data: Any, checksum: int | None = None
) -> str:
    """A snapshot, delta or event of a channel."""
    body = {"ch": channel, "inst": instrument, "type": kind, "seq": seq, "prev_seq": prev_seq, "ts": rfc3339(at_us), "data": data}
    if checksum is not None:
        body["checksum"] = str(checksum)
    return orjson.dumps(body).decode()


def heartbeat(channel: str | None, instrument: str | None, *, seq: int | None, at_us: int) -> str:
    """A subscription's latest number; without a channel, a sign of life on a socket that has no subscription."""
    if channel is None:
        return orjson.dumps({"type": "heartbeat", "ts": rfc3339(at_us)}).decode()
    return orjson.dumps({"ch": channel, "inst": instrument, "type": "heartbeat", "seq": seq, "ts": rfc3339(at_us)}).decode()


def answer(op: str, request: Any, result: Any) -> str:
    return orjson.dumps({"id": request, "op": op, "ok": True, "result": result}).decode()


def refusal(op: str | None, request: Any, problem: Mapping[str, Any]) -> str:
    return orjson.dumps({"id": request, "op": op, "ok": False, "error": problem}).decode()


def book_snapshot(replica: Replica, depth: int | None) -> dict[str, list[list[Any]]]:
    """All levels of a view, best first."""
    text = replica.rules.price_text
    bids, asks = ([[text(p), str(lots), orders] for p, lots, orders in replica.top(side, depth)] for side in (BID, ASK))
    return {"bids": bids, "asks": asks}


def book_delta(changes: Changes, rules: Rules) -> dict[str, list[list[Any]]]:
    """Changed levels with what stands there now; quantity "0": nothing."""
    data: dict[str, list[list[Any]]] = {"bids": [], "asks": []}
    for (side, price), (lots, orders) in sorted(changes.items()):
        data["asks" if side == ASK else "bids"].append([rules.price_text(price), str(lots), orders])
    return data
