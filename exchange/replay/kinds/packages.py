"""Packages, delegations and block offers as their events tell them."""

from collections.abc import Iterator

from exchange.replay.object_states import Fields, ObjectKind, Payload, Step
from rights.domain import package_events as types
from rights.domain.moment import parse_us

GRACE_US = 30_000_000
SETTLEMENT = "stl_"


def _created(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001 - one shape for all steps
    states[object_id] = dict(payload) | {"controller": payload["holder"], "state": "active", "revision": 1}


def _recomposed(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001
    states[object_id] |= dict(payload) | {"revision": states[object_id]["revision"] + 1}


def _transferred(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001
    held = states[object_id]
    if held["holder"] != payload["from"]:
        raise ValueError(f"{object_id} was not in the hands of {payload['from']}")
    states[object_id] = held | {
        "holder": payload["to"],
        "controller": payload["to"],
        "parts": payload["parts"],
        "revision": held["revision"] + 1,
    }


def _finalized(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001
    states[object_id] |= {"state": "finalized", "parts": [], "revision": states[object_id]["revision"] + 1}


def _delegated(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
    states[object_id] = dict(payload) | {"state": "active", "used_units": "0", "passed_units": "0", "created_at": at, "ended_at": None}
    _pass(states, payload["parent"], int(payload["max_units"]))


def _used(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
    """Within its bounds. What a settlement tells was admitted when it was locked: it may come after the delegation's time or end, as work does,
    and takes then of what had gone back; what it tells below zero gives back, after a dispute.
    """
    held, units, is_settled = states[object_id], int(payload["units"]), payload["ref"].startswith(SETTLEMENT)
    used = int(held["used_units"]) + units
    if not units or (units < 0 and not is_settled):
        raise ValueError(f"{object_id} was used for {units} units")
    # A package's rights may have streams of their own, read one after another: of them the sum counts, which the table has too.
    if held["package"] is None and not 0 <= used <= int(held["max_units"]):
        raise ValueError(f"{object_id} allows {held['max_units']} units, {used} were used")
    if held["right"] not in (None, payload["right"]):
        raise ValueError(f"{object_id} is not of {payload['right']}")
    if at < held["valid_from"] or (at >= held["valid_until"] and not is_settled):
        raise ValueError(f"{object_id} may be used from {held['valid_from']} to {held['valid_until']}")
    # The registry's stream is read first. Two moments are read before the locks are taken by which one act comes before the other.
    if held["ended_at"] is not None and parse_us(at) > parse_us(held["ended_at"]) + GRACE_US and not is_settled:
        raise ValueError(f"{object_id} had ended at {held['ended_at']}")
    taken_from = payload.get("taken_from")
    if taken_from is not None and (held["ended_at"] is None or taken_from not in _above(states, object_id)):
        raise ValueError(f"{object_id} has given back nothing to {taken_from}")
    held["used_units"] = str(used)
    _pass(states, taken_from, units)


def _above(states: dict[str, Fields], object_id: str) -> Iterator[str]:
    """What it was passed on from, and that one from."""
    parent = states[object_id]["parent"]
    while parent is not None:
        yield parent
        parent = states[parent]["parent"]


def _ended(state: str) -> Step:
    def step(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
        held = states[object_id]
        if held["state"] != "active":
            raise ValueError(f"{object_id} was {held['state']} already")
        held["state"], held["ended_at"] = state, at
        parent = held["parent"]
        if parent is not None and states[parent]["state"] == "active":
            _pass(states, parent, -int(payload["returned_units"]))

    return step


def _pass(states: dict[str, Fields], parent: str | None, units: int) -> None:
    if parent is not None:
        states[parent]["passed_units"] = str(int(states[parent]["passed_units"]) + units)


def _offered(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
    states[object_id] = dict(payload) | {"state": "open", "accepted_by": None, "created_at": at, "ended_at": None}


def _accepted(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
    _close(states[object_id], object_id, "accepted", at)
    states[object_id]["accepted_by"] = payload["buyer"]


def _withdrawn(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001
    _close(states[object_id], object_id, "withdrawn", at)


def _lapsed(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001
    _close(states[object_id], object_id, "expired", at)


def _close(held: Fields, object_id: str, state: str, at: str) -> None:
    if held["state"] != "open":
        raise ValueError(f"{object_id} was {held['state']} already")
    held |= {"state": state, "ended_at": at}


def _moment(column: str) -> str:
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


_PACKAGES = """
SELECT 'pkg_' || p.uuid::text, jsonb_build_object('holder', 'acc_' || h.uuid::text, 'controller', 'acc_' || c.uuid::text, 'label', p.label, 'parent', 'pkg_' || u.uuid::text,
       'policy', p.policy, 'rules', p.rules, 'type', p.type, 'state', p.state, 'revision', p.revision, 'parts', coalesce((
           SELECT jsonb_agg(jsonb_build_object('branch', x.branch, 'right', 'rgt_' || x.right_id::text, 'tier', x.tier, 'units', x.units::text)
                            ORDER BY x.position) FROM rights_packagepart x WHERE x.package_id = p.id AND x.removed_at IS NULL), '[]'::jsonb))
FROM rights_package p JOIN rights_account h ON h.id = p.holder_id JOIN rights_account c ON c.id = p.controller_id LEFT JOIN rights_package u ON u.id = p.parent_id ORDER BY p.uuid
"""
_DELEGATIONS = f"""
SELECT 'dlg_' || d.uuid::text, jsonb_build_object('delegate', 'acc_' || t.uuid::text, 'delegator', 'acc_' || g.uuid::text,
       'fallback_allowed', d.fallback_allowed, 'max_units', d.max_units::text, 'package', 'pkg_' || p.uuid::text,
       'parent', 'dlg_' || u.uuid::text, 'right', 'rgt_' || d.right_id::text, 'subdelegation_allowed', d.subdelegation_allowed,
       'valid_from', {_moment("d.valid_from")}, 'valid_until', {_moment("d.valid_until")}, 'workload_classes', to_jsonb(d.workload_classes),
       'state', d.state, 'created_at', {_moment("d.created_at")}, 'ended_at', {_moment("d.ended_at")}, 'used_units', d.used_units::text, 'passed_units', d.passed_units::text)
FROM rights_delegation d JOIN rights_account g ON g.id = d.delegator_id JOIN rights_account t ON t.id = d.delegate_id
LEFT JOIN rights_package p ON p.id = d.package_id LEFT JOIN rights_delegation u ON u.id = d.parent_id ORDER BY d.uuid
"""
_OFFERS = f"""
SELECT 'ofr_' || o.uuid::text, jsonb_build_object('buyer', 'acc_' || b.uuid::text, 'currency', c.code, 'expires_at', {_moment("o.expires_at")},
       'fee_bps', o.fee_bps, 'package', 'pkg_' || p.uuid::text, 'package_revision', o.package_revision, 'price_minor', o.price_minor::text,
       'seller', 'acc_' || s.uuid::text, 'state', o.state, 'accepted_by', 'acc_' || a.uuid::text,
       'disclosure_hash', encode(sha256(convert_to(o.disclosure, 'UTF8')), 'hex'), 'created_at', {_moment("o.created_at")},
       'ended_at', {_moment("o.ended_at")})
FROM exchange_blockoffer o JOIN rights_package p ON p.id = o.package_id JOIN rights_account s ON s.id = o.seller_id
JOIN settlement_asset c ON c.id = o.currency_id LEFT JOIN rights_account b ON b.id = o.buyer_id LEFT JOIN rights_account a ON a.id = o.accepted_by_id
ORDER BY o.uuid
"""

KINDS = (
    ObjectKind(
        "package",
        {
            types.CREATED: _created,
            types.AMENDED: _recomposed,
            types.SPLIT: _recomposed,
            types.TRANSFERRED: _transferred,
            types.FINALIZED: _finalized,
        },
        _PACKAGES,
    ),
    ObjectKind(
        "delegation",
        {types.DELEGATED: _delegated, types.USED: _used, types.REVOKED: _ended("revoked"), types.EXPIRED: _ended("expired")},
        _DELEGATIONS,
    ),
    ObjectKind(
        "offer",
        {"offer.made": _offered, "offer.accepted": _accepted, "offer.withdrawn": _withdrawn, "offer.expired": _lapsed},
        _OFFERS,
    ),
)
