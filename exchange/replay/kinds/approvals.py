"""What bounded keys asked a member to approve, as its events tell it."""

from exchange.replay.object_states import Fields, ObjectKind, Payload
from exchange.replay.right_tables import MOMENT
from exchange.services import approvals

States = dict[str, Fields]
_STATED = ("account", "expires_at", "instrument", "key", "notional", "price", "quantity", "side")


def _asked(states: States, object_id: str, payload: Payload, at: str) -> None:
    states[object_id] = {
        **{name: payload[name] for name in _STATED},
        "asked_at": at,
        "decided_at": "",
        "decided_by": "",
        "note": "",
        "order": None,
        "state": "pending",
    }


def _granted(states: States, object_id: str, payload: Payload, at: str) -> None:
    states[object_id] |= {"decided_at": at, "decided_by": payload["by"], "note": payload["note"], "state": "granted"}


def _denied(states: States, object_id: str, payload: Payload, at: str) -> None:
    states[object_id] |= {"decided_at": at, "decided_by": payload["by"], "note": payload["note"], "state": "denied"}


def _used(states: States, object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001 - one shape for all steps
    states[object_id] |= {"order": payload["order"], "state": "used"}


def _replaced(states: States, object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001
    states[object_id]["state"] = "replaced"


_APPROVALS = f"""
SELECT 'apv_' || v.uuid::text, jsonb_build_object('account', 'acc_' || a.uuid::text, 'expires_at', {MOMENT.format("v.expires_at")},
       'instrument', i.symbol, 'key', 'key_' || k.uuid::text, 'notional', v.notional_minor::text, 'price', v.price_ticks::text,
       'quantity', v.quantity_lots::text, 'side', v.side::text, 'asked_at', {MOMENT.format("v.asked_at")},
       'decided_at', {MOMENT.format("v.decided_at")}, 'decided_by', v.decided_by, 'note', v.note, 'order', 'ord_' || v.order_id::text,
       'state', v.state)::text
FROM exchange_orderapproval v JOIN rights_account a ON a.id = v.account_id JOIN exchange_apikey k ON k.id = v.key_id
JOIN exchange_instrument i ON i.id = v.book_id ORDER BY 1
"""

KINDS = (
    ObjectKind(
        "approval",
        {
            approvals.ASKED: _asked,
            approvals.GRANTED: _granted,
            approvals.DENIED: _denied,
            approvals.USED: _used,
            approvals.REPLACED: _replaced,
        },
        _APPROVALS,
    ),
)
