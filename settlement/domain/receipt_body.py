"""What an executor tells of a request: facts, never economics (SPEC §8). Pure values, with the canonical body that is hashed and signed."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from rights.domain.canonical_json import canonical_json
from rights.domain.moment import parse_us, text_of

STATUSES = ("completed", "fallback_completed", "partially_completed", "failed", "expired", "cancelled")
SUCCESSES = frozenset(STATUSES[:3])


class LegTold(msgspec.Struct, frozen=True, kw_only=True):
    """One route's part. `route_id` is a UUID text; `output_hash` SHA-256, hexadecimal, "" where there is no output.

    `is_callers`: it failed for what was asked for, and not for who did it. Only the venue's own executor says so; no supplier's receipt has it.
    """

    route_id: str
    delivered_units: int
    billable_units: int
    latency_us: int = 0
    queue_us: int = 0
    fallbacks: tuple[str, ...] = ()
    quality_loss_bps: int = 0
    latency_expansion_bps: int = 0
    output_ref: str = ""
    output_hash: str = ""
    error: str = ""
    is_callers: bool = False


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a request as its executor saw it. `completed_us` None when nothing was completed."""

    status: str
    started_us: int | None = None
    completed_us: int | None = None
    legs: tuple[LegTold, ...] = ()
    cancelled_by_right: bool = False


class NewProof(msgspec.Struct, frozen=True, kw_only=True):
    """A proof as it is handed in. `signature` hexadecimal Ed25519; `is_valid`: whoever took it in has checked what it bears."""

    type: str
    reference: str
    content_hash: str
    producer: str
    units: int | None = None
    signature: str = ""
    is_valid: bool = True


def document_of(*, request_id: str, told: Told) -> dict[str, Any]:
    """The receipt as a document: public ids, amounts and spans as texts, legs in the order of their routes."""
    return {
        "cancelled_by_right": told.cancelled_by_right,
        "completed_at": None if told.completed_us is None else text_of(told.completed_us),
        "legs": [_leg(leg) for leg in sorted(told.legs, key=lambda leg: leg.route_id)],
        "request": f"req_{request_id}",
        "started_at": None if told.started_us is None else text_of(told.started_us),
        "status": told.status,
    }


def body_of(*, request_id: str, told: Told) -> tuple[str, str]:
    """The canonical JSON (RFC 8785) and its SHA-256: what makes two receipts the same."""
    body = canonical_json(document_of(request_id=request_id, told=told))
    return body.decode(), hashlib.sha256(body).hexdigest()


def told_in(document: Mapping[str, Any]) -> Told:
    """The facts of a stored document. KeyError or ValueError when it has another shape."""
    started, completed = document["started_at"], document["completed_at"]
    return Told(
        status=document["status"],
        started_us=None if started is None else parse_us(started),
        completed_us=None if completed is None else parse_us(completed),
        legs=tuple(_told_leg(leg) for leg in document["legs"]),
        cancelled_by_right=document["cancelled_by_right"],
    )


def signed_bytes(*, receipt: Mapping[str, Any], proofs: Sequence[Mapping[str, Any]]) -> bytes:
    """What a supplier signs: the receipt and the proofs beside it, in one canonical form."""
    return canonical_json({"proofs": [dict(proof) for proof in proofs], "receipt": dict(receipt)})


def _leg(leg: LegTold) -> dict[str, Any]:
    return {
        "billable_units": str(leg.billable_units),
        "delivered_units": str(leg.delivered_units),
        "error": leg.error,
        "fallbacks": sorted(leg.fallbacks),
        "latency_expansion_bps": leg.latency_expansion_bps,
        "latency_us": str(leg.latency_us),
        "output_hash": leg.output_hash,
        "output_ref": leg.output_ref,
        "quality_loss_bps": leg.quality_loss_bps,
        "queue_us": str(leg.queue_us),
        "route": f"rte_{leg.route_id}",
        **({"is_callers": True} if leg.is_callers else {}),  # left out elsewhere: receipts of before keep their hashes
    }


def _told_leg(leg: Mapping[str, Any]) -> LegTold:
    return LegTold(
        route_id=leg["route"].removeprefix("rte_"),
        delivered_units=int(leg["delivered_units"]),
        billable_units=int(leg["billable_units"]),
        latency_us=int(leg["latency_us"]),
        queue_us=int(leg["queue_us"]),
        fallbacks=tuple(leg["fallbacks"]),
        quality_loss_bps=leg["quality_loss_bps"],
        latency_expansion_bps=leg["latency_expansion_bps"],
        output_ref=leg["output_ref"],
        output_hash=leg["output_hash"],
        error=leg["error"],
        is_callers=leg.get("is_callers", False),
    )
