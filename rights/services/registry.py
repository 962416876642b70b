"""Facts about everything but single rights go to one stream, which is locked last of all (ARCHITECTURE.md, lock order)."""

from collections.abc import Sequence

from rights.services.journal import NewEvent, append, stream_for

REGISTRY = "registry"


def remember_all(events: Sequence[NewEvent], *, actor: str, now_us: int) -> None:
    """Append the facts in this order, inside the caller's transaction."""
    append(stream_id=stream_for(REGISTRY), events=events, actor=actor, now_us=now_us)
