"""Whose rights a book's open asks would deliver, without looking through all of them for every page that says so.

Which asks are open, and of which rights, changes only with a batch, and no two batches of a book have the same hash. So what was found behind
one holds for as long as it is the book's last.
"""

from collections.abc import Iterable

from rights.kernel import rows

MOST = 20_000  # books that are remembered
Asking = frozenset[tuple[int, int]]
_found: dict[int, tuple[str, Asking]] = {}

_HEADS = "SELECT instrument_id, last_hash FROM exchange_book WHERE instrument_id = ANY(%s::bigint[])"
# Hash and asks in one statement, so that both are of one moment.
_BEHIND = """
SELECT b.instrument_id, b.last_hash, a.issuer_id, a.compute_class_id FROM exchange_book b LEFT JOIN LATERAL (
    SELECT DISTINCT r.issuer_id, s.compute_class_id FROM exchange_order o CROSS JOIN LATERAL unnest(o.slice_rights) AS x(id)
    JOIN rights_right r ON r.id = x.id JOIN rights_series s ON s.id = r.series_id
    WHERE o.book_id = b.instrument_id AND o.is_open AND o.side = 1) a ON true
WHERE b.instrument_id = ANY(%s::bigint[])
"""


def asking_issuers(book_ids: Iterable[int]) -> dict[int, Asking]:
    """(issuer, compute class) of the rights that each book's open asks would deliver; ids of rows."""
    heads = dict(rows.fetch_all(_HEADS, [rows.array(book_ids)]))
    moved = sorted(book for book, head in heads.items() if _found.get(book, ("",))[0] != head)
    fresh: dict[int, tuple[str, set[tuple[int, int]]]] = {}
    for book, head, issuer, compute_class in rows.fetch_all(_BEHIND, [moved]) if moved else ():
        pairs = fresh.setdefault(book, (head, set()))[1]
        if issuer is not None:
            pairs.add((issuer, compute_class))
    now = {book: (head, frozenset(pairs)) for book, (head, pairs) in fresh.items()}
    asking = {book: now[book][1] if book in now else _found[book][1] for book in heads if book in now or book in _found}
    if len(_found) > MOST:
        _found.clear()
    _found.update(now)
    return asking
