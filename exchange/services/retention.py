"""What is kept for a time and no longer: private messages for `from_seq`, answers under idempotency keys, used nonces, what went to suppliers
and came back. Run by the scheduler.
"""

import msgspec

from exchange.services import idempotency
from exchange.services.signed_requests import forget_nonces
from rights.kernel import rows
from rights.kernel.clock import rfc3339

KEEP_MESSAGES_US = 7 * 86_400 * 1_000_000  # API.md: `from_seq` replays seven days
AT_ONCE = 50_000

_OLD = """
DELETE FROM exchange_accountmessage WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM exchange_accountmessage WHERE at < %s LIMIT %s))
"""


# What was to be done and what came of it is private; its hashes stay for ever. Nothing goes that is still to be done.
_PAYLOADS = """
DELETE FROM settlement_requestpayload WHERE request_id = ANY(ARRAY(
    SELECT p.request_id FROM settlement_requestpayload p JOIN settlement_request q ON q.id = p.request_id
    WHERE p.created_at < %s AND q.ended_at < %s ORDER BY p.created_at LIMIT %s))
"""


class Forgotten(msgspec.Struct, frozen=True):
    messages: int
    answers: int
    nonces: int = 0
    payloads: int = 0


def forget_old(*, now_us: int) -> Forgotten:
    """Drop what is past its time, in pieces that hold nobody up."""
    before = rfc3339(now_us - KEEP_MESSAGES_US)
    messages = payloads = 0
    while (gone := rows.execute(_OLD, [before, AT_ONCE])) > 0:
        messages += gone
    while (gone := rows.execute(_PAYLOADS, [before, before, AT_ONCE])) > 0:
        payloads += gone
    return Forgotten(messages, idempotency.forget(now_us=now_us), forget_nonces(now_us=now_us), payloads)
