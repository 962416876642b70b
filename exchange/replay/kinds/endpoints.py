"""Endpoints as their events tell them; of the secret only whether there is one."""

from exchange.replay.object_states import Fields, ObjectKind, Payload
from exchange.replay.right_tables import MOMENT
from settlement.domain import endpoint_events as facts

States = dict[str, Fields]
_SETUP = ("adapter", "base_url", "inside", "max_attempts", "model", "timeout_ms", "with_secret")


def _registered(states: States, object_id: str, payload: Payload, at: str) -> None:
    said = {name: payload[name] for name in _SETUP}
    states[object_id] = {**said, "capability": payload["capability"], "created_at": at, "status": "active"}


def _changed(states: States, object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001 - one shape for all steps
    states[object_id] |= {**{name: payload[name] for name in _SETUP}, "status": payload["status"]}


_ENDPOINTS = f"""
SELECT 'end_' || e.uuid::text, jsonb_build_object('adapter', e.adapter, 'base_url', e.base_url, 'capability', 'cap_' || c.uuid::text,
       'created_at', {MOMENT.format("e.created_at")}, 'inside', e.inside, 'max_attempts', e.max_attempts, 'model', e.model,
       'status', e.status, 'timeout_ms', e.timeout_ms, 'with_secret', e.secret <> '')::text
FROM settlement_endpoint e JOIN rights_capability c ON c.id = e.capability_id ORDER BY 1
"""

KINDS = (ObjectKind("endpoint", {facts.REGISTERED: _registered, facts.CHANGED: _changed}, _ENDPOINTS),)
