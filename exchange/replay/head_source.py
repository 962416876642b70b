"""Where a stream ends, signed by the venue: whoever keeps it can show that the stream was rewritten (docs/receipts.md)."""

from typing import Any

from exchange.replay.event_chain import StreamHead
from rights.domain.signing import Signer
from rights.domain.statement import HEAD, head_members, signed_by
from rights.kernel.clock import rfc3339


def signed_head(head: StreamHead, *, signer: Signer, now_us: int) -> dict[str, Any]:
    """The document; `manage.py verify` checks it, and an export against it."""
    members = head_members(stream=head.stream, seq=int(head.last_seq), digest=head.last_hash)
    return signed_by(signer, version=HEAD, at=rfc3339(now_us), members=members)
