"""Look again at an assurance (SPEC §7): the same numbers or new ones, and whether they carry what stands issued."""

import msgspec
from django.db import transaction

from rights.domain import supply_events
from rights.domain.assurance import Stand, stand_refusals
from rights.domain.issuance import Refusal
from rights.domain.reason import stated_reason
from rights.kernel import rows
from rights.kernel.clock import rfc3339, to_us
from rights.models import Assurance
from rights.selectors.supply import sources_of
from rights.services.drift import Backing, degraded_event, lock_assurances
from rights.services.journal import NewEvent
from rights.services.pledges import Source, find_capacity, lock_capacity, pledged_to, pledges_of, write_pledges
from rights.services.post_assurance import MOST_UNITS
from rights.services.refusals import IssuanceRefusedError
from rights.services.registry import remember_all

_WRITE = """
UPDATE rights_assurance SET gross_units = %s, haircut_bps = %s, status = %s, degraded_at = CASE WHEN %s = 'sound' THEN NULL
    WHEN status = %s THEN degraded_at ELSE %s END, refreshed_at = %s, revision = revision + 1
WHERE id = %s
"""
_DUE = """
SELECT id FROM rights_assurance WHERE status = 'sound' AND window_end > %s AND refreshed_at + make_interval(secs => stale_after_s) < %s
ORDER BY id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
"""
_STALE = "UPDATE rights_assurance SET status = 'stale', degraded_at = %s WHERE id = ANY(%s)"
CLOCK = "timetable"


class Refresh(msgspec.Struct, frozen=True):
    """What is found now; None: as it was. `sources` empty: nothing stands behind it any more."""

    gross_units: int | None = None
    haircut_bps: int | None = None
    sources: tuple[Source, ...] | None = None


@transaction.atomic
def refresh_assurance(
    *, assurance_id: str, refresh: Refresh, attested: bool, actor: str, now_us: int, note: str | None = None
) -> Assurance:
    """The assurance (by UUID) as it was found now: sound again, or degraded where more stands issued than it carries.

    Nothing issued is touched. `attested`: an operator has looked himself, and `note` says at what; only he answers for one
    without sources. Raises IssuanceRefusedError with every reason, ReasonMissing, Assurance.DoesNotExist.
    """
    stated = None if note is None and not attested else stated_reason(note or "")
    row = Assurance.objects.select_related("issuer", "compute_class").get(uuid=assurance_id)
    wanted, refusals = None, _number_refusals(refresh)
    if refresh.sources is not None:
        span = {"window_start_us": to_us(row.window_start), "window_end_us": to_us(row.window_end)}
        wanted, unfound = find_capacity(refresh.sources, **span)
        refusals += unfound
    held = pledged_to(row.pk)
    lock_capacity({*held, *(wanted or {})})
    backing = lock_assurances([row.pk])[0]
    if not pledged_to(row.pk).keys() <= held.keys():
        refusals.append(Refusal("assurance_changed", "somebody else refreshed it at the same moment: look again"))
    held = pledged_to(row.pk)
    before = backing.status
    units = held if wanted is None else wanted
    backing.gross_units = backing.gross_units if refresh.gross_units is None else refresh.gross_units
    backing.haircut_bps = backing.haircut_bps if refresh.haircut_bps is None else refresh.haircut_bps
    if not refusals:
        refusals = _stand(row, backing, units, held, given=wanted is not None, attested=attested, now_us=now_us)
    if refusals:
        raise IssuanceRefusedError(refusals)
    backing.status = "degraded" if backing.issued_units > backing.most_units else "sound"
    write_pledges(row.pk, units)
    at = rfc3339(now_us)
    numbers = [backing.gross_units, backing.haircut_bps, backing.status, backing.status, backing.status, at, at, row.pk]
    rows.execute(_WRITE, numbers)
    refreshed = supply_events.refreshed(
        note=stated,
        gross_units=backing.gross_units,
        haircut_bps=backing.haircut_bps,
        status=backing.status,
        revision=backing.revision + 1,
        behind=sources_of([row.pk]).get(row.pk, ()),
    )
    events = [NewEvent(supply_events.REFRESHED, "assurance", f"ast_{backing.uuid}", refreshed)]
    if backing.status == "degraded" and before != "degraded":
        events.append(degraded_event(backing, reason="drift"))
    remember_all(events, actor=actor, now_us=now_us)
    row.refresh_from_db()
    return row


@transaction.atomic
def mark_stale_due(*, now_us: int, most: int = 200) -> int:
    """Mark what nobody refreshed in time, at most `most` per call; how many. One that is just being refreshed waits for the next call."""
    due = [row[0] for row in rows.fetch_all(_DUE, [rfc3339(now_us), rfc3339(now_us), most])]
    if not due:
        return 0
    backings = lock_assurances(due)
    for backing in backings:
        backing.status = "stale"
    rows.execute(_STALE, [rfc3339(now_us), due])
    remember_all([degraded_event(backing, reason="stale") for backing in backings], actor=CLOCK, now_us=now_us)
    return len(due)


def _number_refusals(refresh: Refresh) -> list[Refusal]:
    gross, haircut = refresh.gross_units, refresh.haircut_bps
    checks = [
        (gross is None or 0 <= gross <= MOST_UNITS, "assurance_gross", f"gross units are 0 to {MOST_UNITS}", "gross_units"),
        (haircut is None or 0 <= haircut <= 10_000, "assurance_haircut", "the haircut is 0 to 10000 bps", "haircut_bps"),
    ]
    return [Refusal(code, words, field) for holds, code, words, field in checks if not holds]


def _stand(
    row: Assurance, backing: Backing, units: dict[int, int], held: dict[int, int], *, given: bool, attested: bool, now_us: int
) -> list[Refusal]:
    """Whether what stands behind it carries the numbers; `given`: the sources are the request's, so their places are named."""
    if now_us >= to_us(row.window_end):
        return [Refusal("window_over", "its window has ended")]
    if not units:
        if attested or not backing.gross_units:
            return []
        words = "nothing posted stands behind it: name sources, or let an operator look"
        return [Refusal("assurance_unsourced", words, "sources")]
    stand = Stand(
        issuance_path=row.issuer.issuance_path,
        issuer_type=row.issuer.issuer_type,
        mode=row.mode,
        dims=row.compute_class.dimensions,
        window_start_us=to_us(row.window_start),
        window_end_us=to_us(row.window_end),
        gross_units=backing.gross_units,
        haircut_bps=backing.haircut_bps,
    )
    return stand_refusals(stand, pledges_of(units, issuer=row.issuer, held=held, field="sources" if given else ""))
