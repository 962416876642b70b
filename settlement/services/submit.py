"""Requests come in (SPEC §8): validated, quoted and, where the router may choose, locked, in one transaction."""

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
from settlement.domain.routing import Quote
from settlement.models import Request, Route
from settlement.services.quotes import Look, Quoting, look, quoted_routes, write_routes
from settlement.services.remember import remember_use
from settlement.services.request_refusal import EnvelopeRefused, RequestRefused
from settlement.services.request_source import Source, source_of
from settlement.services.route import Taking, about, facts_of, lock_together, taking, with_cash
from settlement.services.unit_moves import Fact


class Ask(msgspec.Struct, frozen=True):
    """A request that is to be submitted by an account (number and UUID). `payload` is kept for whoever executes it; None when that has it
    in hand. `choose`: the router locks what is best; otherwise the caller chooses among quotes.
    """

    envelope: Envelope
    account_id: int
    account_uuid: str
    payload: str | None
    request_id: str
    actor: str
    choose: bool = True


class Submitted(msgspec.Struct, frozen=True):
    """A request as it was written: `matched` with its routes locked, `deferred` where rights let it wait, or `validated` when the caller
    chooses; all its routes, and the scale of their cash.
    """

    ask: Ask
    request: Request
    made: list[tuple[Quote, Route]]
    scale: int

    @property
    def is_matched(self) -> bool:
        """Whether its routes are locked."""
        return self.request.state == "matched"


Outcome = Submitted | EnvelopeRefused | RequestRefused


def goes_together(envelope: Envelope) -> bool:
    """Whether it may be submitted with others: what uses a package or a delegation locks more than rights, and before them."""
    return envelope.delegation_id is None and envelope.package_id is None


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
    """The request, as `Submitted` has it. Raises EnvelopeRefused, RequestRefused with every reason of every candidate,
    LifecycleRefusedError with a delegation's bound; nothing is written then.
    """
    made = submit_alone(ask=Ask(envelope, account.pk, str(account.uuid), payload, request_id, actor, choose), mint=mint, now_us=now_us)
    made.request.account = account
    return made.request


def submit_alone(*, ask: Ask, mint: Mint, now_us: int) -> Submitted:
    """One request, which is tried again where another took the issuer's last cash meanwhile. Raises as `submit_request`."""
    (outcome,) = with_cash(lambda: submit_requests(asks=[ask], mint=mint, now_us=now_us))
    if not isinstance(outcome, Submitted):
        raise outcome
    return outcome


def submit_requests(*, asks: Sequence[Ask], mint: Mint, now_us: int) -> list[Outcome]:
    """Several that go together, or one, in the caller's transaction, each as if those before it had been submitted; what is refused is
    refused by itself.

    Raises LedgerRefusal where issuers' cash went elsewhere meanwhile, and of one LifecycleRefusedError with its delegation's bound: the
    caller rolls back.
    """
    with rows.together():
        outcomes, facts = submit_unremembered(asks=asks, mint=mint, now_us=now_us)
        if facts:
            remember_use(events=[fact for of_it in facts.values() for fact in of_it], actor=asks[0].actor, now_us=now_us)
    return outcomes


def submit_unremembered(*, asks: Sequence[Ask], mint: Mint, now_us: int) -> tuple[list[Outcome], dict[str, list[Fact]]]:
    """`submit_requests` for a caller who does more with them: the facts, by request, are his to remember, behind all that he locks."""
    outcomes: list[Outcome | None] = [_refused(ask) for ask in asks]
    wishes: dict[int, tuple[Envelope, Source]] = {}
    for place, ask in enumerate(asks):
        if outcomes[place] is None:
            try:
                wishes[place] = (
                    ask.envelope,
                    source_of(envelope=ask.envelope, account_id=ask.account_id, request_id=ask.request_id, now_us=now_us),
                )
            except RequestRefused as refused:
                outcomes[place] = refused
    if not wishes:
        return [outcome for outcome in outcomes if outcome is not None], {}
    found = look(wishes=list(wishes.values()), request_id=asks[0].request_id, now_us=now_us)
    drafts = []
    for place, (_, source) in wishes.items():
        try:
            drafts.append(_draft(asks[place], source, found, mint))
        except RequestRefused as refused:
            outcomes[place] = refused
        else:
            outcomes[place] = drafts[-1].made
    with rows.together():
        facts = _write(drafts, now_us) if drafts else {}
    return [outcome for outcome in outcomes if outcome is not None], facts


def _refused(ask: Ask) -> EnvelopeRefused | None:
    """What is wrong with it whatever the rights are."""
    faults = [*envelope_faults(ask.envelope), *_payload_faults(ask.envelope, ask.payload)]
    return EnvelopeRefused(faults) if faults else None


def _payload_faults(envelope: Envelope, payload: str | None) -> Sequence[Fault]:
    if payload is None or hashlib.sha256(payload.encode()).hexdigest() == envelope.payload_hash:
        return ()
    return [Fault("payload_hash", "is not the SHA-256 of the payload")]


class _Draft(msgspec.Struct):
    """A request that is going to be written: what was found for it, the fact of its quotes, and what it takes."""

    made: Submitted
    found: Quoting
    quoted: NewEvent
    taken: Taking | None


def _draft(ask: Ask, source: Source, look_: Look, mint: Mint) -> _Draft:
    """Judge and take, in memory. Raises RequestRefused."""
    found, now_us = look_.quoting(envelope=ask.envelope, source=source), look_.now_us
    if not found.plan.chosen and not (ask.choose and found.plan.may_wait):
        raise RequestRefused(found.plan.refusals, is_retryable=found.plan.may_wait)
    request = _row(ask, source, found, now_us)
    made, quoted = quoted_routes(request=request, found=found, first=0, mint=mint, now_us=now_us)
    taken = None
    if ask.choose and found.plan.chosen:
        look_.taken.add(found.plan.chosen)
        taken = taking(request, made, found, now_us)
    return _Draft(Submitted(ask, request, made, found.scale), found, quoted, taken)


def _row(ask: Ask, source: Source, found: Quoting, now_us: int) -> Request:
    envelope = ask.envelope
    text, digest = hashed(envelope_document(envelope, choose=ask.choose))
    at = to_datetime(now_us)
    first = next(claim.right_id for claim in found.claims if claim.right_id in found.streams)
    state = "validated" if not ask.choose else "matched" if found.plan.chosen else "deferred"
    return Request(
        pk=UUID(ask.request_id),
        account_id=ask.account_id,
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


def _write(drafts: Sequence[_Draft], now_us: int) -> dict[str, list[Fact]]:
    """Every row of them, table by table; the facts by request."""
    rows.copy_rows("settlement_request", _COLUMNS, [_line(draft.made.request, rfc3339(now_us)) for draft in drafts])
    kept = [draft.made.ask for draft in drafts if draft.made.ask.payload is not None]
    lines = [f"{ask.request_id}\t{rows.escape(str(ask.payload))}\t{ask.envelope.payload_hash}\t{rfc3339(now_us)}" for ask in kept]
    rows.copy_rows("settlement_requestpayload", "request_id, body, body_hash, created_at", lines)
    wanted = [(draft.made.request, draft.found, draft.taken) for draft in drafts if draft.taken is not None]
    drawn = lock_together(wanted, now_us)
    write_routes([route for draft in drafts for route in draft.made.made])
    # What became of a package is of the only request there is then.
    return {draft.made.ask.request_id: facts_of(draft.made.request, [*_told(draft), *drawn]) for draft in drafts}


def _line(request: Request, at: str) -> str:
    delegation = request.delegation_id
    fields = (
        request.pk, request.account_id, request.holder_id, rows.NULL if delegation is None else delegation, request.stream_id, request.state,
        request.workload, request.operation, request.expected_units, request.budget, request.delivery, rows.escape(request.envelope),
        request.envelope_hash, rows.escape(msgspec.json.encode(request.effective).decode()), rfc3339(to_us(request.latest_at)), at, at,
    )  # fmt: skip
    return "\t".join(map(str, fields))


def _told(draft: _Draft) -> list[NewEvent]:
    """Submitted, accepted, quoted; a lock that follows makes it `matched`."""
    request, ask, found = draft.made.request, draft.made.ask, draft.found
    submitted = route_events.submitted(
        account=ask.account_uuid,
        holder=ask.account_uuid if request.holder_id == ask.account_id else str(request.holder.uuid),
        envelope=json.loads(request.envelope),
        envelope_hash=request.envelope_hash,
        latest_at=rfc3339(found.latest_us),
        stream=request.stream_id,
    )
    state = "deferred" if request.state == "deferred" else "validated"
    accepted = route_events.accepted(state=state, effective=request.effective, refusals=found.refusals())
    told = [about(request, route_events.SUBMITTED, submitted), about(request, route_events.ACCEPTED, accepted), draft.quoted]
    told += draft.taken.told if draft.taken is not None else []
    return [msgspec.structs.replace(event, actor=ask.actor) for event in told]
