"""Execution (SPEC §8): work → calls of suppliers → what became of it, and its receipt.

Nothing here holds a transaction or a connection while a supplier is called: each service runs in a thread of its own and gives its
connection back. Whoever calls has begun the execution; a route whose supplier fails gives way to the next that is allowed.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, cast

import msgspec
from django.db import transaction

from rights.kernel.clock import now_us
from rights.kernel.ids import Mint
from settlement.adapters import command, openai
from settlement.adapters.base import Adapter, Report, StreamingAdapter, failed
from settlement.domain.metering import COUNTED, ceiling_of, fitted, floor_tokens
from settlement.domain.parts import Part, is_mergeable, merged, parts_of, pieces_of
from settlement.domain.receipt_body import LegTold, NewProof, Told
from settlement.domain.venue_proofs import venue_proofs
from settlement.domain.work import OWN_ADAPTERS, Leg, Work
from settlement.models import Settlement
from settlement.services.begin import begin_execution
from settlement.services.endpoint_health import is_quiet, note_call
from settlement.services.fall_back import fall_back
from settlement.services.gathered import Gathered
from settlement.services.node_jobs import ADAPTER as BY_NODES
from settlement.services.node_jobs import open_jobs, tell_legs
from settlement.services.off_loop import again_in_thread, in_thread
from settlement.services.pulse import alive
from settlement.services.receipt import NewReceipt, record_alone, record_together
from settlement.services.secrets import SecretUnreadable, unseal
from settlement.services.work_done import Answer, PartDone, delivered_units, is_all_done, told_of

Body = Mapping[str, Any]
MOST_TRIES = 4  # suppliers, one after another
ACTOR = "executor"
NOT_CALLED = failed("not_called", "nobody was called")
_ADAPTERS: Mapping[str, Adapter] = {"openai": cast("Adapter", openai), "command": cast("Adapter", command)}
_STREAMING: Mapping[str, StreamingAdapter] = {"openai": cast("StreamingAdapter", openai)}
_LOG = logging.getLogger(__name__)
_MINT = Mint()


class Executed(msgspec.Struct, frozen=True):
    """The receipt's facts with the venue's proofs; `answer` what the caller gets, `last` the report that decided where it is not all done."""

    told: Told
    proofs: tuple[NewProof, ...]
    answer: Answer | None
    last: Report

    @property
    def is_delivered(self) -> bool:
        """Whether the caller may have the answer: it is what the request is charged for."""
        return self.told.completed_us is not None


async def execute(work: Work, body: Body, *, is_alone: bool = True) -> Executed:
    """All legs at once, and others in the place of those that fail, as long as policies and time allow.

    Not `is_alone`: somebody else does the request's other legs, and no leg is exchanged.
    """
    run = _Run(work, body)
    await run.try_parts(parts_of(run.operation, body, work.legs))
    for _ in range(MOST_TRIES - 1):
        if run.is_over or not is_alone:
            break
        legs, left = await run.other_legs()
        if not legs:
            break
        await run.try_parts(parts_of(run.operation, body, legs, left))
    return run.executed()


async def stream_work(work: Work, body: Body) -> AsyncGenerator[bytes | Executed, None]:
    """The events of the answer as they come, what was executed last. Another supplier is tried as long as nothing has been said."""
    run = _Run(work, body)
    part = parts_of(run.operation, body, work.legs)[0]
    for number in range(MOST_TRIES):
        done = PartDone(part, [], part.places, NOT_CALLED)
        run.parts.append(done)
        leg = part.legs[0]
        adapter = _STREAMING.get(leg.endpoint.adapter)
        if adapter is None:
            done.last = failed("operation_unknown", f"{leg.endpoint.adapter} has no streams")
        else:
            async with aclosing(_streamed(adapter, leg, body, work.deadline_us)) as items:
                async for item in items:
                    if isinstance(item, Report):
                        await _settle_stream(done, item)
                    else:
                        yield item
        if done.is_whole or done.last.pieces or number == MOST_TRIES - 1 or run.is_over:
            break
        legs, _ = await run.other_legs()
        if not legs:
            break
        part = parts_of(run.operation, body, legs)[0]
    yield run.executed()


class _Run:
    """One execution: what was tried, what came of it."""

    def __init__(self, work: Work, body: Body) -> None:
        self.work, self.body = work, body
        self.operation = work.legs[0].operation
        self.parts: list[PartDone] = []
        self._failed: set[int] = set()
        self._started_us = now_us()

    @property
    def is_over(self) -> bool:
        """All done, or nothing that another supplier could do better."""
        return is_all_done(self.parts) or any(done.last.is_callers for done in self.parts) or now_us() >= self.work.deadline_us

    async def try_parts(self, parts: Sequence[Part]) -> None:
        self.parts += await asyncio.gather(*(_run_part(self.work, self.body, part) for part in parts))

    async def other_legs(self) -> tuple[tuple[Leg, ...], list[int]]:
        """Legs at other suppliers and the inputs that are left for them; what has delivered nothing gives way. None: nobody else may."""
        broken = [done for done in self.parts if not done.is_whole]
        empty = [done for done in broken if not done.units]
        self._failed |= {leg.endpoint.endpoint_id for done in broken for leg in done.part.legs}
        units = sum(leg.units for done in empty for leg in done.part.legs)
        units += sum(_still_needed(self.operation, self.body, done) for done in broken if done.units)
        legs = await again_in_thread(
            fall_back,
            request_id=self.work.request_id,
            released=[leg.route_id for done in empty for leg in done.part.legs],
            without_endpoints=self._failed,
            units=units,
            reason=f"{broken[-1].part.legs[0].supplier}: {broken[-1].last.fault}",
            mint=_MINT,
            actor=ACTOR,
            now_us=now_us(),
        )
        if legs:
            self.parts = [done for done in self.parts if done not in empty]
        return legs, sorted({place for done in broken for place in done.left} - self._finished())

    def _finished(self) -> set[int]:
        return {place for done in self.parts for piece, _ in done.done for place in piece.places}

    def executed(self) -> Executed:
        told = told_of(self.work, self.parts, started_us=self._started_us, now_us=now_us())
        proofs = venue_proofs(request_id=self.work.request_id, told=told, envelope_hash=self.work.envelope_hash)
        pieces = [pair for done in self.parts for pair in done.done]
        answer = merged(self.operation, self.body, pieces) if pieces and told.completed_us is not None else None
        last = next((done.last for done in self.parts if not done.is_whole), self.parts[-1].last)
        return Executed(told, tuple(proofs), answer, last)


def _still_needed(operation: str, body: Body, done: PartDone) -> int:
    """The most that what a part has left over can take."""
    unit = done.part.legs[0].unit
    return sum(ceiling_of(operation, piece.body).units(unit) for piece in pieces_of(operation, body, done.left))


async def _run_part(work: Work, body: Body, part: Part) -> PartDone:
    """One endpoint does its pieces, one after another, until one fails."""
    leg = part.legs[0]
    done = PartDone(part, [], part.places, NOT_CALLED)
    adapter = _ADAPTERS.get(leg.endpoint.adapter)
    if adapter is None:
        done.last = failed("adapter_unknown", f"nothing here speaks {leg.endpoint.adapter}")
        return done
    reserved = sum(sharer.units for sharer in part.legs)
    for piece in pieces_of(leg.operation, body, part.places):
        room = reserved - done.units
        at_least = floor_tokens(leg.operation, piece.body) if leg.unit == "tokens" else 0
        if at_least > room:  # nobody does in vain what can be known before
            done.last = _above(f"takes {at_least} tokens at least", room, 0)
            break
        report = await _called(adapter, leg, piece.body, work.deadline_us)
        answer = msgspec.json.decode(report.output) if report.is_done else {}
        if report.is_done and not is_mergeable(leg.operation, body, piece, answer):
            report = failed("answer_malformed", "an answer without its place among the others", took_us=report.took_us)
        units = delivered_units(unit=leg.unit, report=report)
        if report.is_done and units is None:
            report = failed("usage_missing", f"the supplier does not say how many {leg.unit} it took", took_us=report.took_us)
        if report.is_done and leg.unit in COUNTED and (units or 0) > room:
            report = _above(f"took {units} {leg.unit}", room, report.took_us)
        await _note(leg, report)
        if not report.is_done:
            done.last = report
            break
        done.take(piece, answer, report, units or 0)
    return done


def _above(what: str, room: int, took_us: int) -> Report:
    """Whoever reserves little is given little: what goes beyond is neither charged nor handed out."""
    words = f"it {what}, {room} were reserved for it: reserve more, or ask for less"
    return failed("above_reserved", words, took_us=took_us, is_callers=True)


async def _called(adapter: Adapter, leg: Leg, body: Body, deadline_us: int) -> Report:
    """What the adapter reports. Whatever it stumbles over, a supplier has sent: his fault, so that the next one is asked."""
    try:
        return await adapter.call(_unsealed(leg), body, deadline_us)
    except Exception as error:  # noqa: BLE001 - whatever it is, it came of what was sent
        _LOG.exception("%s stumbled over what %s sent", leg.endpoint.adapter, leg.supplier)
        return failed("answer_malformed", type(error).__name__, attempts=1)


async def _streamed(adapter: StreamingAdapter, leg: Leg, body: Body, deadline_us: int) -> AsyncGenerator[bytes | Report, None]:
    """As `_called`, of a stream. What was said before stays said: nobody else is asked then."""
    said = 0
    try:
        async with aclosing(adapter.stream(_unsealed(leg), body, deadline_us)) as items:
            async for item in items:
                said += isinstance(item, bytes)
                yield item
    except Exception as error:  # noqa: BLE001 - whatever it is, it came of what was sent
        _LOG.exception("%s stumbled over what %s sent", leg.endpoint.adapter, leg.supplier)
        yield msgspec.structs.replace(failed("answer_malformed", type(error).__name__, attempts=1), pieces=said)


async def _settle_stream(done: PartDone, report: Report) -> None:
    """What a stream came to. Without usage of its own what arrived is counted."""
    leg = done.part.legs[0]
    units = delivered_units(unit=leg.unit, report=report)
    done.last = report
    done.units = report.pieces if units is None and leg.unit == "tokens" else units or 0
    done.took_us, done.first_us = report.took_us, report.first_us
    done.hashes = [report.output_hash] if report.output_hash else []
    if report.is_done:
        done.left = ()
    await _note(leg, report)


async def _note(leg: Leg, report: Report) -> None:
    if report.is_done or not report.is_callers:
        endpoint_id = leg.endpoint.endpoint_id
        if report.is_done and is_quiet(endpoint_id):
            return
        latency_us = report.first_us or report.took_us
        await in_thread(note_call, endpoint_id=endpoint_id, is_failure=not report.is_done, latency_us=latency_us, now_us=now_us())


def _unsealed(leg: Leg) -> Leg:
    """The leg with its secret in plain text; without it when no key of ours opens it, so that the supplier says what is missing."""
    try:
        secret = unseal(leg.endpoint.secret, endpoint_uuid=leg.endpoint.endpoint_uuid)
    except SecretUnreadable:
        _LOG.exception("the secret of endpoint end_%s can't be read", leg.endpoint.endpoint_uuid)
        secret = ""
    return msgspec.structs.replace(leg, endpoint=msgspec.structs.replace(leg.endpoint, secret=secret))


def _record(receipts: Sequence[NewReceipt]) -> list[Settlement | Exception]:
    return record_together(receipts=receipts, mint=_MINT, actor=ACTOR, now_us=now_us())


def _record_alone(new: NewReceipt) -> Settlement:
    return record_alone(new=new, mint=_MINT, actor=ACTOR, now_us=now_us())


_recorded = Gathered(_record, _record_alone)


async def record(*, request_id: str, executed: Executed, is_kept: bool, receipt_id: str | None = None) -> Settlement:
    """The receipt, and with it (where it is kept for the caller) the answer that it is about; with others that come at the same time.

    Raises as `record_receipt`. Begun again where it lost against another transaction: the supplier has done the work, and the same receipt
    is one receipt.
    """
    kept = msgspec.json.encode(executed.answer).decode() if is_kept and executed.answer is not None else None
    return await _recorded(NewReceipt(request_id, executed.told, executed.proofs, receipt_id, kept))


async def run_request(request_id: str) -> Settlement | None:
    """Begin, execute, record: all of a request whose payload is kept. None when it is not this caller's to do: suppliers that work by
    themselves begin when they tell what they did, and nodes go on with theirs.
    """
    work = await in_thread(begin_execution, request_id=request_id, actor=ACTOR, now_us=now_us(), leaving=OWN_ADAPTERS)
    return None if work is None else await run_work(work)


async def run_work(work: Work) -> Settlement | None:
    """Execute and record what has begun. None when nodes go on with it."""
    async with alive(work.request_id):
        if is_for_nodes(work):
            await share_with_nodes(work, work.body)
            return None
        executed = _undone(work) if work.body is None else await execute(work, _fitted(work, work.body))
        return await record(request_id=work.request_id, executed=executed, is_kept=True)


def _fitted(work: Work, payload: str) -> Body:
    """The payload, with answers no longer than what is reserved for them."""
    units = sum(leg.units for leg in work.legs)
    return fitted(work.legs[0].operation, msgspec.json.decode(payload), units=units, unit=work.legs[0].unit)


def is_for_nodes(work: Work) -> bool:
    """Whether nodes do it, or a part of it."""
    return any(leg.endpoint.adapter == BY_NODES for leg in work.legs)


async def share_with_nodes(work: Work, payload: str | None) -> None:
    """Do what is not for nodes, offer them the rest; whoever ends last records the receipt."""
    mine = msgspec.structs.replace(work, legs=tuple(leg for leg in work.legs if leg.endpoint.adapter != BY_NODES))
    legs: tuple[LegTold, ...] = ()
    if mine.legs:
        executed = _undone(mine) if payload is None else await execute(mine, msgspec.json.decode(payload), is_alone=False)
        legs = executed.told.legs
    await again_in_thread(_hand_over, request_id=work.request_id, legs=legs, now_us=now_us())


@transaction.atomic
def _hand_over(*, request_id: str, legs: Sequence[LegTold], now_us: int) -> None:
    """What nodes do of the request is offered to them; what was done here waits beside it for the one receipt."""
    tell_legs(request_id=request_id, legs=legs, now_us=now_us)
    open_jobs(request_id=request_id, now_us=now_us)


def _undone(work: Work) -> Executed:
    """There is nothing that could be sent to anybody."""
    run = _Run(work, {})
    run.parts = [PartDone(Part(work.legs), [], (), failed("payload_missing", "there is no payload to be done"))]
    return run.executed()
