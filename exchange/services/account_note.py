"""Tell an account on its private feed of something that happened outside a batch (a deposit, a withdrawal)."""

from exchange.feed.record import BalanceRecord, PrivateRecord, encode
from rights.kernel import rows
from rights.kernel.clock import rfc3339

_NEXT = """
INSERT INTO exchange_accountfeed (account_id, seq, orders_seq, fills_seq, balances_seq, suspended) VALUES (%s, 1, 0, 0, 1, false)
ON CONFLICT (account_id) DO UPDATE SET seq = exchange_accountfeed.seq + 1, balances_seq = exchange_accountfeed.balances_seq + 1
RETURNING seq, orders_seq, fills_seq, balances_seq
"""
_WRITE = """
INSERT INTO exchange_accountmessage (account_id, seq, book_id, batch_seq, at, orders_seq, fills_seq, balances_seq, body)
VALUES (%s, %s, NULL, NULL, %s, %s, %s, %s, %s)
"""


def note_balance(*, account_id: int, balance: BalanceRecord, now_us: int) -> int:
    """Write one balance message in the caller's transaction; its number. Locks the account's feed row."""
    row = rows.fetch_one(_NEXT, [account_id])
    if row is None:
        raise LookupError(f"no feed for account {account_id}")
    seq, orders_seq, fills_seq, balances_seq = row
    body = encode(PrivateRecord(at_us=now_us, orders=[], fills=[], balances=[balance], results=[]))
    rows.execute(_WRITE, [account_id, seq, rfc3339(now_us), orders_seq, fills_seq, balances_seq, body])
    return int(seq)
