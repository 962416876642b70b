"""The ceilings: the very rows a run wrote, copied again in raw batches with one commit each; and the pure core alone."""

import time
from statistics import median

from django.db import connection, transaction

from benchmarks.core import measure
from exchange.bench.market import Market

# What one batch writes, by table: rows of batch `seq` of a book.
_ROWS = {
    "exchange_command": "SELECT t.* FROM exchange_batch b JOIN exchange_command t ON t.n = ANY(b.command_ns) WHERE b.book_id = {book} AND b.seq = {seq}",
    "exchange_order": "SELECT t.* FROM exchange_batch b JOIN exchange_command c ON c.n = ANY(b.command_ns) AND c.kind = 0 "
    "JOIN exchange_order t ON t.id = c.order_id WHERE b.book_id = {book} AND b.seq = {seq}",
    "exchange_trade": "SELECT * FROM exchange_trade WHERE book_id = {book} AND batch_seq = {seq}",
    "settlement_posting": "SELECT p.* FROM exchange_trade t JOIN settlement_posting p ON p.entry_id = t.id WHERE t.book_id = {book} AND t.batch_seq = {seq}",
    "rights_event": "SELECT e.* FROM exchange_trade t JOIN exchange_instrument i ON i.id = t.book_id JOIN rights_series s ON s.id = i.series_id "
    "JOIN rights_event e ON e.stream_id = s.stream_id AND e.seq = t.event_seq WHERE t.book_id = {book} AND t.batch_seq = {seq}",
    "exchange_accountmessage": "SELECT * FROM exchange_accountmessage WHERE book_id = {book} AND batch_seq = {seq}",
    "exchange_batch": "SELECT * FROM exchange_batch WHERE book_id = {book} AND seq = {seq}",
}
MOST_BATCHES = 40


def raw_commits(market: Market) -> dict[str, float]:
    """Orders/s of COPYing the rows of the run's largest batches into empty tables of the same shape, one commit a batch."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT seq, cardinality(command_ns) FROM exchange_batch WHERE book_id = %s ORDER BY cardinality(command_ns) DESC LIMIT %s",
            [market.book_id, MOST_BATCHES],
        )
        batches = cursor.fetchall()
        data = [[(table, read_rows(sql.format(book=market.book_id, seq=seq))) for table, sql in _ROWS.items()] for seq, _ in batches]
        for table in _ROWS:
            cursor.execute(f"CREATE TABLE bench_{table} (LIKE {table} INCLUDING ALL)")
    try:
        rates = []
        for _ in range(3):
            with connection.cursor() as cursor:
                cursor.execute("TRUNCATE " + ", ".join(f"bench_{table}" for table in _ROWS))
            rates.append(_write(data, sum(size for _, size in batches)))
    finally:
        with connection.cursor() as cursor:
            for table in _ROWS:
                cursor.execute(f"DROP TABLE bench_{table}")
    orders = sum(size for _, size in batches)
    return {"orders_per_s": round(median(rates), 1), "orders_per_batch": round(orders / max(len(batches), 1), 1)}


def read_rows(sql: str) -> bytes:
    """What a query finds, as COPY writes it."""
    with connection.cursor() as cursor, cursor.copy(f"COPY ({sql}) TO STDOUT (FORMAT binary)") as copy:
        return b"".join(bytes(part) for part in copy)


def _write(data: list[list[tuple[str, bytes]]], orders: int) -> float:
    started = time.perf_counter()
    for batch in data:
        with transaction.atomic(), connection.cursor() as cursor:
            for table, rows in batch:
                with cursor.copy(f"COPY bench_{table} FROM STDIN (FORMAT binary)") as copy:
                    copy.write(rows)
    return orders / (time.perf_counter() - started)


def pure_core(seconds: float) -> dict[str, float]:
    """Orders/s of the core alone, by flow."""
    return {name: round(rate, 0) for name, rate in measure(seconds).items()}
