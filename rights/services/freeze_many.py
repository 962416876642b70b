"""Stop many rights at once: all are locked in id order before anything is written, and each stream is appended to once."""

from collections.abc import Sequence

from django.db import transaction

from rights.domain import right_events
from rights.domain.lifecycle import FreezeReason
from rights.domain.reason import stated_reason
from rights.kernel import rows
from rights.kernel.clock import rfc3339
from rights.services.deliveries import MOVABLE, lock_rights
from rights.services.journal import NewEvent, append

# Meanwhile deliveries of the same root make another right (rights/services/freeze.py), so none stays netted.
_FREEZE = """
UPDATE rights_right SET prior_status = status, status = 'frozen', freeze_reason = %s, netted = false, updated_at = %s
WHERE id = ANY(%s::uuid[])
"""
_STREAMS = """
SELECT s.stream_id, array_agg(r.id::text ORDER BY r.id) FROM rights_right r JOIN rights_series s ON s.id = r.series_id
WHERE r.id = ANY(%s::uuid[]) GROUP BY 1 ORDER BY 1
"""


@transaction.atomic
def freeze_rights(*, right_ids: Sequence[str], freeze_reason: FreezeReason, note: str, actor: str, now_us: int) -> list[str]:
    """Those of the rights (UUID texts) that are `issued` or `active` become `frozen`; which. Raises ReasonMissing."""
    note = stated_reason(note)
    held = {uuid: right for uuid, right in lock_rights(right_ids).items() if right.status in MOVABLE}
    if not held:
        return []
    ids = rows.array(held)
    rows.execute(_FREEZE, [freeze_reason.value, rfc3339(now_us), ids])
    for stream_id, members in rows.fetch_all(_STREAMS, [ids]):
        events = [
            NewEvent(
                right_events.FROZEN,
                "right",
                f"rgt_{uuid}",
                right_events.frozen(right=uuid, reason=freeze_reason.value, prior_status=held[uuid].status, note=note),
            )
            for uuid in members
        ]
        append(stream_id=stream_id, events=events, actor=actor, now_us=now_us)
    return sorted(held)
