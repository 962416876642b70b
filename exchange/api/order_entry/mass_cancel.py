"""DELETE /orders: cancel everything of the caller that rests, narrowed by instrument, class, side and group."""

from collections.abc import Mapping, Sequence
from typing import Any

from channels.db import database_sync_to_async

from exchange.api.order_entry.operations import Ready, run
from exchange.api.order_entry.parse import cancel_many_payload
from exchange.api.order_entry.promise import Promise
from exchange.api.order_entry.told import Outcomes
from exchange.api.problems import Problem
from exchange.domain.command import Phase
from exchange.feed.accounts import Outcome
from exchange.feed.pool import pool
from exchange.models.book import CommandKind
from exchange.services.identity import Principal
from exchange.services.intake import NewCommand
from exchange.services.payload import encode
from exchange.services.pending import UNREAD_SINCE
from exchange.services.rules import rules_of

# Books in which the caller has something resting, or something on its way; in a closed one neither comes to anything.
# `+ 0`: by the index of what is unread, never by that of all that an account has ever asked for.
_BOOKS = f"""
SELECT i.id FROM exchange_instrument i JOIN exchange_book b ON b.instrument_id = i.id JOIN rights_series s ON s.id = i.series_id JOIN rights_computeclass c ON c.id = s.compute_class_id
WHERE (%(symbol)s::text IS NULL OR i.symbol = %(symbol)s) AND (%(class)s::text IS NULL OR c.key = %(class)s)
  AND b.phase <> {int(Phase.CLOSED)}
  AND (EXISTS (SELECT 1 FROM exchange_order o WHERE o.account_id = %(account)s AND o.book_id = i.id AND o.is_open)
       OR EXISTS (SELECT 1 FROM exchange_command x
                  WHERE x.book_id = i.id AND x.account_id + 0 = %(account)s AND x.xid >= {UNREAD_SINCE}
                    AND NOT EXISTS (SELECT 1 FROM exchange_batch t WHERE t.book_id = i.id AND t.max_xid >= {UNREAD_SINCE}::text::bigint AND x.n = ANY(t.command_ns))))
ORDER BY i.id
"""


async def ready_cancel_many(source: Mapping[str, Any], who: Principal) -> list[Ready]:
    """One mass cancel for each book in which the caller has something. Raises BadFields."""
    payload = encode(cancel_many_payload(source))
    filters = {"symbol": source.get("instrument"), "class": source.get("class"), "account": who.account_id}
    async with (await pool()).connection() as connection:
        books = [row[0] for row in await (await connection.execute(_BOOKS, filters)).fetchall()]
    listed = []
    for book_id in books:
        rules = await database_sync_to_async(rules_of, thread_sensitive=False)(book_id)
        command = NewCommand(
            book_id=book_id,
            account_id=who.account_id,
            kind=int(CommandKind.CANCEL_MANY),
            payload=payload,
            actor=who.actor,
            key_id=who.key_id,
        )
        listed.append(Ready(command, rules))
    return listed


def cancelled(promises: Sequence[Promise], outcomes: Mapping[int, Outcome]) -> dict[str, Any]:
    """Ids and count of what was cancelled; `complete` is false when a book has not answered in time.

    Raises Problem `timeout` when it is not known whether they were stored.
    """
    if any(p.failed for p in promises):
        raise Problem("timeout")
    ids = [f"ord_{order}" for o in outcomes.values() for order in o.result.orders]
    return {"ids": ids, "count": len(ids), "complete": len(outcomes) == len(promises)}


async def cancel_many(source: Mapping[str, Any], who: Principal, wait_s: float) -> tuple[dict[str, Any], int]:
    """Cancel; what was cancelled, and the newest book sequence among the books. Raises BadFields."""
    listed = await ready_cancel_many(source, who)
    promises, outcomes = await run(listed, who, wait_s) if listed else ([], Outcomes({}))
    return cancelled(promises, outcomes), max((o.batch_seq for o in outcomes.values()), default=0)
