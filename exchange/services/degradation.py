"""A degraded assurance follows the plan it declared (SPEC §7, drift), and what the plan did ends when it is sound again.

That nothing more is issued under it needs no act: issuing looks at its status. What was issued is never rewritten: rights still in
the issuer's own hands freeze, or the books it mostly backs halt, each once per degradation, so that an operator who decides otherwise is not
overruled every second. The timetable calls both functions; each step is a transaction of its own, with the assurance locked first.
"""

from typing import Any

from django.db import transaction

from exchange.domain.command import Phase, Reason
from exchange.services import freeze
from exchange.services.operator_refusal import OperatorRefusal
from exchange.services.phases import ACTOR, may_follow, set_phase
from exchange.services.pulls import pull_asks_of_right
from exchange.services.rules import DELIVERED
from rights.domain import supply_events
from rights.domain.lifecycle import FreezeReason
from rights.kernel import rows
from rights.kernel.clock import rfc3339
from rights.kernel.ids import Mint
from rights.models import Right
from rights.services.freeze_many import freeze_rights
from rights.services.journal import NewEvent
from rights.services.registry import remember_all
from settlement.services.ledger import LedgerRefusal

FREEZE, HALT = "freeze", "halt"
MOST = 200

# With each, what its plan looks at: the heads of the streams in which its rights stand, or its books with their phases
# and the heads of all they deliver, of which it may back the most or not.
_SERIES = "(s.compute_class_id, s.window_start, s.window_end) = (a.compute_class_id, a.window_start, a.window_end)"
_PLANS_DUE = f"""
SELECT a.id, a.revision, a.degradation_plan, CASE a.degradation_plan WHEN 'freeze-unsold' THEN
    ARRAY(SELECT t.last_hash FROM rights_series s JOIN rights_stream t ON t.id = s.stream_id WHERE {_SERIES} ORDER BY s.id)
  ELSE ARRAY(
    SELECT b.instrument_id || ' ' || b.phase || ' ' || t.last_hash FROM rights_series s JOIN {DELIVERED} d ON d.series_id = s.id
    JOIN exchange_book b ON b.instrument_id = d.instrument_id JOIN {DELIVERED} o ON o.instrument_id = d.instrument_id
    JOIN rights_series x ON x.id = o.series_id JOIN rights_stream t ON t.id = x.stream_id WHERE {_SERIES} ORDER BY 1) END
FROM rights_assurance a WHERE a.status = 'degraded' AND a.degradation_plan = ANY(%s) AND a.window_end > %s ORDER BY a.id
"""
_LOCK = """
SELECT a.uuid::text, a.reference, a.degradation_plan, i.participant_id FROM rights_assurance a JOIN rights_issuer i ON i.id = a.issuer_id
WHERE a.id = %s AND a.status = 'degraded' AND a.window_end > %s FOR NO KEY UPDATE OF a
"""
_NOT_DONE = "NOT EXISTS (SELECT 1 FROM rights_planact x WHERE x.assurance_id = %(assurance)s AND x.lifted_at IS NULL AND x.object_id = {})"
_UNSOLD = f"""
SELECT r.id::text FROM rights_right r WHERE r.assurance_id = %(assurance)s AND r.status IN ('issued', 'active') AND r.remaining_units > 0
  AND r.holder_id = ANY(ARRAY(SELECT h.id FROM rights_account h WHERE h.participant_id = %(participant)s))
  AND {_NOT_DONE.format("'rgt_' || r.id")} ORDER BY r.id LIMIT {MOST} FOR NO KEY UPDATE OF r
"""
# Those whose supply rests on it for the most part. In the others only the asks that offer rights of it leave (services/disclosure.py).
_BOOKS = f"""
SELECT b.instrument_id, i.symbol FROM rights_assurance a JOIN rights_series s
  ON (s.compute_class_id, s.window_start, s.window_end) = (a.compute_class_id, a.window_start, a.window_end)
JOIN exchange_instrument i ON i.series_id = s.id OR i.id IN (SELECT d.instrument_id FROM exchange_deliverable d WHERE d.series_id = s.id)
JOIN exchange_book b ON b.instrument_id = i.id
WHERE a.id = %(assurance)s AND b.phase = ANY(%(phases)s) AND {_NOT_DONE.format("i.symbol")} AND (
    SELECT 2 * coalesce(sum(r.remaining_units) FILTER (WHERE r.assurance_id = a.id), 0) > coalesce(sum(r.remaining_units), 0)
    FROM {DELIVERED} d JOIN rights_right r ON r.series_id = d.series_id
    WHERE d.instrument_id = i.id AND r.remaining_units > 0 AND r.status IN ('issued', 'active', 'frozen')) ORDER BY i.symbol LIMIT {MOST}
"""
_DONE = """
INSERT INTO rights_planact (assurance_id, act, object_id, done_at) SELECT %s, %s, w, %s FROM unnest(%s::varchar[]) AS w ORDER BY w
"""
_OVER = """
SELECT a.id, x.act, array_agg(x.object_id ORDER BY x.object_id) FROM (
    SELECT assurance_id, act, object_id FROM rights_planact WHERE lifted_at IS NULL ORDER BY id) x
JOIN rights_assurance a ON a.id = x.assurance_id WHERE a.status <> 'degraded' OR a.window_end <= %s GROUP BY 1, 2 ORDER BY 1, 2
"""
_LOCK_OVER = """
SELECT uuid::text, degradation_plan FROM rights_assurance WHERE id = %s AND (status <> 'degraded' OR window_end <= %s) FOR NO KEY UPDATE
"""
# The freeze that each of them stands under.
_LAST_FREEZE = """
SELECT w.id, (SELECT e.body::jsonb ->> 'actor' FROM rights_event e WHERE e.object_id = 'rgt_' || w.id AND e.type = 'right.frozen'
              ORDER BY e.id DESC LIMIT 1)
FROM unnest(%s::uuid[]) AS w(id)
"""
_LIFT = "UPDATE rights_planact SET lifted_at = %s WHERE assurance_id = %s AND object_id = ANY(%s) AND lifted_at IS NULL"


_followed: dict[int, tuple[Any, ...]] = {}  # by assurance: what its plan looked at when nothing was left to be done


def forget() -> None:
    """For tests, which replace databases under a running process."""
    _followed.clear()


def follow_plans_due(*, now_us: int) -> int:
    """Do what degraded assurances have declared and what is not done yet; how many rights and books it was done to.

    A plan that is done is not looked at again before something has changed that it acts upon.
    """
    with transaction.atomic():
        due = {row[0]: row[1:] for row in rows.fetch_all(_PLANS_DUE, [["freeze-unsold", "halt-books"], rfc3339(now_us)])}
    for over in _followed.keys() - due.keys():
        del _followed[over]
    total = 0
    for assurance_id, state in due.items():
        if _followed.get(assurance_id) != state:
            found, done = _follow(assurance_id, now_us)
            total += done
            if not found:
                _followed[assurance_id] = state
    return total


def lift_plans_due(*, mint: Mint, now_us: int) -> int:
    """End what plans did for assurances that are sound again or whose window is over: frozen rights go on; how many acts were lifted.

    A halted book stays halted until an operator resumes it: there may be other reasons by now.
    """
    with transaction.atomic():
        over = rows.fetch_all(_OVER, [rfc3339(now_us)])
    lifted = 0
    for assurance_id, act, objects in over:
        if act == HALT:
            lifted += _lift(assurance_id, act, objects, mint, now_us)
        else:
            # One right after the other: each may have to give back its units, under locks of its own.
            lifted += sum(_lift_one(assurance_id, right, mint, now_us) for right in _page(objects, now_us))
    return lifted


def _page(objects: list[str], now_us: int) -> list[str]:
    """At most MOST of them, others each second: what can't be lifted yet keeps nobody waiting."""
    first = now_us // 1_000_000 * MOST % len(objects)
    return (objects[first:] + objects[:first])[:MOST]


def _lift_one(assurance_id: int, right: str, mint: Mint, now_us: int) -> int:
    """A right whose units somebody still holds can't end; it waits for the next call."""
    try:
        return _lift(assurance_id, FREEZE, [right], mint, now_us)
    except (OperatorRefusal, LedgerRefusal):
        return 0


@transaction.atomic
def _follow(assurance_id: int, now_us: int) -> tuple[int, int]:
    """How many rights or books its plan still concerned, and to how many it was done."""
    found = rows.fetch_one(_LOCK, [assurance_id, rfc3339(now_us)])
    if found is None:  # refreshed meanwhile
        return 0, 0
    uuid, reference, plan, participant_id = found
    note = f"the capacity behind {reference} has fallen below what stands issued"
    if plan == "freeze-unsold":
        unsold = [row[0] for row in _fetch(_UNSOLD, assurance=assurance_id, participant=participant_id)]
        due, done, act = len(unsold), _freeze_unsold(unsold, note, now_us), FREEZE
    else:
        phases = [int(phase) for phase in Phase if Phase.HALTED in may_follow(phase)]
        books = _fetch(_BOOKS, assurance=assurance_id, phases=phases)
        due, done, act = len(books), _halt_books(books, note, now_us), HALT
    if done:
        rows.execute(_DONE, [assurance_id, act, rfc3339(now_us), done])
        payload = supply_events.plan_acts(degradation_plan=plan, act=act, objects=done)
        remember_all([NewEvent(supply_events.PLAN_FOLLOWED, "assurance", f"ast_{uuid}", payload)], actor=ACTOR, now_us=now_us)
    return due, len(done)


def _freeze_unsold(unsold: list[str], note: str, now_us: int) -> list[str]:
    """Freeze what the issuer still holds itself, and pull its asks. Locked as it was read: what is sold meanwhile is its buyer's."""
    frozen = freeze_rights(right_ids=unsold, freeze_reason=FreezeReason.SETTLEMENT_LOCK, note=note, actor=ACTOR, now_us=now_us)
    for right_id in frozen:
        pull_asks_of_right(right_id=right_id, reason=Reason.RIGHT_FROZEN, actor=ACTOR, now_us=now_us)
    return [f"rgt_{right_id}" for right_id in frozen]


def _halt_books(books: list[tuple[Any, ...]], note: str, now_us: int) -> list[str]:
    """Halt the books that may be halted now; what a book does at the same moment comes first."""
    halted = []
    for book_id, symbol in books:
        try:
            set_phase(book_id=book_id, phase=Phase.HALTED, reason=note, actor=ACTOR, now_us=now_us)
        except OperatorRefusal:
            continue
        halted.append(symbol)
    return halted


@transaction.atomic
def _lift(assurance_id: int, act: str, objects: list[str], mint: Mint, now_us: int) -> int:
    found = rows.fetch_one(_LOCK_OVER, [assurance_id, rfc3339(now_us)])
    if found is None:  # degraded again meanwhile
        return 0
    uuid, plan = found
    if act == FREEZE:
        _thaw(objects, mint, now_us)
    rows.execute(_LIFT, [rfc3339(now_us), assurance_id, objects])
    payload = supply_events.plan_acts(degradation_plan=plan, act=act, objects=objects)
    remember_all([NewEvent(supply_events.PLAN_LIFTED, "assurance", f"ast_{uuid}", payload)], actor=ACTOR, now_us=now_us)
    return len(objects)


def _thaw(objects: list[str], mint: Mint, now_us: int) -> None:
    """Let rights go on that are still frozen by the plan; one that somebody has frozen anew, for whatever reason, stays so."""
    uuids = [right.removeprefix("rgt_") for right in objects]
    frozen = Right.objects.filter(pk__in=uuids, status="frozen", freeze_reason=FreezeReason.SETTLEMENT_LOCK).order_by("pk")
    held = rows.array(frozen.select_for_update(no_key=True).values_list("pk", flat=True))
    for right_id in sorted(str(uuid) for uuid, actor in rows.fetch_all(_LAST_FREEZE, [held]) if actor == ACTOR):
        note = "the capacity behind it carries what stands issued again, or its window is over"
        freeze.unfreeze_right(right_id=right_id, reason=note, mint=mint, actor=ACTOR, now_us=now_us)


def _fetch(sql: str, **values: Any) -> list[tuple[Any, ...]]:
    return rows.fetch_all(sql, values)
