"""A request is called off before anything was done for it (SPEC §8): its locks go back."""

from django.db import transaction

from rights.kernel.clock import to_datetime
from settlement.domain import route_events
from settlement.domain.request_states import OPEN, RequestState
from settlement.models import Request
from settlement.services.request_refusal import RequestStateRefused
from settlement.services.route import about, locked_request, release_routes, remember


@transaction.atomic
def cancel_request(*, request_id: str, reason: str, actor: str, now_us: int) -> Request:
    """The request, cancelled. Raises RequestStateRefused `request_executing`, `request_state`."""
    request = locked_request(request_id)
    if request.state == RequestState.EXECUTING:
        raise RequestStateRefused("request_executing", "its execution has begun; what comes of it is settled by its receipt")
    if request.state not in OPEN:
        raise RequestStateRefused("request_state", f"a request that is {request.state} can't be cancelled")
    request.state = RequestState.CANCELLED
    request.updated_at = request.ended_at = to_datetime(now_us)
    request.save(update_fields=["state", "updated_at", "ended_at"])
    events = release_routes(request=request, reason="cancelled", now_us=now_us)
    remember(request, [about(request, route_events.CANCELLED, route_events.cancelled(reason=reason)), *events], actor, now_us)
    return request
