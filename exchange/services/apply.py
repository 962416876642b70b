"""One command of a batch: admit it, feed the core, do what the core said."""

from exchange.domain.command import Cancel, CancelMany, Command, Phase, Reason, SetPhase, SetPostOnly
from exchange.domain.outcome import Amended, Cancelled, Outcome, PhaseSet, PostOnlySet, Refused
from exchange.services.admit import Refusal, admit_amend, admit_place
from exchange.services.batch_record import admitted, refused
from exchange.services.header import Header
from exchange.services.live import Live
from exchange.services.outcomes import reject, settle_outcomes, touch
from exchange.services.payload import AmendPayload, CancelManyPayload, CancelPayload, Payload, PhasePayload, PlacePayload, PostOnlyPayload
from exchange.services.pending import Pending
from exchange.services.working import Working
from rights.services.journal import NewEvent


def expire(work: Working, header: Header) -> None:
    """What has run out by now leaves before the first command; derived from the batch's time, so it needs no command."""
    settle_outcomes(work, work.memory.core.expire(header.now_us), header.now_us)


def apply_command(work: Working, header: Header, command: Pending, payload: Payload) -> None:
    """Do one command; `payload` is its decoded body."""
    _BY_KIND[command.kind](work, header, command, payload)


def _run(work: Working, header: Header, command: Pending, core_command: Command) -> list[Outcome]:
    """Feed the core and keep the step for the journal."""
    header.steps.append(admitted(command.n, core_command))
    return work.memory.core.apply(core_command, header.now_us)


def _place(work: Working, header: Header, command: Pending, payload: Payload) -> None:
    if not isinstance(payload, PlacePayload) or command.account_id is None or command.order_id is None:
        raise TypeError(f"command {command.n} is no place")
    account = command.account_id
    order = Live(command.order_id, account, work.parties[account].participant, payload.side, payload.quantity_lots, payload.price_ticks)
    order.client_order_id, order.group = command.client_order_id, payload.group
    order.type, order.tif, order.post_only, order.stp = payload.type, payload.tif, payload.post_only, payload.stp
    order.expire_us = order.valid_us = payload.expire_us
    order.rights, order.deadline_us = payload.rights, payload.deadline_us
    order.holder = account
    now_us = header.now_us
    order.created_us = min(command.accepted_us, now_us)  # two machines' clocks: never created after it was changed
    work.memory.remember(order)
    touch(work, order, now_us)
    try:
        core_command = admit_place(work, order=order, payload=payload, now_us=now_us)
    except Refusal as refusal:
        header.steps.append(refused(command.n, command.kind, refusal.reason))
        reject(work, order, int(refusal.reason), now_us)
        header.answer(account, command.n, command.kind, int(refusal.reason), [order.id])
        return
    outcomes = _run(work, header, command, core_command)
    settle_outcomes(work, outcomes, now_us)
    reason = 0
    if isinstance(outcomes[-1], Refused):
        reason = outcomes[-1].reason
        reject(work, order, reason, now_us)
    header.answer(account, command.n, command.kind, reason, [order.id])


def _own(work: Working, command: Pending) -> Live | None:
    """The open order a command means, when it may mean it: the venue's commands reach every order."""
    order = work.memory.live.get(command.order_id or "")
    return order if order is not None and command.account_id in (None, order.account) else None


def _amend(work: Working, header: Header, command: Pending, payload: Payload) -> None:
    if not isinstance(payload, AmendPayload):
        raise TypeError(f"command {command.n} is no amend")
    order = _own(work, command)
    now_us = header.now_us
    if order is None:
        _refuse(header, command, Reason.ORDER_UNKNOWN)
        return
    held, units = order.held, sum(u for _, u in order.slices)
    try:
        core_command = admit_amend(work, order=order, payload=payload, now_us=now_us)
    except Refusal as refusal:
        _give_back(work, order, held, units)
        _refuse(header, command, refusal.reason)
        return
    outcomes = _run(work, header, command, core_command)
    if isinstance(outcomes[0], Refused):
        _give_back(work, order, held, units)
        header.answer(command.account_id, command.n, command.kind, outcomes[0].reason, [order.id])
        return
    settle_outcomes(work, outcomes, now_us)
    if payload.expire_us is not None:
        order.expire_us = payload.expire_us
        order.valid_reason = core_command.expire_reason or order.valid_reason
    kept = next(o.kept for o in outcomes if isinstance(o, Amended))
    header.answer(command.account_id, command.n, command.kind, 0, [order.id], kept=kept)


def _give_back(work: Working, order: Live, held: int, units: int) -> None:
    """Undo what admission held for an amend that did not happen."""
    work.set_held(order, held)
    work.release(order, sum(u for _, u in order.slices) - units)


def _refuse(header: Header, command: Pending, reason: Reason) -> None:
    header.steps.append(refused(command.n, command.kind, reason))
    header.answer(command.account_id, command.n, command.kind, int(reason), [command.order_id] if command.order_id else [])


def _cancel(work: Working, header: Header, command: Pending, payload: Payload) -> None:
    order = _own(work, command)
    if order is None or not isinstance(payload, CancelPayload):
        _refuse(header, command, Reason.ORDER_UNKNOWN)
        return
    settle_outcomes(work, _run(work, header, command, Cancel(order.id, payload.reason)), header.now_us)
    header.answer(command.account_id, command.n, command.kind, 0, [order.id])


def _cancel_many(work: Working, header: Header, command: Pending, payload: Payload) -> None:
    if not isinstance(payload, CancelManyPayload):
        raise TypeError(f"command {command.n} is no mass cancel")
    account = command.account_id or 0
    outcomes = _run(work, header, command, CancelMany(account, payload.side, payload.group, payload.reason))
    settle_outcomes(work, outcomes, header.now_us)
    gone = [o.order_id for o in outcomes if isinstance(o, Cancelled)]
    header.answer(command.account_id, command.n, command.kind, 0, gone)


def _set_phase(work: Working, header: Header, command: Pending, payload: Payload) -> None:
    if not isinstance(payload, PhasePayload):
        raise TypeError(f"command {command.n} is no phase")
    if payload.phase == Phase.CONTINUOUS and header.now_us >= work.rules.gate_us:
        _refuse(header, command, Reason.GATE_CLOSED)
        return
    before = work.memory.core.phase
    outcomes = _run(work, header, command, SetPhase(payload.phase))
    settle_outcomes(work, outcomes, header.now_us)
    if any(isinstance(o, PhaseSet) for o in outcomes) and before != payload.phase:
        symbol = work.rules.symbol
        facts = {
            "instrument": symbol,
            "from": Phase(before).name.lower(),
            "to": payload.name,
            "reason": payload.reason,
            "by": command.actor,
        }
        header.events.append(NewEvent("instrument.phase_changed", "instrument", symbol, facts))


def _set_post_only(work: Working, header: Header, command: Pending, payload: Payload) -> None:
    if not isinstance(payload, PostOnlyPayload):
        raise TypeError(f"command {command.n} is no change of who may enter")
    before = work.memory.core.post_only
    outcomes = _run(work, header, command, SetPostOnly(payload.on))
    if any(isinstance(o, PostOnlySet) for o in outcomes) and before != payload.on:
        symbol = work.rules.symbol
        facts = {"by": command.actor, "instrument": symbol, "post_only": bool(payload.on), "reason": payload.reason}
        header.events.append(NewEvent("instrument.post_only_changed", "instrument", symbol, facts))


_BY_KIND = (_place, _amend, _cancel, _cancel_many, _set_phase, _set_post_only)
