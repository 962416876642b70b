"""Rights whose window has ended: packages let go of them, asks still resting on them are pulled, then the rights expire."""

from contextlib import suppress
from enum import Enum, auto

from django.db import transaction

from exchange.domain.command import Reason
from exchange.services.pulls import pull_asks_of_right
from rights.kernel import rows
from rights.kernel.apart import apart
from rights.kernel.clock import rfc3339
from rights.kernel.ids import Mint
from rights.kernel.pauses import Pauses
from rights.services.refusals import LifecycleRefusedError
from settlement.services import endings
from settlement.services.ledger import LedgerRefusal
from settlement.services.packages import drop_ended_parts

ACTOR = "timetable"
_PACKAGES = """
SELECT DISTINCT p.id, p.uuid::text FROM rights_packagepart x JOIN rights_package p ON p.id = x.package_id
JOIN rights_right r ON r.id = x.right_id WHERE x.removed_at IS NULL AND r.ends_at <= %(now)s
AND p.uuid <> ALL(%(resting)s::uuid[]) ORDER BY p.id LIMIT %(most)s
"""
# A right that only locks hold back is passed over until they are released; one with asks keeps none waiting that is free.
_RIGHTS = """
SELECT r.id::text, r.reserved_units FROM rights_right r WHERE r.status IN ('issued', 'active') AND r.ends_at <= %(now)s
AND r.id <> ALL(%(resting)s::uuid[])
"""
_LOCKED = "(SELECT coalesce(sum(l.units), 0) FROM rights_unitlock l WHERE l.right_id = r.id AND l.released_at IS NULL)"
_ENDED = f"""
({_RIGHTS} AND r.reserved_units = 0 ORDER BY r.ends_at, r.id LIMIT %(most)s)
UNION ALL ({_RIGHTS} AND r.reserved_units > {_LOCKED} ORDER BY r.ends_at, r.id LIMIT %(most)s)
"""


WAIT_US = 2_000_000  # so long a right is left alone at most while its asks leave their books


class _End(Enum):
    DONE = auto()
    WAITS = auto()
    FAILED = auto()


_packages, _rights = Pauses(), Pauses()
_waiting = Pauses(WAIT_US)


def expire_due(*, mint: Mint, now_us: int, most: int = 200) -> int:
    """Expire rights whose time is over, each in its own transaction; how many. At most `most` of a kind are looked at.

    One that is still reserved waits until its asks have left the book; one that changes meanwhile waits for the next call. One that can't
    be expired is told on the log, and keeps no other waiting: what fails again and again is looked at ever more seldom, what merely waits
    soon again.
    """
    asked = {"now": rfc3339(now_us), "most": most}
    with transaction.atomic():
        packages = rows.fetch_all(_PACKAGES, asked | {"resting": rows.array(_packages.resting(now_us))})
    for _, package_id in packages:
        is_done = False
        with apart(f"the ended parts of pkg_{package_id}"):
            with suppress(LifecycleRefusedError):  # taken apart meanwhile
                drop_ended_parts(package_id=package_id, actor=ACTOR, now_us=now_us)
            is_done = True
        _packages.note(package_id, is_done=is_done, now_us=now_us)
    with transaction.atomic():
        resting = {*_rights.resting(now_us), *_waiting.resting(now_us)}
        ended = rows.fetch_all(_ENDED, asked | {"resting": rows.array(resting)})
    done = 0
    for right_id, reserved in ended:
        end = _End.FAILED
        with apart(f"the end of rgt_{right_id}"):
            end = _expire(right_id, reserved, mint, now_us)
        _rights.note(right_id, is_done=end is not _End.FAILED, now_us=now_us)
        _waiting.note(right_id, is_done=end is not _End.WAITS, now_us=now_us)
        done += end is _End.DONE
    return done


def _expire(right_id: str, reserved: int, mint: Mint, now_us: int) -> _End:
    if reserved:
        with transaction.atomic():
            pull_asks_of_right(right_id=right_id, reason=Reason.RIGHT_EXPIRED, actor=ACTOR, now_us=now_us)
        return _End.WAITS
    try:
        endings.expire_right(right_id=right_id, mint=mint, actor=ACTOR, now_us=now_us)
    except LifecycleRefusedError:  # it changed meanwhile
        return _End.WAITS
    except LedgerRefusal:
        return _End.FAILED
    return _End.DONE
