"""Which series an instrument delivers beside its own, because their rights are at least as good in everything (SPEC §3).

Class, window and delivery rule never change, so a pair is judged once for ever. What dominates becomes a row and an event of the
instrument; batches and reads join the rows. New series are found when a right is issued through the API, else by the timetable, which
remembers for each instrument up to which transaction the series were judged. Whatever was still running then is looked for again, so a
series that commits late is not missed; nor is one that came while its instrument was being listed, for a new instrument is judged whole.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from django.db import transaction

from exchange.domain.command import Phase
from rights.domain.dominance import dominates
from rights.domain.fungibility import DOMINANCE
from rights.domain.moment import text_of
from rights.domain.window import WindowFacts
from rights.kernel import rows
from rights.kernel.clock import rfc3339
from rights.services import journal

ACTOR = "timetable"


class Candidate(msgspec.Struct, frozen=True):
    """A series that may cover an instrument's window. `own_` is the instrument's own series; moments in microseconds."""

    instrument_id: int
    symbol: str
    own_class: int
    own_start_us: int
    own_end_us: int
    series_id: int
    class_id: int
    class_key: str
    start_us: int
    end_us: int
    mode: str
    own_period_s: int
    period_s: int


_judged: dict[int, int] = {}  # by instrument: every series of an earlier transaction has been judged


def forget() -> None:
    """For tests, which replace databases under a running process."""
    _judged.clear()


_OPEN = """
SELECT i.id, pg_snapshot_xmin(pg_current_snapshot())::text::bigint FROM exchange_instrument i
JOIN exchange_book b ON b.instrument_id = i.id AND b.phase <> %s WHERE i.delivery_rule = %s
"""
# The window's part of the order is asked here already, as far as it keeps most series out; the domain has the last word.
_CANDIDATES = """
SELECT i.id, i.symbol, own.compute_class_id, (extract(epoch from own.window_start) * 1000000)::bigint,
       (extract(epoch from own.window_end) * 1000000)::bigint, s.id, c.id, c.key, (extract(epoch from s.window_start) * 1000000)::bigint,
       (extract(epoch from s.window_end) * 1000000)::bigint, s.window_mode, own.epoch_size_s, s.epoch_size_s
FROM exchange_instrument i JOIN exchange_book b ON b.instrument_id = i.id AND b.phase <> %(closed)s
JOIN rights_series own ON own.id = i.series_id JOIN rights_computeclass oc ON oc.id = own.compute_class_id
JOIN rights_series s ON s.id <> own.id AND s.window_mode = own.window_mode AND s.window_start <= own.window_start
    AND s.window_end >= own.window_end
JOIN rights_computeclass c ON c.id = s.compute_class_id AND c.unit = oc.unit
WHERE i.delivery_rule = %(rule)s AND i.id = ANY(%(instruments)s::bigint[]) AND s.xid >= %(since)s::text::xid8
  AND (%(series)s::bigint IS NULL OR s.id = %(series)s)
  AND NOT EXISTS (SELECT 1 FROM exchange_deliverable d WHERE d.instrument_id = i.id AND d.series_id = s.id)
ORDER BY i.id, s.id
"""
_DIMENSIONS = "SELECT id, dimensions::text FROM rights_computeclass WHERE id = ANY(%s::bigint[])"
_INSERT = """
INSERT INTO exchange_deliverable (instrument_id, series_id, since)
SELECT w.instrument_id, w.series_id, %s FROM unnest(%s::bigint[], %s::bigint[]) AS w(instrument_id, series_id)
ON CONFLICT DO NOTHING RETURNING instrument_id, series_id
"""


def register_deliverable(
    *, instrument_id: int | None = None, series_id: int | None = None, actor: str, now_us: int, most: int = 200
) -> int:
    """Register what dominates and is not registered yet, of one instrument or one series or of all; how many. At most `most` at once."""
    with transaction.atomic():
        now = {row[0]: row[1] for row in rows.fetch_all(_OPEN, [int(Phase.CLOSED), DOMINANCE]) if instrument_id in {None, row[0]}}
        of_all = series_id is None and instrument_id is None
        found = _unjudged(now) if of_all else _dominating(_candidates(now, series_id=series_id))
        made = _register(found[:most], actor, now_us)
    if of_all and len(found) <= most:  # and all of it is committed
        _judged.clear()
        _judged.update(now)
    return made


def _unjudged(now: Mapping[int, int]) -> list[Candidate]:
    """What dominates among the series that came since each of these instruments was judged."""
    alike: dict[int, list[int]] = {}
    for instrument in now:
        alike.setdefault(_judged.get(instrument, 0), []).append(instrument)
    return _dominating([candidate for since, instruments in alike.items() for candidate in _candidates(instruments, since=since)])


def _candidates(instruments: Iterable[int], *, series_id: int | None = None, since: int = 0) -> list[Candidate]:
    values: Any = {
        "closed": int(Phase.CLOSED),
        "rule": DOMINANCE,
        "instruments": rows.array(instruments),
        "series": series_id,
        "since": since,
    }
    return [Candidate(*row) for row in rows.fetch_all(_CANDIDATES, values)]


def _register(found: Sequence[Candidate], actor: str, now_us: int) -> int:
    if not found:
        return 0
    columns = [rows.array(c.instrument_id for c in found), rows.array(c.series_id for c in found)]
    made = {(row[0], row[1]) for row in rows.fetch_all(_INSERT, [rfc3339(now_us), *columns])}
    events = [_event(candidate) for candidate in found if (candidate.instrument_id, candidate.series_id) in made]
    journal.append(stream_id=journal.stream_for("registry"), events=events, actor=actor, now_us=now_us)
    return len(events)


def _dominating(candidates: Sequence[Candidate]) -> list[Candidate]:
    wanted = {number for candidate in candidates for number in (candidate.own_class, candidate.class_id)}
    texts = rows.fetch_all(_DIMENSIONS, [rows.array(wanted)]) if wanted else []
    dims: dict[int, Mapping[str, Any]] = {number: msgspec.json.decode(text) for number, text in texts}
    return [
        c
        for c in candidates
        if dominates(
            own_dims=dims[c.class_id],
            own_window=WindowFacts(text_of(c.start_us), text_of(c.end_us), c.mode, c.period_s),
            dims=dims[c.own_class],
            window=WindowFacts(text_of(c.own_start_us), text_of(c.own_end_us), c.mode, c.own_period_s),
        )
    ]


def _event(candidate: Candidate) -> journal.NewEvent:
    payload = {
        "class": candidate.class_key,
        "instrument": candidate.symbol,
        "series": f"series:{candidate.series_id}",
        "window_end": rfc3339(candidate.end_us),
        "window_start": rfc3339(candidate.start_us),
    }
    return journal.NewEvent("instrument.deliverable_added", "instrument", candidate.symbol, payload)
