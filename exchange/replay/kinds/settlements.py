"""Receipts, settlements and disputes as their events tell them (SPEC §8, §9; TRUST S1)."""

from typing import Any

from exchange.replay.object_states import Fields, ObjectKind, Payload, Step
from settlement.domain import settlement_events as types
from settlement.domain.settlement_states import CLASSIFIED, Outcome, SettlementEvent, SettlementState, may_move

_AMOUNTS = ("payout_minor", "compensation_minor", "release_minor")
_S, _E = SettlementState, SettlementEvent


def _recorded(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
    states[object_id] = {**payload, "proofs": [_proof(proof, at) for proof in payload["proofs"]], "recorded_at": at}


def _proven(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
    states[object_id]["proofs"] = states[object_id]["proofs"] + [_proof(proof, at) for proof in payload["proofs"]]


def _proof(proof: Payload, at: str) -> Fields:
    return {**proof, "recorded_at": at}


def _pending(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
    held = states.setdefault(object_id, _unsettled(payload, at))
    if held["state"] != _S.PENDING_PROOF:
        _move(held, object_id, _E.PROOFS_INCOMPLETE, _S.PENDING_PROOF)
    held |= {"missing": payload["missing"], "proof_due_at": payload["due_at"]}


def _unsettled(payload: Payload, at: str) -> Fields:
    named = ("escrow_minor", "receipt", "request", "reserved_units")
    empty: dict[str, Any] = {
        "outcome": "",
        "rule": "",
        "digest": "",
        "units": "0",
        "missing": [],
        "last_event": "",
        **dict.fromkeys(_AMOUNTS, "0"),
    }
    ends = dict.fromkeys(("proof_due_at", "window_ends_at", "finalized_at"))
    return {"state": str(_S.UNSETTLED), "created_at": at, **{name: payload[name] for name in named}, **empty, **ends}


def _classified(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
    held = states.setdefault(object_id, _unsettled(payload, at))
    _move(held, object_id, _E(payload["cause"]), CLASSIFIED[Outcome(payload["outcome"])])
    held |= {name: payload[name] for name in ("digest", "outcome", "rule")} | {"missing": [], "proof_due_at": None}
    _weigh(held, payload)


def _opened(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001 - one shape for all steps
    _move(states[object_id], object_id, _E.DISPUTE_WINDOW_OPENED, _S.PENDING_DISPUTE_WINDOW)
    states[object_id]["window_ends_at"] = payload["until"]


def _challenged(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001
    _move(states[object_id], object_id, _E.CHALLENGED, _S.IN_DISPUTE)


def _reversed(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001
    held = states[object_id]
    _move(held, object_id, _E.DISPUTE_UPHELD, _S.REVERSED)
    if held["units"] != payload["units"]:
        raise ValueError(f"{object_id} had used {held['units']} units, not {payload['units']}")


def _finalized(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
    held = states[object_id]
    _move(held, object_id, _E(payload["cause"]), _S.FINALIZED)
    held |= {"finalized_at": at, "outcome": payload["outcome"], "rule": payload["rule"]}
    _weigh(held, payload)
    moved = sum(int(move["amount_minor"]) for move in payload["moves"])
    if moved != int(held["escrow_minor"]):
        raise ValueError(f"{object_id} had {held['escrow_minor']} in escrow, {moved} moved")


def _weigh(held: Fields, payload: Payload) -> None:
    held["units"] = str(sum(int(share["units"]) for share in payload["shares"]))
    for name in _AMOUNTS:
        held[name] = str(sum(int(share[name]) for share in payload["shares"]))


def _move(held: Fields, object_id: str, event: SettlementEvent, following: SettlementState) -> None:
    """Along the table of SPEC §9."""
    if not may_move(_S(held["state"]), event, following):
        raise ValueError(f"{object_id} may not go from {held['state']} by {event} to {following}")
    held["state"], held["last_event"] = str(following), str(event)


def _disputed(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
    states[payload["dispute"]] = {
        "claim": payload["claim"],
        "decided_at": None,
        "decision": "",
        "evidence": [],
        "opened_at": at,
        "opener": payload["opener"],
        "reviewer": "",
        "settlement": object_id,
        "side": payload["side"],
        "state": "open",
    }


def _assigned(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001
    states[payload["dispute"]]["reviewer"] = payload["reviewer"]


def _evidence(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001
    named = ("by", "content_hash", "number", "text")
    states[payload["dispute"]]["evidence"].append({**{name: payload[name] for name in named}, "at": at})


def _decided(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001
    states[payload["dispute"]] |= {"decided_at": at, "decision": payload["reason"], "state": payload["state"]}


def _moment(column: str) -> str:
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


_RECEIPTS = f"""
SELECT 'rcp_' || c.id::text, jsonb_build_object('body', c.body, 'hash', c.hash, 'request', 'req_' || c.request_id::text, 'status', c.status,
       'recorded_at', {_moment("c.recorded_at")}, 'proofs', coalesce((
           SELECT jsonb_agg(jsonb_build_object('content_hash', p.content_hash, 'is_valid', p.is_valid, 'number', p.number, 'producer', p.producer,
               'reference', p.reference, 'signature', p.signature, 'type', p.type, 'units', p.units::text,
               'recorded_at', {_moment("p.recorded_at")}) ORDER BY p.number) FROM settlement_proof p WHERE p.receipt_id = c.id), '[]'::jsonb))
FROM settlement_receipt c ORDER BY c.id
"""
_SETTLEMENTS = f"""
SELECT 'stl_' || s.id::text, jsonb_build_object('request', 'req_' || s.request_id::text, 'receipt', 'rcp_' || s.receipt_id::text,
       'state', s.state, 'last_event', s.last_event, 'outcome', s.outcome, 'rule', s.rule, 'digest', s.digest,
       'reserved_units', s.reserved_units::text, 'units', s.units::text, 'escrow_minor', s.escrow_minor::text,
       'payout_minor', s.payout_minor::text, 'compensation_minor', s.compensation_minor::text, 'release_minor', s.release_minor::text,
       'missing', s.missing, 'proof_due_at', {_moment("s.proof_due_at")}, 'window_ends_at', {_moment("s.window_ends_at")},
       'created_at', {_moment("s.created_at")}, 'finalized_at', {_moment("s.finalized_at")})
FROM settlement_settlement s ORDER BY s.id
"""
_DISPUTES = f"""
SELECT 'dsp_' || d.id::text, jsonb_build_object('claim', d.claim, 'decided_at', {_moment("d.decided_at")}, 'decision', d.decision,
       'opened_at', {_moment("d.opened_at")}, 'opener', 'acc_' || a.uuid::text, 'reviewer', d.reviewer,
       'settlement', 'stl_' || d.settlement_id::text, 'side', d.side, 'state', d.state, 'evidence', coalesce((
           SELECT jsonb_agg(jsonb_build_object('at', {_moment("e.at")}, 'by', e.by, 'content_hash', e.content_hash, 'number', e.number,
               'text', e.text) ORDER BY e.number) FROM settlement_evidence e WHERE e.dispute_id = d.id), '[]'::jsonb))
FROM settlement_dispute d LEFT JOIN rights_account a ON a.id = d.opener_id ORDER BY d.id
"""
_STEPS: dict[str, Step] = {
    types.PENDING_PROOF: _pending,
    types.CLASSIFIED: _classified,
    types.WINDOW_OPENED: _opened,
    types.DISPUTED: _challenged,
    types.REVERSED: _reversed,
    types.FINALIZED: _finalized,
}

KINDS = (
    ObjectKind("receipt", {types.RECORDED: _recorded, types.PROVEN: _proven}, _RECEIPTS),
    ObjectKind("settlement", _STEPS, _SETTLEMENTS),
    ObjectKind(
        "dispute",
        {types.DISPUTED: _disputed, types.ASSIGNED: _assigned, types.EVIDENCE: _evidence, types.DECIDED: _decided},
        _DISPUTES,
    ),
)
