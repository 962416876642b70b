"""An account's side of its trades, with what was delivered and the event that says so."""

from typing import Any

from exchange.feed.record import DeliveryRecord, FillRecord
from exchange.selectors import named
from exchange.selectors.named import moment
from rights.kernel import rows

_COLUMNS = f"""
t.id::text, t.book_id, t.batch_seq, {moment("t.at")}, t.price_ticks, t.quantity_lots, t.aggressor,
t.buy_order_id::text, t.sell_order_id::text, t.buy_fee_minor, t.sell_fee_minor,
t.slice_children::text[], t.slice_parents::text[], t.slice_roots::text[], t.slice_units, t.event_seq
"""
# Each side has its own index by (account, id), so the newest rows of both are merged.
_LIST = f"""
WITH mine AS (
    (SELECT {_COLUMNS}, 0 AS side FROM exchange_trade t WHERE t.buyer_id = %(account)s AND (%(after)s::uuid IS NULL OR t.id < %(after)s)
        AND (%(book)s::bigint IS NULL OR t.book_id = %(book)s) AND (%(order)s::uuid IS NULL OR t.buy_order_id = %(order)s)
        AND (%(since)s::uuid IS NULL OR t.id >= %(since)s) ORDER BY t.id DESC LIMIT %(limit)s)
    UNION ALL
    (SELECT {_COLUMNS}, 1 FROM exchange_trade t WHERE t.seller_id = %(account)s AND (%(after)s::uuid IS NULL OR t.id < %(after)s)
        AND (%(book)s::bigint IS NULL OR t.book_id = %(book)s) AND (%(order)s::uuid IS NULL OR t.sell_order_id = %(order)s)
        AND (%(since)s::uuid IS NULL OR t.id >= %(since)s) ORDER BY t.id DESC LIMIT %(limit)s)
    ORDER BY 1 DESC LIMIT %(limit)s
)
SELECT mine.*, e.id::text, e.hash FROM mine JOIN exchange_instrument i ON i.id = mine.book_id JOIN rights_series s ON s.id = i.series_id
LEFT JOIN rights_event e ON e.stream_id = s.stream_id AND e.seq = mine.event_seq ORDER BY 1 DESC
"""
_ONE = f"""
SELECT {_COLUMNS}, CASE WHEN t.buyer_id = %(account)s THEN 0 ELSE 1 END, e.id::text, e.hash
FROM exchange_trade t JOIN exchange_instrument i ON i.id = t.book_id JOIN rights_series s ON s.id = i.series_id
LEFT JOIN rights_event e ON e.stream_id = s.stream_id AND e.seq = t.event_seq
WHERE t.id = %(trade)s AND CASE WHEN %(seller)s THEN t.seller_id ELSE t.buyer_id END = %(account)s
"""
_FACTS = """
SELECT r.id::text, i.slug, a.uuid::text, r.terms_hash FROM rights_right r JOIN rights_issuer i ON i.id = r.issuer_id
JOIN rights_assurance a ON a.id = r.assurance_id WHERE r.id = ANY(%s::uuid[])
"""


def fills(
    *,
    account_id: int,
    limit: int,
    after: str | None = None,
    book_id: int | None = None,
    order_id: str | None = None,
    since: str | None = None,
) -> list[FillRecord]:
    """Newest first, at most `limit` + 1; `after` and `since` are trades' UUIDs, which are sorted by time."""
    values = {"account": account_id, "after": after, "book": book_id, "order": order_id, "since": since, "limit": limit + 1}
    return _records(named.fetch_all(_LIST, values))


def fill(*, account_id: int, fill_uuid: str) -> FillRecord | None:
    """One fill of the account; the last bit of its UUID says which side of the trade it is."""
    values = {"account": account_id, "trade": trade_uuid(fill_uuid), "seller": bool(int(fill_uuid[-1], 16) & 1)}
    found = _records(named.fetch_all(_ONE, values))
    return found[0] if found else None


def trade_uuid(fill_uuid: str) -> str:
    return fill_uuid[:-1] + f"{int(fill_uuid[-1], 16) & ~1:x}"


def _records(found: list[tuple[Any, ...]]) -> list[FillRecord]:
    rights = sorted({right for row in found for right in row[11]})
    facts = {row[0]: row[1:] for row in rows.fetch_all(_FACTS, [rights])} if rights else {}
    return [_record(row, facts) for row in found]


def _record(row: tuple[Any, ...], facts: dict[str, tuple[str, str, str]]) -> FillRecord:
    trade_id, book_id, batch_seq, at_us, price, lots, aggressor, buy_order, sell_order, buy_fee, sell_fee = row[:11]
    children, parents, roots, units, _, side, event_id, event_hash = row[11:]
    parts = zip(children, parents, roots, units, strict=True)
    return FillRecord(
        id=trade_id[:-1] + f"{int(trade_id[-1], 16) | side:x}",
        trade_id=trade_id,
        order_id=sell_order if side else buy_order,
        book_id=book_id,
        side=side,
        price_ticks=price,
        quantity_lots=lots,
        liquidity=2 if aggressor == 2 else int(side == aggressor),
        fee_minor=sell_fee if side else buy_fee,
        book_seq=batch_seq,
        at_us=at_us,
        event_id=event_id or "",
        event_hash=event_hash or "",
        deliveries=[DeliveryRecord(child, parent, root, part, *facts[child]) for child, parent, root, part in parts],
    )


_SKEW_MS = 60_000  # clocks of two machines may differ by this much


def first_of_ms(uuid: str) -> str:
    """The smallest UUIDv7 of a minute before `uuid` was minted: nothing that came of it is older."""
    millis = max(0, int(uuid.replace("-", "")[:12], 16) - _SKEW_MS)
    raw = f"{millis:012x}"
    return f"{raw[:8]}-{raw[8:]}-7000-8000-000000000000"
