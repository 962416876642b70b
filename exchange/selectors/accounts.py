"""What an account has: cash, positions, ledger lines, limits."""

import msgspec

from exchange.feed.record import BalanceRecord
from exchange.selectors import named
from exchange.selectors.named import moment
from exchange.selectors.sellable import Stock, stocks
from exchange.services.rules import DELIVERED
from rights.kernel import rows


class PositionRow(msgspec.Struct, frozen=True):
    """Units that one instrument delivers. `sellable`: in whole lots that could be sold there; `free`: of those, not reserved."""

    symbol: str
    lot_size: int
    units: int
    reserved: int
    sellable: int
    free: int
    rights: int


class LedgerRow(msgspec.Struct, frozen=True):
    """One posting as the account sees it. The other side is not told: trading is anonymous."""

    entry_id: str
    leg: int
    kind: str
    asset: str
    asset_kind: str
    scale: int
    incoming: bool
    amount: int
    at_us: int


class LimitRow(msgspec.Struct, frozen=True):
    """A position limit and what counts against it, in lots, for the whole participant."""

    symbol: str
    limit_lots: int
    held_lots: int


_LIVE = "r.status IN ('issued', 'active', 'frozen')"
_BALANCES = """
SELECT a.code, a.scale, b.amount, b.held FROM settlement_balance b JOIN settlement_asset a ON a.id = b.asset_id
WHERE b.account_id = %s AND a.kind = 'cash' ORDER BY a.code
"""
_WAITING = """
SELECT a.code, a.scale, sum(t.notional_minor - t.sell_fee_minor)::bigint FROM exchange_book b
JOIN exchange_instrument i ON i.id = b.instrument_id JOIN settlement_asset a ON a.id = i.currency_id
JOIN settlement_balance x ON x.account_id = b.proceeds_account_id AND x.amount > 0
JOIN exchange_trade t ON t.book_id = b.instrument_id AND t.seller_id = %s
WHERE b.proceeds_account_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM exchange_proceeds p WHERE p.trade_id = t.id) GROUP BY 1, 2 ORDER BY 1
"""
# Series after series of what is alive, each found by one look at the index, so that what a page costs does not grow with the rights of one.
_POSITIONS = f"""
WITH RECURSIVE held(series_id) AS (
    (SELECT r.series_id FROM rights_right r WHERE r.holder_id = %(account)s AND {_LIVE} ORDER BY r.series_id LIMIT 1)
    UNION ALL
    SELECT (SELECT r.series_id FROM rights_right r WHERE r.holder_id = %(account)s AND {_LIVE} AND r.series_id > h.series_id
            ORDER BY r.series_id LIMIT 1)
    FROM held h WHERE h.series_id IS NOT NULL)
SELECT b.id, b.symbol, b.lot_size FROM (
    SELECT DISTINCT i.id, i.symbol, i.lot_size FROM held h JOIN {DELIVERED} d ON d.series_id = h.series_id
    JOIN exchange_instrument i ON i.id = d.instrument_id
    WHERE i.symbol > %(after)s AND (%(symbol)s::text IS NULL OR i.symbol = %(symbol)s) ORDER BY i.symbol) b
CROSS JOIN LATERAL (
    SELECT 1 FROM {DELIVERED} d JOIN rights_right r ON r.series_id = d.series_id
    WHERE d.instrument_id = b.id AND r.holder_id = %(account)s AND {_LIVE} AND r.remaining_units > 0 LIMIT 1) any_left
ORDER BY b.symbol LIMIT %(limit)s
"""
# A trade's postings are found through the trade (its id is their entry); only the others are indexed by account.
_TRADED = """(SELECT t.id FROM exchange_trade t WHERE t.{side}_id = %(account)s AND (%(entry)s::uuid IS NULL OR t.id <= %(entry)s::uuid)
    ORDER BY t.id DESC LIMIT %(limit)s)"""
_OTHER = """(SELECT p.entry_id, p.leg, p.kind, p.asset_id, {incoming} AS incoming, p.amount, p.at FROM settlement_posting p
    WHERE p.{side}_id = %(account)s AND p.kind NOT IN ('units', 'cash', 'fee')
      AND (%(entry)s::uuid IS NULL OR (p.entry_id, p.leg) < (%(entry)s::uuid, %(leg)s))
    ORDER BY p.entry_id DESC, p.leg DESC LIMIT %(limit)s)"""
_LEDGER = f"""
WITH traded AS ({_TRADED.format(side="buyer")} UNION ALL {_TRADED.format(side="seller")})
SELECT x.entry_id::text, x.leg, x.kind, a.code, a.kind, a.scale, x.incoming, x.amount, {moment("x.at")}
FROM (
    SELECT p.entry_id, p.leg, p.kind, p.asset_id, p.credit_id = %(account)s AS incoming, p.amount, p.at
    FROM traded JOIN settlement_posting p ON p.entry_id = traded.id AND %(account)s IN (p.debit_id, p.credit_id)
    WHERE %(entry)s::uuid IS NULL OR (p.entry_id, p.leg) < (%(entry)s::uuid, %(leg)s)
    UNION ALL {_OTHER.format(side="debit", incoming="false")} UNION ALL {_OTHER.format(side="credit", incoming="true")}) x
JOIN settlement_asset a ON a.id = x.asset_id ORDER BY x.entry_id DESC, x.leg DESC, x.incoming LIMIT %(limit)s
"""
_LIMITS = f"""
SELECT i.symbol, i.position_limit_lots, (coalesce(sum(r.remaining_units), 0) / i.lot_size)::bigint
FROM exchange_instrument i JOIN exchange_book b ON b.instrument_id = i.id
LEFT JOIN rights_account a ON a.participant_id = %s
LEFT JOIN rights_right r ON r.holder_id = a.id AND r.status IN ('issued', 'active', 'frozen')
    AND r.series_id IN (SELECT d.series_id FROM {DELIVERED} d WHERE d.instrument_id = i.id)
WHERE i.position_limit_lots IS NOT NULL AND b.phase <> 3 GROUP BY i.symbol, i.position_limit_lots, i.lot_size ORDER BY i.symbol LIMIT 1000
"""
_FEES = """
SELECT i.symbol, i.maker_bps, i.taker_bps FROM exchange_instrument i JOIN exchange_book b ON b.instrument_id = i.id
WHERE b.phase <> 3 AND i.symbol > %s ORDER BY i.symbol LIMIT %s
"""


def balances(*, account_id: int) -> list[BalanceRecord]:
    """Cash, by currency."""
    return [BalanceRecord(*row) for row in rows.fetch_all(_BALANCES, [account_id])]


def waiting(*, account_id: int) -> dict[str, tuple[int, int]]:
    """Currency → (its scale, minor units that wait in escrow for what the account sold)."""
    return {code: (scale, minor) for code, scale, minor in rows.fetch_all(_WAITING, [account_id])}


def positions(*, account_id: int, now_us: int, limit: int, after: str = "", symbol: str | None = None) -> list[PositionRow]:
    """Rights by instrument, at most `limit` + 1."""
    values = {"account": account_id, "after": after, "symbol": symbol, "limit": limit + 1}
    found = named.fetch_all(_POSITIONS, values)
    held = stocks(account_id=account_id, book_ids=[row[0] for row in found], now_us=now_us)
    return [_position(name, lot_size, held[book]) for book, name, lot_size in found]


def _position(symbol: str, lot_size: int, held: Stock) -> PositionRow:
    sellable, free = held.sellable_lots * lot_size, held.free_lots * lot_size
    return PositionRow(symbol, lot_size, held.units, held.reserved, sellable, free, held.rights)


def ledger(*, account_id: int, limit: int, after: tuple[str, int] | None = None) -> list[LedgerRow]:
    """Postings, newest first, at most `limit` + 1; `after` is the (entry, leg) of the last one seen."""
    entry, leg = after or (None, 0)
    values = {"account": account_id, "entry": entry, "leg": leg, "limit": limit + 1}
    return [LedgerRow(*row) for row in named.fetch_all(_LEDGER, values)]


def limits(*, participant_id: int) -> list[LimitRow]:
    """Position limits of instruments that trade."""
    return [LimitRow(*row) for row in rows.fetch_all(_LIMITS, [participant_id])]


def fees(*, limit: int, after: str = "") -> list[tuple[str, int, int]]:
    """(symbol, maker bps, taker bps) of instruments that trade, at most `limit` + 1."""
    return [(row[0], row[1], row[2]) for row in rows.fetch_all(_FEES, [after, limit + 1])]
