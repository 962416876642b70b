"""A request ends before anything was done for it (SPEC §8, §9): called off, or out of time. Its locks go back, and its receipt says so."""

from collections.abc import Sequence

from django.db import transaction

from rights.kernel.apart import apart
from rights.kernel.clock import to_datetime
from rights.kernel.ids import Mint
from rights.services.journal import NewEvent
from settlement.domain import route_events
from settlement.domain.receipt_body import Told
from settlement.domain.request_states import RequestState
from settlement.domain.venue_proofs import venue_proofs
from settlement.models import Request
from settlement.services.receipt import record_receipt
from settlement.services.request_refusal import RequestStateRefused
from settlement.services.route import about, locked_request, remember

WAITING = (RequestState.RECEIVED, RequestState.VALIDATED, RequestState.DEFERRED, RequestState.MATCHED)


@transaction.atomic
def cancel_request(*, request_id: str, reason: str, mint: Mint, actor: str, now_us: int) -> Request:
    """The request, settled as cancelled. Raises RequestStateRefused `request_executing`, `request_state`."""
    request = locked_request(request_id)
    if request.state == RequestState.EXECUTING:
        raise RequestStateRefused("request_executing", "its execution has begun; what comes of it is settled by its receipt")
    if request.state not in WAITING:
        raise RequestStateRefused("request_state", f"a request that is {request.state} can't be cancelled")
    said = about(request, route_events.CANCELLED, route_events.cancelled(reason=reason))
    told = Told(status="cancelled", cancelled_by_right=True)
    return _close(request, told, [said], mint=mint, actor=actor, now_us=now_us)


def expire_requests_due(*, mint: Mint, actor: str, now_us: int, most: int = 50) -> int:
    """End those that waited past their latest moment; how many. Each in its own transaction; what is being executed has its own end."""
    due = Request.objects.filter(ended_at=None, latest_at__lte=to_datetime(now_us), state__in=WAITING).order_by("latest_at")
    done = 0
    for request_id in due.values_list("pk", flat=True)[:most]:
        with apart(f"the end of req_{request_id}"), transaction.atomic():
            request = Request.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=request_id, state__in=WAITING).first()
            if request is not None:
                _close(request, Told(status="expired"), [], mint=mint, actor=actor, now_us=now_us)
                done += 1
    return done


def _close(request: Request, told: Told, facts: Sequence[NewEvent], *, mint: Mint, actor: str, now_us: int) -> Request:
    """Its receipt says how it ended, and lets go of its locks; what else is to be told comes behind, when nothing more is locked."""
    request_id = str(request.pk)
    proofs = venue_proofs(request_id=request_id, told=told, envelope_hash=request.envelope_hash)
    record_receipt(request_id=request_id, told=told, proofs=proofs, mint=mint, actor=actor, now_us=now_us)
    remember(request, facts, actor, now_us)
    request.refresh_from_db()
    return request
