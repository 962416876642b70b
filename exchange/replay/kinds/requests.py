"""Requests and their routes as their events tell them (SPEC §8)."""

from exchange.replay.object_states import Fields, ObjectKind, Payload, Step
from settlement.domain import route_events as types
from settlement.domain import settlement_events
from settlement.domain.request_states import may_become, route_may_become


def _submitted(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
    envelope = payload["envelope"]
    states[object_id] = {
        "account": payload["account"],
        "budget": envelope["budget"],
        "created_at": at,
        "delegation": envelope["delegation"],
        "delivery": envelope["delivery"],
        "effective": {},
        "ended_at": None,
        "envelope": dict(envelope),
        "envelope_hash": payload["envelope_hash"],
        "holder": payload["holder"],
        "latest_at": payload["latest_at"],
        "operation": envelope["operation"],
        "state": "received",
        "stream": payload["stream"],
        "units": envelope["units"],
        "workload": envelope["workload"],
    }


def _accepted(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001 - one shape for all steps
    held = states[object_id]
    if held["state"] == "received":
        held["state"] = "validated"
    become(held, object_id, payload["state"])
    held["effective"] = dict(payload["effective"])


def _matched(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001
    """A route that is locked while the request is executing takes the place of one that failed."""
    if states[payload["request"]]["state"] != "executing":
        become(states[payload["request"]], payload["request"], "matched")


def _unmatched(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001
    become(states[payload["request"]], payload["request"], payload["request_state"])


def _executing(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001
    become(states[object_id], object_id, "executing")


def _done(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
    become(states[object_id], object_id, payload["status"])
    states[object_id]["ended_at"] = at


def _settled(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001
    become(states[payload["request"]], payload["request"], "settled")


def become(held: Fields, object_id: str, state: str) -> None:
    """Along the table of SPEC §8; what it is already it stays."""
    if held["state"] != state and not may_become(held["state"], state):
        raise ValueError(f"{object_id} may not go from {held['state']} to {state}")
    held["state"] = state


def _quoted(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
    for route in payload["routes"]:
        states[route["route"]] = {
            "ended_at": None,
            "escrow_minor": "0",
            "expires_at": None,
            "locked_at": None,
            "part": None,
            "payee": None,
            "payer": None,
            "quoted_at": at,
            "request": object_id,
            **{name: value for name, value in route.items() if name != "route"},
        }


def _locked(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
    move(states[object_id], object_id, "locked")
    told = ("escrow_minor", "expires_at", "payee", "payer", "units")
    states[object_id] |= {name: payload[name] for name in told} | {"locked_at": at}


def _ended(state: str) -> Step:
    def step(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
        held = states[object_id]
        if held["escrow_minor"] != payload["escrow_minor"]:
            raise ValueError(f"{object_id} had {held['escrow_minor']} set aside, not {payload['escrow_minor']}")
        move(held, object_id, state)
        held["ended_at"] = at

    return step


def _started(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001
    for route in payload["routes"]:
        move(states[route], route, "executing")
        states[route]["expires_at"] = payload["deadline_at"]


def _shared(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001
    for share in payload["shares"]:
        held = states[share["route"]]
        if held["state"] != share["state"]:  # a reviewer decides anew about routes that have ended
            move(held, share["route"], share["state"])
            held["ended_at"] = at


def move(held: Fields, object_id: str, state: str) -> None:
    """A route along its table."""
    if not route_may_become(held["state"], state):
        raise ValueError(f"{object_id} may not go from {held['state']} to {state}")
    held["state"] = state


def _moment(column: str) -> str:
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


_REQUESTS = f"""
SELECT 'req_' || q.id::text, jsonb_build_object('account', 'acc_' || a.uuid::text, 'budget', q.budget, 'created_at', {_moment("q.created_at")},
       'delegation', 'dlg_' || d.uuid::text, 'delivery', q.delivery, 'effective', q.effective, 'ended_at', {_moment("q.ended_at")},
       'envelope', q.envelope::jsonb, 'envelope_hash', q.envelope_hash, 'holder', 'acc_' || h.uuid::text,
       'latest_at', {_moment("q.latest_at")}, 'operation', q.operation, 'state', q.state, 'stream', q.stream_id::text,
       'units', q.expected_units::text, 'workload', q.workload)
FROM settlement_request q JOIN rights_account a ON a.id = q.account_id JOIN rights_account h ON h.id = q.holder_id
LEFT JOIN rights_delegation d ON d.id = q.delegation_id ORDER BY q.id
"""
_ROUTES = f"""
SELECT 'rte_' || t.id::text, jsonb_build_object('capability', 'cap_' || c.uuid::text, 'currency', y.code, 'ended_at', {_moment("t.ended_at")},
       'escrow_minor', t.escrow_minor::text, 'expires_at', {_moment("t.expires_at")}, 'fallbacks', to_jsonb(t.fallbacks),
       'locked_at', {_moment("t.locked_at")}, 'number', t.number,
       'part', CASE WHEN t.package_id IS NULL THEN NULL ELSE jsonb_build_object('branch', t.branch, 'package', 'pkg_' || k.uuid, 'tier', t.tier) END, 'payee', 'acc_' || e.uuid::text, 'payer', 'acc_' || p.uuid::text,
       'quality_loss_bps', t.quality_loss_bps, 'quoted_at', {_moment("t.quoted_at")}, 'reasons', t.reasons,
       'request', 'req_' || t.request_id::text, 'right', 'rgt_' || t.right_id::text, 'score', t.score, 'state', t.state,
       'supplier', s.slug, 'units', t.units::text)
FROM settlement_route t JOIN rights_capability c ON c.id = t.capability_id JOIN rights_supplier s ON s.id = t.supplier_id
JOIN settlement_asset y ON y.id = t.currency_id LEFT JOIN rights_account p ON p.id = t.payer_id LEFT JOIN rights_account e ON e.id = t.payee_id
LEFT JOIN rights_package k ON k.id = t.package_id ORDER BY t.id
"""

KINDS = (
    ObjectKind(
        "request",
        {
            types.SUBMITTED: _submitted,
            types.ACCEPTED: _accepted,
            types.LOCKED: _matched,
            types.REPLACED: _unmatched,
            types.EXPIRED: _unmatched,
            types.RELEASED: _unmatched,
            types.STARTED: _executing,
            settlement_events.EXECUTED: _done,
            settlement_events.FINALIZED: _settled,
        },
        _REQUESTS,
    ),
    ObjectKind(
        "route",
        {
            types.QUOTED: _quoted,
            types.LOCKED: _locked,
            types.REPLACED: _ended("replaced"),
            types.EXPIRED: _ended("expired"),
            types.RELEASED: _ended("released"),
            types.STARTED: _started,
            settlement_events.CLASSIFIED: _shared,
            types.PROGRESSED: _started,
        },
        _ROUTES,
    ),
)
