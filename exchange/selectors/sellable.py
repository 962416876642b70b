"""How much of what an account holds it could sell now, by instrument: each right judged by the gate as admission judges it (SPEC §4, §5)."""

from collections.abc import Sequence
from typing import Any

from exchange.services.admit import most_lots
from exchange.services.facts import PARCEL, WINDOW, Party, load_parties, parcels_of
from exchange.services.rules import DELIVERED, Rules, rules_of
from rights.kernel import rows

_HELD = f"""
{PARCEL}, {WINDOW}, d.instrument_id FROM rights_right r JOIN rights_issuer i ON i.id = r.issuer_id JOIN rights_series s ON s.id = r.series_id
JOIN {DELIVERED} d ON d.series_id = r.series_id
WHERE r.holder_id = %s AND d.instrument_id = ANY(%s::bigint[]) AND r.remaining_units > 0 ORDER BY r.created_at, r.id
"""
_RESERVED = 3  # its column in PARCEL


def sellable_lots(*, account_id: int, book_ids: Sequence[int], now_us: int) -> dict[int, tuple[int, int]]:
    """By book: the lots that could be sold there if nothing were reserved, and those that could be offered as it is."""
    if not book_ids:
        return {}
    held: dict[int, list[tuple[Any, ...]]] = {book_id: [] for book_id in book_ids}
    for row in rows.fetch_all(_HELD, [account_id, rows.array(book_ids)]):
        held[row[-1]].append(row[:-1])
    parties = load_parties(rules_of(book_ids[0]), [account_id])
    found = {}
    for book_id, rights in held.items():
        rules = rules_of(book_id)
        unreserved = [(*row[:_RESERVED], 0, *row[_RESERVED + 1 :]) for row in rights]
        free = [row for row in rights if row[2] > row[_RESERVED]]
        found[book_id] = _lots(unreserved, rules, parties, now_us), _lots(free, rules, parties, now_us)
    return found


def _lots(rights: list[tuple[Any, ...]], rules: Rules, parties: dict[int, Party], now_us: int) -> int:
    if now_us >= rules.gate_us:
        return 0
    return sum(most_lots(parcels, rules.lot_size) for parcels in parcels_of(rights, rules, parties, now_us).values())
