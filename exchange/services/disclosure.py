"""The disclosure sheet of an instrument (SPEC §3): what a buyer may know before he trades, computed, versioned, never edited.

A sheet holds no moment and nothing that trading or issuing more of the same changes, so its content changes only when something about the
instrument does; what it counts beside that is exchange/selectors/sheet_counts.py's. It is stale when what it was computed from no longer
holds: most of the supply rests on assurances that are degraded or were not refreshed, or its inputs can't be read as they were. Then takers
are kept out of the book by a command of its own, and let in again when it is fresh (docs/matching.md, rule 13). Where less than that is weak,
the sheet says so, the book goes on, and the asks that offer rights of it leave.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from django.db import transaction

from exchange.domain.command import Phase
from exchange.models import DisclosureSheet, Instrument
from exchange.models.book import CommandKind
from exchange.selectors.backing import BACKING, SOUND_NOW, WEAK_MOSTLY
from exchange.selectors.sheet_counts import MOST_TERMS, counts_of
from exchange.services.intake import submit_one
from exchange.services.payload import PostOnlyPayload
from exchange.services.pulls import pull_unbacked_asks
from exchange.services.rules import DELIVERED
from rights.domain.canonical_json import canonical_json
from rights.domain.transfer_policy import policy_document, strictest
from rights.kernel import rows
from rights.kernel.clock import rfc3339, to_datetime, to_us
from rights.models import Series
from rights.services import journal

FORMAT = "synthference/sheet/v2"
COUNTED = "synthference/sheet/v1"  # with the counts in it, as they were at one moment
ACTOR = "timetable"
# How often a sheet is computed again when nothing says that it must be, and how long a lane may take to apply a command.
EVERY_US = 60_000_000
PATIENCE_US = 10_000_000

_TERMS = """
SELECT w.terms_hash, w.issuer, t.transfer_policy::text, encode(sha256(convert_to(t.manifest, 'UTF8')), 'hex') = w.terms_hash
FROM (SELECT DISTINCT r.terms_hash, i.slug AS issuer FROM rights_right r JOIN rights_issuer i ON i.id = r.issuer_id
      WHERE r.series_id = ANY(%s::bigint[]) AND r.status IN ('issued', 'active', 'frozen') AND r.remaining_units > 0) w
JOIN rights_terms t ON t.terms_hash = w.terms_hash ORDER BY 1, 2
"""
_ASSURANCES = """
SELECT DISTINCT 'ast_' || a.uuid, i.slug, a.mode, a.reference, a.gross_units::text, a.haircut_bps,
       floor(a.gross_units::numeric * (10000 - a.haircut_bps) / 10000)::bigint::text, a.overbook_bps, a.status, a.degradation_plan
FROM rights_series s JOIN rights_assurance a
  ON (a.compute_class_id, a.window_start, a.window_end) = (s.compute_class_id, s.window_start, s.window_end)
JOIN rights_issuer i ON i.id = a.issuer_id WHERE s.id = ANY(%s::bigint[]) AND a.issued_units > 0 ORDER BY 1
"""
_FIELDS = (
    "id", "issuer", "mode", "reference", "gross_units", "haircut_bps", "usable_units", "overbook_bps", "status", "degradation_plan",
)  # fmt: skip


class Unreadable(Exception):
    """The sheet can't be computed: what it rests on is not what it was."""


def sheet_of(*, series: Iterable[Series], delivery_rule: str, trading: Mapping[str, Any]) -> dict[str, Any]:
    """The sheet's content. `series`: the instrument's own first, then what else it delivers. Raises Unreadable."""
    found = list(series)
    own, ids = found[0], rows.array(s.pk for s in found)
    # Each issuance has terms of its own, for they say how much of it there is; what binds a buyer in them is seldom new.
    binding = sorted({(issuer, canonical_json(policy)) for _, issuer, policy in _terms(ids)})
    policies = [msgspec.json.decode(policy) for _, policy in binding]
    return {
        "format": FORMAT,
        "class": _class(own) | {"dimensions": own.compute_class.dimensions},
        "window": _window(own),
        "trading": dict(trading),
        "delivery": {"rule": delivery_rule, "also": [{**_class(s), "window": _window(s)} for s in found[1:]]},
        "terms": [
            {"issuer": issuer, "transfer_policy": policy} for (issuer, _), policy in zip(binding[:MOST_TERMS], policies, strict=False)
        ],
        "terms_left_out": max(0, len(binding) - MOST_TERMS),
        # What satisfies the transfer policies of all these terms at once.
        "strictest_policy": policy_document(strictest(policies)),
        "assurances": [dict(zip(_FIELDS, row, strict=True)) for row in rows.fetch_all(_ASSURANCES, [ids])],
    }


def counted_sheet(*, series: Series, delivery_rule: str, trading: Mapping[str, Any]) -> dict[str, Any]:
    """The sheet of one series with its counts, for whoever decides upon it now. Raises Unreadable."""
    sheet, counts = sheet_of(series=[series], delivery_rule=delivery_rule, trading=trading), counts_of([series.pk])
    policies = {terms_hash: policy for terms_hash, _, policy in _terms(rows.array([series.pk]))}
    counted = {row["id"]: row for row in counts["assurances"]}
    return sheet | {
        "format": COUNTED,
        "supply": counts["supply"],
        "terms": [row | {"transfer_policy": policies[row["terms_hash"]]} for row in counts["terms"] if row["terms_hash"] in policies],
        "terms_left_out": counts["terms_left_out"],
        "assurances": [row | counted.get(row["id"], {}) for row in sheet["assurances"]],
        "outcomes": counts["outcomes"],
    }


def _terms(ids: str) -> list[tuple[str, str, dict[str, Any]]]:
    """(terms hash, issuer, transfer policy) of what is alive in these series. Raises Unreadable."""
    found = rows.fetch_all(_TERMS, [ids])
    changed = [row[0] for row in found if not row[3]]
    if changed:
        raise Unreadable(f"the terms {changed[0]} are not those that were issued")
    return [(row[0], row[1], msgspec.json.decode(row[2])) for row in found]


def _class(series: Series) -> dict[str, Any]:
    kind = series.compute_class
    return {"key": kind.key, "fingerprint": kind.fingerprint, "unit": kind.unit, "lot_size": str(kind.lot_size)}


def _window(series: Series) -> dict[str, Any]:
    start, end = rfc3339(to_us(series.window_start)), rfc3339(to_us(series.window_end))
    return {"start": start, "end": end, "mode": series.window_mode, "period_s": series.epoch_size_s}


def trading_of(instrument: Instrument) -> dict[str, Any]:
    """The trading rules of a listed instrument as its sheet shows them; texts where numbers may be large."""
    limit = instrument.position_limit_lots
    return {
        "currency": instrument.currency.code,
        "tick_minor": str(instrument.tick_minor),
        "collar_ticks": {"low": str(instrument.collar_low_ticks), "high": str(instrument.collar_high_ticks)},
        "quantity_lots": {"min": str(instrument.min_quantity_lots), "max": str(instrument.max_quantity_lots)},
        "position_limit_lots": None if limit is None else str(limit),
        "fees": {"maker_bps": instrument.maker_bps, "taker_bps": instrument.taker_bps},
        "proceeds_escrow": instrument.proceeds_escrow,
        "opens_at": rfc3339(to_us(instrument.opens_at)),
        "gate_closes_at": rfc3339(to_us(instrument.gate_closes_at)),
    }


@transaction.atomic
def disclose(*, instrument_id: int, actor: str, now_us: int) -> DisclosureSheet | None:
    """Compute the sheet; the new version when its content changed, else None. Raises Unreadable."""
    # The instrument's row is locked so that versions follow each other; nobody else waits for it with something in hand.
    instrument = Instrument.objects.select_for_update(no_key=True, of=("self",)).select_related("currency").get(pk=instrument_id)
    delivered = [instrument.series_id, *instrument.deliverable.order_by("series_id").values_list("series_id", flat=True)]
    by_id = Series.objects.select_related("compute_class").in_bulk(delivered)
    body = sheet_of(series=[by_id[pk] for pk in delivered], delivery_rule=instrument.delivery_rule, trading=trading_of(instrument))
    text = canonical_json(body)
    print_hex = hashlib.sha256(text).hexdigest()
    latest = instrument.sheets.order_by("-version").first()
    if latest is not None and latest.hash == print_hex:
        return None
    version = 1 if latest is None else latest.version + 1
    sheet = DisclosureSheet.objects.create(
        instrument=instrument, version=version, body=text.decode(), hash=print_hex, computed_at=to_datetime(now_us)
    )
    payload = {"hash": print_hex, "instrument": instrument.symbol, "sheet": body, "version": version}
    event = journal.NewEvent("instrument.disclosed", "instrument", instrument.symbol, payload)
    journal.append(stream_id=journal.stream_for("registry"), events=[event], actor=actor, now_us=now_us)
    return sheet


# Open books that may be due: takers are kept out, something behind them is weak, or their sheet was not computed for a while. All others
# would be asked for what stands behind them each second, and have nothing to say.
_BOOKS = f"""
WITH weak AS (
    SELECT DISTINCT d.instrument_id FROM rights_assurance a
    JOIN rights_series x ON x.compute_class_id = a.compute_class_id AND a.window_start <= x.window_start AND a.window_end >= x.window_end
    JOIN {DELIVERED} d ON d.series_id = x.id WHERE a.window_end > %(now)s AND NOT ({SOUND_NOW}) AND EXISTS (
        SELECT 1 FROM rights_right r WHERE r.assurance_id = a.id AND r.remaining_units > 0 AND r.status IN ('issued', 'active', 'frozen'))),
due AS MATERIALIZED (
    SELECT b.instrument_id, b.post_only FROM exchange_book b WHERE b.phase <> %(closed)s
      AND (b.post_only OR b.instrument_id IN (SELECT w.instrument_id FROM weak w) OR b.instrument_id <> ALL (%(fresh)s::bigint[])))
SELECT i.id, due.post_only, backing.state, {WEAK_MOSTLY} FROM due JOIN exchange_instrument i ON i.id = due.instrument_id
CROSS JOIN LATERAL ({BACKING}) backing ORDER BY i.id
"""
_UNDER_WAY = """
SELECT 1 FROM exchange_command c JOIN exchange_book b ON b.instrument_id = c.book_id WHERE c.book_id = %s AND c.xid >= b.scan_xid::text::xid8
  AND c.kind = %s AND c.accepted_at > %s AND NOT EXISTS (SELECT 1 FROM exchange_batch x WHERE x.book_id = c.book_id AND x.command_ns @> ARRAY[c.n])
LIMIT 1
"""
_WORDS = {
    "degraded": "the capacity behind these rights has fallen below what was issued",
    "stale": "an assurance behind these rights was not refreshed in time",
}
_computed: dict[int, int] = {}  # instrument → when this process last computed its sheet


def forget() -> None:
    """For tests, which replace databases under a running process."""
    _computed.clear()


def disclose_due(*, now_us: int, most: int = 20) -> int:
    """Compute what is due, keep takers out of books whose sheet is stale, let them in where it is fresh; how many sheets are new.

    Where a book goes on with a weak assurance behind some of it, the asks that offer rights of that one are pulled.
    """
    books = books_due(now_us=now_us)
    for book_id, post_only, state, mostly in books:
        if state is not None and not mostly and not post_only:
            pull_unbacked_asks(book_id=book_id, actor=ACTOR, now_us=now_us)
    due = [row for row in books if row[3] != row[1] or now_us - _computed.get(row[0], 0) >= EVERY_US]
    due.sort(key=lambda row: _computed.get(row[0], 0))
    return sum(_attend(book_id, post_only, state if mostly else None, now_us) for book_id, post_only, state, mostly in due[:most])


def books_due(*, now_us: int) -> list[tuple[Any, ...]]:
    """(book, whether takers are kept out, what is weak behind it or None, whether most is) of those that may be due."""
    fresh = [book_id for book_id, at_us in _computed.items() if now_us - at_us < EVERY_US]
    with transaction.atomic():
        return rows.fetch_all(_BOOKS, {"now": rfc3339(now_us), "closed": int(Phase.CLOSED), "fresh": rows.array(fresh)})


def _attend(book_id: int, post_only: bool, state: str | None, now_us: int) -> bool:  # noqa: FBT001
    """One instrument: its sheet, and what follows for its book."""
    reason = "" if state is None else _WORDS[state]
    made = None
    try:
        made = disclose(instrument_id=book_id, actor=ACTOR, now_us=now_us)
    except Unreadable as fault:
        reason = reason or str(fault)
    _computed[book_id] = now_us
    if bool(reason) != post_only:
        with transaction.atomic():
            _keep_out(book_id, reason, now_us)
    return made is not None


def _keep_out(book_id: int, reason: str, now_us: int) -> None:
    """Give the command, unless one is under way."""
    kind = CommandKind.SET_POST_ONLY
    if rows.fetch_one(_UNDER_WAY, [book_id, int(kind), rfc3339(now_us - PATIENCE_US)]) is None:
        payload = PostOnlyPayload(on=int(bool(reason)), reason=reason or "what is disclosed is fresh again")
        submit_one(book_id=book_id, kind=kind, payload=payload, actor=ACTOR, now_us=now_us)
