"""A right that stands for what another one owes its holder: issued by the terms of that one, on the issuer's capacity, linked both ways.

One way for compensation in units (reissue.py), for what goes over at the end of a window (succession.py) and, of its link, for
replacements (replace.py). Nobody decides a grant, so its events name the terms as their actor.
"""

import msgspec

from rights.domain import right_events
from rights.domain.manifest import read_manifest
from rights.kernel.clock import to_datetime
from rights.kernel.ids import Mint, public
from rights.models import Account, Right, RightLink
from rights.services.journal import NewEvent
from settlement.services.issuance import issue_right
from settlement.services.unit_moves import Fact

ACTOR = "venue:terms"
_MADE = {"migrated": right_events.MIGRATED}


class Grant(msgspec.Struct, frozen=True):
    """`units` for `holder` beside `former` (with its issuer and series), under the terms of `document`; `kind` is a link's."""

    former: Right
    holder: Account
    units: int
    document: dict[str, object]
    kind: str = "reissued"


def issue_grant(grant: Grant, *, mint: Mint, now_us: int) -> Right:
    """The right, its units in the holder's inventory. Raises ManifestRefusedError, RegistryRefusalError.

    It is active, but in a rolling window that has not begun: there it waits, for its time would run from its activation.
    """
    manifest = read_manifest(grant.document)
    waits = manifest.document["window"]["mode"] == "rolling" and now_us < manifest.window_start_us
    return issue_right(
        issuer=grant.former.issuer,
        holder=grant.holder,
        document=grant.document,
        units=grant.units,
        mint=mint,
        actor=ACTOR,
        now_us=now_us,
        activate=not waits,
    )


def link(*, former: Right, latter: Right, units: int, kind: str, reason: str, now_us: int) -> list[Fact]:
    """Link them; the facts, as both rights tell them."""
    RightLink.objects.create(kind=kind, former=former, latter=latter, units=units, reason=reason, created_at=to_datetime(now_us))
    one, other = str(former.pk), str(latter.pk)
    ended = right_events.replaced(right=one, by=other, units=units, kind=kind, reason=reason)
    made = right_events.reissued_from(right=other, former=one, units=units, kind=kind, reason=reason)
    return [
        (former.series.stream_id, NewEvent(right_events.REPLACED, "right", public("rgt", one), ended)),
        (latter.series.stream_id, NewEvent(_MADE.get(kind, right_events.REISSUED_FROM), "right", public("rgt", other), made)),
    ]
