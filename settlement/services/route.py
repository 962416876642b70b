"""Routes of a request (SPEC §8): quoted, locked for a short time, replaced, released, expired. A right stands; a route is of a moment.

A lock reserves units of the right and sets the issuer's cash for them aside in `venue:escrow`; where the units come out of a package, its
lock goes over to the route, and back. Locks: the request's row, its package, its delegation, rights by id, balances, the request's stream,
the registry's.
"""

import json
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec
from django.db import transaction
from django.db.models import Max

from rights.kernel import rows
from rights.kernel.apart import apart
from rights.kernel.clock import rfc3339, to_datetime, to_us
from rights.kernel.ids import Mint, public
from rights.services.deliveries import lock_rights
from rights.services.journal import NewEvent, stream_for
from rights.services.locks import Lock
from rights.services.refusals import LifecycleRefusedError
from rights.services.venue import venue_account
from settlement.domain import route_events
from settlement.domain.envelope import envelope_of
from settlement.domain.routing import Pair, Quote
from settlement.models import Request, Route
from settlement.selectors.payers import ESCROW
from settlement.services.ledger import LedgerRefusal, Move, post
from settlement.services.package_use import OpenPackage, draw_locks, open_package, return_locks
from settlement.services.packages import REGISTRY
from settlement.services.quotes import Quoting, part_told, quoted_routes, quoting, write_routes
from settlement.services.remember import is_of_package, remember_use
from settlement.services.request_refusal import RequestRefused, RequestStateRefused, refused_as
from settlement.services.request_source import source_of
from settlement.services.unit_locks import lock_units, release_units
from settlement.services.unit_moves import Fact

T = TypeVar("T")
LOCK = "route_lock"
LOCK_US = 60_000_000
AGAIN_US = 5_000_000
MOST_TRIES = 3  # another request may take the issuer's last cash meanwhile


def locked_request(request_id: str) -> Request:
    """The request under lock. Raises Request.DoesNotExist."""
    return Request.objects.select_for_update(no_key=True).get(pk=request_id)


def quote_routes(*, request_id: str, mint: Mint, actor: str, now_us: int) -> list[Route]:
    """Look again, and keep what is found; nothing is locked. Raises RequestStateRefused, RequestRefused when nothing may do it."""
    with transaction.atomic():
        request = locked_request(request_id)
        _check_open(request, "quoted")
        found = _look(request, now_us)
        if not found.plan.chosen:
            raise RequestRefused(found.plan.refusals, is_retryable=found.plan.may_wait)
        made, fact = quoted_routes(request=request, found=found, first=next_number(request), mint=mint, now_us=now_us)
        write_routes(made)
        remember(request, [fact], actor, now_us)
        return [route for _, route in made]


def lock_routes(
    *, request_id: str, mint: Mint, actor: str, now_us: int, route_ids: Sequence[str] | None = None, is_late: bool = False
) -> list[Route]:
    """Lock what the router picks, or these routes in this order; what was locked before is replaced. The routes that are locked now.

    Raises RequestStateRefused `request_state`, `route_state`, RequestRefused with what has come in between, LifecycleRefusedError.
    """
    return with_cash(lambda: _lock_routes(request_id, route_ids, mint, actor, now_us, is_late=is_late))


def _lock_routes(request_id: str, route_ids: Sequence[str] | None, mint: Mint, actor: str, now_us: int, *, is_late: bool) -> list[Route]:
    request = locked_request(request_id)
    _check_open(request, "locked")
    only = None if route_ids is None else _pairs(request, route_ids)
    former = live_routes(request)
    events = end_locks(request, former, state="replaced", reason="another choice", now_us=now_us)
    found = _look(request, now_us, is_late=is_late or request.state == "deferred", only=only)
    if not found.plan.chosen:
        raise RequestRefused(found.plan.refusals, is_retryable=found.plan.may_wait)
    made, fact = quoted_routes(request=request, found=found, first=next_number(request), mint=mint, now_us=now_us)
    request.effective = found.effective()
    accepted = route_events.accepted(state="validated", effective=request.effective, refusals=found.refusals())
    locked = lock_chosen(request, made, found, now_us)
    write_routes(made)
    request.state, request.updated_at = "matched", to_datetime(now_us)
    request.save(update_fields=["state", "effective", "updated_at"])
    events += [about(request, route_events.ACCEPTED, accepted), fact, *locked]
    remember(request, events, actor, now_us)
    return [route for quote, route in made if quote.is_chosen]


@transaction.atomic
def release_routes(*, request_id: str, reason: str, actor: str, now_us: int) -> Request:
    """The request without its locks: units and cash go back, and other routes may be locked. Raises RequestStateRefused `request_state`."""
    request = locked_request(request_id)
    if request.state != "matched":
        raise RequestStateRefused("request_state", f"a request that is {request.state} has no locks to let go of")
    _unmatch(request, live_routes(request), "released", reason, actor, now_us)
    return request


def _unmatch(request: Request, routes: Sequence[Route], state: str, reason: str, actor: str, now_us: int) -> None:
    """The request, which is under lock, waits again, and its routes end in `state`."""
    request.state, request.updated_at = "validated", to_datetime(now_us)
    request.save(update_fields=["state", "updated_at"])
    remember(request, end_locks(request, routes, state=state, reason=reason, now_us=now_us), actor, now_us)


def expire_locks_due(*, actor: str, now_us: int, most: int = 50) -> int:
    """Let go of locks whose time is over, each request in a transaction of its own; how many requests. What is being executed has its own end."""
    due = Route.objects.filter(state="locked", expires_at__lte=to_datetime(now_us)).order_by("expires_at")
    done = 0
    for request_id in dict.fromkeys(due.values_list("request_id", flat=True)[:most]):
        with apart(f"the lock of req_{request_id}"), transaction.atomic():
            request = Request.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=request_id, state="matched").first()
            if request is None:
                continue
            routes = live_routes(request)  # all of them were locked at once
            if not any(route.expires_at is not None and to_us(route.expires_at) <= now_us for route in routes):
                continue
            _unmatch(request, routes, "expired", "its time is over", actor, now_us)
            done += 1
    return done


def route_again_due(*, mint: Mint, actor: str, now_us: int, most: int = 20) -> int:
    """Try again for requests that wait for better times, and for those whose lock ran out while somebody was to fetch the answer; how many
    have routes now. A caller who waits on the line asks anew himself.
    """
    waiting = Request.objects.filter(ended_at=None, state__in=("deferred", "validated"), latest_at__gt=to_datetime(now_us))
    due = waiting.filter(updated_at__lte=to_datetime(now_us - AGAIN_US)).exclude(state="validated", delivery="sync").order_by("updated_at")
    done = 0
    for request_id, envelope in due.values_list("pk", "envelope")[:most]:
        if json.loads(envelope)["route"] == "auto":
            with apart(f"another try of req_{request_id}"):
                done += _try_again(str(request_id), mint, actor, now_us)
    return done


def _try_again(request_id: str, mint: Mint, actor: str, now_us: int) -> bool:
    try:
        lock_routes(request_id=request_id, mint=mint, actor=actor, now_us=now_us)
    except (RequestRefused, RequestStateRefused, LifecycleRefusedError):
        # Its turn comes again behind the others.
        Request.objects.filter(pk=request_id, ended_at=None).update(updated_at=to_datetime(now_us))
        return False
    return True


def with_cash(act: Callable[[], T]) -> T:
    """Run `act` in a transaction, again where another request took the issuer's last cash meanwhile. Raises RequestRefused `issuer_cash`."""
    for _ in range(MOST_TRIES):
        try:
            with transaction.atomic():
                return act()
        except LedgerRefusal:
            continue
    raise refused_as("issuer_cash", "the issuer's cash went to other requests")


class Taking(msgspec.Struct, frozen=True):
    """What a request's chosen routes take, and the facts of it: the rows say so already, the registry and the ledger are still to hear."""

    locks: list[Lock]
    moves: list[Move]
    told: list[NewEvent]


def taking(request: Request, made: Sequence[tuple[Quote, Route]], found: Quoting, now_us: int) -> Taking:
    """The chosen routes become `locked`, whose rows are still to be written."""
    chosen = [(quote, route) for quote, route in made if quote.is_chosen]
    until_us = _until_us(request, chosen, found, now_us)
    locks = [Lock(quote.right_id, LOCK, public("rte", str(route.pk)), route.units) for quote, route in chosen]
    moves = [
        Move(str(route.pk), 0, "escrow", route.currency_id, quote.payer.account_id, found.escrow_id, quote.escrow_minor)
        for quote, route in chosen
        if quote.payer is not None and quote.escrow_minor
    ]
    for quote, route in chosen:
        route.escrow_minor = quote.escrow_minor
        route.payer_id = None if quote.payer is None else quote.payer.account_id
        route.payee_id = None if quote.payee is None else quote.payee.account_id
        route.state, route.locked_at, route.expires_at = "locked", to_datetime(now_us), to_datetime(until_us)
    return Taking(locks, moves, [_locked(request, quote, route, until_us) for quote, route in chosen])


def lock_chosen(request: Request, made: Sequence[tuple[Quote, Route]], found: Quoting, now_us: int) -> list[NewEvent]:
    """Reserve the chosen quotes' units and set their cash aside, all or none; the facts. The rows are still to be written.

    Raises LedgerRefusal.
    """
    wanted = taking(request, made, found, now_us)
    return [*wanted.told, *lock_together([(request, found, wanted)], now_us)]


def lock_together(wanted: Sequence[tuple[Request, Quoting, Taking]], now_us: int) -> list[NewEvent]:
    """Reserve what several requests take that were judged by one look under their rights' locks, or one of a package; what became of
    that. Raises LedgerRefusal.
    """
    locks, moves = [lock for *_, one in wanted for lock in one.locks], [move for *_, one in wanted for move in one.moves]
    if not wanted:
        return []
    request, found, _ = wanted[0]
    if found.package is None:
        lock_units(locks=locks, holder_id=None, now_us=now_us, moves=moves, held=found.held)
        return []
    if moves:
        post(moves=moves, now_us=now_us)
    return [draw_locks(package=found.package, locks=locks, request=public("req", str(request.pk)), now_us=now_us)]


def _until_us(request: Request, chosen: Sequence[tuple[Quote, Route]], found: Quoting, now_us: int) -> int:
    """How long the locks last: a minute, or as long as a supplier needs that works by itself; and no longer than the answer counts."""
    rights = {quote.right_id for quote, _ in chosen}
    latest = [claim.effective.policy.latest_us for claim in found.claims if claim.right_id in rights]
    lasts_us = max([LOCK_US, *(quote.offer.own_us for quote, _ in chosen)])
    return min([now_us + lasts_us, to_us(request.latest_at), *(moment for moment in latest if moment is not None)])


def end_locks(request: Request, routes: Sequence[Route], *, state: str, reason: str, now_us: int) -> list[NewEvent]:
    """Units and cash of these locked routes go back; the facts. The request's row is under lock and has its new state."""
    if not routes:
        return []
    package = _opened(request, routes)
    escrow = venue_account(code=ESCROW, now_us=now_us)
    moves = [
        Move(str(route.pk), 1, "escrow_back", route.currency_id, escrow.pk, route.payer_id, route.escrow_minor)
        for route in routes
        if route.payer_id is not None and route.escrow_minor
    ]
    locks = [Lock(str(route.right_id), LOCK, public("rte", str(route.pk)), route.units) for route in routes]
    back = [] if package is None else [lock for lock in locks if package.takes_back(lock.right_id, request.holder_id)]
    lock_rights({lock.right_id for lock in locks})
    told = [] if package is None else return_locks(package=package, locks=back, request=public("req", str(request.pk)), now_us=now_us)
    release_units(refs=[lock.ref for lock in locks if lock not in back], now_us=now_us, moves=moves)
    for route in routes:
        route.state, route.ended_at = state, to_datetime(now_us)
    Route.objects.bulk_update(routes, ["state", "ended_at"])
    kinds = {"replaced": route_events.REPLACED, "expired": route_events.EXPIRED, "released": route_events.RELEASED}
    return [*(_ended(request, route, kinds[state], reason) for route in routes), *told]


_DELEGATION = "SELECT 1 FROM rights_delegation WHERE id = %s FOR NO KEY UPDATE"


def _opened(request: Request, routes: Sequence[Route]) -> OpenPackage | None:
    """The package that the routes' units come out of, under lock, and the delegation: before the rights, for who looks for others then."""
    package_id = routes[0].package_id
    package = None if package_id is None else open_package(package_id)
    if request.delegation_id is not None:
        rows.fetch_one(_DELEGATION, [request.delegation_id])
    return package


def live_routes(request: Request) -> list[Route]:
    """Its locked routes, in order, with what their facts name."""
    return list(request.routes.filter(state="locked").select_related("payer", "currency").order_by("number"))


def about(request: Request, kind: str, payload: route_events.Payload) -> NewEvent:
    return NewEvent(kind, "request", public("req", str(request.pk)), payload)


def remember(request: Request, events: Sequence[NewEvent], actor: str, now_us: int) -> None:
    """All facts of a transaction at once, behind every other lock."""
    remember_use(events=facts_of(request, events), actor=actor, now_us=now_us)


def facts_of(request: Request, events: Sequence[NewEvent]) -> list[Fact]:
    """Each with its stream: the request's; of what a package came to the registry's."""
    streams = {True: stream_for(REGISTRY) if any(map(is_of_package, events)) else 0, False: request.stream_id}
    return [(streams[is_of_package(event)], event) for event in events]


def _locked(request: Request, quote: Quote, route: Route, until_us: int) -> NewEvent:
    fact = route_events.locked(
        request=str(request.pk),
        right=quote.right_id,
        part=part_told(route),
        units=route.units,
        escrow_minor=route.escrow_minor,
        currency=quote.offer.currency,
        payer=None if quote.payer is None else quote.payer.uuid,
        payee=None if quote.payee is None else quote.payee.uuid,
        expires_at=rfc3339(until_us),
    )
    return _of_route(route, route_events.LOCKED, fact)


def _ended(request: Request, route: Route, kind: str, reason: str) -> NewEvent:
    fact = route_events.ended(
        request=str(request.pk),
        right=str(route.right_id),
        units=route.units,
        escrow_minor=route.escrow_minor,
        currency=route.currency.code,
        payer=None if route.payer is None else str(route.payer.uuid),
        reason=reason,
        state=request.state,
    )
    return _of_route(route, kind, fact)


def _of_route(route: Route, kind: str, fact: route_events.Payload) -> NewEvent:
    return NewEvent(kind, "route", public("rte", str(route.pk)), fact, {"right": public("rgt", str(route.right_id))})


def _check_open(request: Request, what: str) -> None:
    if request.state not in ("validated", "deferred", "matched"):
        raise RequestStateRefused("request_state", f"a request that is {request.state} is not {what} any more")


def next_number(request: Request) -> int:
    last: int | None = request.routes.aggregate(last=Max("number"))["last"]
    return 0 if last is None else last + 1


def _pairs(request: Request, route_ids: Sequence[str]) -> list[Pair]:
    """What the caller chose, in his order."""
    found = {str(route.pk): route for route in request.routes.filter(pk__in=route_ids)}
    unfit = [route for route in route_ids if route not in found or found[route].state not in ("quoted", "locked")]
    if unfit:
        raise RequestStateRefused("route_state", f"rte_{unfit[0]} is no open quote of this request")
    return [(str(found[route].right_id), found[route].capability_id) for route in route_ids]


def _look(request: Request, now_us: int, *, is_late: bool = False, only: Sequence[Pair] | None = None) -> Quoting:
    envelope = envelope_of(json.loads(request.envelope))
    request_id = str(request.pk)
    source = source_of(envelope=envelope, account_id=request.account_id, request_id=request_id, now_us=now_us)
    return quoting(envelope=envelope, source=source, request_id=request_id, now_us=now_us, is_late=is_late, only=only)
