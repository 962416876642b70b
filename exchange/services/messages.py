"""Private channels: every account a transaction touched gets one row, numbered without gaps (TRUST M1)."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec

from exchange.feed.record import BalanceRecord, FillRecord, OrderRecord, PrivateRecord, RequestRecord, SettlementRecord, encode
from exchange.services.header import Header
from exchange.services.working import Working
from rights.kernel import rows
from rights.kernel.clock import rfc3339
from rights.kernel.trip import Answer, Trip
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
RETURNING f.account_id, f.seq, f.orders_seq, f.fills_seq, f.balances_seq, f.requests_seq, f.settlements_seq, f.suspended
"""
MESSAGE_COLUMNS = "account_id, seq, book_id, batch_seq, at, orders_seq, fills_seq, balances_seq, requests_seq, settlements_seq, body"


class Suspended(Exception):
    """Accounts that were suspended between being read and being locked."""

    def __init__(self, accounts: set[int]) -> None:
        super().__init__(f"{len(accounts)} accounts are suspended")
        self.accounts = accounts


Counts = tuple[int, int, int]  # orders, fills, balances in one record


class Numbers(msgspec.Struct, gc=False):
    """The numbers of the records a transaction writes: drawn, under lock, before it is known what all of them say."""

    counts: Mapping[int, Counts]
    answer: Answer | None
    _rows: list[tuple[Any, ...]] | None = None

    def rows(self) -> list[tuple[Any, ...]]:
        """(account, its feed's number, the last numbers of its channels, whether it is suspended) of each account."""
        if self._rows is None:
            self._rows = self.answer.rows() if self.answer is not None else []
            # Only rows that exist were counted: open the others and count those.
            fresh = sorted(self.counts.keys() - {row[0] for row in self._rows})
            if fresh:
                rows.execute(_OPEN, [rows.array(fresh)])
                self._rows += rows.fetch_all(_NUMBER, _columns({account: self.counts[account] for account in fresh}))
        return self._rows


def ask_numbers(trip: Trip, counts: Mapping[int, Counts]) -> Numbers:
    """Draw the numbers of one record per account. Locks the feeds, in order of account."""
    return Numbers(counts, trip.ask(_NUMBER, _columns(counts)) if counts else None)


def _columns(counts: Mapping[int, Counts]) -> list[str]:
    accounts = sorted(counts)
    return [rows.array(accounts), *(rows.array(counts[account][part] for account in accounts) for part in range(3))]


def _count(record: PrivateRecord) -> Counts:
    return len(record.orders), len(record.fills), len(record.balances)


def write_messages(
    records: Mapping[int, PrivateRecord], numbers: Numbers, *, book_id: int | None, batch_seq: int | None, now_us: int
) -> dict[int, int]:
    """Store one record per account under the numbers drawn for it; account → its feed's number."""
    if {account: _count(record) for account, record in records.items()} != numbers.counts:
        raise RuntimeError("the numbers were drawn for other records")
    numbered = numbers.rows()
    at = rfc3339(now_us)
    book, batch = (rows.NULL, rows.NULL) if book_id is None else (str(book_id), str(batch_seq))
    lines = [
        f"{a}\t{s}\t{book}\t{batch}\t{at}\t{o}\t{f}\t{b}\t{q}\t{t}\t{rows.bytea(encode(records[a]))}" for a, s, o, f, b, q, t, _ in numbered
    ]
    rows.copy_rows("exchange_accountmessage", MESSAGE_COLUMNS, lines)
    return {row[0]: row[1] for row in numbered}


def counts_of(work: Working, header: Header, cash: Iterable[int]) -> dict[int, Counts]:
    """How much this batch tells each account; `cash`: the accounts whose cash it changes."""
    orders = Counter(order.account for order in work.changed.values())
    fills = Counter(account for trade in work.trades for account in (trade.buy.account, trade.sell.account))
    told = set(cash)
    return {a: (orders[a], fills[a], int(a in told)) for a in orders.keys() | fills.keys() | told | header.results.keys()}


def check_standing(work: Working, numbers: Numbers) -> None:
    """Raise Suspended when an account that gains something by this batch was suspended meanwhile."""
    suspended = {row[0] for row in numbers.rows() if row[-1]}
    if suspended:
        gaining = {order.account for order in work.changed.values() if order.remaining}
        gaining.update(account for trade in work.trades for account in (trade.buy.account, trade.sell.account))
        if suspended & gaining:
            raise Suspended(suspended & gaining)


def tell(work: Working, header: Header, fills: Sequence[tuple[int, FillRecord]], balances: Iterable[NewBalance], numbers: Numbers) -> None:
    """Write what this batch tells each account."""
    orders: dict[int, list[OrderRecord]] = {}
    for order in work.changed.values():
        orders.setdefault(order.account, []).append(order.record(header.book_id, header.seq))
    traded: dict[int, list[FillRecord]] = {}
    for account, fill in fills:
        traded.setdefault(account, []).append(fill)
    rules, venues = work.rules, work.rules.venue_accounts
    cash = {
        b.account_id: [BalanceRecord(rules.currency, rules.scale, b.amount, b.held)]
        for b in balances
        if b.asset_id == rules.currency_id and b.account_id not in venues
    }
    accounts = orders.keys() | traded.keys() | cash.keys() | header.results.keys()
    records = {
        a: PrivateRecord(header.now_us, orders.get(a, []), traded.get(a, []), cash.get(a, []), header.results.get(a, [])) for a in accounts
    }
    write_messages(records, numbers, book_id=header.book_id, batch_seq=header.seq, now_us=header.now_us)


def tell_balance(*, account_id: int, balance: BalanceRecord, now_us: int) -> int:
    """A change of cash outside any book, told on the account's own feed; its number there. Publish a notice after commit."""
    return tell_balances(balances={account_id: balance}, now_us=now_us)[account_id]


def tell_balances(*, balances: Mapping[int, BalanceRecord], now_us: int) -> dict[int, int]:
    """`tell_balance` for several accounts at once: account → its feed's number."""
    records = {account: PrivateRecord(now_us, [], [], [balance], []) for account, balance in balances.items()}
    trip = Trip()
    numbers = ask_numbers(trip, {account: _count(record) for account, record in records.items()})
    trip.go()
    return write_messages(records, numbers, book_id=None, batch_seq=None, now_us=now_us)


class Said(msgspec.Struct, frozen=True):
    """What is told of one request at one moment: everything to some, its settlement alone to others."""

    request_id: str
    requests: Sequence[RequestRecord]
    settlements: Sequence[SettlementRecord]


def tell_named(
    *, parties: str, names: Mapping[str, object], said: Sequence[Said], cash: Collection[tuple[str, str]], now_us: int
) -> Answer:
    """Tell everybody whom the query `parties` of (request_id, account_id, whole) finds, and everybody whose cash changed (`cash`: an
    account's UUID, a currency) how much it is now: one record for each, whatever it hears of.

    One statement, which numbers and writes; feeds are locked in order of account, as everywhere. Its answer: (account, its feed's number).
    """
    fields = {
        **names,
        "accounts": rows.array(uuid for uuid, _ in cash),
        "currencies": rows.text_array(code for _, code in cash),
        "ids": rows.array(each.request_id for each in said),
        "counts": rows.array(len(each.requests) for each in said),
        "facts": rows.bytea_array(b"".join(map(encode, each.requests)) for each in said),
        "settled_counts": rows.array(len(each.settlements) for each in said),
        "settled_facts": rows.bytea_array(b"".join(map(encode, each.settlements)) for each in said),
        "at": rfc3339(now_us),
        # Behind the moment, the orders and the fills the statement itself goes on.
        "head": encode(PrivateRecord(now_us, [], [], [], []))[: len(encode([now_us, [], []]))],
    }
    return rows.write(_to_named(parties), fields)


# A list of so many records as msgpack begins it.
_LIST = r"CASE WHEN {0} < 16 THEN set_byte('\x00', 0, 144 + {0}::int) ELSE '\xdd'::bytea || int4send({0}::int) END"
# A BalanceRecord: a short list, a short text, whole numbers of eight bytes.
_BALANCE = r"""
'\x94'::bytea || set_byte('\x00', 0, 160 + octet_length(s.code)) || convert_to(s.code, 'UTF8') || set_byte('\x00', 0, s.scale)
|| '\xd3'::bytea || int8send(b.amount) || '\xd3'::bytea || int8send(b.held)
"""


@cache
def _to_named(parties: str) -> str:
    return rf"""
WITH fact AS (
    SELECT * FROM unnest(%(ids)s::uuid[], %(counts)s::int[], %(facts)s::bytea[], %(settled_counts)s::int[], %(settled_facts)s::bytea[])
        WITH ORDINALITY AS f(request_id, requests, body, settlements, settled, place)),
paid AS (
    SELECT a.id AS account_id, count(*) AS balances, string_agg({_BALANCE}, ''::bytea ORDER BY s.code) AS body
    FROM unnest(%(accounts)s::uuid[], %(currencies)s::text[]) AS c(uuid, code) JOIN rights_account a ON a.uuid = c.uuid
    JOIN settlement_asset s ON s.code = c.code JOIN settlement_balance b ON b.account_id = a.id AND b.asset_id = s.id GROUP BY 1),
heard AS (SELECT q.request_id, q.account_id, bool_or(q.whole) AS whole FROM ({parties}) q GROUP BY 1, 2),
said AS (
    SELECT h.account_id, coalesce(sum(f.requests) FILTER (WHERE h.whole), 0) AS requests, sum(f.settlements) AS settlements,
           string_agg(f.body, ''::bytea ORDER BY f.place) FILTER (WHERE h.whole) AS body, string_agg(f.settled, ''::bytea ORDER BY f.place) AS settled
    FROM heard h JOIN fact f USING (request_id) WHERE h.whole OR f.settlements > 0 GROUP BY 1),
want AS (
    SELECT account_id, coalesce(p.balances, 0) AS balances, coalesce(s.requests, 0) AS requests, coalesce(s.settlements, 0) AS settlements,
           coalesce(p.body, '') AS paid, coalesce(s.body, '') AS body, coalesce(s.settled, '') AS settled
    FROM said s FULL JOIN paid p USING (account_id) JOIN rights_account a ON a.id = account_id WHERE a.code IS NULL),
numbered AS (
    INSERT INTO exchange_accountfeed AS f (account_id, seq, orders_seq, fills_seq, balances_seq, requests_seq, settlements_seq, suspended)
    SELECT w.account_id, 1, 0, 0, w.balances, w.requests, w.settlements, false FROM want w ORDER BY w.account_id
    ON CONFLICT (account_id) DO UPDATE SET seq = f.seq + 1, balances_seq = f.balances_seq + EXCLUDED.balances_seq,
        requests_seq = f.requests_seq + EXCLUDED.requests_seq, settlements_seq = f.settlements_seq + EXCLUDED.settlements_seq
    RETURNING f.account_id, f.seq, f.orders_seq, f.fills_seq, f.balances_seq, f.requests_seq, f.settlements_seq)
INSERT INTO exchange_accountmessage (account_id, seq, at, orders_seq, fills_seq, balances_seq, requests_seq, settlements_seq, body)
SELECT n.account_id, n.seq, %(at)s::timestamptz, n.orders_seq, n.fills_seq, n.balances_seq, n.requests_seq, n.settlements_seq,
       %(head)s::bytea || {_LIST.format("w.balances")} || w.paid || '\x90' || {_LIST.format("w.requests")} || w.body || {_LIST.format("w.settlements")} || w.settled
FROM numbered n JOIN want w USING (account_id)
RETURNING account_id, seq
"""
