"""Payloads of receipts, settlements and disputes (docs/events.md). Bare UUIDs come in, public ids go out; amounts are texts.

The event's own `at` is the moment of the fact, so no payload repeats it. Cash moves in one event only, `settlement.finalized`.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

Payload = dict[str, Any]

EXECUTED: Final = "execution.completed"
RECORDED: Final = "receipt.recorded"
PROVEN: Final = "receipt.proofs_added"
PENDING_PROOF: Final = "settlement.pending_proof"
CLASSIFIED: Final = "settlement.classified"
WINDOW_OPENED: Final = "settlement.pending_dispute_window"
DISPUTED: Final = "settlement.dispute_opened"
ASSIGNED: Final = "settlement.dispute_assigned"
EVIDENCE: Final = "settlement.dispute_evidence"
DECIDED: Final = "settlement.dispute_closed"
REVERSED: Final = "settlement.reversed"
FINALIZED: Final = "settlement.finalized"


class ShareTold(msgspec.Struct, frozen=True):
    """One route's share as events tell it; `right_id` and `route_id` are UUID texts."""

    route_id: str
    right_id: str
    state: str
    reserved: int
    used: int
    payout_minor: int
    compensation_minor: int
    release_minor: int


class CashTold(msgspec.Struct, frozen=True):
    """Cash that moved: `giver` and `taker` are public ids of accounts, or the code of a venue's account."""

    kind: str
    giver: str
    taker: str
    currency: str
    amount_minor: int


def executed(*, status: str) -> Payload:
    """The request has come to an end, and how its executor says it did. What it comes to is the settlement's to say."""
    return {"status": status}


def recorded(*, request: str, status: str, body: str, body_hash: str, proofs: Sequence[Payload]) -> Payload:
    """The receipt of a request: the canonical body, its SHA-256, and the proofs that came with it."""
    return {"body": body, "hash": body_hash, "proofs": list(proofs), "request": f"req_{request}", "status": status}


def proven(*, proofs: Sequence[Payload]) -> Payload:
    """Proofs that came later."""
    return {"proofs": list(proofs)}


def proof(
    *, number: int, kind: str, reference: str, content_hash: str, producer: str, units: int | None, signature: str, is_valid: bool
) -> Payload:
    """One proof of a receipt, the `number`-th."""
    return {
        "content_hash": content_hash,
        "is_valid": is_valid,
        "number": number,
        "producer": producer,
        "reference": reference,
        "signature": signature,
        "type": kind,
        "units": None if units is None else str(units),
    }


def pending_proof(*, request: str, receipt: str, reserved_units: int, escrow_minor: int, missing: Sequence[str], due_at: str) -> Payload:
    """No outcome yet: `missing` may still come until `due_at`. What the routes had locked stays locked."""
    return {
        "due_at": due_at,
        "escrow_minor": str(escrow_minor),
        "missing": list(missing),
        "receipt": f"rcp_{receipt}",
        "request": f"req_{request}",
        "reserved_units": str(reserved_units),
    }


def classified(
    *,
    request: str,
    receipt: str,
    cause: str,
    outcome: str,
    rule: str,
    digest: str,
    shares: Sequence[ShareTold],
    reserved_units: int,
    escrow_minor: int,
) -> Payload:
    """What the request came to, by which rule, and what becomes of every route's units and escrow. `cause` is the event of SPEC §9.

    `shares` are of the routes that were under lock, or, when a reviewer decides anew, of those the request was done by.
    """
    return {
        "cause": cause,
        "digest": digest,
        "escrow_minor": str(escrow_minor),
        "outcome": outcome,
        "receipt": f"rcp_{receipt}",
        "request": f"req_{request}",
        "reserved_units": str(reserved_units),
        "rule": rule,
        "shares": [_share(share) for share in shares],
        "units": str(sum(share.used for share in shares)),
    }


def window_opened(*, until: str) -> Payload:
    """Whoever was a party may challenge it until then."""
    return {"until": until}


def disputed(*, dispute: str, side: str, opener: str | None, claim: str) -> Payload:
    """A challenge within the window; `opener` the account, where it was one."""
    return {"claim": claim, "dispute": f"dsp_{dispute}", "opener": opener and f"acc_{opener}", "side": side}


def assigned(*, dispute: str, reviewer: str, reason: str | None) -> Payload:
    """Who is to decide, and why he, where that was said; he is no party to it."""
    return {"dispute": f"dsp_{dispute}", "reason": reason, "reviewer": reviewer}


def evidence(*, dispute: str, number: int, by: str, text: str, content_hash: str) -> Payload:
    """What a party brought forward."""
    return {"by": by, "content_hash": content_hash, "dispute": f"dsp_{dispute}", "number": number, "text": text}


def decided(*, dispute: str, state: str, reason: str) -> Payload:
    """`rejected`, `upheld` or `reclassified`, and why."""
    return {"dispute": f"dsp_{dispute}", "reason": reason, "state": state}


def reversed_(*, units: int) -> Payload:
    """Every unit that was used is given back: to the right, or to the expired where that has ended or is in other hands."""
    return {"units": str(units)}


def finalized(*, request: str, cause: str, shares: Sequence[ShareTold], moves: Sequence[CashTold], outcome: str, rule: str) -> Payload:
    """Final: the escrow has gone where it belongs. `cause` is the event of SPEC §9; after a reversal outcome and rule are the correction's."""
    return {
        "cause": cause,
        "moves": [
            {"amount_minor": str(m.amount_minor), "currency": m.currency, "from": m.giver, "kind": m.kind, "to": m.taker} for m in moves
        ],
        "outcome": outcome,
        "request": f"req_{request}",
        "rule": rule,
        "shares": [_share(share) for share in shares],
    }


def _share(share: ShareTold) -> Payload:
    return {
        "compensation_minor": str(share.compensation_minor),
        "payout_minor": str(share.payout_minor),
        "release_minor": str(share.release_minor),
        "reserved_units": str(share.reserved),
        "right": f"rgt_{share.right_id}",
        "route": f"rte_{share.route_id}",
        "state": share.state,
        "units": str(share.used),
    }
