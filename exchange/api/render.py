"""Rows of the reads in the shapes of API.md. Orders, fills, trades and balances are rendered by feed/wire.py."""

from typing import Any

import orjson

from exchange.domain.amounts import decimal_text, fixed_text
from exchange.domain.command import Phase
from exchange.models import Proposal
from exchange.selectors.accounts import LedgerRow, PositionRow
from exchange.selectors.instruments import ClassRow, InstrumentRow
from exchange.selectors.market_data import Candle, TickerRow
from exchange.selectors.outcomes import expected_document
from exchange.selectors.sheets import SheetRow
from exchange.services.rules import Rules
from rights.kernel.clock import rfc3339, to_us
from rights.kernel.ids import public

PHASES = {int(phase): phase.name.lower() for phase in Phase}


def compute_class(row: ClassRow) -> dict[str, Any]:
    """A class: what a buyer can't tell rights apart by."""
    return {
        "key": row.key,
        "fingerprint": row.fingerprint,
        "dimensions": row.dimensions,
        "unit": row.unit,
        "lot_size": str(row.lot_size),
    }


def instrument(row: InstrumentRow) -> dict[str, Any]:
    """API.md, Instrument."""

    def price(ticks: int | None) -> str | None:
        return None if ticks is None else fixed_text(ticks * row.tick_minor, row.scale, row.price_decimals)

    kind = row.compute_class
    return {
        "symbol": row.symbol,
        "class": {"key": kind.key, "fingerprint": kind.fingerprint, **kind.dimensions},
        "unit": kind.unit,
        "lot_size": str(row.lot_size),
        "currency": row.currency,
        "tick_size": price(1),
        "price_decimals": row.price_decimals,
        "min_quantity": str(row.min_lots),
        "max_quantity": str(row.max_lots),
        "collar": {"low": price(row.collar_low), "high": price(row.collar_high)},
        "position_limit": None if row.position_limit is None else str(row.position_limit),
        "window": {"start": rfc3339(row.window_start_us), "end": rfc3339(row.window_end_us), "mode": row.window_mode},
        "opens_at": rfc3339(row.opens_us),
        "gate_closes_at": rfc3339(row.gate_us),
        "phase": PHASES[row.phase],
        "phase_reason": row.phase_reason,
        "post_only": row.post_only,
        "post_only_reason": row.post_only_reason,
        "book_seq": str(row.seq),
        "fees": {"maker_bps": row.maker_bps, "taker_bps": row.taker_bps},
        "reference_price": price(row.reference_ticks),
        "last_price": price(row.last_ticks),
        "deliverable_quantity": str(row.deliverable_units // row.lot_size),
        "headroom_quantity": str(row.headroom_units // row.lot_size),
        "backing": row.backing,
        **expected_document(row.expected),
        "delivery_rule": row.delivery_rule,
        "proceeds_escrow": row.proceeds_escrow,
        "sheet": None if row.sheet_version is None else {"version": row.sheet_version, "hash": row.sheet_hash, "stale": row.sheet_is_stale},
    }


def sheet(symbol: str, row: SheetRow) -> dict[str, Any]:
    """One version of an instrument's disclosure sheet."""
    return {
        "instrument": symbol,
        "version": row.version,
        "latest_version": row.latest,
        "hash": row.hash,
        "computed_at": rfc3339(row.computed_us),
        "stale": row.stale,
        "sheet": orjson.loads(row.body),
        "counts": row.counts,
    }


def calendar(row: InstrumentRow) -> dict[str, Any]:
    """When the instrument trades and when its capacity may be used."""
    return {
        "instrument": row.symbol,
        "phase": PHASES[row.phase],
        "opens_at": rfc3339(row.opens_us),
        "gate_closes_at": rfc3339(row.gate_us),
        "window": {"start": rfc3339(row.window_start_us), "end": rfc3339(row.window_end_us), "mode": row.window_mode},
    }


def _price(rules: Rules, ticks: int | None) -> str | None:
    return None if ticks is None else rules.price_text(ticks)


def _lots(lots: int | None) -> str | None:
    return None if lots is None else str(lots)


def candle(row: Candle, rules: Rules) -> dict[str, Any]:
    """One interval; `average_price` is rounded down to the minor unit, for people."""
    return {
        "start": rfc3339(row.start_us),
        "open": _price(rules, row.open),
        "high": _price(rules, row.high),
        "low": _price(rules, row.low),
        "close": _price(rules, row.close),
        "quantity": str(row.lots),
        "units": str(row.lots * rules.lot_size),
        "trades": str(row.trades),
        "average_price": rules.money_text(row.notional_minor // row.lots) if row.lots else None,
    }


def ticker(row: TickerRow, rules: Rules) -> dict[str, Any]:
    """Best prices now and the last 24 hours."""
    return {
        "instrument": rules.symbol,
        "phase": PHASES[row.phase],
        "post_only": row.post_only,
        "book_seq": str(row.seq),
        "best_bid": _price(rules, row.bid),
        "best_bid_quantity": _lots(row.bid_lots),
        "best_ask": _price(rules, row.ask),
        "best_ask_quantity": _lots(row.ask_lots),
        "last_price": _price(rules, row.last_ticks),
        "reference_price": _price(rules, row.reference_ticks),
        "open_24h": _price(rules, row.open),
        "high_24h": _price(rules, row.high),
        "low_24h": _price(rules, row.low),
        "quantity_24h": str(row.lots),
        "trades_24h": str(row.trades),
    }


def curve_point(row: TickerRow, rules: Rules) -> dict[str, Any]:
    """One window of a term structure."""
    return {
        "instrument": rules.symbol,
        "window": {"start": rfc3339(rules.window_start_us), "end": rfc3339(rules.window_end_us)},
        "phase": PHASES[row.phase],
        "best_bid": _price(rules, row.bid),
        "best_ask": _price(rules, row.ask),
        "last_price": _price(rules, row.last_ticks),
        "reference_price": _price(rules, row.reference_ticks),
    }


def position(row: PositionRow) -> dict[str, Any]:
    """API.md, Position: quantities in whole lots the holder could sell there."""
    return {
        "instrument": row.symbol,
        "quantity": str(row.sellable // row.lot_size),
        "available": str(row.free // row.lot_size),
        "reserved": str(row.reserved // row.lot_size),
        "units": str(row.units),
        "rights": row.rights,
    }


def proposal(row: Proposal) -> dict[str, Any]:
    """An act that waits for a second person."""
    return {
        "id": public("prp", str(row.pk)),
        "kind": row.kind,
        "act": row.payload,
        "status": row.status,
        "reason": row.reason,
        "proposed_at": rfc3339(to_us(row.proposed_at)),
        "expires_at": rfc3339(to_us(row.expires_at)),
    }


def ledger_line(row: LedgerRow) -> dict[str, Any]:
    """One posting from the account's side."""
    return {
        "entry_id": row.entry_id,
        "leg": row.leg,
        "kind": row.kind,
        "asset": row.asset,
        "asset_kind": row.asset_kind,
        "direction": "in" if row.incoming else "out",
        "amount": decimal_text(row.amount, row.scale),
        "at": rfc3339(row.at_us),
    }
