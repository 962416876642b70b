"""Ask every question, in one snapshot."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from django.db import DatabaseError, connection, transaction

from exchange.audit.check import Broken, Check
from exchange.audit.reference import ReferenceBook
from exchange.audit.registry import CHECKS
from exchange.replay.anchor_walk import walk_anchors
from exchange.replay.book_walk import walk_books
from exchange.replay.event_walk import walk_events
from exchange.replay.finding import LIMIT, Findings
from rights.kernel.clock import rfc3339
from rights.kernel.rows import ask
from rights.kernel.trip import Answer, Trip


class Report(msgspec.Struct, frozen=True):
    """What was asked and what does not hold; `skipped` names checks that a quick audit leaves out."""

    checked: list[str]
    skipped: list[str]
    broken: list[Broken]

    @property
    def codes(self) -> list[str]:
        """The invariants that are broken."""
        return sorted({broken.code for broken in self.broken})


def audit(*, now_us: int, quick: bool = False) -> Report:
    """Run all checks in the caller's snapshot; `quick` leaves out those that read the whole journal again."""
    asked = [check for check in CHECKS if check.sql]
    try:
        with whole_tables():
            found = _ask_together(asked, now_us)
    except DatabaseError:
        with whole_tables():
            found = {check.name: _ask(check, now_us) for check in asked}
    if not quick:
        found |= _walked()
    broken = [found[check.name] for check in CHECKS if check.name in found]
    return Report(
        checked=[check.name for check in CHECKS if check.name in found],
        skipped=[check.name for check in CHECKS if check.name not in found],
        broken=[answer for answer in broken if answer is not None],
    )


@contextmanager
def whole_tables() -> Iterator[None]:
    """Inside, joins read each table once. Where the server takes a part for a row or two (as it does of groups that must count one, or
    after a crash, when its statistics are old), loops over such a guess would cost the square of the trades.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_nestloop = off")
        yield
        cursor.execute("SET LOCAL enable_nestloop = DEFAULT")


def question(check: Check) -> str:
    """The SQL that finds the first offending rows, and one more than are told.

    Materialized, for a query of which few rows are wanted is planned as if they came early, and an honest exchange has none at all.
    """
    return f"WITH broken AS MATERIALIZED ({check.sql}) SELECT * FROM broken LIMIT {LIMIT + 1}"


def _ask_together(checks: Sequence[Check], now_us: int) -> dict[str, Broken | None]:
    """All queries in one trip. Raises DatabaseError when one of them can't be evaluated."""
    trip, now = Trip(), {"now": rfc3339(now_us)}
    answers = [(check, trip.ask(question(check), now)) for check in checks]
    trip.go()
    return {check.name: _answered(check, answer) for check, answer in answers}


def _ask(check: Check, now_us: int) -> Broken | None:
    """One query by itself. One that can't be evaluated (unreadable JSON in a row, say) is a broken check, not a broken audit."""
    try:
        with transaction.atomic():
            return _answered(check, ask(question(check), {"now": rfc3339(now_us)}))
    except DatabaseError as error:
        return Broken(check.code, check.name, check.says, [{"not_evaluated": str(error).splitlines()[0]}])


def _answered(check: Check, answer: Answer) -> Broken | None:
    rows = answer.rows()
    if not rows:
        return None
    names = answer.names()
    told = [dict(zip(names, map(_plain, row), strict=True)) for row in rows[:LIMIT]]
    return _broken(check, told, more=len(rows) > LIMIT)


def _broken(check: Check, rows: Sequence[dict[str, Any]], *, more: bool) -> Broken | None:
    return Broken(check.code, check.name, check.says, list(rows), more) if rows else None


def _plain(value: Any) -> Any:
    """A value that JSON can hold."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _walked() -> dict[str, Broken | None]:
    """The checks that read the whole journal: each reader goes through it once."""
    readers: dict[str, Findings] = {
        "events": walk_events().findings,
        "books": walk_books(ReferenceBook).findings,
        "anchors": walk_anchors(),
    }
    return {
        check.name: _broken(check, readers[check.walk].of(check.name), more=readers[check.walk].counts.get(check.name, 0) > LIMIT)
        for check in CHECKS
        if check.walk
    }
