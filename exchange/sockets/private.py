"""An account's private channels: replayed from its rows, then live, without a gap and without a repeat (TRUST M1).

A row of exchange_accountmessage holds the next numbers of the channels; `orders_seq` and its like are the last ones.
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from exchange.api.problems import Problem
from exchange.feed import wire
from exchange.feed.accounts import COLUMNS, Followed, Message, message_of
from exchange.feed.hub import Hub
from exchange.feed.record import BalanceRecord, OrderRecord
from exchange.services.rules import rules_of
from exchange.sockets import frames
from exchange.sockets.outbox import Line, Outbox
from rights.kernel.clock import now_us
from settlement.domain.request_states import STAKES
from settlement.domain.settlement_states import SettlementState

CHUNK = 200
_AFTER = f"SELECT {COLUMNS} FROM exchange_accountmessage m WHERE m.account_id = %s AND m.seq > %s ORDER BY m.seq LIMIT {CHUNK}"
_OLDEST = f"SELECT {COLUMNS} FROM exchange_accountmessage m WHERE m.account_id = %s ORDER BY m.seq LIMIT 1"
_FEED = "SELECT seq, orders_seq, fills_seq, balances_seq, requests_seq, settlements_seq FROM exchange_accountfeed WHERE account_id = %s"
_AT = """
SELECT orders_seq, fills_seq, balances_seq, requests_seq, settlements_seq FROM exchange_accountmessage WHERE account_id = %s AND seq = %s
"""

# One statement each, so that the present and the number it stands at are of one moment.
_OPEN_ORDERS = """
SELECT coalesce(f.seq, 0), coalesce(f.orders_seq, 0), o.id::text, o.book_id, o.client_order_id, o."group", o.side, o.type, o.tif, o.post_only,
       o.stp, o.price_ticks, o.quantity_lots, o.filled_lots, o.remaining_lots, o.status, o.reason, o.notional_minor, o.fee_minor,
       coalesce((extract(epoch from o.expire_at) * 1000000)::bigint, 0), (extract(epoch from o.created_at) * 1000000)::bigint,
       (extract(epoch from o.updated_at) * 1000000)::bigint, o.book_seq, o.named_rights::text[],
       coalesce((extract(epoch from o.deadline) * 1000000)::bigint, 0)
FROM (SELECT %s::bigint AS id) me LEFT JOIN exchange_accountfeed f ON f.account_id = me.id
LEFT JOIN exchange_order o ON o.account_id = me.id AND o.is_open ORDER BY o.id
"""
_NO_FILLS = "SELECT coalesce(max(seq), 0), coalesce(max(fills_seq), 0) FROM exchange_accountfeed WHERE account_id = %s"
_BALANCES = """
SELECT coalesce(f.seq, 0), coalesce(f.balances_seq, 0), b.code, b.scale, b.amount, b.held
FROM (SELECT %s::bigint AS id) me LEFT JOIN exchange_accountfeed f ON f.account_id = me.id
LEFT JOIN (SELECT b.account_id, a.code, a.scale, b.amount, b.held FROM settlement_balance b JOIN settlement_asset a ON a.id = b.asset_id
           WHERE a.kind = 'cash') b ON b.account_id = me.id ORDER BY b.code
"""
_REQUESTS = """
SELECT coalesce(f.seq, 0), coalesce(f.requests_seq, 0), q.id::text, q.state, (extract(epoch from q.updated_at) * 1000000)::bigint
FROM (SELECT %s::bigint AS id) me LEFT JOIN exchange_accountfeed f ON f.account_id = me.id
LEFT JOIN settlement_request q ON q.ended_at IS NULL AND me.id IN (q.account_id, q.holder_id) ORDER BY q.id
"""
_NOT_FINAL = ", ".join(f"'{state}'" for state in SettlementState if state is not SettlementState.FINALIZED)
_STAKES = ", ".join(f"'{state}'" for state in STAKES)
# Each branch begins with what is the account's own and finds the settlements by it: a new account's present costs nothing, however many others wait.
# OFFSET keeps the server from reading every route there ever was, where it takes an issuer to have as many rights.
_SETTLEMENTS = f"""
WITH me AS (SELECT a.id, a.participant_id, p.slug FROM rights_account a JOIN rights_participant p ON p.id = a.participant_id WHERE a.id = %s),
open_settlement AS NOT MATERIALIZED (
    SELECT id, request_id, receipt_id, state, outcome, updated_at FROM settlement_settlement WHERE state IN ({_NOT_FINAL})
), concerning AS (
    SELECT s.* FROM me JOIN settlement_request q ON q.account_id = me.id JOIN open_settlement s ON s.request_id = q.id
    UNION SELECT s.* FROM me JOIN settlement_request q ON q.holder_id = me.id JOIN open_settlement s ON s.request_id = q.id
    UNION SELECT s.* FROM me JOIN rights_supplier y ON y.participant_id = me.participant_id
        JOIN settlement_route t ON t.supplier_id = y.id AND t.state IN ({_STAKES}) JOIN open_settlement s ON s.request_id = t.request_id
    UNION SELECT s.* FROM me JOIN rights_issuer i ON i.participant_id = me.participant_id JOIN rights_right r ON r.issuer_id = i.id
        CROSS JOIN LATERAL (SELECT t.request_id FROM settlement_route t
            WHERE t.right_id = r.id AND t.locked_at IS NOT NULL AND t.state IN ({_STAKES}) OFFSET 0) t
        JOIN open_settlement s ON s.request_id = t.request_id
    UNION SELECT s.* FROM me JOIN settlement_dispute d ON d.reviewer = me.slug AND d.reviewer <> '' JOIN open_settlement s ON s.id = d.settlement_id
)
SELECT coalesce(f.seq, 0), coalesce(f.settlements_seq, 0), s.id::text, s.request_id::text, s.receipt_id::text, s.state, s.outcome,
       (extract(epoch from s.updated_at) * 1000000)::bigint
FROM me LEFT JOIN exchange_accountfeed f ON f.account_id = me.id LEFT JOIN concerning s ON true ORDER BY s.id
"""


class Event(msgspec.Struct, frozen=True, gc=False):
    """One message of a private channel."""

    number: int
    instrument: str | None
    at_us: int
    data: dict[str, Any]


def _orders(message: Message) -> Iterator[Event]:
    record = message.record
    first = message.orders_seq - len(record.orders) + 1
    for number, order in enumerate(record.orders, first):
        rules = rules_of(order.book_id)
        yield Event(number, rules.symbol, record.at_us, wire.order(order, rules))


def _fills(message: Message) -> Iterator[Event]:
    record = message.record
    first = message.fills_seq - len(record.fills) + 1
    for number, fill in enumerate(record.fills, first):
        rules = rules_of(fill.book_id)
        yield Event(number, rules.symbol, record.at_us, wire.fill(fill, rules))


def _balances(message: Message) -> Iterator[Event]:
    record = message.record
    first = message.balances_seq - len(record.balances) + 1
    for number, balance in enumerate(record.balances, first):
        yield Event(number, None, record.at_us, wire.balance(balance))


def _requests(message: Message) -> Iterator[Event]:
    record = message.record
    first = message.requests_seq - len(record.requests) + 1
    for number, told in enumerate(record.requests, first):
        yield Event(number, None, record.at_us, wire.request_change(told))


def _settlements(message: Message) -> Iterator[Event]:
    record = message.record
    first = message.settlements_seq - len(record.settlements) + 1
    for number, told in enumerate(record.settlements, first):
        yield Event(number, None, record.at_us, wire.settlement_change(told))


class Kind(msgspec.Struct, frozen=True):
    """How one private channel is read. `column`: its place among the numbers of a feed row."""

    column: int
    snapshot: str
    events: Callable[[Message], Iterator[Event]]
    present: Callable[[list[tuple[Any, ...]]], list[dict[str, Any]]]


def _order_list(rows: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    records = [OrderRecord(*row[2:]) for row in rows if row[2] is not None]
    return [wire.order(record, rules_of(record.book_id)) for record in records]


def _balance_list(rows: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    return [wire.balance(BalanceRecord(*row[2:])) for row in rows if row[2] is not None]


KINDS = {
    "orders": Kind(0, _OPEN_ORDERS, _orders, _order_list),
    "fills": Kind(1, _NO_FILLS, _fills, lambda _: []),
    "balances": Kind(2, _BALANCES, _balances, _balance_list),
    "requests": Kind(3, _REQUESTS, _requests, lambda rows: [wire.open_request(*row[2:]) for row in rows if row[2] is not None]),
    "settlements": Kind(4, _SETTLEMENTS, _settlements, lambda rows: [wire.open_settlement(*row[2:]) for row in rows if row[2] is not None]),
}


class PrivateTopic:
    """The listener of one account. `after` of a line: the last feed row its client has been told."""

    def __init__(self, followed: Followed) -> None:
        self.followed = followed
        self.joining = 0
        self._lines: dict[str, dict[Line, tuple[Outbox, int]]] = {channel: {} for channel in KINDS}
        followed.listeners.append(self._hear)

    @property
    def is_unread(self) -> bool:
        return not self.joining and not any(self._lines.values())

    def end(self) -> None:
        self.followed.listeners.remove(self._hear)

    def leave(self, line: Line) -> None:
        self._lines[line.channel].pop(line, None)

    def beat(self, at_us: int) -> None:
        for channel, lines in self._lines.items():
            for line, (outbox, _) in tuple(lines.items()):
                outbox.sign(frames.heartbeat(channel, None, seq=line.queued, at_us=at_us), line)

    def _hear(self, message: Message) -> None:
        for channel, lines in self._lines.items():
            if not lines:
                continue
            for number, frame in _frames(channel, message):
                for line, (outbox, after) in tuple(lines.items()):
                    if message.seq > after:
                        outbox.put(frame, line, number)

    async def replay(self, line: Line, outbox: Outbox, hub: Hub, *, after: int, first: int) -> None:
        """Send the rows after `after`, from the channel's number `first` on, and go live where they end."""
        while line.is_open:
            if after >= self.followed.cursor:
                # Nothing is awaited between this look and the joining, so no row falls between them.
                self._lines[line.channel][line] = (outbox, after)
                return
            async with hub.pool.connection() as connection:
                rows = await (await connection.execute(_AFTER, [self.followed.account_id, after], binary=True)).fetchall()
            if not rows or rows[0][1] != after + 1:
                raise Problem("resync_required")
            for book_id in {row[2] for row in rows if row[2] is not None}:
                await hub.rules(book_id)
            for row in rows:
                for number, frame in _frames(line.channel, message_of(row)):
                    if number >= first:
                        outbox.put(frame, line, number)
            after = rows[-1][1]
            await outbox.room()


def _frames(channel: str, message: Message) -> Iterator[tuple[int, str]]:
    for event in KINDS[channel].events(message):
        n = event.number
        yield n, frames.message(channel, event.instrument, "event", seq=n, prev_seq=n - 1, at_us=event.at_us, data=event.data)


class Start(msgspec.Struct, frozen=True):
    """Where a replay begins: feed rows above `after`, events from `first` on, after `snapshot` at `seq` (None: no snapshot)."""

    after: int
    first: int
    seq: int
    snapshot: str | None = None


async def present(channel: str, account_id: int, hub: Hub) -> Start:
    """Begin with the state of this moment."""
    kind = KINDS[channel]
    async with hub.pool.connection() as connection:
        rows = await (await connection.execute(kind.snapshot, [account_id])).fetchall()
    if channel == "orders":
        for book_id in {row[3] for row in rows if row[2] is not None}:
            await hub.rules(book_id)
    after, seq = rows[0][0], rows[0][1]
    frame = frames.message(channel, None, "snapshot", seq=seq, prev_seq=None, at_us=now_us(), data=kind.present(rows))
    return Start(after, seq + 1, seq, frame)


async def resume(channel: str, account_id: int, from_seq: int, hub: Hub) -> Start:
    """Begin with the event numbered `from_seq`. Raises Problem `resync_required` when it is not kept, or was never sent."""
    kind = KINDS[channel]
    async with hub.pool.connection() as connection:
        feed = await (await connection.execute(_FEED, [account_id])).fetchone() or (0,) * (1 + len(KINDS))
        if from_seq > feed[1 + kind.column] + 1:
            raise Problem("resync_required", f"the last number of {channel} is {feed[1 + kind.column]}")
        if from_seq == feed[1 + kind.column] + 1:
            return Start(feed[0], from_seq, from_seq - 1)
        row = await (await connection.execute(_OLDEST, [account_id], binary=True)).fetchone()
        oldest = message_of(row) if row else None
        kept = _first_number(channel, oldest) if oldest is not None else feed[1 + kind.column] + 1
        if oldest is None or from_seq < kept:
            raise Problem("resync_required", f"the oldest number of {channel} that is kept is {kept}")
        low, high = oldest.seq, feed[0]
        # The first row whose last number reaches from_seq: rows are contiguous, so halving finds it.
        while low < high:
            middle = (low + high) // 2
            at = await (await connection.execute(_AT, [account_id, middle])).fetchone()
            if at is None:
                raise Problem("resync_required")
            low, high = (low, middle) if at[kind.column] >= from_seq else (middle + 1, high)
    return Start(low - 1, from_seq, from_seq - 1)


def _first_number(channel: str, message: Message) -> int:
    """The first number that `message` or any row after it can hold."""
    last: int = getattr(message, f"{channel}_seq")
    return last - len(getattr(message.record, channel)) + 1
