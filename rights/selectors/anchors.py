"""Anchors, the proofs by them, and the keys they are signed with."""

from typing import Any

from rights.domain.anchor_body import proof_document
from rights.domain.merkle import inclusion_path
from rights.domain.statement import Signed
from rights.kernel import rows
from rights.kernel.clock import rfc3339, to_us
from rights.kernel.ids import owner_and_number, public
from rights.models import Anchor, VenueKey

# An event's id is made of its stream and its number there, so it is found without an index of its own.
_COVERED = """
SELECT a.uuid::text, e.hash, s.first_leaf + e.seq - s.first_seq FROM rights_event e
JOIN LATERAL (SELECT * FROM rights_anchorspan WHERE stream_id = e.stream_id AND first_seq <= e.seq ORDER BY first_seq DESC LIMIT 1) s
  ON s.last_seq >= e.seq
JOIN rights_anchor a ON a.id = s.anchor_id WHERE e.stream_id = %s AND e.seq = %s AND e.id = %s
"""
_LEAVES = """
SELECT e.hash FROM rights_anchorspan s JOIN rights_event e ON e.stream_id = s.stream_id AND e.seq BETWEEN s.first_seq AND s.last_seq
WHERE s.anchor_id = %s ORDER BY s.first_leaf, e.seq
"""


def anchors(*, limit: int, before: int | None, event_uuid: str | None) -> list[Anchor]:
    """Newest first, at most `limit` + 1; with `event_uuid` the one that covers that event."""
    found = Anchor.objects.order_by("-number")
    if event_uuid is not None:
        covered = _covered(event_uuid)
        found = found.filter(uuid=covered[0]) if covered else found.none()
    if before is not None:
        found = found.filter(number__lt=before)
    return list(found[: limit + 1])


def anchor(uuid: str) -> Anchor | None:
    return Anchor.objects.filter(uuid=uuid).first()


def document(row: Anchor) -> dict[str, Any]:
    """An anchor as the API lists it."""
    return {
        "id": public("anc", str(row.uuid)),
        "number": str(row.number),
        "at": rfc3339(to_us(row.at)),
        "leaves": str(row.leaves),
        "root": row.root,
        "hash": row.hash,
        "key_id": row.key_id,
        "signature": row.signature,
    }


def proof(row: Anchor, event_uuid: str) -> dict[str, Any] | None:
    """That the anchor covers the event; None when it does not."""
    covered = _covered(event_uuid)
    if covered is None or covered[0] != str(row.uuid):
        return None
    leaves = [bytes.fromhex(digest) for (digest,) in rows.fetch_all(_LEAVES, [row.pk])]
    return proof_document(
        event_id=public("evt", event_uuid),
        event_hash=covered[1],
        leaf_index=covered[2],
        leaves=len(leaves),
        path=[node.hex() for node in inclusion_path(covered[2], leaves)],
        anchor=Signed(row.body, row.hash, row.key_id, row.signature),
        public_key=row.key.public_key,
    )


def _covered(event_uuid: str) -> tuple[str, str, int] | None:
    """(the anchor, the event's hash, its leaf) of an event that is anchored."""
    found = rows.fetch_one(_COVERED, [*owner_and_number(event_uuid), event_uuid])
    return None if found is None else (found[0], found[1], found[2])


def venue_keys() -> list[VenueKey]:
    """Every key the venue has signed with, the oldest first."""
    return list(VenueKey.objects.order_by("created_at", "key_id"))
