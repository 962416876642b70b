"""The gateway's routes and answers as raw ASGI: a call is a request, executed while its caller waits, with its receipt in a header.

No transaction and no connection is held while a supplier works. A stream is read to its end also when its caller hangs up: what a supplier
did for somebody is charged, whether he listens or not.
"""

from contextlib import aclosing
from typing import Any

import msgspec

from exchange.api.gateway.asked import MOST_BODY, OPERATIONS, Asked, read_asked
from exchange.api.gateway.entering import MINT, Coming, enter, enter_alone, read_named
from exchange.api.gateway.models import MODELS, model_list, one_model
from exchange.api.gateway.nodes import events_in, nodes_answer
from exchange.api.gateway.refusals import error_body, failure_of, refusal_of
from exchange.api.order_entry.access import header, need, principal_of
from exchange.api.problems import Problem
from exchange.api.raw_http import Receive, Scope, Send, check_is_json, read_bytes
from exchange.api.request_id import request_id
from exchange.services.identity import Principal
from exchange.services.rate_limit import check_async
from rights.kernel.clock import now_us
from settlement.domain.work import Work
from settlement.models import Settlement
from settlement.services.execute import Executed, execute, is_for_nodes, record, stream_work
from settlement.services.gathered import Gathered
from settlement.services.off_loop import in_thread
from settlement.services.pulse import alive

ROOT = "/v1/"
_encode = msgspec.json.Encoder().encode
_entered: Gathered[Coming, Work] = Gathered(lambda calls: enter(calls, now_us=now_us()), lambda call: enter_alone(call, now_us=now_us()))


class Call(msgspec.Struct):
    """One call, understood as far as HTTP goes; `headers` are those of the answer, so far."""

    scope: Scope
    send: "Sender"
    who: Principal
    headers: dict[str, str]


class Sender:
    """Sends, and knows whether the answer has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.has_begun = False

    async def __call__(self, message: dict[str, Any]) -> None:
        self.has_begun = True
        await self._send(message)


def serves(scope: Scope) -> bool:
    """Whether this application answers: everything under /v1/."""
    return str(scope["path"]).startswith(ROOT)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    headers = {"X-Request-Id": request_id(header(scope, b"x-request-id")), "Cache-Control": "no-store"}
    sender = Sender(send)
    try:
        await _serve(scope, receive, sender, headers)
    except Exception as error:  # noqa: BLE001 - whatever happens, the caller hears an error of the shape it knows
        problem = refusal_of(error)
        if sender.has_begun:  # only a stream begins before it is over
            await sender({"type": "http.response.body", "body": b"data: " + _encode(error_body(problem)) + b"\n\n"})
        else:
            await _send_json(sender, problem.status, error_body(problem), headers | problem.headers)


async def _serve(scope: Scope, receive: Receive, send: Sender, headers: dict[str, str]) -> None:
    who = await principal_of(scope)
    path, method = str(scope["path"]), str(scope["method"])
    is_read = path == MODELS or path.startswith(f"{MODELS}/")
    if path not in OPERATIONS and not is_read:
        raise Problem("not_found", f"there is no {path} here")
    if method != ("GET" if is_read else "POST"):
        raise Problem("method_not_allowed")
    need(who, "redeem")
    headers |= await check_async(who.account_id, "read" if is_read else "redeem")
    call = Call(scope, send, who, headers)
    if is_read:
        await _models(call, path)
    else:
        check_is_json(header(scope, b"content-type"))
        await _redeem(call, OPERATIONS[path], await read_bytes(receive, MOST_BODY))


async def _models(call: Call, path: str) -> None:
    name = path.removeprefix(MODELS).removeprefix("/")
    found = await in_thread(model_list, account_id=call.who.account_id, now_us=now_us())
    await _send_json(call.send, 200, one_model(found, name) if name else found, call.headers)


async def _redeem(call: Call, operation: str, raw: bytes) -> None:
    asked = read_asked(operation, raw)
    given = {name: header(call.scope, name.encode()) for name in ("x-right", "x-delegation")}
    named = read_named({name: value for name, value in given.items() if value is not None}, asked.model)
    if asked.is_stream and operation == "embeddings":
        raise Problem("validation_failed", "embeddings have no stream")
    identity = MINT.uuid(now_us())
    call.headers["X-Redemption"] = f"req_{identity}"
    coming = Coming(asked, named, call.who, identity)
    work = await (_entered if named.delegation is None else _entered_alone)(coming)
    if is_for_nodes(work):
        await _by_nodes(call, asked, work)
        return
    async with alive(identity):
        await (_stream if asked.is_stream else _answer)(call, asked, work)


async def _entered_alone(coming: Coming) -> Work:
    """What can't go with others keeps none of them waiting."""
    return await in_thread(enter_alone, call=coming, now_us=now_us())


async def _by_nodes(call: Call, asked: Asked, work: Work) -> None:
    """What nodes do comes whole, also for a caller who wants a stream."""
    settlement, answer = await nodes_answer(work, asked.payload.decode())
    call.headers |= _told(settlement)
    if settlement.outcome in {"failed", "expired", "cancelled"} or answer is None:
        raise Problem("supplier_failed", f"no node could do it ({settlement.rule or 'proofs are missing'}); nothing is charged")
    if not asked.is_stream:
        await _send_json(call.send, 200, answer, call.headers)
        return
    receipt_id = str(settlement.receipt_id)
    for event in events_in(answer):
        await _send_event(call, receipt_id, b"data: " + _encode(event) + b"\n\n")
    told = f": receipt rcp_{receipt_id} outcome {settlement.outcome or 'pending'} units {settlement.units}\n\n"
    await _send_event(call, receipt_id, told.encode() + b"data: [DONE]\n\n", more=False)


async def _answer(call: Call, asked: Asked, work: Work) -> None:
    """The whole answer once its receipt is recorded."""
    executed = await execute(work, asked.body)
    settlement = await record(request_id=work.request_id, executed=executed, is_kept=False)
    call.headers |= _told(settlement)
    _check_delivered(executed, settlement, work)
    await _send_json(call.send, 200, executed.answer, call.headers)


def _told(settlement: Settlement) -> dict[str, str]:
    """What was recorded of it; `X-Outcome` is `pending` while proofs are missing."""
    return {
        "X-Receipt": f"rcp_{settlement.receipt_id}",
        "X-Settlement": f"stl_{settlement.pk}",
        "X-Outcome": settlement.outcome or "pending",
        "X-Units": str(settlement.units),
    }


def _check_delivered(executed: Executed, settlement: Settlement, work: Work) -> None:
    """Raise Problem unless the caller gets what the request is charged for."""
    if not executed.is_delivered:
        raise failure_of(executed.last, is_late=now_us() >= work.deadline_us)
    if settlement.outcome in {"failed", "expired", "cancelled"}:
        raise Problem("supplier_failed", f"what the supplier did does not count ({settlement.rule}); nothing is charged")


async def _stream(call: Call, asked: Asked, work: Work) -> None:
    """Events as they come. The receipt's id is known before the receipt: it stands in the header, and behind the last event."""
    receipt_id = MINT.uuid(now_us())
    executed: Executed | None = None
    async with aclosing(stream_work(work, asked.body)) as items:
        async for item in items:
            if isinstance(item, Executed):
                executed = item
            elif asked.wants_usage or not _is_usage(item):
                await _send_event(call, receipt_id, b"data: " + item + b"\n\n")
    assert executed is not None
    settlement = await record(request_id=work.request_id, executed=executed, is_kept=False, receipt_id=receipt_id)
    if not call.send.has_begun:
        call.headers |= _told(settlement)
        _check_delivered(executed, settlement, work)
    await _end_stream(call, executed, settlement, receipt_id)


async def _end_stream(call: Call, executed: Executed, settlement: Settlement, receipt_id: str) -> None:
    told = f": receipt rcp_{receipt_id} outcome {settlement.outcome or 'pending'} units {settlement.units}\n\n".encode()
    if executed.last.is_done and settlement.outcome not in {"failed", "expired"}:
        await _send_event(call, receipt_id, told + b"data: [DONE]\n\n", more=False)
        return
    counted = f"{settlement.units} units of what came are charged" if settlement.units else "nothing is charged"
    problem = Problem("supplier_failed", f"the answer broke off ({executed.last.fault}: {executed.last.detail}); {counted}")
    await _send_event(call, receipt_id, told + b"data: " + _encode(error_body(problem)) + b"\n\n", more=False)


def _is_usage(event: bytes) -> bool:
    """Whether an event only brings the usage, for which this caller has not asked."""
    if b'"usage"' not in event:
        return False
    found = msgspec.json.decode(event)
    return not found.get("choices") and bool(found.get("usage"))


async def _send_event(call: Call, receipt_id: str, event: bytes, *, more: bool = True) -> None:
    if not call.send.has_begun:
        call.headers |= {"X-Receipt": f"rcp_{receipt_id}"}
        await _start(call.send, 200, call.headers | {"Content-Type": "text/event-stream"})
    await call.send({"type": "http.response.body", "body": event, "more_body": more})


async def _send_json(send: Send, status: int, body: Any, headers: dict[str, str]) -> None:
    raw = _encode(body)
    await _start(send, status, headers | {"Content-Type": "application/json", "Content-Length": str(len(raw))})
    await send({"type": "http.response.body", "body": raw})


async def _start(send: Send, status: int, headers: dict[str, str]) -> None:
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
