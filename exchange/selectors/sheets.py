"""Disclosure sheets as anybody may see them."""

from typing import Any

import msgspec

from exchange.selectors import named
from exchange.selectors.backing import BACKING, WEAK_MOSTLY
from exchange.selectors.named import moment
from exchange.selectors.sheet_counts import counts_of
from exchange.services.rules import DELIVERED
from rights.kernel import rows
from rights.kernel.clock import rfc3339


class SheetRow(msgspec.Struct, frozen=True):
    """One version; `body` canonical JSON, `latest` the newest version's number, `stale` says of the newest; `counts` are of this moment."""

    version: int
    body: str
    hash: str
    computed_us: int
    latest: int
    stale: bool
    counts: dict[str, Any]


_SHEET = f"""
SELECT i.id, d.version, d.body, d.hash, {moment("d.computed_at")}, newest.version, b.post_only OR ({WEAK_MOSTLY})
FROM exchange_instrument i JOIN exchange_book b ON b.instrument_id = i.id
CROSS JOIN LATERAL (SELECT max(version) AS version FROM exchange_disclosuresheet x WHERE x.instrument_id = i.id) newest
JOIN exchange_disclosuresheet d ON d.instrument_id = i.id AND d.version = coalesce(%(version)s::int, newest.version)
CROSS JOIN LATERAL ({BACKING}) backing WHERE i.symbol = %(symbol)s
"""
_DELIVERED = f"SELECT d.series_id FROM {DELIVERED} d WHERE d.instrument_id = %s"


def sheet(*, symbol: str, version: int | None, now_us: int) -> SheetRow | None:
    """That version, or the newest one."""
    found = named.fetch_one(_SHEET, {"symbol": symbol, "version": version, "now": rfc3339(now_us)})
    if found is None:
        return None
    delivered = rows.fetch_all(_DELIVERED, [found[0]])
    return SheetRow(*(*found[1:], counts_of(row[0] for row in delivered)))
