"""The path of a request and of a route (SPEC §8): tables beside their words."""

from enum import StrEnum


class RequestState(StrEnum):
    RECEIVED = "received"
    VALIDATED = "validated"
    MATCHED = "matched"
    EXECUTING = "executing"
    DEFERRED = "deferred"
    COMPLETED = "completed"
    FALLBACK_COMPLETED = "fallback_completed"
    PARTIALLY_COMPLETED = "partially_completed"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    SETTLED = "settled"


class RouteState(StrEnum):
    QUOTED = "quoted"
    REFUSED = "refused"
    LOCKED = "locked"
    EXECUTING = "executing"
    COMPLETED = "completed"
    RELEASED = "released"
    EXPIRED = "expired"
    REPLACED = "replaced"


REQUEST_STATES = tuple(str(state) for state in RequestState)
ROUTE_STATES = tuple(str(state) for state in RouteState)
BUDGETS = ("actual", "reserved-draw", "quoted-cap")
STAKES = (str(RouteState.EXECUTING), str(RouteState.COMPLETED))  # of routes whose supplier and issuer are parties to the settlement
DELIVERIES = ("sync", "async", "webhook", "queue", "artifact")

_S, _R = RequestState, RouteState
DONE = frozenset({_S.COMPLETED, _S.FALLBACK_COMPLETED, _S.PARTIALLY_COMPLETED, _S.FAILED, _S.EXPIRED, _S.CANCELLED})  # a receipt says so
OPEN = frozenset({_S.RECEIVED, _S.VALIDATED, _S.MATCHED, _S.EXECUTING, _S.DEFERRED})

REQUEST_TABLE: dict[RequestState, frozenset[RequestState]] = {
    _S.RECEIVED: frozenset({_S.VALIDATED, _S.FAILED, _S.EXPIRED, _S.CANCELLED}),
    _S.VALIDATED: frozenset({_S.MATCHED, _S.DEFERRED, _S.FAILED, _S.EXPIRED, _S.CANCELLED, _S.SUPERSEDED}),
    _S.DEFERRED: frozenset({_S.VALIDATED, _S.MATCHED, _S.FAILED, _S.EXPIRED, _S.CANCELLED, _S.SUPERSEDED}),
    _S.MATCHED: frozenset({_S.EXECUTING, _S.VALIDATED, _S.FAILED, _S.EXPIRED, _S.CANCELLED, _S.SUPERSEDED}),
    _S.EXECUTING: DONE,
    **{state: frozenset({_S.SETTLED}) for state in DONE},
}
ROUTE_TABLE: dict[RouteState, frozenset[RouteState]] = {
    _R.QUOTED: frozenset({_R.LOCKED, _R.EXPIRED, _R.REPLACED}),
    _R.LOCKED: frozenset({_R.EXECUTING, _R.RELEASED, _R.EXPIRED, _R.REPLACED}),
    _R.EXECUTING: frozenset({_R.COMPLETED, _R.RELEASED}),
}


def may_become(before: str, after: str) -> bool:
    """Whether a request goes that way."""
    return RequestState(after) in REQUEST_TABLE.get(RequestState(before), ())


def route_may_become(before: str, after: str) -> bool:
    """Whether a route goes that way."""
    return RouteState(after) in ROUTE_TABLE.get(RouteState(before), ())
