"""Disclosure sheets as anybody may see them."""

import msgspec

from exchange.selectors import named
from exchange.selectors.backing import BACKING, WEAK_MOSTLY
from exchange.selectors.named import moment
from rights.kernel.clock import rfc3339


class SheetRow(msgspec.Struct, frozen=True):
    """One version; `body` canonical JSON, `latest` the newest version's number, `stale` says of the newest."""

    version: int
    body: str
    hash: str
    computed_us: int
    latest: int
    stale: bool


_SHEET = f"""
SELECT d.version, d.body, d.hash, {moment("d.computed_at")}, newest.version, b.post_only OR ({WEAK_MOSTLY})
FROM exchange_instrument i JOIN exchange_book b ON b.instrument_id = i.id
CROSS JOIN LATERAL (SELECT max(version) AS version FROM exchange_disclosuresheet x WHERE x.instrument_id = i.id) newest
JOIN exchange_disclosuresheet d ON d.instrument_id = i.id AND d.version = coalesce(%(version)s::int, newest.version)
CROSS JOIN LATERAL ({BACKING}) backing WHERE i.symbol = %(symbol)s
"""


def sheet(*, symbol: str, version: int | None, now_us: int) -> SheetRow | None:
    """That version, or the newest one."""
    found = named.fetch_one(_SHEET, {"symbol": symbol, "version": version, "now": rfc3339(now_us)})
    return SheetRow(*found) if found else None
