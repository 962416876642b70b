"""What an account holds of what each instrument delivers, and how much of that it could sell now (SPEC §4, §5).

Rights are judged by the gate as admission judges them. Those that it can't tell apart are judged together, however many they are: of one
series, under the same terms and assurance, in the same state, ending at the same moment. That serves as long as it makes no difference in which order an
ask would take them; where it does, each is looked at.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec

from exchange.services.admit import most_lots
from exchange.services.facts import PARCEL, PARCEL_FROM, WINDOW, Party, load_parties, parcels_of
from exchange.services.rules import DELIVERED, Rules, learn, rules_of
from rights.domain.transfer_policy import TransferPolicy
from rights.kernel import rows
from rights.services.reception import policies_of

_EACH = f"""
{PARCEL}, {WINDOW}, d.instrument_id FROM {PARCEL_FROM} JOIN rights_series s ON s.id = r.series_id JOIN {DELIVERED} d ON d.series_id = r.series_id
WHERE r.holder_id = %s AND d.instrument_id = ANY(%s::bigint[]) AND r.remaining_units > 0 ORDER BY r.created_at, r.id
"""
# A group in the columns of a right; whatever its rights do not have in common is left out or, as a number, of any of them.
_ALIKE = f"""
{PARCEL}, {WINDOW}, r.instrument_id, r.reserved, r.lots, r.free_lots, r.rights FROM (
    SELECT d.instrument_id, r.holder_id, '' AS id, sum(r.remaining_units)::bigint AS remaining_units, 0 AS reserved_units, r.status, r.freeze_reason,
           min(r.activated_at) AS activated_at, min(r.acquired_at) AS acquired_at, r.terms_hash, r.issuer_id, r.assurance_id, '' AS root_id, r.series_id,
           sum(r.reserved_units)::bigint AS reserved, sum(r.remaining_units / b.lot_size)::bigint AS lots,
           sum((r.remaining_units - r.reserved_units) / b.lot_size)::bigint AS free_lots, count(*) AS rights
    FROM {DELIVERED} d JOIN exchange_instrument b ON b.id = d.instrument_id JOIN rights_right r ON r.series_id = d.series_id
    WHERE r.holder_id = %s AND d.instrument_id = ANY(%s::bigint[]) AND r.remaining_units > 0
    GROUP BY d.instrument_id, r.holder_id, r.status, r.freeze_reason, r.activated_at IS NULL, r.ends_at, r.terms_hash, r.issuer_id, r.assurance_id,
             r.series_id) r
JOIN rights_issuer i ON i.id = r.issuer_id JOIN rights_assurance a ON a.id = r.assurance_id JOIN rights_series s ON s.id = r.series_id
"""
_POST_ONLY = "SELECT instrument_id FROM exchange_book WHERE instrument_id = ANY(%s::bigint[]) AND post_only"
_COLUMNS = 16  # of PARCEL and WINDOW
_REMAINING, _RESERVED, _STATUS, _TERMS = 2, 3, 4, 8
_LIVE = ("issued", "active", "frozen")


class Stock(msgspec.Struct, frozen=True):
    """Units of live rights; the lots that could be sold if nothing were reserved, and `free_lots` that could be offered as it is."""

    units: int
    reserved: int
    rights: int
    sellable_lots: int
    free_lots: int


class _Group(msgspec.Struct, frozen=True):
    """Rights that are alike, as one in the columns of PARCEL and WINDOW. Lots: what each has of whole ones, added up."""

    row: tuple[Any, ...]
    book: int
    reserved: int
    lots: int
    free_lots: int
    rights: int

    @property
    def units(self) -> int:
        return int(self.row[_REMAINING])

    @property
    def is_live(self) -> bool:
        return self.row[_STATUS] in _LIVE


def stocks(*, account_id: int, book_ids: Sequence[int], now_us: int) -> dict[int, Stock]:
    """By book, for each of `book_ids`."""
    if not book_ids:
        return {}
    learn(book_ids)
    held: dict[int, list[_Group]] = {book_id: [] for book_id in book_ids}
    for row in rows.fetch_all(_ALIKE, [account_id, rows.array(book_ids)]):
        group = _Group(row[:_COLUMNS], *row[_COLUMNS:])
        held[group.book].append(group)
    policies = policies_of(sorted({group.row[_TERMS] for found in held.values() for group in found}))
    kinds = {book_id: {_pool(policies[group.row[_TERMS]], rules_of(book_id)) for group in found} for book_id, found in held.items()}
    apart = [book_id for book_id, found in kinds.items() if len(found) > 1 or None in found]
    parties = load_parties(rules_of(book_ids[0]), [account_id])
    post_only = {book_id for (book_id,) in rows.fetch_all(_POST_ONLY, [rows.array(book_ids)])}
    lots = _one_by_one(account_id, apart, parties, now_us, post_only)
    for book_id in held.keys() - set(apart):
        lots[book_id] = _together(held[book_id], kinds[book_id], rules_of(book_id), parties, now_us, takers_out=book_id in post_only)
    return {book_id: _stock(found, *lots[book_id]) for book_id, found in held.items()}


def _stock(found: Iterable[_Group], sellable_lots: int, free_lots: int) -> Stock:
    live = [group for group in found if group.is_live]
    units, reserved = sum(group.units for group in live), sum(group.reserved for group in live)
    return Stock(units, reserved, sum(group.rights for group in live), sellable_lots, free_lots)


def _pool(policy: TransferPolicy, rules: Rules) -> str | None:
    """How rights under these terms add up in the book: by `units`, by whole `lots` of each; None where each has to be looked at."""
    if not policy.splittable or policy.min_transfer_units > rules.lot_size or policy.min_hold_s or policy.needs_permits:
        return None
    return "lots" if policy.min_transfer_units > 1 else "units"


def _together(
    found: Sequence[_Group], kinds: set[str | None], rules: Rules, parties: dict[int, Party], now_us: int, *, takers_out: bool
) -> tuple[int, int]:
    """(sellable, free) lots of rights that all add up alike."""
    if now_us >= rules.gate_us:
        return 0, 0
    numbered = [(row[0], str(number), *row[2:]) for number, row in enumerate(group.row for group in found)]
    judged = parcels_of(numbered, rules, parties, now_us, takers_out=takers_out)
    movable = [found[int(parcel.right_id)] for parcels in judged.values() for parcel in parcels if not parcel.refused]
    if kinds == {"lots"}:
        return sum(group.lots for group in movable), sum(group.free_lots for group in movable)
    units, reserved = sum(group.units for group in movable), sum(group.reserved for group in movable)
    return units // rules.lot_size, (units - reserved) // rules.lot_size


def _one_by_one(
    account_id: int, book_ids: Sequence[int], parties: dict[int, Party], now_us: int, post_only: AbstractSet[int]
) -> dict[int, tuple[int, int]]:
    """(sellable, free) lots by book, right after right as an ask would take them."""
    held: dict[int, list[tuple[Any, ...]]] = {book_id: [] for book_id in book_ids}
    for row in rows.fetch_all(_EACH, [account_id, rows.array(book_ids)]) if book_ids else []:
        held[row[-1]].append(row[:-1])
    found = {}
    for book_id, rights in held.items():
        rules = rules_of(book_id)
        unreserved = [(*row[:_RESERVED], 0, *row[_RESERVED + 1 :]) for row in rights]
        free = [row for row in rights if row[_REMAINING] > row[_RESERVED]]
        takers_out = book_id in post_only
        found[book_id] = (
            _lots(unreserved, rules, parties, now_us, takers_out=takers_out),
            _lots(free, rules, parties, now_us, takers_out=takers_out),
        )
    return found


def _lots(rights: list[tuple[Any, ...]], rules: Rules, parties: dict[int, Party], now_us: int, *, takers_out: bool) -> int:
    if now_us >= rules.gate_us:
        return 0
    by_holder = parcels_of(rights, rules, parties, now_us, takers_out=takers_out)
    return sum(most_lots(parcels, rules.lot_size) for parcels in by_holder.values())
