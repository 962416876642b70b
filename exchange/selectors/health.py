"""How the venue's parts are, as anybody may know."""

import msgspec

from rights.kernel import rows


class Matching(msgspec.Struct, frozen=True):
    """Unapplied commands and the oldest one's age; books by phase number."""

    pending: int
    oldest_age_us: int
    phases: dict[int, int]


# A command is unapplied while no batch lists it (services/pending.py). The look is bounded: an age, not a count, is what matters.
_PENDING = """
SELECT count(c.n), coalesce(max(extract(epoch from clock_timestamp() - c.accepted_at) * 1000000), 0)::bigint
FROM exchange_book b CROSS JOIN LATERAL (
    SELECT c.n, c.accepted_at FROM exchange_command c WHERE c.book_id = b.instrument_id
      AND c.xid >= (CASE WHEN b.scan_xid > pg_snapshot_xmax(pg_current_snapshot())::text::bigint THEN '0' ELSE b.scan_xid::text END)::xid8
      AND c.n NOT IN (SELECT unnest(t.command_ns) FROM exchange_batch t WHERE t.book_id = b.instrument_id AND t.max_xid >= b.scan_xid)
) c
"""


def matching() -> Matching:
    """One look at all books."""
    pending, oldest = rows.fetch_all(_PENDING)[0]
    phases = dict(rows.fetch_all("SELECT phase, count(*) FROM exchange_book GROUP BY phase"))
    return Matching(pending, max(int(oldest), 0), phases)
