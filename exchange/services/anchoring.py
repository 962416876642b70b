"""When anchors are made: by the timetable, every ANCHOR_EVERY_S when there is something new, and whenever an operator wishes."""

import logging

from django.conf import settings

from exchange.services.venue_key import current_signer
from rights.kernel import rows
from rights.kernel.clock import rfc3339, to_us
from rights.models import Anchor, VenueKey
from rights.services.anchor import MOST_LEAVES, JournalBroken, make_anchor
from rights.services.venue_keys import VenueKeyRefusal

MOST_AT_ONCE = 8
_told: set[str] = set()
_LOG = logging.getLogger(__name__)
# Due when the newest anchor is old enough, and at once when it had no room for all.
_DUE = """
SELECT coalesce((SELECT at <= %s::timestamptz - make_interval(secs => %s) OR leaves = %s FROM rights_anchor ORDER BY number DESC LIMIT 1), true)
"""


def anchor_now(*, actor: str, now_us: int) -> list[Anchor]:
    """Anchor what is new, in at most MOST_AT_ONCE anchors; empty when nothing is. Raises VenueKeyRefusal."""
    signer = current_signer(actor=actor, now_us=now_us)
    # Another process may have published the key a moment later by its own clock: nothing is signed before that.
    now_us = max(now_us, *(to_us(key.created_at) for key in VenueKey.objects.filter(key_id=signer.key_id)))
    made: list[Anchor] = []
    while len(made) < MOST_AT_ONCE:
        anchor = make_anchor(signer=signer, actor=actor, now_us=now_us)
        if anchor is None:
            break
        made.append(anchor)
    return made


def anchor_due(*, actor: str, now_us: int) -> int:
    """Anchor if the time has come; how many anchors were made. A process without the venue's key leaves it to those that have it."""
    row = rows.fetch_one(_DUE, [rfc3339(now_us), settings.ANCHOR_EVERY_S, MOST_LEAVES])
    if row is None or not row[0]:
        return 0
    try:
        return len(anchor_now(actor=actor, now_us=now_us))
    except (VenueKeyRefusal, JournalBroken) as refusal:
        if str(refusal) not in _told:  # the timetable looks twice a second
            _told.add(str(refusal))
            _LOG.warning("no anchor is made here: %s", refusal)
        return 0
