"""Instruments as listed, what they deliver beside their own series, and what they disclosed, as their events tell them."""

from exchange.replay.object_states import Fields, ObjectKind, Payload
from exchange.replay.right_tables import MOMENT

_LISTED_AS = (
    "class", "collar_high_ticks", "collar_low_ticks", "currency", "delivery_rule", "gate_closes_at", "lot_size", "maker_bps",
    "max_quantity_lots", "min_quantity_lots", "opens_at", "position_limit_lots", "price_decimals", "proceeds_escrow", "reference_price_ticks",
    "series", "taker_bps", "tick_minor",
)  # fmt: skip


def _listed(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
    states[object_id] = (
        {"proceeds_escrow": "none"} | {name: payload[name] for name in _LISTED_AS if name in payload} | {"listed_at": at, "delisted_at": ""}
    )


def _delisted(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001
    if states[object_id]["delisted_at"]:
        raise ValueError(f"{object_id} had left the list before")
    states[object_id]["delisted_at"] = at


def _deliverable(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
    states[f"{object_id} {payload['series']}"] = {"class": payload["class"], "since": at}


def _disclosed(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
    states[f"{object_id} v{payload['version']}"] = {"computed_at": at, "hash": payload["hash"], "sheet": payload["sheet"]}


_INSTRUMENTS = f"""
SELECT i.symbol, jsonb_build_object('class', c.key, 'collar_high_ticks', i.collar_high_ticks::text, 'collar_low_ticks', i.collar_low_ticks::text,
       'currency', a.code, 'delivery_rule', i.delivery_rule, 'gate_closes_at', {MOMENT.format("i.gate_closes_at")}, 'lot_size', i.lot_size::text,
       'maker_bps', i.maker_bps, 'max_quantity_lots', i.max_quantity_lots::text, 'min_quantity_lots', i.min_quantity_lots::text,
       'opens_at', {MOMENT.format("i.opens_at")}, 'position_limit_lots', i.position_limit_lots::text, 'price_decimals', i.price_decimals,
       'proceeds_escrow', i.proceeds_escrow,
       'reference_price_ticks', i.reference_price_ticks::text, 'series', 'series:' || i.series_id, 'taker_bps', i.taker_bps,
       'tick_minor', i.tick_minor::text, 'listed_at', {MOMENT.format("i.listed_at")}, 'delisted_at', {MOMENT.format("i.delisted_at")})
FROM exchange_instrument i JOIN settlement_asset a ON a.id = i.currency_id JOIN rights_series s ON s.id = i.series_id
JOIN rights_computeclass c ON c.id = s.compute_class_id ORDER BY 1
"""
_DELIVERABLE = f"""
SELECT i.symbol || ' series:' || d.series_id, jsonb_build_object('class', c.key, 'since', {MOMENT.format("d.since")})
FROM exchange_deliverable d JOIN exchange_instrument i ON i.id = d.instrument_id JOIN rights_series s ON s.id = d.series_id
JOIN rights_computeclass c ON c.id = s.compute_class_id ORDER BY 1
"""
_SHEETS = f"""
SELECT i.symbol || ' v' || d.version, jsonb_build_object('computed_at', {MOMENT.format("d.computed_at")}, 'hash', d.hash, 'sheet', d.body::jsonb)
FROM exchange_disclosuresheet d JOIN exchange_instrument i ON i.id = d.instrument_id ORDER BY 1
"""

KINDS = (
    ObjectKind("instrument", {"instrument.listed": _listed, "instrument.delisted": _delisted}, _INSTRUMENTS),
    ObjectKind("sheet", {"instrument.disclosed": _disclosed}, _SHEETS),
    ObjectKind("deliverable", {"instrument.deliverable_added": _deliverable}, _DELIVERABLE),
)
