"""One reading of the whole journal: its chain, the state it tells, the lifecycle and the gates along it."""

import msgspec

from exchange.replay.event_chain import Chain, EventRow, StreamHead
from exchange.replay.event_source import events_of, stream_heads
from exchange.replay.finding import Findings
from exchange.replay.gate_history import GateHistory
from exchange.replay.kinds import KINDS
from exchange.replay.object_states import ObjectStates, compare_objects
from exchange.replay.right_state import LifecycleError, RightError, RightStates
from exchange.replay.right_tables import StateHash, compare_rights
from exchange.replay.venue_state import VenueState, compare_venue
from rights.domain import right_events
from rights.domain.canonical_json import sha256_of
from rights.domain.moment import parse_us

CHAIN, LIFECYCLE, GATES, STATE, TERMS = "event_chain", "lifecycle_history", "gates", "events_apply", "terms_remembered"


_WITH_TERMS = (right_events.ISSUED, right_events.AMENDED)


class EventWalk(msgspec.Struct):
    """What the reading found."""

    findings: Findings
    digest: StateHash
    streams: int = 0
    events: int = 0


def walk_events() -> EventWalk:
    """Read every event of every stream and compare what they tell with the tables."""
    walk = EventWalk(Findings(), StateHash())
    venue, objects, gates = VenueState(), ObjectStates(KINDS), GateHistory()
    for head in stream_heads():
        walk.streams += 1
        states = RightStates()
        _Reader(walk, head, states, venue, objects, gates).read()
        compare_rights(int(head.stream_id), states, walk.digest, walk.findings)
    compare_venue(venue, walk.digest, walk.findings)
    compare_objects(objects, walk.digest, walk.findings, expected=walk.events)
    return walk


class _Reader:
    """Reads one stream into the states."""

    def __init__(
        self, walk: EventWalk, head: StreamHead, states: RightStates, venue: VenueState, objects: ObjectStates, gates: GateHistory
    ) -> None:
        self._walk, self._head = walk, head
        self._states, self._venue, self._objects, self._gates = states, venue, objects, gates

    def read(self) -> None:
        chain = Chain()
        for row in events_of(self._head):
            self._walk.events += 1
            faults, body = chain.faults(row)
            for fault in faults:
                self._walk.findings.add(CHAIN, stream=row.stream, stream_id=row.stream_id, seq=row.seq, fault=fault)
            payload = body.get("payload")
            if isinstance(payload, dict):
                self._tell(row, payload)
        for fault in chain.end_faults(self._head):
            self._walk.findings.add(CHAIN, stream=self._head.stream, stream_id=self._head.stream_id, seq=self._head.last_seq, fault=fault)

    def _tell(self, row: EventRow, payload: dict[str, object]) -> None:
        where = {"stream": row.stream, "seq": row.seq, "type": row.type}
        try:
            parse_us(row.at)
            if row.type in _WITH_TERMS and payload["manifest"] is not None and sha256_of(payload["manifest"]) != payload["terms_hash"]:
                self._walk.findings.add(TERMS, **where, fault="terms_hash is not that of the manifest")
            self._gates.remember(row.type, row.object_id, payload, row.at)
            self._venue.apply(row.type, row.object_id, payload)
            self._objects.apply(row.type, row.object_id, payload, row.at)
            if not self._states.knows(row.type):
                if row.type.startswith("right."):
                    self._walk.findings.add(STATE, **where, fault="a type that replay does not know")
                return
            for code in self._gates.refusals(self._states, row.type, payload, row.at):
                self._walk.findings.add(GATES, **where, object=row.object_id, refused=code)
            self._states.apply(row.type, payload, row.at)
        except LifecycleError as broken:
            self._walk.findings.add(LIFECYCLE, **where, fault=str(broken))
        except (RightError, ValueError) as fault:
            self._walk.findings.add(STATE, **where, fault=str(fault))
        except (KeyError, TypeError, AttributeError) as fault:
            self._walk.findings.add(STATE, **where, fault=f"payload of another shape: {fault!r}")
