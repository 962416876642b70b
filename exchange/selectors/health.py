"""How the venue's parts are, as anybody may know."""

import msgspec

from exchange.services.pending import UNREAD
from rights.kernel import rows


class Matching(msgspec.Struct, frozen=True):
    """Unapplied commands and the oldest one's age; books by phase number."""

    pending: int
    oldest_age_us: int
    phases: dict[int, int]


_PENDING = f"{UNREAD} SELECT count(*), coalesce(max(extract(epoch from clock_timestamp() - accepted_at) * 1000000), 0)::bigint FROM unread"


def matching() -> Matching:
    """One look at all books."""
    pending, oldest = rows.fetch_all(_PENDING)[0]
    phases = dict(rows.fetch_all("SELECT phase, count(*) FROM exchange_book GROUP BY phase"))
    return Matching(pending, max(int(oldest), 0), phases)
