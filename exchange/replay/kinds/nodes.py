"""Nodes as their events tell them. When a node was last seen is measured, and in no event; jobs and leases are a queue."""

from exchange.replay.object_states import Fields, ObjectKind, Payload
from exchange.replay.right_tables import MOMENT
from settlement.domain import node_events as facts

States = dict[str, Fields]


def _registered(states: States, object_id: str, payload: Payload, at: str) -> None:
    states[object_id] = {
        **{name: payload[name] for name in ("name", "public_key", "supplier")},
        "created_at": at,
        "status": "active",
        "strikes": 0,
        "suspended_by": "",
    }


def _renamed(states: States, object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001 - one shape for all steps
    states[object_id]["name"] = payload["name"]


def _suspended(states: States, object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001
    states[object_id] |= {"status": "suspended", "suspended_by": payload["by"]}


def _reinstated(states: States, object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001
    states[object_id] |= {"status": "active", "strikes": 0, "suspended_by": ""}


def _struck(states: States, object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001
    states[object_id]["strikes"] = payload["strikes"]


_NODES = f"""
SELECT 'nod_' || n.uuid::text, jsonb_build_object('created_at', {MOMENT.format("n.created_at")}, 'name', n.name, 'public_key', n.public_key,
       'status', n.status, 'strikes', n.strikes, 'supplier', 'sup_' || s.uuid::text, 'suspended_by', n.suspended_by)::text
FROM settlement_node n JOIN rights_supplier s ON s.id = n.supplier_id ORDER BY 1
"""
_STEPS = {
    facts.REGISTERED: _registered,
    facts.RENAMED: _renamed,
    facts.SUSPENDED: _suspended,
    facts.REINSTATED: _reinstated,
    facts.STRUCK: _struck,
}

KINDS = (ObjectKind("node", _STEPS, _NODES),)
