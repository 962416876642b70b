"""List an instrument: one series (a class in a window) with its trading rules gets a book (SPEC §3)."""

import contextlib
import zlib

import msgspec
from django.conf import settings
from django.db import transaction

from exchange.domain.command import Phase
from exchange.domain.proceeds import AT_ONCE, PROCEEDS
from exchange.domain.symbol import LONGEST, symbol_of
from exchange.models import Book, Instrument
from exchange.services.deliverable import register_deliverable
from exchange.services.disclosure import Unreadable, disclose
from exchange.services.operator_refusal import OperatorRefusal
from rights.domain.fungibility import DOMINANCE, EXACT
from rights.kernel import rows
from rights.kernel.clock import rfc3339, to_datetime, to_us
from rights.models import Series
from rights.services import journal
from rights.services.venue import venue_account
from settlement.models import Asset

# Trading ends this long before the window does, unless the listing says earlier or later; never after the window's end.
GATE_BEFORE_END_US = 15 * 60 * 1_000_000
_BIGINT = 2**63 - 1


_DELIST = """
UPDATE exchange_instrument SET delisted_at = %(now)s WHERE id IN (
    SELECT i.id FROM exchange_instrument i JOIN exchange_book b ON b.instrument_id = i.id JOIN rights_series s ON s.id = i.series_id
    WHERE i.delisted_at IS NULL AND b.phase = %(closed)s AND s.window_end <= %(now)s ORDER BY i.id LIMIT %(most)s FOR NO KEY UPDATE OF i SKIP LOCKED)
RETURNING symbol
"""


class TradingRules(msgspec.Struct, frozen=True):
    """A listing's terms. Prices in ticks of `tick_minor` minor units per lot, quantities in lots, moments in microseconds."""

    tick_minor: int
    collar_low_ticks: int
    collar_high_ticks: int
    opens_us: int
    gate_us: int | None = None
    maker_bps: int = 0
    taker_bps: int = 0
    min_quantity_lots: int = 1
    max_quantity_lots: int = 1_000_000
    position_limit_lots: int | None = None
    reference_price_ticks: int | None = None
    proceeds_escrow: str = AT_ONCE


def proceeds_code(symbol: str) -> str:
    """The venue's account in which a book's proceeds wait."""
    return f"venue:proceeds:{symbol}"


def lane_of(symbol: str, lanes: int) -> int:
    """The matching lane of a symbol: the same in every process and after every restart."""
    return zlib.crc32(symbol.encode("ascii")) % lanes


def price_decimals(tick_minor: int, scale: int) -> int:
    """Decimals that write every multiple of the tick exactly; at least two where the currency has them."""
    decimals = scale
    while decimals > min(2, scale) and tick_minor % 10 ** (scale - decimals + 1) == 0:
        decimals -= 1
    return decimals


def gate_of(rules: TradingRules, window_end_us: int) -> int:
    """When trading ends."""
    return window_end_us - GATE_BEFORE_END_US if rules.gate_us is None else rules.gate_us


class RuleFault(msgspec.Struct, frozen=True):
    """A rule that can't be listed, and the field that says it on the wire."""

    field: str
    words: str


def rule_faults(*, rules: TradingRules, lot_size: int, window_end_us: int, now_us: int) -> list[RuleFault]:
    """Everything wrong with these rules, each with its field; empty when they can be listed."""
    gate_us = gate_of(rules, window_end_us)
    reference = rules.reference_price_ticks
    worst_minor = rules.collar_high_ticks * rules.tick_minor * rules.max_quantity_lots
    checks = [
        (rules.tick_minor > 0, "tick_size", "the tick is at least one minor unit"),
        (0 < rules.collar_low_ticks <= rules.collar_high_ticks, "collar", "the collar runs from above zero upwards"),
        (
            0 < rules.min_quantity_lots <= rules.max_quantity_lots,
            "min_quantity",
            "the least quantity is above zero and not above the most",
        ),
        (0 <= rules.maker_bps <= 1000 and 0 <= rules.taker_bps <= 1000, "fees", "fees are 0 to 1000 bps"),
        (rules.opens_us < gate_us, "opens_at", "trading opens before the gate closes"),
        (gate_us <= window_end_us, "gate_closes_at", "the gate closes no later than the window ends"),
        (gate_us > now_us, "gate_closes_at", "the gate is still to come"),
        (rules.proceeds_escrow in PROCEEDS, "proceeds_escrow", f"proceeds wait {', '.join(PROCEEDS)}"),
        (rules.position_limit_lots is None or rules.position_limit_lots > 0, "position_limit", "a position limit is above zero"),
        (
            reference is None or rules.collar_low_ticks <= reference <= rules.collar_high_ticks,
            "reference_price",
            "the reference price lies inside the collar",
        ),
        (
            worst_minor * 2 <= _BIGINT and rules.max_quantity_lots * lot_size <= _BIGINT,
            "max_quantity",
            "the largest order fits the ledger's numbers",
        ),
    ]
    return [RuleFault(field, words) for holds, field, words in checks if not holds]


def listing_refusals(*, rules: TradingRules, lot_size: int, window_end_us: int, now_us: int) -> list[str]:
    """`rule_faults` in words alone."""
    return [fault.words for fault in rule_faults(rules=rules, lot_size=lot_size, window_end_us=window_end_us, now_us=now_us)]


@transaction.atomic
def list_instrument(
    *,
    series: Series,
    rules: TradingRules,
    actor: str,
    now_us: int,
    currency: str = "USD",
    delivery_rule: str = EXACT,
    approved_by: str | None = None,
) -> Instrument:
    """The new instrument with its book in `pre_open`, its fee account and its events; under `dominance` what it delivers is registered.

    `approved_by`: the second person, where it took two. Raises OperatorRefusal `rules_refused`, `symbol_too_long`, `already_listed`, `currency_unknown`.
    """
    compute_class = series.compute_class
    asset = Asset.objects.filter(code=currency, kind="cash").first()
    if asset is None:
        raise OperatorRefusal("currency_unknown", f"the venue has no currency {currency}")
    if delivery_rule not in {EXACT, DOMINANCE}:
        raise OperatorRefusal("rules_refused", f"the delivery rule is {EXACT} or {DOMINANCE}")
    refusals = listing_refusals(rules=rules, lot_size=compute_class.lot_size, window_end_us=to_us(series.window_end), now_us=now_us)
    if refusals:
        raise OperatorRefusal("rules_refused", "; ".join(refusals))
    symbol = symbol_of(compute_class.key, series.window_start, series.window_end, series.window_mode, series.epoch_size_s)
    if len(symbol) > LONGEST:
        raise OperatorRefusal("symbol_too_long", f"{symbol} is longer than {LONGEST}")
    if Instrument.objects.filter(series=series).exists() or Instrument.objects.filter(symbol=symbol).exists():
        raise OperatorRefusal("already_listed", f"{symbol} is listed")
    instrument = Instrument.objects.create(
        symbol=symbol,
        series=series,
        currency=asset,
        tick_minor=rules.tick_minor,
        price_decimals=price_decimals(rules.tick_minor, asset.scale),
        lot_size=compute_class.lot_size,
        min_quantity_lots=rules.min_quantity_lots,
        max_quantity_lots=rules.max_quantity_lots,
        collar_low_ticks=rules.collar_low_ticks,
        collar_high_ticks=rules.collar_high_ticks,
        maker_bps=rules.maker_bps,
        taker_bps=rules.taker_bps,
        position_limit_lots=rules.position_limit_lots,
        delivery_rule=delivery_rule,
        proceeds_escrow=rules.proceeds_escrow,
        opens_at=to_datetime(rules.opens_us),
        gate_closes_at=to_datetime(gate_of(rules, to_us(series.window_end))),
        reference_price_ticks=rules.reference_price_ticks,
        listed_at=to_datetime(now_us),
    )
    Book.objects.create(
        instrument=instrument,
        lane=lane_of(symbol, settings.LANES),
        phase=Phase.PRE_OPEN,
        fee_account=venue_account(code=f"venue:fees:{symbol}", now_us=now_us),
        proceeds_account=None if rules.proceeds_escrow == AT_ONCE else venue_account(code=proceeds_code(symbol), now_us=now_us),
        updated_at=to_datetime(now_us),
    )
    _remember(instrument, series, actor, now_us, approved_by)
    if delivery_rule == DOMINANCE:
        register_deliverable(instrument_id=instrument.pk, actor=actor, now_us=now_us)
    with contextlib.suppress(Unreadable):  # the timetable tries again, and keeps takers out meanwhile
        disclose(instrument_id=instrument.pk, actor=actor, now_us=now_us)
    return instrument


@transaction.atomic
def delist_due(*, actor: str, now_us: int, most: int = 200) -> int:
    """Take off the list what has nothing left to trade: its window is over and its book is closed; how many."""
    values = {"now": rfc3339(now_us), "closed": int(Phase.CLOSED), "most": most}
    gone = sorted(symbol for (symbol,) in rows.fetch_all(_DELIST, values))
    events = [
        journal.NewEvent("instrument.delisted", "instrument", symbol, {"instrument": symbol, "reason": "its window is over"})
        for symbol in gone
    ]
    if events:
        journal.append(stream_id=journal.stream_for("registry"), events=events, actor=actor, now_us=now_us)
    return len(gone)


def _remember(instrument: Instrument, series: Series, actor: str, now_us: int, approved_by: str | None) -> None:
    limit, reference = instrument.position_limit_lots, instrument.reference_price_ticks
    payload = {
        "approved_by": approved_by,
        "class": series.compute_class.key,
        "collar_high_ticks": str(instrument.collar_high_ticks),
        "collar_low_ticks": str(instrument.collar_low_ticks),
        "currency": instrument.currency.code,
        "delivery_rule": instrument.delivery_rule,
        "fee_account": f"venue:fees:{instrument.symbol}",
        "gate_closes_at": rfc3339(to_us(instrument.gate_closes_at)),
        "lot_size": str(instrument.lot_size),
        "maker_bps": instrument.maker_bps,
        "max_quantity_lots": str(instrument.max_quantity_lots),
        "min_quantity_lots": str(instrument.min_quantity_lots),
        "opens_at": rfc3339(to_us(instrument.opens_at)),
        "position_limit_lots": None if limit is None else str(limit),
        "price_decimals": instrument.price_decimals,
        "proceeds_account": None if instrument.proceeds_escrow == AT_ONCE else proceeds_code(instrument.symbol),
        "proceeds_escrow": instrument.proceeds_escrow,
        "reference_price_ticks": None if reference is None else str(reference),
        "series": f"series:{series.pk}",
        "taker_bps": instrument.taker_bps,
        "tick_minor": str(instrument.tick_minor),
        "window_end": rfc3339(to_us(series.window_end)),
        "window_start": rfc3339(to_us(series.window_start)),
    }
    event = journal.NewEvent(type="instrument.listed", object_type="instrument", object_id=instrument.symbol, payload=payload)
    journal.append(stream_id=journal.stream_for("registry"), events=[event], actor=actor, now_us=now_us)
