"""Everything the venue keeps, as one hash: what was refused must not have changed it."""

import hashlib
from collections.abc import Mapping
from typing import Any

_TABLES = """
SELECT c.relname FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.relname ~ '^(rights|settlement|exchange)_'
ORDER BY c.relname
"""
# What a running venue's own clock writes meanwhile: anchors, sheets, and their places in streams and books.
_CLOCKWORK = frozenset(
    {"rights_anchor", "rights_anchorspan", "rights_stream", "exchange_disclosuresheet", "exchange_book", "exchange_batch"}
)
# Every signed request uses its nonce up, also one that is refused.
_CALLS = frozenset({"settlement_nodenonce"})
_BY_CALLERS = {
    "rights_event": "body::jsonb ->> 'actor' ~ '^(key|user):'",
    "exchange_command": "actor ~ '^(key|user):'",
}


def state_hash(cursor: Any) -> str:
    """Over every row of every table of ours; `cursor` is one of psycopg's or of Django's."""
    return hashlib.sha256(repr(_hashes(cursor, _CALLS, {})).encode()).hexdigest()


def state_of_callers(cursor: Any) -> dict[str, str]:
    """The same by table, of a venue that runs: without what its clock does, but with every event and command of anybody who calls."""
    return _hashes(cursor, _CLOCKWORK | _CALLS, _BY_CALLERS)


def _hashes(cursor: Any, left_out: frozenset[str], only: Mapping[str, str]) -> dict[str, str]:
    cursor.execute(_TABLES)
    found: dict[str, str] = {}
    for (table,) in cursor.fetchall():
        if table not in left_out:
            cursor.execute(
                f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {table} t WHERE {only.get(table, 'true')}"
            )
            found[table] = cursor.fetchone()[0]
    return found
