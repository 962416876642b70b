"""What a command's outcome looks like to its caller."""

from typing import Any

from exchange.api.order_entry.told import Told
from exchange.domain.command import Reason
from exchange.feed import wire
from exchange.feed.record import OrderRecord
from exchange.models.order import OrderStatus
from exchange.selectors.orders import waiting
from exchange.services.intake import NewCommand
from exchange.services.rules import Rules


def placed(told: Told, order_id: str, rules: Rules) -> tuple[int, dict[str, Any]]:
    """(status, order) of a place: 201, or 422 when a rule refused it."""
    record = told.orders[order_id]
    fills = [wire.fill(f, rules) for f in told.fills.get(order_id, ())]
    return (422 if record.status == OrderStatus.REJECTED else 201), wire.order(record, rules, fills)


def changed(told: Told, order_id: str, rules: Rules) -> dict[str, Any] | None:
    """The order after an amend or a cancel, with the fills of that batch."""
    record = told.orders.get(order_id)
    if record is None:
        return None
    return wire.order(record, rules, [wire.fill(f, rules) for f in told.fills.get(order_id, ())])


def pending(order_id: str, command: NewCommand, accepted_us: int, rules: Rules) -> dict[str, Any]:
    """An order that was accepted and is not yet applied, as its place command says."""
    return wire.order(waiting(order_id, command.book_id, command.client_order_id, command.payload, accepted_us), rules)


def underway(order_id: str, named: str | None, rules: Rules) -> dict[str, Any]:
    """An order about which something was accepted that is not yet applied; `named` as the caller named it, if he did."""
    return {
        "id": f"ord_{order_id}",
        "client_order_id": named,
        "instrument": rules.symbol,
        "status": "pending",
        "reason": None,
    }


def reason_code(reason: int) -> str:
    return Reason(reason).name.lower()


_ORDER = """
SELECT id::text, book_id, client_order_id, "group", side, type, tif, post_only, stp, price_ticks, quantity_lots, filled_lots, remaining_lots,
       status, reason, notional_minor, fee_minor, coalesce((extract(epoch from expire_at) * 1000000)::bigint, 0),
       (extract(epoch from created_at) * 1000000)::bigint, (extract(epoch from updated_at) * 1000000)::bigint, book_seq,
       named_rights::text[], coalesce((extract(epoch from deadline) * 1000000)::bigint, 0)
FROM exchange_order WHERE {}
"""
BY_ID = _ORDER.format("id = %s AND account_id = %s")


def record_of(row: tuple[Any, ...]) -> OrderRecord:
    """A row of BY_ID as the record the channels carry."""
    return OrderRecord(*row)
