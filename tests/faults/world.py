"""The whole state of the exchange in a test database: kept, brought back, and boiled down to a hash."""

import hashlib

from django.db import connection, transaction

_TABLES = """
SELECT c.relname, EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal),
       (SELECT array_agg(a.attname::text) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attidentity <> '' AND a.attnum > 0)
FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.relname <> 'rights_lifecycle'
  AND c.relname ~ '^(rights|settlement|exchange)_' ORDER BY 1
"""


class Kept:
    """The present state, kept in a schema of its own; `restore` makes it the present state again, sequences too."""

    def __init__(self, name: str) -> None:
        self._schema = f"kept_{name}"
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_TABLES)
            tables = cursor.fetchall()
            cursor.execute(f"DROP SCHEMA IF EXISTS {self._schema} CASCADE; CREATE SCHEMA {self._schema}")
            guarded = [table for table, triggers, _ in tables if triggers]
            back = [f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in guarded]
            back += [f"DELETE FROM {table}" for table, _, _ in tables]
            for table, _, identities in tables:
                cursor.execute(f"CREATE TABLE {self._schema}.{table} AS TABLE {table}")
                back.append(f"INSERT INTO {table} SELECT * FROM {self._schema}.{table}")
                for column in identities or ():
                    cursor.execute(f"SELECT last_value, is_called FROM {_sequence(cursor, table, column)}")
                    last, called = cursor.fetchone()
                    back.append(f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), {last}, {str(called).lower()})")
            back += ["SET CONSTRAINTS ALL IMMEDIATE", *(f"ALTER TABLE {table} ENABLE TRIGGER USER" for table in guarded)]
        self._back = ";".join(back)

    def restore(self) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(self._back)

    def drop(self) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"DROP SCHEMA {self._schema} CASCADE")


def _sequence(cursor, table: str, column: str) -> str:
    cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", [table, column])
    return str(cursor.fetchone()[0])


# What a run means: everything but transaction ids, and what depends on numbers that a killed INSERT drew (they are never used
# again) or on the ids of orders that were asked for twice. Entries of expiry are named by chance.
_ASSET = "(SELECT code FROM settlement_asset a WHERE a.id = t.asset_id) AS asset"
_ACCOUNT = "(SELECT coalesce(code, uuid::text) FROM rights_account a WHERE a.id = t.{})"
_MEANING = {
    "order": "SELECT * FROM exchange_order",
    "trade": "SELECT * FROM exchange_trade",
    "book": "SELECT instrument_id, phase, seq, last_command_seq, trade_count, last_price_ticks, next_expiry, updated_at FROM exchange_book",
    "batch": "SELECT book_id, seq, at, first_command_seq, cardinality(command_ns), public, checksum FROM exchange_batch",
    "command": "SELECT book_id, account_id, kind, order_id, client_order_id, payload, actor, accepted_at FROM exchange_command",
    "feed": "SELECT * FROM exchange_accountfeed",
    "message": "SELECT account_id, seq, book_id, batch_seq, at, orders_seq, fills_seq, balances_seq, requests_seq, settlements_seq FROM exchange_accountmessage",
    "balance": f"SELECT {_ASSET}, {_ACCOUNT.format('account_id')} AS account, amount, held, floor FROM settlement_balance t",
    "posting": f"SELECT CASE kind WHEN 'expired' THEN kind ELSE entry_id::text END, leg, kind, {_ASSET}, "
    f"{_ACCOUNT.format('debit_id')} AS debit, {_ACCOUNT.format('credit_id')} AS credit, amount, at FROM settlement_posting t",
    "right": "SELECT * FROM rights_right",
    "assurance": "SELECT * FROM rights_assurance",
    "participant": "SELECT * FROM rights_participant",
    "stream": "SELECT id, code, last_seq FROM rights_stream",
    "event": "SELECT stream_id, seq, id, type, object_id, at, body::jsonb - 'prev_hash' FROM rights_event",
}
# And to the byte: the hash chains, what the core was fed, what accounts were told.
_BYTES = {
    "batch bytes": "SELECT book_id, seq, command_ns, inputs, hash FROM exchange_batch",
    "message bytes": "SELECT account_id, seq, body FROM exchange_accountmessage",
    "event bytes": "SELECT stream_id, seq, body, hash FROM rights_event",
    "command numbers": "SELECT n, book_id, order_id FROM exchange_command",
    "heads": "SELECT code, last_hash FROM rights_stream UNION ALL SELECT instrument_id::text, last_hash FROM exchange_book",
}


def state(same: dict[str, str], *, to_the_byte: bool) -> dict[str, str]:
    """A hash for each part of the state. `same` replaces ids (of orders asked for twice) by those they stand for."""
    parts = _MEANING | (_BYTES if to_the_byte else {})
    asked = " UNION ALL ".join(f"SELECT '{name}', to_jsonb(part)::text FROM ({sql}) part" for name, sql in parts.items())
    lines: dict[str, list[str]] = {name: [] for name in parts}
    with connection.cursor() as cursor:
        cursor.execute(asked)
        for name, text in cursor.fetchall():
            for other, first in same.items():
                text = text.replace(other, first)  # noqa: PLW2901
            lines[name].append(text)
    return {name: hashlib.sha256("\n".join(sorted(found)).encode()).hexdigest() for name, found in lines.items()}
