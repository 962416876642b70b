"""Another route for work whose supplier failed while it was executing (SPEC §8): the next that right, request and policies allow.

What has delivered nothing is released first, so that its units can serve again; what has delivered keeps its lock until the receipt. When
nobody else may do it, nothing changes. Locks: as for routes (settlement/services/route.py).
"""

import json
from collections.abc import Collection, Sequence

import msgspec
from django.db import transaction
from django.db.models import Q

from rights.kernel.clock import rfc3339, to_datetime, to_us
from rights.kernel.ids import Mint, public
from rights.services.refusals import LifecycleRefusedError
from settlement.domain import route_events
from settlement.domain.envelope import envelope_of
from settlement.domain.work import OWN_ADAPTERS, Leg
from settlement.models import Endpoint, Request, Route
from settlement.services.begin import legs_of
from settlement.services.ledger import LedgerRefusal
from settlement.services.node_jobs import ADAPTER as BY_NODES
from settlement.services.quotes import quoted_routes, quoting, write_routes
from settlement.services.request_refusal import RequestRefused
from settlement.services.request_source import source_of
from settlement.services.route import about, end_locks, lock_chosen, locked_request, next_number, remember


class _NobodyElse(Exception):
    """Nothing may do it: the transaction is taken back."""


def fall_back(
    *,
    request_id: str,
    released: Sequence[str],
    without_endpoints: Collection[int],
    units: int,
    reason: str,
    mint: Mint,
    actor: str,
    now_us: int,
) -> tuple[Leg, ...]:
    """Legs for `units` more, at none of the endpoints that were tried; `released` (route ids) go back. None when nobody else may do it."""
    try:
        with transaction.atomic():
            return _fall_back(request_id, released, without_endpoints, units, reason, mint, actor, now_us)
    except (RequestRefused, LifecycleRefusedError, LedgerRefusal, _NobodyElse):
        return ()


def _fall_back(
    request_id: str, released: Sequence[str], tried: Collection[int], units: int, reason: str, mint: Mint, actor: str, now_us: int
) -> tuple[Leg, ...]:
    request = locked_request(request_id)
    if request.state != "executing":
        raise _NobodyElse
    former = list(request.routes.filter(pk__in=released, state="executing").select_related("payer", "currency").order_by("number"))
    events = end_locks(request, former, state="released", reason=reason, now_us=now_us)
    envelope = msgspec.structs.replace(envelope_of(json.loads(request.envelope)), expected_units=units)
    # Nodes and whoever works by himself share with nobody, and the caller waits for no job.
    shut = Q(pk__in=tried) | Q(adapter__in=(BY_NODES, *OWN_ADAPTERS), status="active")
    without = set(Endpoint.objects.filter(shut).values_list("capability_id", flat=True))
    source = source_of(envelope=envelope, account_id=request.account_id, request_id=request_id, now_us=now_us)
    # Only rights whose policy in force was told when it was taken: another one, which came to the holder since, is no part of the request.
    kept = tuple(wanted for wanted in source.wanted if public("rgt", wanted.right_id) in request.effective)
    source = msgspec.structs.replace(source, wanted=kept)
    found = quoting(envelope=envelope, source=source, request_id=request_id, now_us=now_us, without=without)
    if not found.plan.chosen:
        raise _NobodyElse
    made, quoted = quoted_routes(request=request, found=found, first=next_number(request), mint=mint, now_us=now_us)
    locked = lock_chosen(request, made, found, now_us)
    routes = [route for quote, route in made if quote.is_chosen]
    deadline_us = _executing(request, routes, now_us)
    write_routes(made)
    fact = route_events.progressed(
        routes=[str(route.pk) for route in routes], released=list(released), deadline_at=rfc3339(deadline_us), reason=reason
    )
    remember(request, [*events, quoted, *locked, about(request, route_events.PROGRESSED, fact)], actor, now_us)
    legs = legs_of(request, routes)
    if legs is None:
        raise _NobodyElse
    return legs


def _executing(request: Request, routes: Sequence[Route], now_us: int) -> int:
    """The routes, which are still to be written, execute until the execution's own deadline, which is answered."""
    running = request.routes.filter(state="executing").values_list("expires_at", flat=True)
    deadlines = [to_us(moment) for moment in running if moment is not None]
    deadline_us = min([*deadlines, to_us(request.latest_at)])
    for route in routes:
        route.state, route.expires_at = "executing", to_datetime(deadline_us)
    request.updated_at = to_datetime(now_us)
    request.save(update_fields=["updated_at"])
    return deadline_us
