"""Which commands a book has not applied yet, found without a lock, a queue table or an update.

Every command row carries its transaction's id. A batch remembers the oldest transaction that was still running when it
looked (`Book.scan_xid`): everything older is settled, so the next look starts there and leaves out what batches since
then have applied. A command that commits late is found because its id is at least that. Should a restored database
count its transactions anew, the mark is above the present ones and the look starts from the beginning.
"""

import msgspec

from rights.kernel.trip import Answer, Trip

# Where the search for unread commands of book `b` starts, in SQL.
UNREAD_SINCE = """(CASE WHEN b.scan_xid > pg_snapshot_xmax(pg_current_snapshot())::text::bigint THEN '0' ELSE b.scan_xid::text END)::xid8"""

# All unread commands of the books for which `books` holds, as the table `unread`: each batch is looked at once, however many wait.
_UNREAD = """
WITH marked AS (
    SELECT b.instrument_id AS id, CASE WHEN b.scan_xid > pg_snapshot_xmax(pg_current_snapshot())::text::bigint THEN 0 ELSE b.scan_xid END AS scan
    FROM exchange_book b WHERE {books}
), done AS (
    SELECT unnest(t.command_ns) AS n FROM marked m JOIN exchange_batch t ON t.book_id = m.id AND t.max_xid >= m.scan
), unread AS (
    SELECT c.book_id, c.n, c.accepted_at FROM marked m JOIN exchange_command c ON c.book_id = m.id AND c.xid >= m.scan::text::xid8
    WHERE NOT EXISTS (SELECT 1 FROM done d WHERE d.n = c.n)
)
"""
UNREAD = _UNREAD.format(books="true")
COUNTS = _UNREAD.format(books="b.instrument_id = ANY(%s)") + "SELECT book_id, count(*) FROM unread GROUP BY book_id"

_LOOK = f"""
WITH mark AS (
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS running, {UNREAD_SINCE} AS scan
    FROM exchange_book b WHERE b.instrument_id = %(book)s
), done AS (
    SELECT unnest(command_ns) AS n FROM exchange_batch
    WHERE book_id = %(book)s AND max_xid >= (SELECT scan::text::bigint FROM mark)
)
SELECT c.n, c.xid::text::bigint, c.account_id, c.kind, c.order_id::text, c.client_order_id, c.payload, c.actor,
       (extract(epoch from c.accepted_at) * 1000000)::bigint, mark.running
FROM mark LEFT JOIN LATERAL (
    SELECT * FROM exchange_command c WHERE c.book_id = %(book)s AND c.xid >= mark.scan
      AND c.n NOT IN (SELECT n FROM done) ORDER BY c.xid, c.n LIMIT %(limit)s
) c ON true
"""


class Pending(msgspec.Struct, frozen=True, gc=False):
    n: int
    xid: int
    account_id: int | None
    kind: int
    order_id: str | None
    client_order_id: str | None
    payload: str
    actor: str
    accepted_us: int


def ask_pending(trip: Trip, *, book_id: int, limit: int) -> Answer:
    """Ask for the unapplied commands of a book, from the mark in its row on; `read_pending` reads the answer."""
    return trip.ask(_LOOK, {"book": book_id, "limit": limit})


def read_pending(answer: Answer, limit: int) -> tuple[list[Pending], int]:
    """Unapplied commands in order of arrival (at most `limit`), and the mark for the next look."""
    found = answer.rows()
    running = int(found[0][9])
    commands = [Pending(*row[:9]) for row in found if row[0] is not None]
    if len(commands) == limit:
        return commands, min(running, commands[-1].xid)
    return commands, running


def is_waiting(*, book_id: int) -> bool:
    """Whether the book has unapplied commands, as of now and without its lock."""
    trip = Trip()
    answer = ask_pending(trip, book_id=book_id, limit=1)
    trip.go()
    return bool(read_pending(answer, 1)[0])
