"""Intake (ARCHITECTURE.md, life of an order): one INSERT makes a command durable; no lock is taken.

A client_order_id is unique per account for ever, by the database: a row that meets its twin is not inserted,
and the caller learns the twin's id and payload instead.
"""

from collections.abc import Sequence

import msgspec

from exchange.models.book import CommandKind
from exchange.services import bell
from exchange.services.payload import CancelPayload, Payload, encode
from exchange.services.rules import rules_of
from rights.kernel import rows
from rights.kernel.clock import rfc3339


class NewCommand(msgspec.Struct, gc=False):
    """A command ready to be promised. `order_id` is the new order's id for a place, the target's otherwise."""

    book_id: int
    account_id: int | None
    kind: int
    payload: str
    actor: str
    order_id: str | None = None
    client_order_id: str | None = None
    key_id: int | None = None


class Accepted(msgspec.Struct, frozen=True, gc=False):
    n: int
    position: int  # in the list that was given


# ORDINALITY keeps the members' order: numbers are drawn in the order of the list. A key revoked or run out meanwhile takes nothing with it;
# one that is bounded enters through services/entry.
INSERT = """
INSERT INTO exchange_command (book_id, account_id, kind, order_id, client_order_id, payload, actor, accepted_at)
SELECT w.book_id, w.account_id, w.kind, w.order_id, w.client_order_id, w.payload, w.actor, %s
FROM unnest(%s::bigint[], %s::bigint[], %s::smallint[], %s::uuid[], %s::varchar[], %s::text[], %s::varchar[], %s::bigint[])
     WITH ORDINALITY AS w(book_id, account_id, kind, order_id, client_order_id, payload, actor, key_id, ord)
WHERE w.key_id IS NULL OR EXISTS (SELECT 1 FROM exchange_apikey k WHERE k.id = w.key_id AND k.revoked_at IS NULL AND NOT k.bounded
    AND (k.expires_at IS NULL OR k.expires_at > now()))
ORDER BY w.ord
ON CONFLICT (account_id, client_order_id) DO NOTHING
RETURNING n, order_id, client_order_id
"""


def parameters(commands: Sequence[NewCommand], now_us: int) -> list[object]:
    """The INSERT's parameters, in its order."""
    return [
        rfc3339(now_us),
        rows.array(c.book_id for c in commands),
        rows.text_array(c.account_id for c in commands),
        rows.array(c.kind for c in commands),
        rows.text_array(c.order_id for c in commands),
        rows.text_array(c.client_order_id for c in commands),
        rows.text_array(c.payload for c in commands),
        rows.text_array(c.actor for c in commands),
        rows.text_array(c.key_id for c in commands),
    ]


def submit(*, commands: Sequence[NewCommand], now_us: int) -> list[int]:
    """Insert commands of the venue itself inside the caller's transaction; rings after commit. Their numbers."""
    if not commands:
        return []
    numbers = [row[0] for row in rows.fetch_all(INSERT, parameters(commands, now_us))]
    for book_id in sorted({c.book_id for c in commands}):
        bell.ring_after_commit(book_id, rules_of(book_id).lane)
    return numbers


def submit_one(
    *,
    book_id: int,
    kind: CommandKind,
    payload: Payload,
    actor: str,
    now_us: int,
    order_id: str | None = None,
    account_id: int | None = None,
) -> int:
    """`submit` for a single command."""
    command = NewCommand(book_id=book_id, account_id=account_id, kind=int(kind), payload=encode(payload), actor=actor, order_id=order_id)
    return submit(commands=[command], now_us=now_us)[0]


def cancel_command(*, book_id: int, order_id: str, reason: int, actor: str) -> NewCommand:
    """A cancel that the venue itself gives, with its reason on the record."""
    return NewCommand(
        book_id=book_id,
        account_id=None,
        kind=int(CommandKind.CANCEL),
        payload=encode(CancelPayload(reason=reason)),
        actor=actor,
        order_id=order_id,
    )
