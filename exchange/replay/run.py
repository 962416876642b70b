"""Both rebuildings and what they found."""

import msgspec

from exchange.replay.book_walk import walk_books
from exchange.replay.event_walk import walk_events
from exchange.replay.finding import Finding


class Replay(msgspec.Struct, frozen=True):
    """Counts, the hash of the state on both sides, and the first differences of every kind."""

    streams: int
    events: int
    objects: int
    state_hash: dict[str, str]
    books: int
    batches: int
    commands: int
    trades: int
    differences: dict[str, int]
    first: list[Finding]


def replay() -> Replay:
    """State from the events alone, fills from the journal alone, in the caller's snapshot."""
    told, made = walk_events(), walk_books()
    return Replay(
        streams=told.streams,
        events=told.events,
        objects=told.digest.lines,
        state_hash=told.digest.digests(),
        books=made.books,
        batches=made.batches,
        commands=made.commands,
        trades=made.trades,
        differences=told.findings.counts | made.findings.counts,
        first=told.findings.listed + made.findings.listed,
    )
