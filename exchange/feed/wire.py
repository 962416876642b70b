"""Records and rows in the shapes of API.md. Amounts become strings here and nowhere else."""

from typing import Any

from exchange.domain.amounts import decimal_text
from exchange.domain.command import OrderType, PostOnly, Reason, SelfTrade, Side, TimeInForce
from exchange.feed.record import BalanceRecord, FillRecord, OrderRecord, RequestRecord, SettlementRecord, TradeRecord
from exchange.models.order import OrderStatus
from exchange.services.rules import Rules
from rights.kernel.clock import rfc3339

SIDES = [m.name.lower() for m in Side]
TYPES = [m.name.lower() for m in OrderType]
TIFS = [m.name.lower() for m in TimeInForce]
STPS = [m.name.lower() for m in SelfTrade]
REASONS = {int(m): m.name.lower() for m in Reason}
STATUSES = {int(m): m.name.lower() for m in OrderStatus}
LIQUIDITY = ("maker", "taker", "auction")
AGGRESSORS = ("buy", "sell", "auction")
POST_ONLY_ACTIONS = {int(PostOnly.OFF): None, int(PostOnly.REJECT): "reject", int(PostOnly.SLIDE): "slide"}


def order(record: OrderRecord, rules: Rules, fills: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """API.md, Order answer. `fills` are those of this call, when there was one."""
    filled = record.filled_lots
    # Rounded down to the minor unit: information for people, never a basis for money.
    average = rules.money_text(record.notional_minor // filled) if filled else None
    answer: dict[str, Any] = {
        "id": f"ord_{record.id}",
        "client_order_id": record.client_order_id,
        "instrument": rules.symbol,
        "side": SIDES[record.side],
        "type": TYPES[record.type],
        "quantity": str(record.quantity_lots),
        "price": None if record.price_ticks is None else rules.price_text(record.price_ticks),
        "time_in_force": TIFS[record.tif],
        "expire_time": rfc3339(record.expire_us) if record.expire_us else None,
        "post_only": record.post_only != 0,
        "post_only_action": POST_ONLY_ACTIONS[record.post_only],
        "self_trade_prevention": STPS[record.stp],
        "group": record.group or None,
        "rights": None if record.rights is None else [f"rgt_{right}" for right in record.rights],
        "deadline": rfc3339(record.deadline_us) if record.deadline_us else None,
        "status": STATUSES[record.status],
        "reason": REASONS[record.reason] if record.reason else None,
        "filled_quantity": str(filled),
        "remaining_quantity": str(record.remaining_lots),
        "average_price": average,
        "fee_total": rules.money_text(record.fee_minor),
        "book_seq": str(record.book_seq),
        "created_at": rfc3339(record.created_us),
        "updated_at": rfc3339(record.updated_us),
    }
    if fills is not None:
        answer["fills"] = fills
    return answer


def fill(record: FillRecord, rules: Rules) -> dict[str, Any]:
    """API.md, Fill."""
    return {
        "id": f"fil_{record.id}",
        "trade_id": f"trd_{record.trade_id}",
        "order_id": f"ord_{record.order_id}",
        "instrument": rules.symbol,
        "side": SIDES[record.side],
        "price": rules.price_text(record.price_ticks),
        "quantity": str(record.quantity_lots),
        "units": str(record.quantity_lots * rules.lot_size),
        "liquidity": LIQUIDITY[record.liquidity],
        "fee": rules.money_text(record.fee_minor),
        "book_seq": str(record.book_seq),
        "executed_at": rfc3339(record.at_us),
        "deliveries": [
            {
                "right_id": f"rgt_{d.right_id}",
                "parent_right_id": f"rgt_{d.parent_id}",
                "root_right_id": f"rgt_{d.root_id}",
                "units": str(d.units),
                "issuer_id": d.issuer,
                "assurance_id": f"ast_{d.assurance_id}",
                "terms_hash": d.terms_hash,
            }
            for d in record.deliveries
        ],
        "event_id": f"evt_{record.event_id}",
        "receipt_hash": record.event_hash,
    }


def trade(record: TradeRecord, rules: Rules, book_seq: int, at_us: int) -> dict[str, Any]:
    """API.md, Trade (public)."""
    return {
        "id": f"trd_{record.id}",
        "trade_no": str(record.trade_no),
        "price": rules.price_text(record.price_ticks),
        "quantity": str(record.quantity_lots),
        "units": str(record.quantity_lots * rules.lot_size),
        "aggressor_side": AGGRESSORS[record.aggressor],
        "book_seq": str(book_seq),
        "executed_at": rfc3339(at_us),
    }


def balance(record: BalanceRecord) -> dict[str, Any]:
    """API.md, Balance."""
    return {
        "currency": record.currency,
        "total": decimal_text(record.amount, record.scale),
        "available": decimal_text(record.amount - record.held, record.scale),
        "held": decimal_text(record.held, record.scale),
    }


def request_change(record: RequestRecord) -> dict[str, Any]:
    """One fact about a request (docs/websocket.md)."""
    return {
        "event_id": record.event_id,
        "event": record.event,
        "request_id": record.request_id,
        "state": record.state,
        "route_ids": record.route_ids,
        "right_id": record.right_id,
        "units": record.units,
        "receipt_id": record.receipt_id,
        "reason": record.reason,
    }


def settlement_change(record: SettlementRecord) -> dict[str, Any]:
    """One fact about a settlement or a dispute of it (docs/websocket.md)."""
    return {
        "event_id": record.event_id,
        "event": record.event,
        "settlement_id": record.settlement_id,
        "request_id": record.request_id,
        "receipt_id": record.receipt_id,
        "state": record.state,
        "outcome": record.outcome,
        "rule": record.rule,
        "units": record.units,
        "missing": record.missing,
        "until": record.until,
        "dispute_id": record.dispute_id,
        "dispute_state": record.dispute_state,
        "reviewer": record.reviewer,
    }


def open_request(request_id: str, state: str, updated_us: int) -> dict[str, Any]:
    """A request that has not ended, as a snapshot tells it."""
    return {"request_id": f"req_{request_id}", "state": state, "updated_at": rfc3339(updated_us)}


def open_settlement(settlement_id: str, request_id: str, receipt_id: str, state: str, outcome: str, updated_us: int) -> dict[str, Any]:
    """A settlement that is not final, as a snapshot tells it."""
    return {
        "settlement_id": f"stl_{settlement_id}",
        "request_id": f"req_{request_id}",
        "receipt_id": f"rcp_{receipt_id}",
        "state": state,
        "outcome": outcome or None,
        "updated_at": rfc3339(updated_us),
    }
