"""A fill's receipt from the tables."""

from typing import Any

from exchange.feed import wire
from exchange.replay.receipt import receipt_of
from exchange.selectors import fills
from exchange.services.rules import rules_of
from rights.kernel import rows
from rights.kernel.ids import bare

_OWNER = "SELECT CASE WHEN %s THEN seller_id ELSE buyer_id END FROM exchange_trade WHERE id = %s"
_EVENT = """
SELECT e.body FROM exchange_trade t JOIN exchange_instrument i ON i.id = t.book_id JOIN rights_series s ON s.id = i.series_id
JOIN rights_event e ON e.stream_id = s.stream_id AND e.seq = t.event_seq WHERE t.id = %s
"""


def fill_receipt(fill_id: str) -> dict[str, Any] | None:
    """The receipt of a fill by its public id, or None when there is no such fill."""
    uuid = bare("fil", fill_id)
    if uuid is None:
        return None
    trade_id = fills.trade_uuid(uuid)
    owner = rows.fetch_one(_OWNER, [trade_id != uuid, trade_id])
    event = rows.fetch_one(_EVENT, [trade_id])
    found = fills.fill(account_id=owner[0], fill_uuid=uuid) if owner else None
    if found is None or event is None:
        return None
    rules = rules_of(found.book_id)
    return receipt_of(fill=wire.fill(found, rules), event_body=event[0], currency_scale=rules.scale)
