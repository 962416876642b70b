"""Private channels: every account a transaction touched gets one row, numbered without gaps (TRUST M1)."""

from collections.abc import Iterable, Mapping, Sequence

from exchange.feed.record import BalanceRecord, FillRecord, OrderRecord, PrivateRecord, encode
from exchange.services.header import Header
from exchange.services.working import Working
from rights.kernel import rows
from rights.kernel.clock import rfc3339
from settlement.services.ledger import NewBalance

_OPEN = """
INSERT INTO exchange_accountfeed (account_id, seq, orders_seq, fills_seq, balances_seq, suspended)
SELECT w, 0, 0, 0, 0, false FROM unnest(%s::bigint[]) w ORDER BY 1 ON CONFLICT DO NOTHING
"""

_NUMBER = """
WITH want AS (SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[]) AS w(account_id, orders, fills, balances)),
locked AS (SELECT f.account_id FROM exchange_accountfeed f JOIN want USING (account_id) ORDER BY f.account_id FOR NO KEY UPDATE OF f)
UPDATE exchange_accountfeed f SET seq = f.seq + 1, orders_seq = f.orders_seq + w.orders, fills_seq = f.fills_seq + w.fills,
    balances_seq = f.balances_seq + w.balances
FROM want w JOIN locked USING (account_id) WHERE f.account_id = w.account_id
RETURNING f.account_id, f.seq, f.orders_seq, f.fills_seq, f.balances_seq, f.suspended
"""


def write_messages(
    records: Mapping[int, PrivateRecord], *, book_id: int | None, batch_seq: int | None, now_us: int
) -> tuple[dict[int, int], set[int]]:
    """Number and store one record per account; (account → its feed's number, suspended accounts among them)."""
    if not records:
        return {}, set()
    accounts = sorted(records)
    counts = [
        rows.array(accounts),
        rows.array(len(records[a].orders) for a in accounts),
        rows.array(len(records[a].fills) for a in accounts),
        rows.array(len(records[a].balances) for a in accounts),
    ]
    numbered = rows.fetch_all(_NUMBER, counts)
    if len(numbered) < len(accounts):
        # Only rows that exist were counted: open the others and count those.
        fresh = sorted(set(accounts) - {row[0] for row in numbered})
        rows.execute(_OPEN, [rows.array(fresh)])
        numbered += rows.fetch_all(
            _NUMBER,
            [
                rows.array(fresh),
                rows.array(len(records[a].orders) for a in fresh),
                rows.array(len(records[a].fills) for a in fresh),
                rows.array(len(records[a].balances) for a in fresh),
            ],
        )
    at = rfc3339(now_us)
    book, batch = (rows.NULL, rows.NULL) if book_id is None else (str(book_id), str(batch_seq))
    lines = [f"{a}\t{s}\t{book}\t{batch}\t{at}\t{o}\t{f}\t{b}\t{rows.bytea(encode(records[a]))}" for a, s, o, f, b, _ in numbered]
    rows.copy_rows("exchange_accountmessage", "account_id, seq, book_id, batch_seq, at, orders_seq, fills_seq, balances_seq, body", lines)
    return {row[0]: row[1] for row in numbered}, {row[0] for row in numbered if row[5]}


def tell(work: Working, header: Header, fills: Sequence[tuple[int, FillRecord]], balances: Iterable[NewBalance]) -> set[int]:
    """Write what this batch tells each account; the suspended accounts that gained something by it."""
    orders: dict[int, list[OrderRecord]] = {}
    active: set[int] = set()
    for order in work.changed.values():
        orders.setdefault(order.account, []).append(order.record(header.book_id, header.seq))
        if order.remaining:
            active.add(order.account)
    traded: dict[int, list[FillRecord]] = {}
    for account, fill in fills:
        traded.setdefault(account, []).append(fill)
    rules = work.rules
    cash = {
        b.account_id: [BalanceRecord(rules.currency, rules.scale, b.amount, b.held)]
        for b in balances
        if b.asset_id == rules.currency_id and b.account_id != rules.fee_account_id
    }
    accounts = orders.keys() | traded.keys() | cash.keys() | header.results.keys()
    records = {
        a: PrivateRecord(header.now_us, orders.get(a, []), traded.get(a, []), cash.get(a, []), header.results.get(a, [])) for a in accounts
    }
    _, suspended = write_messages(records, book_id=header.book_id, batch_seq=header.seq, now_us=header.now_us)
    return suspended & (active | traded.keys())


def tell_balance(*, account_id: int, balance: BalanceRecord, now_us: int) -> int:
    """A change of cash outside any book, told on the account's own feed; its number there. Publish a notice after commit."""
    numbers, _ = write_messages({account_id: PrivateRecord(now_us, [], [], [balance], [])}, book_id=None, batch_seq=None, now_us=now_us)
    return numbers[account_id]
