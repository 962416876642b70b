"""Everything the venue keeps, as one hash: what was refused must not have changed it."""

import hashlib
from typing import Any

_TABLES = """
SELECT c.relname FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.relname ~ '^(rights|settlement|exchange)_'
ORDER BY c.relname
"""


def state_hash(cursor: Any) -> str:
    """Over every row of every table of ours; `cursor` is one of psycopg's or of Django's."""
    total = hashlib.sha256()
    cursor.execute(_TABLES)
    for (table,) in cursor.fetchall():
        cursor.execute(f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {table} t")
        total.update(f"{table} {cursor.fetchone()[0]}".encode())
    return total.hexdigest()
