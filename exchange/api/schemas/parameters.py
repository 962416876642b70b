"""Parameters by name: a name means the same wherever it stands, but for those that are written with the list they narrow."""

from typing import Any

from exchange.api.schemas.listings import STATES as LISTING_STATES
from exchange.api.schemas.market import PHASE
from exchange.api.schemas.trading import SIDE, STATUS
from exchange.api.schemas.words import CLIENT_ID, GIVEN_MOMENT, SYMBOL, one_of, public_id
from exchange.domain.standing_policy import KINDS, STATES
from exchange.models.bounds import APPROVAL_STATES
from rights.domain.assurance import STATUSES
from rights.domain.lifecycle import RightStatus
from rights.models.consent import CONSENT_KINDS, CONSENT_STATES
from settlement.domain.request_states import REQUEST_STATES
from settlement.domain.settlement_states import Outcome, SettlementState
from settlement.models.outcome import DISPUTE_STATES

_NAME = {"type": "string", "minLength": 1, "maxLength": 64}
_KEY = {**SYMBOL, "examples": ["TXT.CHAT.STD.INT.PRV"]}


def _whole(low: int, high: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": low, "maximum": high}


PATH: dict[str, dict[str, Any]] = {
    "symbol": {"schema": SYMBOL},
    "key": {"schema": _KEY},
    "order_id": {"schema": public_id("ord")},
    "client_order_id": {"schema": CLIENT_ID},
    "fill_id": {"schema": public_id("fil")},
    "key_id": {"schema": public_id("key")},
    "right_id": {"schema": public_id("rgt")},
    "assurance_id": {"schema": public_id("ast")},
    "package_id": {"schema": public_id("pkg")},
    "delegation_id": {"schema": public_id("dlg")},
    "offer_id": {"schema": public_id("ofr")},
    "anchor_id": {"schema": public_id("anc")},
    "role_id": {"schema": public_id("rol")},
    "supplier_id": {"schema": public_id("sup")},
    "capability_id": {"schema": public_id("cap")},
    "endpoint_id": {"schema": public_id("end")},
    "request_id": {"schema": public_id("req")},
    "listing_id": {"schema": public_id("lst")},
    "consent_id": {"schema": public_id("cns")},
    "approval_id": {"schema": public_id("apv")},
    "policy_id": {"schema": public_id("pol")},
    "attestation_id": {"schema": public_id("att")},
    "node_id": {"schema": public_id("nod")},
    "job_id": {"schema": public_id("job")},
    "settlement_id": {"schema": public_id("stl")},
    "dispute_id": {"schema": public_id("dsp")},
    "issuer_id": {"description": "An issuer's slug", "schema": {"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"}},
}
QUERY: dict[str, dict[str, Any]] = {
    "limit": {"schema": {**_whole(1, 1000), "default": 100}},
    "cursor": {"description": "`next_cursor` of the page before", "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,400}$"}},
    "class": {"description": "A class's key", "schema": _KEY},
    "phase": {"schema": PHASE},
    "window_from": {"description": "Windows that end after this", "schema": GIVEN_MOMENT},
    "window_to": {"description": "Windows that start before this", "schema": GIVEN_MOMENT},
    "depth": {"description": "Levels (or orders) per side", "schema": _whole(1, 5000)},
    "level": {"schema": {"type": "string", "enum": ["2", "3"], "default": "2"}},
    "version": {"description": "A version's number; the newest unless given", "schema": _whole(1, 2**31 - 1)},
    "interval": {"schema": {"type": "string", "enum": ["1m", "5m", "15m", "1h", "1d"], "default": "1m"}},
    "end": {"description": "The last candle is the one in which this lies; now unless given", "schema": GIVEN_MOMENT},
    "orders.status": {"description": "`live`: orders that are pending or open", "schema": one_of(*STATUS["enum"], "live")},
    "rights.status": {"schema": one_of(*RightStatus)},
    "nodes.status": {"schema": one_of("active", "suspended")},
    "suppliers.status": {"schema": one_of("active", "suspended")},
    "capabilities.status": {"description": "`live`: those that are not retired", "schema": one_of("live", "retired")},
    "assurances.status": {"schema": one_of(*STATUSES)},
    "issuer": {"description": "An issuer's slug", "schema": _NAME},
    "owner": {"schema": {"const": "me"}},
    "consents.state": {"schema": one_of(*CONSENT_STATES)},
    "requests.state": {"schema": one_of(*REQUEST_STATES)},
    "settlements.state": {"schema": one_of(*SettlementState)},
    "settlements.outcome": {"schema": one_of(*Outcome)},
    "disputes.state": {"schema": one_of(*DISPUTE_STATES)},
    "right": {"description": "A right that a route of it is of", "schema": public_id("rgt")},
    "listings.state": {"schema": one_of(*LISTING_STATES)},
    "approvals.state": {"schema": one_of(*APPROVAL_STATES)},
    "policies.state": {"schema": one_of(*STATES)},
    "policies.kind": {"schema": one_of(*KINDS)},
    "dry_run": {"description": "Say what would be done, and do nothing", "schema": {"type": "boolean", "default": False}},
    "direction": {
        "description": "`up`: the line to the root, the right itself first; `down`: what was made from it",
        "schema": {**one_of("family", "up", "down"), "default": "family"},
    },
    "kind": {"schema": one_of(*CONSENT_KINDS)},
    "participant": {"schema": _NAME},
    "instrument": {"schema": SYMBOL},
    "order_id": {"schema": public_id("ord")},
    "object": {"description": "An object's id, symbol or slug", "schema": _NAME},
    "type": {
        "description": "`right.frozen`, or a family: `right`",
        "schema": {"type": "string", "pattern": r"^[a-z_]{1,24}(\.[a-z_]{1,24})?$"},
    },
    "stream": {"description": "`registry` or `series:<n>`", "schema": _NAME},
    "after_seq": {"description": "Only events with a greater sequence number", "schema": _whole(0, 2**63 - 1)},
    "from_seq": {"description": "The first sequence number to check; 1 unless given", "schema": _whole(1, 2**63 - 1)},
    "to_seq": {"description": "The last one; as many as one answer checks unless given", "schema": _whole(1, 2**63 - 1)},
    "event": {"schema": public_id("evt")},
    "holder": {"schema": {"anyOf": [{"const": "me"}, public_id("acc")]}},
    "side": {"schema": SIDE},
    "group": {"schema": CLIENT_ID},
    "validate_only": {"description": "Check everything and do nothing", "schema": {"type": "boolean", "default": False}},
    "format": {"schema": {"type": "string", "enum": ["json"]}},
}
