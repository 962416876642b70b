"""A part of one stream's chain, checked where it is: gapless, every hash that of its body and known to the next (SPEC §10)."""

import msgspec

from exchange.replay.event_chain import GENESIS, Chain, EventRow, StreamHead
from exchange.replay.event_source import events_between
from rights.kernel import rows

MOST = 5000
_HEAD = "SELECT id::text, code, last_seq::text, last_hash FROM rights_stream WHERE code = %s"
_HASH = "SELECT hash FROM rights_event WHERE stream_id = %s AND seq = %s"


class RangeCheck(msgspec.Struct, frozen=True):
    """The events `from_seq` to `to_seq` of a stream that ends where `head` says; none when `to_seq` is less.

    `before_hash` is the hash of the event before the first one, `last_hash` the last one's.
    """

    head: StreamHead
    from_seq: int
    to_seq: int
    events: int
    before_hash: str
    last_hash: str
    faults: list[str]

    @property
    def next_seq(self) -> int | None:
        """Where to go on; None at the stream's end."""
        return self.to_seq + 1 if self.to_seq < int(self.head.last_seq) else None


def check_range(*, code: str, from_seq: int, to_seq: int) -> RangeCheck | None:
    """Check at most MOST events of the stream called `code`; None when there is no such stream. Sequence numbers begin at 1."""
    found = rows.fetch_one(_HEAD, [code])
    if found is None:
        return None
    head = StreamHead(*found)
    last = min(to_seq, int(head.last_seq), from_seq + MOST - 1)
    before = GENESIS if from_seq == 1 else _hash_at(head, min(from_seq - 1, int(head.last_seq)))
    chain = Chain(from_seq - 1, before or GENESIS)
    faults = [] if before else [f"event {from_seq - 1} is missing"]
    events = 0
    for row in events_between(head, from_seq, last):
        events += 1
        faults += [f"event {row.seq}: {fault}" for fault in _faults(chain, row)]
    if events and last == int(head.last_seq):
        faults += chain.end_faults(head)
    elif chain.seq < last:
        faults.append(f"events are missing after {chain.seq}")
    return RangeCheck(head, from_seq, last, events, before or GENESIS, chain.hash, faults)


def _hash_at(head: StreamHead, seq: int) -> str | None:
    row = rows.fetch_one(_HASH, [int(head.stream_id), seq])
    return row[0] if row else GENESIS if seq == 0 else None


def _faults(chain: Chain, row: EventRow) -> list[str]:
    return chain.faults(row)[0]
