"""Routes and envelope of order entry: body in, problem or answer out. Everything else is in the modules beside it."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from exchange.api import fields
from exchange.api.fields import FieldError
from exchange.api.order_entry import operations as ops
from exchange.api.order_entry.access import header, need, principal_of
from exchange.api.order_entry.batch import run_batch
from exchange.api.order_entry.mass_cancel import cancel_many
from exchange.api.order_entry.parse import CANCEL_FILTERS
from exchange.api.order_entry.preview import TOLD_BY_GATES, preview
from exchange.api.problems import CONTENT_TYPE, Problem, problem_body
from exchange.api.query import Query
from exchange.api.raw_http import Answer, Receive, Scope, Send, check_is_json, read_bytes, refused, send_answer
from exchange.api.request_id import request_id
from exchange.api.strict_json import Malformed, parse_object
from exchange.services.identity import Principal
from exchange.services.rate_limit import RateLimited, check_async
from rights.kernel.clock import now_us

ROOT = "/api/v1/orders"
DEFAULT_WAIT_S = 2.0
MOST_WAIT_S = 30.0
_ACTS = (f"{ROOT}/batch", f"{ROOT}/preview")
_BY_CLIENT_ID = f"{ROOT}/by-client-id/"
_ONE_ORDER = re.compile(re.escape(ROOT) + "/(?:by-client-id/.*|[^/]*)", re.DOTALL)
_WAIT = re.compile(r"wait=([0-9]{1,3})", re.ASCII)


class Call(msgspec.Struct):
    """One request, understood as far as HTTP goes."""

    method: str
    path: str
    query_string: bytes
    who: Principal
    body: dict[str, Any]
    wait_s: float
    request_id: str
    limited: RateLimited | None = None  # of a batch: only its cancels are done


def serves(scope: Scope) -> bool:
    """Whether this application answers the request; reads, unknown paths and methods that a path lacks are Django's."""
    path, method = str(scope["path"]), str(scope["method"])
    if not path.startswith(ROOT):
        return False
    if method == "POST":
        return path in (ROOT, *_ACTS)
    if method == "DELETE" and path == ROOT:
        return True
    return method in ("PATCH", "DELETE") and path not in _ACTS and _ONE_ORDER.fullmatch(path) is not None


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    rid = request_id(header(scope, b"x-request-id"))
    try:
        answer = await _answer(scope, receive, rid)
    except Exception as error:  # noqa: BLE001 - whatever happens, the caller hears a problem
        answer = refused(error, rid)
    await send_answer(send, answer, rid)


async def _answer(scope: Scope, receive: Receive, rid: str) -> Answer:
    who = await principal_of(scope)
    handler, wanted, weight_class = _route(scope)
    need(who, *wanted)
    body = await _body(scope, receive)
    call = Call(scope["method"], scope["path"], scope["query_string"], who, body, _wait(scope), rid)
    try:
        limit_headers = await check_async(who.account_id, *_weight(weight_class, body))
    except RateLimited as limited:
        if handler is not _batch or not any(map(_is_cancel, _listed(body))):
            raise
        call.limited, limit_headers = limited, limited.decision.headers()
    answer = await handler(call)
    answer.headers.update(limit_headers)
    return answer


def _weight(action: str, body: dict[str, Any]) -> tuple[str, int]:
    """What the call draws: a batch its orders, but its cancels are never blocked."""
    listed = _listed(body)
    if not listed:
        return action, 1
    weight = len(listed) - sum(map(_is_cancel, listed))
    return (action, weight) if weight else ("cancel", 1)


def _listed(body: dict[str, Any]) -> list[Any]:
    listed = body.get("operations")
    return listed if isinstance(listed, list) else []


def _is_cancel(operation: Any) -> bool:
    return isinstance(operation, dict) and operation.get("op") == "cancel"


def _route(scope: Scope) -> tuple[Callable[[Call], Awaitable[Answer]], tuple[str, ...], str]:
    """Handler, the scopes of which one is needed, and the class of action. A batch checks each operation's own scope too."""
    path, method = scope["path"], scope["method"]
    if method == "POST":
        if path == f"{ROOT}/batch":
            return _batch, ("trade", "cancel"), "order"
        return (_place if path == ROOT else _preview), ("trade",), "order"
    if method == "PATCH":
        return _amend, ("trade",), "order"
    return (_cancel_many if path == ROOT else _cancel), ("cancel",), "cancel"


def _wait(scope: Scope) -> float:
    """How long the caller lets us wait (RFC 7240)."""
    prefer = header(scope, b"prefer") or ""
    if "respond-async" in prefer:
        return 0.0
    match = _WAIT.search(prefer)
    return min(float(match[1]), MOST_WAIT_S) if match else DEFAULT_WAIT_S


async def _body(scope: Scope, receive: Receive) -> dict[str, Any]:
    raw = await read_bytes(receive)
    if not raw:
        if scope["method"] == "DELETE":
            return {}
        raise Malformed("the body must be a JSON object")
    check_is_json(header(scope, b"content-type"))
    if scope["method"] == "DELETE":
        raise Problem("malformed_request", "a cancel has no body")
    return parse_object(raw)


def _query(call: Call, *names: str) -> Query:
    """The parameters, of which only these are known. Raises FieldError."""
    return Query.read(call.query_string.decode("latin-1"), names)


def _at_seq(status: int, body: Any, seq: int | None, headers: dict[str, str] | None = None) -> Answer:
    """An answer that says how far the book had come, where that is known."""
    return Answer(status, body, {**({"X-Book-Seq": str(seq)} if seq else {}), **(headers or {})})


async def _place(call: Call) -> Answer:
    only_look = _query(call, "validate_only").choice("validate_only", {"true": True, "false": False})
    if only_look:
        looked = await preview(await ops.new_place(call.body, call.who, now_us()), call.who)
        return Answer(200, {**looked, "validate_only": True})
    ready = await ops.ready_place(call.body, call.who, now_us())
    promises, outcomes = await ops.run([ready], call.who, call.wait_s)
    status, order = await ops.place_answer(ready, promises[0], outcomes, call.who)
    outcome = outcomes.get(promises[0].n or 0)
    seq = outcome.batch_seq if outcome else int(order["book_seq"]) or None
    if status == 422:
        problem = Problem(order["reason"])
        body = {**problem_body(problem, call.request_id), "order": order}
        if order["reason"] in TOLD_BY_GATES:
            body["gates"] = (await preview(ready, call.who))["gates"]
        return _at_seq(422, body, seq, {"Content-Type": CONTENT_TYPE})
    return _at_seq(status, order, seq, {"Location": f"{ROOT}/{order['id']}"})


async def _batch(call: Call) -> Answer:
    _query(call)
    results, seq = await run_batch(call.body, call.who, call.wait_s, now_us(), call.request_id, call.limited)
    return _at_seq(200, {"results": results}, seq)


async def _preview(call: Call) -> Answer:
    _query(call)
    return Answer(200, await preview(await ops.new_place(call.body, call.who, now_us()), call.who))


async def _target(call: Call) -> ops.Target:
    """The order that the path names; what can't be a name is not there. Raises Problem `not_found`."""
    try:
        if not call.path.startswith(_BY_CLIENT_ID):
            order_id = fields.public_id(call.path.removeprefix(f"{ROOT}/"), "id", "ord")
            return await ops.target_of_id(order_id, call.who)
        cid = fields.client_id(call.path.removeprefix(_BY_CLIENT_ID), "client_order_id")
    except FieldError:
        raise Problem("not_found") from None
    return await ops.target_of_client_id(cid, call.who)


async def _change(ready: ops.Ready, call: Call) -> Answer:
    promises, outcomes = await ops.run([ready], call.who, call.wait_s)
    outcome = outcomes.get(promises[0].n or 0)
    seq = outcome.batch_seq if outcome else None
    try:
        status, body = await ops.change_answer(ready, promises[0], outcomes, call.who)
    except Problem as refusal:
        if seq is not None:
            refusal.headers["X-Book-Seq"] = str(seq)
        raise
    return _at_seq(status, body, seq)


async def _amend(call: Call) -> Answer:
    _query(call)
    return await _change(ops.ready_amend(await _target(call), call.body, call.who, now_us()), call)


async def _cancel(call: Call) -> Answer:
    _query(call)
    return await _change(ops.ready_cancel(await _target(call), call.who), call)


async def _cancel_many(call: Call) -> Answer:
    body, seq = await cancel_many(_query(call, *CANCEL_FILTERS).given, call.who, call.wait_s)
    return _at_seq(200, body, seq)
