"""An order's events, told from what is on record: its commands, its fills and how it ended (one fact, one record)."""

from collections.abc import Sequence
from typing import Any

from exchange.feed import wire
from exchange.feed.record import FillRecord, OrderRecord
from exchange.models.book import CommandKind
from exchange.models.order import OrderStatus
from exchange.selectors.orders import Change
from exchange.services.payload import AmendPayload, CancelPayload, decode
from exchange.services.rules import Rules
from rights.kernel.clock import rfc3339

_ENDED = {OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.REJECTED}


def story(order: OrderRecord, rules: Rules, changes: Sequence[Change], fills: Sequence[FillRecord]) -> list[dict[str, Any]]:
    """Everything that happened to the order, oldest first."""
    told: list[tuple[int, int, dict[str, Any]]] = [(order.created_us, 0, {"type": "accepted", "quantity": str(order.quantity_lots)})]
    told += [(change.at_us, 1, _asked(change, rules)) for change in changes]
    told += [(fill.at_us, 2, _traded(fill, rules)) for fill in fills]
    if order.status in _ENDED:
        told.append((order.updated_us, 3, _ended(order)))
    return [{"at": rfc3339(at_us), **event} for at_us, _, event in sorted(told, key=lambda item: item[:2])]


def _asked(change: Change, rules: Rules) -> dict[str, Any]:
    payload = decode(change.kind, change.payload)
    if change.kind == CommandKind.AMEND and isinstance(payload, AmendPayload):
        return {
            "type": "amend_requested",
            "price": None if payload.price_ticks is None else rules.price_text(payload.price_ticks),
            "quantity": None if payload.quantity_lots is None else str(payload.quantity_lots),
            "expire_time": rfc3339(payload.expire_us) if payload.expire_us else None,
        }
    reason = payload.reason if isinstance(payload, CancelPayload) else 0
    return {"type": "cancel_requested", "reason": wire.REASONS[reason]}


def _traded(fill: FillRecord, rules: Rules) -> dict[str, Any]:
    return {
        "type": "traded",
        "fill_id": f"fil_{fill.id}",
        "price": rules.price_text(fill.price_ticks),
        "quantity": str(fill.quantity_lots),
        "liquidity": wire.LIQUIDITY[fill.liquidity],
        "book_seq": str(fill.book_seq),
    }


def _ended(order: OrderRecord) -> dict[str, Any]:
    return {
        "type": wire.STATUSES[order.status],
        "reason": wire.REASONS[order.reason] if order.reason else None,
        "filled_quantity": str(order.filled_lots),
        "book_seq": str(order.book_seq),
    }
