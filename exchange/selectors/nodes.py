"""Nodes as their supplier and the venue see them."""

import msgspec

from exchange.selectors import named
from exchange.selectors.named import moment


class NodeRow(msgspec.Struct, frozen=True):
    """One node; `participant_id` owns its supplier, `leases` are the jobs it has now."""

    id: int
    uuid: str
    supplier_uuid: str
    participant_id: int
    name: str
    public_key: str
    status: str
    suspended_by: str
    strikes: int
    leases: int
    created_us: int
    seen_us: int | None


_NODES = f"""
SELECT n.id, n.uuid::text, s.uuid::text, s.participant_id, n.name, n.public_key, n.status, n.suspended_by, n.strikes,
       (SELECT count(*) FROM settlement_job j WHERE j.node_id = n.id AND j.state = 'leased'), {moment("n.created_at")}, {moment("n.last_seen_at")}
FROM settlement_node n JOIN rights_supplier s ON s.id = n.supplier_id
"""


def node(uuid: str) -> NodeRow | None:
    found = named.fetch_one(_NODES + "WHERE n.uuid = %(uuid)s", {"uuid": uuid})
    return NodeRow(*found) if found else None


def nodes(*, supplier_id: int, limit: int, before: int | None, status: str | None) -> list[NodeRow]:
    """A supplier's, newest first, at most `limit` + 1."""
    where = """
    WHERE n.supplier_id = %(supplier)s AND (%(before)s::bigint IS NULL OR n.id < %(before)s)
      AND (%(status)s::text IS NULL OR n.status = %(status)s) ORDER BY n.id DESC LIMIT %(limit)s
    """
    values = {"supplier": supplier_id, "before": before, "status": status, "limit": limit + 1}
    return [NodeRow(*row) for row in named.fetch_all(_NODES + where, values)]
