"""A book's journal from the tables: its batches with their commands and the trades they stored."""

from collections.abc import Iterator
from itertools import islice

import msgspec

from exchange.replay.snapshot import stream_rows
from exchange.services import batch_record
from exchange.services.batch_record import BatchInputs
from rights.kernel import rows

CHUNK = 200
_US = "(extract(epoch from {}) * 1000000)::bigint"
_BOOKS = """
SELECT b.instrument_id, i.symbol, b.phase, b.seq, b.last_command_seq, b.trade_count, b.last_hash, b.last_price_ticks, b.post_only::int
FROM exchange_book b JOIN exchange_instrument i ON i.id = b.instrument_id ORDER BY 1
"""
_BATCHES = f"""
SELECT seq, {_US.format("at")}, first_command_seq, command_ns, inputs, public, checksum, hash
FROM exchange_batch WHERE book_id = %s ORDER BY seq
"""
_COMMANDS = "SELECT n, book_id, kind, account_id, order_id::text, client_order_id, payload FROM exchange_command WHERE n = ANY(%s)"
_TRADES = f"""
SELECT id::text, trade_no, batch_seq, {_US.format("at")}, price_ticks, quantity_lots, notional_minor, aggressor, buy_order_id::text,
       sell_order_id::text, buy_fee_minor, sell_fee_minor
FROM exchange_trade WHERE book_id = %s ORDER BY trade_no
"""


class BookRow(msgspec.Struct, frozen=True):
    """A book as its row says it is."""

    book_id: int
    symbol: str
    phase: int
    seq: int
    last_command_seq: int
    trade_count: int
    last_hash: str
    last_price_ticks: int | None
    post_only: int


class CommandRow(msgspec.Struct, frozen=True):
    n: int
    book_id: int
    kind: int
    account_id: int | None
    order_id: str | None
    client_order_id: str | None
    payload: str


class BatchRow(msgspec.Struct, frozen=True):
    """One batch; `inputs` is None when it can't be read."""

    seq: int
    at_us: int
    first_command_seq: int
    command_ns: list[int]
    raw_inputs: bytes
    raw_public: bytes
    checksum: int
    hash: str
    inputs: BatchInputs | None
    commands: dict[int, CommandRow]


class TradeRow(msgspec.Struct, frozen=True):
    """A stored trade, or a rebuilt one."""

    id: str
    trade_no: int
    batch_seq: int
    at_us: int
    price_ticks: int
    quantity_lots: int
    notional_minor: int
    aggressor: int
    buy_order: str
    sell_order: str
    buy_fee_minor: int
    sell_fee_minor: int


def books() -> list[BookRow]:
    """Every book."""
    return [BookRow(*row) for row in rows.fetch_all(_BOOKS)]


def batches_of(book: BookRow) -> Iterator[BatchRow]:
    """A book's batches in order, each with the command rows it names."""
    source = stream_rows(_BATCHES, [book.book_id], expected=book.seq)
    while chunk := list(islice(source, CHUNK)):
        wanted = [n for row in chunk for n in row[3]]
        found = {row[0]: CommandRow(*row) for row in rows.fetch_all(_COMMANDS, [wanted])}
        for seq, at_us, first, numbers, inputs, public, checksum, link in chunk:
            commands = {n: found[n] for n in numbers if n in found}
            raw = bytes(inputs)
            yield BatchRow(seq, at_us, first, numbers, raw, bytes(public), checksum, link, _decoded(raw), commands)


def _decoded(raw: bytes) -> BatchInputs | None:
    try:
        return batch_record.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def trades_of(book: BookRow) -> Iterator[TradeRow]:
    """A book's stored trades in order."""
    for row in stream_rows(_TRADES, [book.book_id], expected=book.trade_count):
        yield TradeRow(*row)
