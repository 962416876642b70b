"""A member's orders, also those that are accepted and not yet applied."""

import msgspec

from exchange.domain.command import OrderType
from exchange.feed.record import OrderRecord
from exchange.models.book import CommandKind
from exchange.models.order import OrderStatus
from exchange.selectors import named
from exchange.selectors.named import moment
from exchange.services.payload import PlacePayload, decode
from exchange.services.pending import UNREAD_SINCE
from rights.kernel import rows

_COLUMNS = f"""
o.id::text, o.book_id, o.client_order_id, o."group", o.side, o.type, o.tif, o.post_only, o.stp, o.price_ticks, o.quantity_lots,
o.filled_lots, o.remaining_lots, o.status, o.reason, o.notional_minor, o.fee_minor, coalesce({moment("o.expire_at")}, 0),
{moment("o.created_at")}, {moment("o.updated_at")}, o.book_seq, o.named_rights::text[], coalesce({moment("o.deadline")}, 0)
"""
_PLACED = f"SELECT c.order_id::text, c.book_id, c.client_order_id, c.payload, {moment('c.accepted_at')} FROM exchange_command c "
_LIST = f"""
SELECT {_COLUMNS} FROM exchange_order o
WHERE o.account_id = %(account)s AND (%(after)s::uuid IS NULL OR o.id < %(after)s) AND (%(book)s::bigint IS NULL OR o.book_id = %(book)s)
"""
# Commands of a book that no batch has listed yet; see services/pending.py for the mark.
_WAITING = (
    _PLACED
    + f"""JOIN exchange_book b ON b.instrument_id = c.book_id
WHERE c.account_id = %(account)s AND c.kind = 0 AND (%(book)s::bigint IS NULL OR c.book_id = %(book)s)
  AND c.xid >= {UNREAD_SINCE}
  AND NOT EXISTS (SELECT 1 FROM exchange_order o WHERE o.id = c.order_id) AND (%(after)s::uuid IS NULL OR c.order_id < %(after)s)
ORDER BY c.order_id DESC LIMIT %(limit)s
"""
)
_UNREAD = f"""{_PLACED} JOIN exchange_book b ON b.instrument_id = c.book_id AND c.xid >= {UNREAD_SINCE}
WHERE c.kind = 0 AND c.order_id = %s AND c.account_id = %s"""


def order(*, account_id: int, order_id: str) -> OrderRecord | None:
    """One order of the account by its UUID."""
    for _ in range(2):  # a batch may apply the command between the two looks
        row = rows.fetch_one(f"SELECT {_COLUMNS} FROM exchange_order o WHERE o.id = %s AND o.account_id = %s", [order_id, account_id])
        if row:
            return OrderRecord(*row)
        row = rows.fetch_one(_UNREAD, [order_id, account_id])
        if row:
            return waiting(*row)
    return None


def order_id_of(*, account_id: int, client_order_id: str) -> str | None:
    """The UUID of the order that bears this client_order_id."""
    row = rows.fetch_one(
        "SELECT order_id::text FROM exchange_command WHERE account_id = %s AND client_order_id = %s AND kind = 0",
        [account_id, client_order_id],
    )
    return row[0] if row else None


def orders(
    *, account_id: int, limit: int, after: str | None = None, book_id: int | None = None, statuses: frozenset[int] | None = None
) -> list[OrderRecord]:
    """Newest first, at most `limit` + 1; `statuses` None: all of them, the pending ones too."""
    values = {"account": account_id, "after": after, "book": book_id, "limit": limit + 1}
    found: list[OrderRecord] = []  # what a batch applies between the two statements stands in both: the later read counts
    if statuses is None or OrderStatus.PENDING in statuses:
        found = [waiting(*row) for row in named.fetch_all(_WAITING, values)]
    stored = None if statuses is None else sorted(statuses - {OrderStatus.PENDING})
    if stored is None or stored:
        sql, open_only = _LIST, stored is not None and set(stored) <= {OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED}
        if stored is not None:
            sql += " AND o.status = ANY(%(statuses)s)"
        if open_only:  # said to the planner, which has a small index of open orders
            sql += " AND o.is_open"
        sql += " ORDER BY o.id DESC LIMIT %(limit)s"
        found += [OrderRecord(*row) for row in named.fetch_all(sql, {**values, "statuses": stored})]
    by_id = {record.id: record for record in found}
    return [by_id[order_id] for order_id in sorted(by_id, reverse=True)][: limit + 1]


def waiting(order_id: str, book_id: int, client_order_id: str | None, payload: str, accepted_us: int) -> OrderRecord:
    """A place command that no batch has applied, as the order it will be."""
    asked = decode(CommandKind.PLACE, payload)
    if not isinstance(asked, PlacePayload):
        raise TypeError(f"command of order {order_id} is no place")
    return OrderRecord(
        id=order_id,
        book_id=book_id,
        client_order_id=client_order_id,
        group=asked.group,
        side=asked.side,
        type=asked.type,
        tif=asked.tif,
        post_only=asked.post_only,
        stp=asked.stp,
        price_ticks=None if asked.type == OrderType.MARKET else asked.price_ticks,
        quantity_lots=asked.quantity_lots,
        filled_lots=0,
        remaining_lots=asked.quantity_lots,
        status=int(OrderStatus.PENDING),
        reason=0,
        notional_minor=0,
        fee_minor=0,
        expire_us=asked.expire_us,
        created_us=accepted_us,
        updated_us=accepted_us,
        book_seq=0,
        rights=asked.rights,
        deadline_us=asked.deadline_us,
    )


class Change(msgspec.Struct, frozen=True):
    """A command about an order after it was placed; `payload` as in services/payload.py."""

    kind: int
    payload: str
    actor: str
    at_us: int


def changes(*, order_id: str) -> list[Change]:
    """Amends and cancels that named the order, in the order of their acceptance."""
    sql = f"SELECT kind, payload, actor, {moment('accepted_at')} FROM exchange_command WHERE order_id = %s AND kind IN (1, 2) ORDER BY n"
    return [Change(*row) for row in rows.fetch_all(sql, [order_id])]
