"""A request comes in (SPEC §8): validated, quoted and, where the router may choose, locked, in one transaction."""

import hashlib
import json
from collections.abc import Sequence
from uuid import UUID

import msgspec

from rights.kernel import rows
from rights.kernel.clock import rfc3339, to_datetime, to_us
from rights.kernel.ids import Mint
from rights.models import Account
from rights.services.journal import NewEvent
from settlement.domain import route_events
from settlement.domain.envelope import Envelope, Fault, envelope_document, envelope_faults, hashed
from settlement.models import Request
from settlement.services.quotes import Quoting, quoted_routes, quoting, write_routes
from settlement.services.request_refusal import EnvelopeRefused, RequestRefused
from settlement.services.request_source import Source, source_of
from settlement.services.route import about, lock_chosen, remember, with_cash


def submit_request(
    *,
    envelope: Envelope,
    account: Account,
    payload: str | None,
    request_id: str,
    mint: Mint,
    actor: str,
    now_us: int,
    choose: bool = True,
) -> Request:
    """The request: `matched` with its routes locked, `deferred` where rights let it wait, or `validated` when the caller chooses.

    `payload` is kept for whoever executes it; None when that has it in hand. Raises EnvelopeRefused, RequestRefused with every reason of
    every candidate, LifecycleRefusedError with a delegation's bound; nothing is written then.
    """
    faults = [*envelope_faults(envelope), *_payload_faults(envelope, payload)]
    if faults:
        raise EnvelopeRefused(faults)

    def act() -> Request:
        source = source_of(envelope=envelope, account_id=account.pk, request_id=request_id, now_us=now_us)
        found = quoting(envelope=envelope, source=source, request_id=request_id, now_us=now_us)
        if not found.plan.chosen and not (choose and found.plan.may_wait):
            raise RequestRefused(found.plan.refusals, is_retryable=found.plan.may_wait)
        request = _row(envelope, account, source, found, request_id, now_us, choose=choose)
        with rows.together():
            _write(request, payload, envelope.payload_hash, now_us)
            return _route(request, account, found, mint, actor, now_us, choose=choose)

    return with_cash(act)


def _payload_faults(envelope: Envelope, payload: str | None) -> Sequence[Fault]:
    if payload is None or hashlib.sha256(payload.encode()).hexdigest() == envelope.payload_hash:
        return ()
    return [Fault("payload_hash", "is not the SHA-256 of the payload")]


def _row(envelope: Envelope, account: Account, source: Source, found: Quoting, request_id: str, now_us: int, *, choose: bool) -> Request:
    text, digest = hashed(envelope_document(envelope, choose=choose))
    at = to_datetime(now_us)
    first = next(claim.right_id for claim in found.claims if claim.right_id in found.streams)
    state = "validated" if not choose else "matched" if found.plan.chosen else "deferred"
    return Request(
        pk=UUID(request_id),
        account=account,
        holder_id=source.holder_id,
        delegation_id=source.delegation_id,
        stream_id=found.streams[first],
        state=state,
        workload=envelope.workload,
        operation=envelope.operation,
        expected_units=envelope.expected_units,
        budget=envelope.budget,
        delivery=envelope.delivery,
        envelope=text,
        envelope_hash=digest,
        effective=found.effective(),
        latest_at=to_datetime(found.latest_us),
        created_at=at,
        updated_at=at,
    )


_COLUMNS = (
    "id, account_id, holder_id, delegation_id, stream_id, state, workload, operation, expected_units, budget, delivery, envelope, "
    "envelope_hash, effective, latest_at, created_at, updated_at"
)


def _write(request: Request, payload: str | None, payload_hash: str, now_us: int) -> None:
    """Its row, and what is to be done, if that came along."""
    at, delegation = rfc3339(now_us), request.delegation_id
    fields = (
        request.pk, request.account_id, request.holder_id, rows.NULL if delegation is None else delegation, request.stream_id, request.state,
        request.workload, request.operation, request.expected_units, request.budget, request.delivery, rows.escape(request.envelope),
        request.envelope_hash, rows.escape(msgspec.json.encode(request.effective).decode()), rfc3339(to_us(request.latest_at)), at, at,
    )  # fmt: skip
    rows.copy_rows("settlement_request", _COLUMNS, ["\t".join(map(str, fields))])
    if payload is not None:
        line = f"{request.pk}\t{rows.escape(payload)}\t{payload_hash}\t{at}"
        rows.copy_rows("settlement_requestpayload", "request_id, body, body_hash, created_at", [line])


def _route(request: Request, account: Account, found: Quoting, mint: Mint, actor: str, now_us: int, *, choose: bool) -> Request:
    made, quoted = quoted_routes(request=request, found=found, first=0, mint=mint, now_us=now_us)
    locked = lock_chosen(request, made, found, now_us) if choose and found.plan.chosen else []
    write_routes(made)
    remember(request, [*_taken(request, account, found), quoted, *locked], actor, now_us)
    return request


def _taken(request: Request, account: Account, found: Quoting) -> list[NewEvent]:
    """Submitted and accepted; a lock that follows makes it `matched`."""
    holder = account if request.holder_id == account.pk else request.holder
    submitted = route_events.submitted(
        account=str(account.uuid),
        holder=str(holder.uuid),
        envelope=json.loads(request.envelope),
        envelope_hash=request.envelope_hash,
        latest_at=rfc3339(found.latest_us),
        stream=request.stream_id,
    )
    state = "deferred" if request.state == "deferred" else "validated"
    accepted = route_events.accepted(state=state, effective=request.effective, refusals=found.refusals())
    return [about(request, route_events.SUBMITTED, submitted), about(request, route_events.ACCEPTED, accepted)]
