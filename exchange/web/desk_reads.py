"""What the desk's frames have to know before a script asks the API: whose issuers, and what has no book yet."""

from datetime import datetime

import msgspec

from rights.kernel import rows
from rights.kernel.clock import rfc3339, to_us
from rights.models import Issuer, Participant

MOST = 200


class Unlisted(msgspec.Struct, frozen=True):
    """A class and window of which the issuer has issued rights, and that has no book and no open request for one."""

    class_key: str
    unit: str
    lot_size: int
    start: datetime
    end: datetime
    mode: str

    @property
    def value(self) -> str:
        """As the form of the listing request sends it."""
        window = {"start": rfc3339(to_us(self.start)), "end": rfc3339(to_us(self.end)), "mode": self.mode}
        return msgspec.json.encode({"class": self.class_key, "window": window}).decode()


_UNLISTED = """
SELECT c.key, c.unit, c.lot_size, s.window_start, s.window_end, s.window_mode
FROM rights_series s JOIN rights_computeclass c ON c.id = s.compute_class_id
WHERE s.window_end > %s AND EXISTS (SELECT 1 FROM rights_right r WHERE r.series_id = s.id AND r.issuer_id = %s)
  AND NOT EXISTS (SELECT 1 FROM exchange_instrument i WHERE i.series_id = s.id)
  AND NOT EXISTS (SELECT 1 FROM exchange_listingrequest l WHERE l.series_id = s.id AND l.state IN ('submitted', 'reviewed'))
ORDER BY s.window_start, c.key LIMIT %s
"""


def issuers_of(participant_id: int) -> list[Issuer]:
    """The names under which the participant may issue."""
    return list(Issuer.objects.filter(participant_id=participant_id).order_by("pk")[:50])


def is_issuer(participant: Participant | None) -> bool:
    return participant is not None and Issuer.objects.filter(participant=participant).exists()


def unlisted(issuer_id: int, *, now_us: int) -> list[Unlisted]:
    """Series the issuer could ask a book for, the next window first."""
    return [Unlisted(*row) for row in rows.fetch_all(_UNLISTED, [rfc3339(now_us), issuer_id, MOST])]
