"""Listing requests as their events tell them."""

from exchange.replay.object_states import Fields, ObjectKind, Payload
from exchange.replay.right_tables import MOMENT
from rights.domain.canonical_json import canonical_json

States = dict[str, Fields]


def _requested(states: States, object_id: str, payload: Payload, at: str) -> None:
    states[object_id] = {
        **{name: payload[name] for name in ("delivery_rule", "issuer", "note", "rules", "series")},
        "decided_at": "",
        "decided_by": "",
        "decision_note": "",
        "instrument": None,
        "requested_at": at,
        "requested_by": payload["by"],
        "reviewed_at": "",
        "reviewed_by": "",
        "sheet": canonical_json(payload["sheet"]).decode(),
        "state": "submitted",
    }


def _reviewed(states: States, object_id: str, payload: Payload, at: str) -> None:
    states[object_id] |= {
        "reviewed_at": at,
        "reviewed_by": payload["by"],
        "sheet": canonical_json(payload["sheet"]).decode(),
        "state": "reviewed",
    }


def _approved(states: States, object_id: str, payload: Payload, at: str) -> None:
    _rejected(states, object_id, payload, at)
    states[object_id] |= {"instrument": payload["instrument"], "state": "approved"}


def _rejected(states: States, object_id: str, payload: Payload, at: str) -> None:
    states[object_id] |= {"decided_at": at, "decided_by": payload["by"], "decision_note": payload["reason"], "state": "rejected"}


def _withdrawn(states: States, object_id: str, payload: Payload, at: str) -> None:
    states[object_id] |= {"decided_at": at, "decided_by": payload["by"], "state": "withdrawn"}


_LISTINGS = f"""
SELECT 'lst_' || l.uuid::text, jsonb_build_object('delivery_rule', l.delivery_rule, 'issuer', i.slug, 'note', l.note, 'rules', l.rules,
       'series', 'series:' || l.series_id, 'decided_at', {MOMENT.format("l.decided_at")}, 'decision_note', l.decision_note, 'decided_by', l.decided_by, 'requested_by', l.requested_by, 'reviewed_by', l.reviewed_by,
       'instrument', x.symbol, 'requested_at', {MOMENT.format("l.requested_at")}, 'reviewed_at', {MOMENT.format("l.reviewed_at")},
       'sheet', l.sheet, 'state', l.state)::text
FROM exchange_listingrequest l JOIN rights_issuer i ON i.id = l.issuer_id LEFT JOIN exchange_instrument x ON x.id = l.instrument_id ORDER BY 1
"""

KINDS = (
    ObjectKind(
        "listing",
        {
            "listing.requested": _requested,
            "listing.reviewed": _reviewed,
            "listing.approved": _approved,
            "listing.rejected": _rejected,
            "listing.withdrawn": _withdrawn,
        },
        _LISTINGS,
    ),
)
