"""What happens to a request is told to its parties on their private channels, in the transaction that does it (TRUST M1).

`requests`: to who asked and to whose rights are used. `settlements`: to them, to the suppliers and issuers of routes that are executed, and
to reviewers of its disputes, on every account they have: to all who may read the settlement itself (exchange/selectors/settlements.py). `balances`: to whose cash moved.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import transaction

from exchange.feed.record import RequestRecord, SettlementRecord
from exchange.services import bell
from exchange.services.messages import Said, tell_named
from rights.kernel import rows
from rights.kernel.ids import bare, public
from rights.services.journal import NewEvent
from settlement.domain import route_events, settlement_events
from settlement.domain.request_states import STAKES, RequestState
from settlement.domain.settlement_states import CLASSIFIED, Outcome, SettlementState

Told = tuple[NewEvent, str]
Says = Callable[[Mapping[str, Any]], str]

_ASKING = """
SELECT id AS request_id, account_id, true AS whole FROM settlement_request WHERE id = ANY(%(requests)s::uuid[])
UNION ALL SELECT id, holder_id, true FROM settlement_request WHERE id = ANY(%(requests)s::uuid[])
"""
_STAKES = ", ".join(f"'{state}'" for state in STAKES)
_CONCERNED = f"""
{_ASKING}
UNION ALL SELECT t.request_id, a.id, false FROM settlement_route t JOIN rights_supplier s ON s.id = t.supplier_id
    JOIN rights_account a ON a.participant_id = s.participant_id WHERE t.request_id = ANY(%(requests)s::uuid[]) AND t.state IN ({_STAKES})
UNION ALL SELECT t.request_id, a.id, false FROM settlement_route t JOIN rights_right r ON r.id = t.right_id JOIN rights_issuer i ON i.id = r.issuer_id
    JOIN rights_account a ON a.participant_id = i.participant_id WHERE t.request_id = ANY(%(requests)s::uuid[]) AND t.state IN ({_STAKES})
UNION ALL SELECT s.request_id, a.id, false FROM settlement_settlement s JOIN settlement_dispute d ON d.settlement_id = s.id
    JOIN rights_participant p ON p.slug = d.reviewer JOIN rights_account a ON a.participant_id = p.id WHERE s.request_id = ANY(%(requests)s::uuid[])
"""


def tell_parties(*, told: Sequence[Told], now_us: int) -> None:
    """Write what these events tell each party of their requests, and nobody else: one record for each account, of all of them.

    Locks the feeds: behind the streams.
    """
    by_request: dict[str, list[Told]] = {}
    for event, uuid in told:
        by_request.setdefault(request_of(event).removeprefix("req_"), []).append((event, uuid))
    said = [Said(request, request_records(facts), settlement_records(facts)) for request, facts in by_request.items()]
    answer = tell_named(
        parties=_CONCERNED if any(each.settlements for each in said) else _ASKING,
        names={"requests": rows.array(by_request)},
        said=said,
        cash=sorted({moved for event, _ in told for moved in _cash_of(event)}),
        now_us=now_us,
    )
    transaction.on_commit(lambda: bell.notify_accounts(answer.rows()))


def _cash_of(event: NewEvent) -> list[tuple[str, str]]:
    """(account's UUID, currency) of each participant's balance that the event says has changed."""
    payload = event.payload
    if event.type == settlement_events.FINALIZED:
        return [(uuid, move["currency"]) for move in payload["moves"] for end in ("from", "to") if (uuid := bare("acc", move[end]))]
    if event.object_type == "route" and payload["payer"] and payload["escrow_minor"] != "0":
        return [(payload["payer"].removeprefix("acc_"), payload["currency"])]
    return []


_S = RequestState
# What each kind of event makes of the request; what is not here leaves it as it is.
_REQUEST_STATES: Mapping[str, Says] = {
    route_events.SUBMITTED: lambda _: _S.RECEIVED,
    route_events.ACCEPTED: lambda payload: payload["state"],
    route_events.LOCKED: lambda _: _S.MATCHED,
    route_events.REPLACED: lambda payload: payload["request_state"],
    route_events.EXPIRED: lambda payload: payload["request_state"],
    route_events.RELEASED: lambda payload: payload["request_state"],
    route_events.STARTED: lambda _: _S.EXECUTING,
    route_events.PROGRESSED: lambda _: _S.EXECUTING,
    settlement_events.EXECUTED: lambda payload: payload["status"],
    settlement_events.FINALIZED: lambda _: _S.SETTLED,
}
_T = SettlementState
_SETTLEMENT_STATES: Mapping[str, Says] = {
    settlement_events.PENDING_PROOF: lambda _: _T.PENDING_PROOF,
    settlement_events.CLASSIFIED: lambda payload: CLASSIFIED[Outcome(payload["outcome"])],
    settlement_events.WINDOW_OPENED: lambda _: _T.PENDING_DISPUTE_WINDOW,
    settlement_events.DISPUTED: lambda _: _T.IN_DISPUTE,
    settlement_events.REVERSED: lambda _: _T.REVERSED,
    settlement_events.FINALIZED: lambda _: _T.FINALIZED,
}
_DISPUTE_STATES: Mapping[str, Says] = {
    settlement_events.DISPUTED: lambda _: "open",
    settlement_events.ASSIGNED: lambda _: "open",
    settlement_events.EVIDENCE: lambda _: "open",
    settlement_events.DECIDED: lambda payload: payload["state"],
}


def _said(states: Mapping[str, Says], event: NewEvent) -> str | None:
    says = states.get(event.type)
    return None if says is None else str(says(event.payload))


def request_records(told: Sequence[Told]) -> list[RequestRecord]:
    """The part of `requests`: everything about the request, its routes and its receipt, and that it is settled."""
    # A route that another one follows while the request is executed does not take it back to `matched`.
    goes_on = any(event.type == route_events.PROGRESSED for event, _ in told)
    return [
        _request_record(event, uuid, goes_on=goes_on)
        for event, uuid in told
        if not event.type.startswith("settlement.") or event.type == settlement_events.FINALIZED
    ]


def _request_record(event: NewEvent, uuid: str, *, goes_on: bool) -> RequestRecord:
    payload = event.payload
    is_route, is_receipt = event.object_type == "route", event.object_type == "receipt"
    named = [route if isinstance(route, str) else route["route"] for route in payload.get("routes", ())]
    return RequestRecord(
        event_id=public("evt", uuid),
        event=event.type,
        request_id=request_of(event),
        state=str(_S.EXECUTING) if goes_on and event.type == route_events.LOCKED else _said(_REQUEST_STATES, event),
        route_ids=[event.object_id] if is_route else named,
        right_id=payload["right"] if is_route else None,
        units=payload["units"] if is_route else None,
        receipt_id=event.object_id if is_receipt else event.refs.get("receipt"),
        reason=payload.get("reason"),
    )


def settlement_records(told: Sequence[Told]) -> list[SettlementRecord]:
    """The part of `settlements`: every step of the settlement and of its disputes."""
    return [_settlement_record(event, uuid) for event, uuid in told if event.type.startswith("settlement.")]


def _settlement_record(event: NewEvent, uuid: str) -> SettlementRecord:
    payload = event.payload
    return SettlementRecord(
        event_id=public("evt", uuid),
        event=event.type,
        settlement_id=event.object_id,
        request_id=request_of(event),
        receipt_id=event.refs["receipt"],
        state=_said(_SETTLEMENT_STATES, event),
        outcome=payload.get("outcome"),
        rule=payload.get("rule"),
        units=payload.get("units"),
        missing=payload.get("missing", []),
        until=payload.get("until") or payload.get("due_at"),
        dispute_id=payload.get("dispute"),
        dispute_state=_said(_DISPUTE_STATES, event),
        reviewer=payload.get("reviewer"),
    )


def request_of(event: NewEvent) -> str:
    """The public id of the request that an event of its families is about."""
    if event.object_type == "request":
        return event.object_id
    found: str = event.refs.get("request") or event.payload["request"]
    return found
