"""Calls of nodes that go together (SPEC §8): each is its node's own, once, and its node is under lock while it is done.

Locks: the nodes by id, before any job.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from rights.kernel import rows
from rights.kernel.clock import rfc3339
from rights.kernel.trip import Answer, Trip

# A supplier's node acts for the first account of the supplier's owner: who may do nothing, whose nodes do nothing.
_NODES = """
SELECT n.uuid::text, n.id, n.supplier_id, n.status, s.status, s.slug, n.public_key,
       (SELECT count(*) FROM settlement_job j WHERE j.node_id = n.id AND j.state = 'leased'),
       p.status <> 'active' OR (SELECT a.status FROM rights_account a WHERE a.participant_id = p.id AND a.code IS NULL ORDER BY a.id LIMIT 1) <> 'active'
FROM settlement_node n JOIN rights_supplier s ON s.id = n.supplier_id JOIN rights_participant p ON p.id = s.participant_id
WHERE n.uuid = ANY (%(nodes)s::uuid[]) ORDER BY n.id FOR NO KEY UPDATE OF n
"""
# At most once a second, for it is only shown.
_SEEN = """
UPDATE settlement_node SET last_seen_at = %(now)s
WHERE uuid = ANY (%(nodes)s::uuid[]) AND (last_seen_at IS NULL OR last_seen_at < %(now)s::timestamptz - interval '1 s')
"""
_USE_NONCES = """
INSERT INTO settlement_nodenonce (node_id, nonce, used_at)
SELECT n.id, c.nonce, %(now)s FROM unnest(%(callers)s::uuid[], %(nonces)s::text[]) AS c(node, nonce) JOIN settlement_node n ON n.uuid = c.node
ORDER BY n.id, c.nonce ON CONFLICT DO NOTHING RETURNING node_id, nonce
"""


class NonceUsed(Exception):
    """The call has been made before."""


class NodeBarred(Exception):
    """Whoever the node works for may do nothing."""


class NodeCall(Protocol):
    """What every call of a node says: whose it is (UUID), and the nonce it is good with once; empty where that was looked at before."""

    @property
    def node_id(self) -> str: ...

    @property
    def nonce(self) -> str: ...


class Worker(msgspec.Struct, frozen=True):
    """A node under lock, as far as its work needs it. `leases`: the jobs it has."""

    id: int
    supplier_id: int
    status: str
    supplier_status: str
    supplier: str
    public_key: str
    leases: int
    is_barred: bool


class Calls:
    """Asked in a trip: the nodes of these calls, locked; and which calls have been made before."""

    def __init__(self, trip: Trip, calls: Sequence[NodeCall], now_us: int) -> None:
        asked = {"now": rfc3339(now_us), "nodes": rows.array(sorted({call.node_id for call in calls}))}
        self._nodes = trip.ask(_NODES, asked)
        trip.ask(_SEEN, asked)
        once = [call for call in calls if call.nonce]
        self._fresh: Answer | None = None
        if once:
            callers = {"callers": rows.array(call.node_id for call in once), "nonces": rows.text_array(call.nonce for call in once)}
            self._fresh = trip.ask(_USE_NONCES, {"now": asked["now"], **callers})

    def read(self) -> "Seen":
        """Behind the trip."""
        workers = {uuid: Worker(*rest) for uuid, *rest in self._nodes.rows()}
        return Seen(workers, set() if self._fresh is None else set(self._fresh.rows()))


class Seen:
    """The nodes by UUID, and the calls that nobody has made before."""

    def __init__(self, workers: Mapping[str, Worker], fresh: set[tuple[int, str]]) -> None:
        self._workers, self._fresh = workers, fresh

    def worker(self, call: NodeCall) -> Worker:
        """Who calls. Raises NonceUsed, NodeBarred. To be asked once for each call: of two with one nonce the first is let through."""
        worker = self._workers[call.node_id]
        if call.nonce:
            if (worker.id, call.nonce) not in self._fresh:
                raise NonceUsed
            self._fresh.remove((worker.id, call.nonce))
        if worker.is_barred:
            raise NodeBarred
        return worker
