"""A batch's one write: delivery, orders, trades, what it tells, the fence."""

from collections.abc import Sequence

from exchange.domain.checksum import checksum
from exchange.domain.command import Side
from exchange.feed.record import DeliveryRecord, FillRecord, PublicRecord, TradeRecord
from exchange.feed.record import encode as encode_record
from exchange.services import batch_record
from exchange.services.header import Header
from exchange.services.messages import Numbers, ask_numbers, check_standing, counts_of, tell
from exchange.services.order_rows import insert_orders, insert_trades, update_orders
from exchange.services.pairs import looks_again
from exchange.services.pending import Pending
from exchange.services.working import TradeFacts, Working
from rights.kernel import rows
from rights.kernel.clock import rfc3339
from rights.kernel.ids import numbered, twin
from rights.kernel.trip import Answer, Trip
from rights.services.deliveries import Pair
from rights.services.reception import policies_of
from settlement.services.deliver import Delivered, Sale, Venue, deliver
from settlement.services.ledger import Key

ACTOR = "venue:matcher"
DEPTH = 10  # levels in the checksum
_SLICES = 1 << 16  # numbers kept per trade for the rights it makes; an ask has fewer slices (admit.MAX_SLICES)


class FenceBroken(RuntimeError):
    """Another writer advanced the book although its row was locked: never expected, never survivable."""


def write(work: Working, header: Header, commands: Sequence[Pending]) -> None:
    """Write everything, in two trips when it is little. Raises what the locks reveal: StaleRights, ShutPairs, LedgerRefusal, Suspended."""
    trade_ids = [numbered(header.now_us, header.book_id, t.trade_no) for t in work.trades]
    changed = list(work.changed.values())
    with rows.together():
        delivered, numbers = _deliver(work, header, trade_ids)
        check_standing(work, numbers)
        insert_orders(header.book_id, header.seq, [o for o in changed if o.is_new])
        update_orders(header.seq, [o for o in changed if not o.is_new])
        insert_trades(work, header, trade_ids, delivered)
        tell(work, header, _fills(work, header, trade_ids, delivered), delivered.balances, numbers)
        moved = _advance(work, header, commands, _record(work, header, commands, trade_ids))
    if moved.count() != 1:
        raise FenceBroken(f"book {header.book_id} is no longer at command {header.last_command_seq}")
    for order in changed:
        order.is_new = False


def _deliver(work: Working, header: Header, trade_ids: Sequence[str]) -> tuple[Delivered, Numbers]:
    """Deliver, and draw the numbers of what is to be told in the same trip: feeds are locked last."""
    rules, venues = work.rules, work.rules.venue_accounts
    drawn: list[Numbers] = []

    def draw(trip: Trip, keys: Sequence[Key]) -> None:
        cash = [account for account, asset in keys if asset == rules.currency_id and account not in venues]
        drawn.append(ask_numbers(trip, counts_of(work, header, cash)))

    sales: list[Sale] = []
    first: dict[Pair, int] = {}
    for trade, trade_id in zip(work.trades, trade_ids, strict=True):
        for position, (right, _) in enumerate(trade.parts):
            first.setdefault((right, trade.buy.account), trade.trade_no * _SLICES + position)
        sales.append(_sale(work, trade, trade_id))
    delivered = deliver(
        sales=sales,
        reserved_delta={right: delta for right, delta in work.reserved_delta.items() if delta},
        held_delta=work.held_delta,
        owner_of=work.owner_of,
        terms_seen=work.terms_seen,
        venue=Venue(rules.currency_id, rules.fee_account_id, rules.stream_id, ACTOR, rules.is_exact, rules.proceeds_account_id),
        new_id=lambda pair: numbered(header.now_us, header.book_id, first[pair], bit=1),
        mergeable=lambda terms: policies_of([terms])[terms].joins,
        account_uuid=work.memory.account_uuid,
        more_events=header.events,
        memory=work.memory.delivered,
        then=draw,
        now_us=header.now_us,
        careful=any(t.sell.policy and looks_again(work.memory.policies[t.sell.policy]) for t in work.trades),
    )
    return delivered, drawn[0]


def _sale(work: Working, trade: TradeFacts, trade_id: str) -> Sale:
    uuid_of = work.memory.account_uuid
    buyer, seller = trade.buy.account, trade.sell.account
    payload = {
        "aggressor": ("buy", "sell", "auction")[trade.aggressor],
        "buy_fee": str(trade.buy_fee),
        "buy_order": f"ord_{trade.buy.id}",
        "buyer": f"acc_{uuid_of(buyer)}",
        "instrument": work.rules.symbol,
        "notional": str(trade.notional),
        "price": str(trade.price),
        "quantity": str(trade.lots),
        "sell_fee": str(trade.sell_fee),
        "sell_order": f"ord_{trade.sell.id}",
        "seller": f"acc_{uuid_of(seller)}",
        "trade_no": str(trade.trade_no),
    }
    return Sale(trade_id, buyer, seller, trade.notional, trade.buy_fee, trade.sell_fee, trade.parts, payload)


def _fills(work: Working, header: Header, trade_ids: Sequence[str], delivered: Delivered) -> list[tuple[int, FillRecord]]:
    """Both sides of every trade: (account, fill)."""
    fills: list[tuple[int, FillRecord]] = []
    rights, receives = delivered.plan.rights, delivered.plan.receives
    for trade, trade_id, event in zip(work.trades, trade_ids, delivered.trade_events, strict=True):
        buyer = trade.buy.account
        deliveries = []
        for right, units in trade.parts:
            held = rights[right]
            child = receives[(right, buyer)]
            deliveries.append(DeliveryRecord(child, right, held.root_id, units, held.issuer, held.assurance_id, held.terms_hash))
        for order, fee, bit in ((trade.buy, trade.buy_fee, 0), (trade.sell, trade.sell_fee, 1)):
            liquidity = 2 if trade.aggressor == 2 else int(order.side == trade.aggressor)
            fill = FillRecord(
                id=trade_id if not bit else twin(trade_id),
                trade_id=trade_id,
                order_id=order.id,
                book_id=header.book_id,
                side=order.side,
                price_ticks=trade.price,
                quantity_lots=trade.lots,
                liquidity=liquidity,
                fee_minor=fee,
                book_seq=header.seq,
                at_us=header.now_us,
                event_id=event.id,
                event_hash=event.hash,
                deliveries=deliveries,
            )
            fills.append((order.account, fill))
    return fills


def book_checksum(work: Working) -> int:
    """The checksum of the book as it stands (docs/matching.md)."""
    text = work.rules.price_text
    bids, asks = ([(text(price), str(lots)) for price, lots, _ in work.memory.core.levels(side, DEPTH)] for side in (Side.BUY, Side.SELL))
    return checksum(bids, asks)


_FENCE = """
UPDATE exchange_book SET phase = %s, post_only = %s, seq = %s, last_command_seq = %s, scan_xid = %s, trade_count = %s, last_price_ticks = %s,
    last_hash = %s, next_expiry = %s, updated_at = %s
WHERE instrument_id = %s AND last_command_seq = %s AND seq = %s
"""


def _record(work: Working, header: Header, commands: Sequence[Pending], trade_ids: Sequence[str]) -> str:
    """Write the batch's own row; its hash."""
    core, at = work.memory.core, rfc3339(header.now_us)
    trades = [TradeRecord(i, t.trade_no, t.price, t.lots, t.aggressor) for t, i in zip(work.trades, trade_ids, strict=True)]
    public = encode_record(PublicRecord(header.now_us, core.phase, core.take_touched(), trades, core.post_only))
    inputs = batch_record.encode(batch_record.BatchInputs(sorted(core.blocked), header.steps))
    crc = book_checksum(work)
    link = batch_record.chain(header.last_hash, book_id=header.book_id, seq=header.seq, at=at, inputs=inputs, public=public, checksum=crc)
    numbers = rows.array(c.n for c in commands)
    max_xid = max((c.xid for c in commands), default=0)
    line = (
        f"{header.book_id}\t{header.seq}\t{at}\t{header.last_command_seq + 1}\t{numbers}\t{max_xid}\t"
        f"{rows.bytea(inputs)}\t{rows.bytea(public)}\t{crc}\t{link}"
    )
    rows.copy_rows("exchange_batch", "book_id, seq, at, first_command_seq, command_ns, max_xid, inputs, public, checksum, hash", [line])
    return link


def _advance(work: Working, header: Header, commands: Sequence[Pending], link: str) -> Answer:
    """Move the book from exactly the sequence that was read."""
    expiry = work.memory.core.next_expiry()
    return rows.write(
        _FENCE,
        [
            work.memory.core.phase,
            bool(work.memory.core.post_only),
            header.seq,
            header.last_command_seq + len(commands),
            header.scan_xid,
            work.trade_count,
            work.trades[-1].price if work.trades else header.last_price,
            link,
            rfc3339(expiry) if expiry else None,
            rfc3339(header.now_us),
            header.book_id,
            header.last_command_seq,
            header.seq - 1,
        ],
    )
