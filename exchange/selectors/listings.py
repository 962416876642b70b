"""Listing requests as their issuer and the operators see them, with what could be traded and what could still be issued."""

from typing import Any

import msgspec
import orjson

from exchange.selectors import named
from exchange.selectors.backing import SOUND_NOW
from exchange.selectors.named import moment
from exchange.services.identity import Principal
from rights.kernel.clock import rfc3339
from rights.selectors.supply import LEFT_OF

EVERYTHING = frozenset({"operate", "audit"})


class ListingRow(msgspec.Struct, frozen=True):
    """One request. `rules` as stored; units whole; `participant_id` owns the issuer."""

    rules: dict[str, Any]
    sheet: dict[str, Any]
    id: int
    uuid: str
    state: str
    issuer: str
    participant_id: int
    class_key: str
    lot_size: int
    start_us: int
    end_us: int
    mode: str
    scale: int
    delivery_rule: str
    note: str
    symbol: str | None
    requested_us: int
    requested_by: str
    reviewed_us: int | None
    reviewed_by: str
    decided_us: int | None
    decided_by: str
    decision_note: str
    deliverable_units: int
    headroom_units: int


_LISTINGS = f"""
SELECT l.rules::text, l.sheet, l.id, l.uuid::text, l.state, i.slug, i.participant_id, c.key, c.lot_size, {moment("s.window_start")}, {moment("s.window_end")},
       s.window_mode, coalesce(cur.scale, 0), l.delivery_rule, l.note, x.symbol, {moment("l.requested_at")},
       l.requested_by, {moment("l.reviewed_at")}, l.reviewed_by, {moment("l.decided_at")}, l.decided_by, l.decision_note, supply.units,
       headroom.units
FROM exchange_listingrequest l JOIN rights_issuer i ON i.id = l.issuer_id JOIN rights_series s ON s.id = l.series_id
JOIN rights_computeclass c ON c.id = s.compute_class_id LEFT JOIN exchange_instrument x ON x.id = l.instrument_id
LEFT JOIN settlement_asset cur ON cur.code = l.rules ->> 'currency' AND cur.kind = 'cash'
CROSS JOIN LATERAL (
    SELECT coalesce(sum(r.remaining_units), 0)::bigint AS units FROM rights_right r WHERE r.series_id = s.id AND r.status = 'active'
) supply
CROSS JOIN LATERAL (
    SELECT least(coalesce(sum({LEFT_OF}), 0), {2**63 - 1})::bigint AS units FROM rights_assurance a
    WHERE (a.compute_class_id, a.window_start, a.window_end) = (s.compute_class_id, s.window_start, s.window_end) AND {SOUND_NOW}
) headroom
"""


def _row(found: tuple[Any, ...]) -> ListingRow:
    return ListingRow(orjson.loads(found[0]), orjson.loads(found[1]), *found[2:])


def listings(
    principal: Principal, *, now_us: int, limit: int, before: int | None = None, state: str | None = None, issuer: str | None = None
) -> list[ListingRow]:
    """Newest first, at most `limit` + 1: of the caller's issuers, or all for operators and auditors."""
    where = """
    WHERE (%(owner)s::bigint IS NULL OR i.participant_id = %(owner)s) AND (%(before)s::bigint IS NULL OR l.id < %(before)s)
      AND (%(state)s::text IS NULL OR l.state = %(state)s) AND (%(issuer)s::text IS NULL OR i.slug = %(issuer)s)
    ORDER BY l.id DESC LIMIT %(limit)s
    """
    owner = None if principal.scopes & EVERYTHING else principal.participant_id
    values = {"now": rfc3339(now_us), "owner": owner, "before": before, "state": state, "issuer": issuer, "limit": limit + 1}
    return [_row(found) for found in named.fetch_all(_LISTINGS + where, values)]


def listing(uuid: str, *, now_us: int) -> ListingRow | None:
    found = named.fetch_one(_LISTINGS + "WHERE l.uuid = %(uuid)s", {"uuid": uuid, "now": rfc3339(now_us)})
    return _row(found) if found else None
