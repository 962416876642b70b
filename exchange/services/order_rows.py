"""Orders and trades as rows, written set by set."""

from collections.abc import Sequence

from exchange.domain.command import OrderType
from exchange.services.header import Header
from exchange.services.live import Live
from exchange.services.working import Working
from rights.kernel import rows
from rights.kernel.clock import rfc3339
from settlement.services.deliver import Delivered

_ORDER_COLUMNS = (
    'id, book_id, account_id, participant_id, client_order_id, "group", side, type, tif, post_only, stp, price_ticks, quantity_lots, '
    "filled_lots, remaining_lots, cancelled_lots, status, reason, is_open, notional_minor, fee_minor, held_minor, slice_rights, slice_units, "
    "expire_at, valid_until, valid_reason, policy, holder_profile, joined, book_seq, created_at, updated_at, "
    "named_rights, deadline"
)
_TRADE_COLUMNS = (
    "id, book_id, trade_no, batch_seq, at, price_ticks, quantity_lots, units, notional_minor, aggressor, buy_order_id, sell_order_id, "
    "buyer_id, seller_id, buy_fee_minor, sell_fee_minor, slice_children, slice_parents, slice_roots, slice_units, event_seq"
)


def _moment(moment_us: int) -> str:
    return rfc3339(moment_us) if moment_us else rows.NULL


def _slices(order: Live) -> tuple[str, str]:
    """The rights and units an ask still reserves, as two arrays; every bid has none."""
    if not order.slices:
        return "{}", "{}"
    return rows.array(right for right, _ in order.slices), rows.array(units for _, units in order.slices)


def insert_orders(book_id: int, book_seq: int, orders: Sequence[Live]) -> None:
    """Orders that this batch brought."""
    lines = []
    for o in orders:
        price = rows.NULL if o.price is None or o.type == OrderType.MARKET else o.price
        client = rows.NULL if o.client_order_id is None else o.client_order_id
        rights, units = _slices(o)
        lines.append(
            f"{o.id}\t{book_id}\t{o.account}\t{o.participant}\t{client}\t{rows.escape(o.group)}\t{o.side}\t{o.type}\t{o.tif}\t{o.post_only}\t"
            f"{o.stp}\t{price}\t{o.quantity}\t{o.filled}\t{o.remaining}\t{o.cancelled}\t{o.status}\t{o.reason}\t"
            f"{'t' if o.remaining else 'f'}\t{o.notional}\t{o.fee}\t{o.held}\t{rights}\t{units}\t{_moment(o.expire_us)}\t{_moment(o.valid_us)}\t"
            f"{o.valid_reason}\t{o.policy}\t{o.holder}\t{o.joined}\t{book_seq}\t{rfc3339(o.created_us)}\t{rfc3339(o.updated_us)}\t"
            f"{rows.NULL if o.rights is None else rows.array(o.rights)}\t{_moment(o.deadline_us)}"
        )
    rows.copy_rows("exchange_order", _ORDER_COLUMNS, lines)


_UPDATE = """
UPDATE exchange_order o SET price_ticks = CASE WHEN o.type = 1 THEN NULL ELSE w.price END, quantity_lots = w.quantity, filled_lots = w.filled,
    remaining_lots = w.remaining, cancelled_lots = w.cancelled, status = w.status, reason = w.reason, is_open = w.remaining > 0,
    notional_minor = w.notional, fee_minor = w.fee, held_minor = w.held, slice_rights = w.rights::uuid[], slice_units = w.units::bigint[],
    expire_at = w.expire, valid_until = w.valid, valid_reason = w.why, joined = w.joined, book_seq = %s, updated_at = w.updated
FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::smallint[], %s::smallint[], %s::bigint[],
    %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::smallint[], %s::bigint[], %s::timestamptz[])
    AS w(id, price, quantity, filled, remaining, cancelled, status, reason, notional, fee, held, rights, units, expire, valid, why, joined, updated)
WHERE o.id = w.id
"""


def update_orders(book_seq: int, orders: Sequence[Live]) -> None:
    """Orders that were there before and changed."""
    if not orders:
        return
    reserved = [_slices(o) for o in orders]
    rows.write(
        _UPDATE,
        [
            book_seq,
            rows.array(o.id for o in orders),
            rows.array(o.price or 0 for o in orders),
            rows.array(o.quantity for o in orders),
            rows.array(o.filled for o in orders),
            rows.array(o.remaining for o in orders),
            rows.array(o.cancelled for o in orders),
            rows.array(o.status for o in orders),
            rows.array(o.reason for o in orders),
            rows.array(o.notional for o in orders),
            rows.array(o.fee for o in orders),
            rows.array(o.held for o in orders),
            [slices[0] for slices in reserved],
            [slices[1] for slices in reserved],
            [rfc3339(o.expire_us) if o.expire_us else None for o in orders],
            [rfc3339(o.valid_us) if o.valid_us else None for o in orders],
            rows.array(o.valid_reason for o in orders),
            rows.array(o.joined for o in orders),
            [rfc3339(o.updated_us) for o in orders],
        ],
    )


def insert_trades(work: Working, header: Header, trade_ids: Sequence[str], delivered: Delivered) -> None:
    """The batch's trades, with what each delivered."""
    at = rfc3339(header.now_us)
    rights, receives = delivered.plan.rights, delivered.plan.receives
    lines = []
    for t, trade_id, event in zip(work.trades, trade_ids, delivered.trade_events, strict=True):
        children = rows.array(receives[(right, t.buy.account)] for right, _ in t.parts)
        parents = rows.array(right for right, _ in t.parts)
        roots = rows.array(rights[right].root_id for right, _ in t.parts)
        units = rows.array(u for _, u in t.parts)
        lines.append(
            f"{trade_id}\t{header.book_id}\t{t.trade_no}\t{header.seq}\t{at}\t{t.price}\t{t.lots}\t{t.lots * work.rules.lot_size}\t"
            f"{t.notional}\t{t.aggressor}\t{t.buy.id}\t{t.sell.id}\t{t.buy.account}\t{t.sell.account}\t{t.buy_fee}\t{t.sell_fee}\t"
            f"{children}\t{parents}\t{roots}\t{units}\t{event.seq}"
        )
    rows.copy_rows("exchange_trade", _TRADE_COLUMNS, lines)
