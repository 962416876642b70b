"""A fill's receipt from the tables."""

from collections.abc import Callable
from typing import Any

import orjson

from exchange.feed import wire
from exchange.replay.receipt import Place, receipt_of
from exchange.selectors import fills
from exchange.services.rules import rules_of
from rights.domain.signing import Signer
from rights.kernel import rows
from rights.kernel.clock import rfc3339
from rights.kernel.ids import bare, public
from rights.selectors import anchors

_OWNER = """
SELECT a.id, a.uuid::text FROM exchange_trade t JOIN rights_account a ON a.id = CASE WHEN %s THEN t.seller_id ELSE t.buyer_id END WHERE t.id = %s
"""
_EVENT = """
SELECT e.body, e.hash FROM exchange_trade t JOIN exchange_instrument i ON i.id = t.book_id JOIN rights_series s ON s.id = i.series_id
JOIN rights_event e ON e.stream_id = s.stream_id AND e.seq = t.event_seq WHERE t.id = %s
"""


def fill_receipt(
    fill_id: str, *, signer: Callable[[], Signer], now_us: int, account_id: int | None = None, with_event: bool = False
) -> dict[str, Any] | None:
    """The receipt of a fill by its public id, or None when there is no such fill (of the account, where one is given).

    `signer` is asked for only when there is something to sign; what it raises is passed on.
    `with_event`: the whole event too, which also says what is the other side's; for those who see everything.
    """
    uuid = bare("fil", fill_id)
    if uuid is None:
        return None
    trade_id = fills.trade_uuid(uuid)
    owner = rows.fetch_one(_OWNER, [trade_id != uuid, trade_id])
    if owner is None or account_id not in (None, owner[0]):
        return None
    found = fills.fill(account_id=owner[0], fill_uuid=uuid)
    event = rows.fetch_one(_EVENT, [trade_id])
    if found is None or event is None:
        return None
    rules, body = rules_of(found.book_id), orjson.loads(event[0])
    receipt = receipt_of(
        fill=wire.fill(found, rules),
        account=public("acc", owner[1]),
        place=Place(body["id"], body["registry"], body["seq"], event[1], body["prev_hash"]),
        currency_scale=rules.scale,
        at=rfc3339(now_us),
        signer=signer(),
    )
    receipt["proof"] = _proof(found.event_id)
    return receipt | {"event": event[0]} if with_event else receipt


def _proof(event_uuid: str) -> dict[str, Any] | None:
    """That an anchor covers the event; None until one does."""
    covering = anchors.anchors(limit=1, before=None, event_uuid=event_uuid)
    return anchors.proof(covering[0], event_uuid) if covering else None
