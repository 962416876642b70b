"""Payloads of requests and routes (docs/events.md). Bare UUIDs come in, public ids go out; units and cash are texts."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from settlement.domain.claims import Reason

Payload = dict[str, Any]

SUBMITTED: Final = "request.submitted"
ACCEPTED: Final = "request.accepted"
CANCELLED: Final = "request.cancelled"
QUOTED: Final = "route.quoted"
LOCKED: Final = "route.locked"
REPLACED: Final = "route.replaced"
EXPIRED: Final = "route.expired"
RELEASED: Final = "route.released"
STARTED: Final = "execution.started"
PROGRESSED: Final = "execution.progressed"


def submitted(*, account: str, holder: str, envelope: Mapping[str, Any], envelope_hash: str, latest_at: str, stream: int) -> Payload:
    """What is wanted, by whom, of whose rights."""
    return {
        "account": f"acc_{account}",
        "envelope": dict(envelope),
        "envelope_hash": envelope_hash,
        "holder": f"acc_{holder}",
        "latest_at": latest_at,
        "stream": str(stream),
    }


def accepted(*, state: str, effective: Mapping[str, Any], refusals: Sequence[Mapping[str, Any]]) -> Payload:
    """The policies in force by right; `refusals`: which rights and suppliers were left out, and why."""
    return {"effective": dict(effective), "refusals": [dict(found) for found in refusals], "state": state}


def refusal(*, right: str, supplier: str | None, reason: Reason) -> Payload:
    return {"code": reason.code, "detail": reason.detail, "right": f"rgt_{right}" if right else None, "supplier": supplier}


def reason_document(reason: Reason) -> Payload:
    """As rows keep it."""
    return {"code": reason.code, "detail": reason.detail, "points": reason.points}


def quoted(*, routes: Sequence[Mapping[str, Any]]) -> Payload:
    return {"routes": [dict(route) for route in routes]}


def quote(
    *,
    route: str,
    number: int,
    right: str,
    capability: str,
    supplier: str,
    units: int,
    currency: str,
    score: int,
    reasons: Sequence[Payload],
    fallbacks: Sequence[str],
    quality_loss_bps: int,
    part: Payload | None,
    state: str,
) -> Payload:
    """One way to do it; `state` is quoted or refused. `part` of a package, where the units come out of one."""
    return {
        "capability": f"cap_{capability}",
        "currency": currency,
        "fallbacks": list(fallbacks),
        "number": number,
        "part": part,
        "quality_loss_bps": quality_loss_bps,
        "reasons": list(reasons),
        "right": f"rgt_{right}",
        "route": f"rte_{route}",
        "score": score,
        "state": state,
        "supplier": supplier,
        "units": str(units),
    }


def part(*, package: str, tier: str, branch: str) -> Payload:
    """Which part of a package: the right that the route names, in this tier of a tranche, or this branch of a strategy."""
    return {"branch": branch, "package": f"pkg_{package}", "tier": tier}


def locked(
    *,
    request: str,
    right: str,
    part: Payload | None,
    units: int,
    escrow_minor: int,
    currency: str,
    payer: str | None,
    payee: str | None,
    expires_at: str,
) -> Payload:
    """Units of the right are reserved, by the package where it is a part of one, and the issuer's cash is set aside."""
    return {
        "currency": currency,
        "escrow_minor": str(escrow_minor),
        "expires_at": expires_at,
        "part": part,
        "payee": None if payee is None else f"acc_{payee}",
        "payer": None if payer is None else f"acc_{payer}",
        "request": f"req_{request}",
        "right": f"rgt_{right}",
        "units": str(units),
    }


def ended(*, request: str, right: str, units: int, escrow_minor: int, currency: str, payer: str | None, reason: str, state: str) -> Payload:
    """A lock is gone: its units are free again, its cash is the payer's. `state`: the request's after it."""
    return {
        "currency": currency,
        "escrow_minor": str(escrow_minor),
        "payer": None if payer is None else f"acc_{payer}",
        "reason": reason,
        "request": f"req_{request}",
        "request_state": state,
        "right": f"rgt_{right}",
        "units": str(units),
    }


def started(*, routes: Sequence[str], deadline_at: str) -> Payload:
    return {"deadline_at": deadline_at, "routes": [f"rte_{route}" for route in routes]}


def progressed(*, routes: Sequence[str], released: Sequence[str], deadline_at: str, reason: str) -> Payload:
    """A supplier failed: these routes go on with it, those `released` no longer."""
    return {
        "deadline_at": deadline_at,
        "reason": reason,
        "released": [f"rte_{route}" for route in released],
        "routes": [f"rte_{route}" for route in routes],
    }


def cancelled(*, reason: str) -> Payload:
    return {"reason": reason}
