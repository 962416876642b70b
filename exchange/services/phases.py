"""Trading phases change by commands in the book's own log, so a halt has its place among the orders."""

from django.db import transaction

from exchange.domain.command import Phase
from exchange.models import Book
from exchange.models.book import CommandKind
from exchange.services.intake import submit_one
from exchange.services.operator_refusal import OperatorRefusal
from exchange.services.payload import PhasePayload
from rights.domain.reason import stated_reason
from rights.kernel import rows
from rights.kernel.clock import rfc3339, to_us

ACTOR = "timetable"
_MAY_FOLLOW = {
    Phase.PRE_OPEN: (Phase.CONTINUOUS, Phase.HALTED, Phase.CLOSED),
    Phase.CONTINUOUS: (Phase.HALTED, Phase.CLOSED),
    Phase.HALTED: (Phase.CONTINUOUS, Phase.CLOSED),
    Phase.CLOSED: (),
}


def may_follow(phase: int) -> tuple[Phase, ...]:
    """The phases a book may go to from this one."""
    return _MAY_FOLLOW[Phase(phase)]


@transaction.atomic
def set_phase(*, book_id: int, phase: Phase, reason: str, actor: str, now_us: int) -> int:
    """Submit the change; the number of the command. It holds once the book's lane has applied it.

    Raises ReasonMissing, OperatorRefusal `phase_refused`, `before_opening`, `after_gate`.
    """
    stated = stated_reason(reason)
    book = Book.objects.select_related("instrument").get(pk=book_id)
    if phase not in may_follow(book.phase):
        raise OperatorRefusal("phase_refused", f"a book in {Phase(book.phase).name.lower()} can't go to {phase.name.lower()}")
    if phase is Phase.CONTINUOUS and now_us < to_us(book.instrument.opens_at):
        raise OperatorRefusal("before_opening", f"{book.instrument.symbol} opens at {book.instrument.opens_at:%Y-%m-%d %H:%M}")
    if phase is Phase.CONTINUOUS and now_us >= to_us(book.instrument.gate_closes_at):
        raise OperatorRefusal("after_gate", f"the gate of {book.instrument.symbol} has closed")
    payload = PhasePayload(phase=int(phase), reason=stated)
    return submit_one(book_id=book_id, kind=CommandKind.SET_PHASE, payload=payload, actor=actor, now_us=now_us)


def halt(*, book_id: int, reason: str, actor: str, now_us: int) -> int:
    """Cancels only, until somebody resumes."""
    return set_phase(book_id=book_id, phase=Phase.HALTED, reason=reason, actor=actor, now_us=now_us)


def resume(*, book_id: int, reason: str, actor: str, now_us: int) -> int:
    """Back to continuous trading."""
    return set_phase(book_id=book_id, phase=Phase.CONTINUOUS, reason=reason, actor=actor, now_us=now_us)


def close(*, book_id: int, reason: str, actor: str, now_us: int) -> int:
    """For good: everything resting is cancelled and what it reserved released."""
    return set_phase(book_id=book_id, phase=Phase.CLOSED, reason=reason, actor=actor, now_us=now_us)


# One change of phase under way is enough: unread commands are those of transactions from scan_xid on. A lane that
# has not answered for PATIENCE is told again.
PATIENCE_US = 10_000_000
_DUE = """
SELECT b.instrument_id, CASE WHEN i.gate_closes_at <= %(now)s THEN %(closed)s ELSE %(continuous)s END
FROM exchange_book b JOIN exchange_instrument i ON i.id = b.instrument_id
WHERE (b.phase <> %(closed)s AND i.gate_closes_at <= %(now)s
       OR b.phase = %(pre_open)s AND i.opens_at <= %(now)s)
  AND NOT EXISTS (
    SELECT 1 FROM exchange_command c WHERE c.book_id = b.instrument_id AND c.xid >= b.scan_xid::text::xid8
      AND c.kind = %(kind)s AND c.actor = %(actor)s AND c.accepted_at > %(patience)s)
ORDER BY b.instrument_id
"""


def due_phase_changes(now_us: int) -> list[tuple[int, Phase]]:
    """Books whose opening or gate has come and that have not been told yet."""
    values = {
        "now": rfc3339(now_us),
        "patience": rfc3339(now_us - PATIENCE_US),
        "closed": int(Phase.CLOSED),
        "continuous": int(Phase.CONTINUOUS),
        "pre_open": int(Phase.PRE_OPEN),
        "kind": int(CommandKind.SET_PHASE),
        "actor": ACTOR,
    }
    return [(book_id, Phase(phase)) for book_id, phase in rows.fetch_all(_DUE, values)]
