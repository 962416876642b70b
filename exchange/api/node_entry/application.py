"""What nodes do over REST: routes and envelope. Every request is signed by the node (API.md, Identity).

Nothing here needs an `Idempotency-Key`: the same answer again is told what it was told before, and a lease that nobody heard of expires.
"""

import logging
import re
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import msgspec

from exchange.api import fields, node_render
from exchange.api.node_entry import reading
from exchange.api.node_entry.access import node_of
from exchange.api.node_entry.line import line
from exchange.api.node_entry.together import LEASES, complete, fail, keep
from exchange.api.order_entry.access import header
from exchange.api.problems import Problem, problem_body, problem_of
from exchange.api.query import Query
from exchange.api.raw_http import Receive, Scope, Send, check_is_json, read_bytes
from exchange.api.refusals import as_problems
from exchange.api.request_id import request_id
from exchange.api.strict_json import parse_object
from exchange.services.rate_limit import check_async
from exchange.services.signed_requests import KnownNode
from rights.kernel.ids import bare
from settlement.services.complete import Answered, GivenBack, Handed
from settlement.services.lease import Keep, Wish
from settlement.services.node_calls import NodeBarred, NonceUsed

ROOT = "/api/v1/nodes"
MOST_WAIT_S = 30
_PATH = re.compile(re.escape(ROOT) + "/(lease|heartbeat|complete|leases/([^/]*)/(heartbeat|complete|fail))")
_WAIT = re.compile(r"wait=([0-9]{1,3})", re.ASCII)
_LOG = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode


class Call(msgspec.Struct, frozen=True):
    """A node's request, understood as far as HTTP goes. `job_id` as it stands in the path; `receive` tells when the caller hangs up."""

    node: KnownNode
    nonce: str
    body: dict[str, Any]
    job_id: str
    wait_s: float
    receive: Receive


def serves(scope: Scope) -> bool:
    """Whether this application answers the request; other methods of its paths are Django's to refuse."""
    return scope["method"] == "POST" and str(scope["path"]).startswith(ROOT) and _PATH.fullmatch(str(scope["path"])) is not None


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    rid = request_id(header(scope, b"x-request-id"))
    limits: dict[str, str] = {}
    try:
        body = await _answer(scope, receive, limits)
    except Exception as error:  # noqa: BLE001 - whatever happens, the caller hears a problem
        problem = _problem_of(error)
        told = {**limits, **problem.headers, "Content-Type": "application/problem+json"}
        await _send(send, problem.status, problem_body(problem, rid), {**told, "X-Request-Id": rid})
    else:
        await _send(send, 200, body, {**limits, "Content-Type": "application/json", "X-Request-Id": rid})


async def _answer(scope: Scope, receive: Receive, limits: dict[str, str]) -> Any:
    """The body of the answer; `limits` gets the headers of the rate."""
    check_is_json(header(scope, b"content-type"))
    raw = await read_bytes(receive)
    node, nonce = await node_of(scope, raw)
    Query.read(scope["query_string"].decode("latin-1"), ())
    limits.update(await check_async(node.account_id, "node"))
    found = _PATH.fullmatch(scope["path"])
    assert found is not None
    call = Call(node, nonce, parse_object(raw), found[2] or "", _wait_s(scope), receive)
    with as_problems():
        return await _ACTS[found[3] or "", found[1] if found[3] is None else ""](call)


def _problem_of(error: Exception) -> Problem:
    if isinstance(error, NonceUsed):
        return Problem("unauthenticated")
    if isinstance(error, NodeBarred):
        return Problem("scope_missing", "whoever this node works for may do nothing now")
    problem = problem_of(error)
    if problem.code == "internal_error":
        _LOG.error("unforeseen error in what a node asked for", exc_info=error)
    return problem


def _wait_s(scope: Scope) -> int:
    """How long the node lets us wait for a job (RFC 7240); not at all unless it says so."""
    match = _WAIT.search(header(scope, b"prefer") or "")
    return min(int(match[1]), MOST_WAIT_S) if match else 0


async def _lease(call: Call) -> Any:
    most, workloads = reading.wish_of(call.body)
    wish = Wish(call.node.node_id, call.nonce, most, workloads)
    with line().place(call.node.supplier) as place:
        leases = await LEASES(wish)
        again = msgspec.structs.replace(wish, nonce="")
        async with aclosing(place.rings(0 if leases else call.wait_s, call.receive)) as rings:
            async for _ in rings:
                leases = await LEASES(again)
                if leases:
                    break
    return _listing([node_render.lease(one) for one in leases])


async def _keep_all(call: Call) -> Any:
    jobs = reading.jobs_of(call.body)
    kept = await keep(Keep(call.node.node_id, call.nonce, jobs))
    return _listing([node_render.kept(job_id, kept[job_id]) for job_id in dict.fromkeys(jobs) if job_id in kept])


async def _keep_one(call: Call) -> Any:
    fields.members(call.body, "", ())
    job_id = _job_id(call)
    kept = await keep(Keep(call.node.node_id, call.nonce, [job_id]))
    if job_id not in kept:
        raise Problem("lease_over")
    return node_render.kept(job_id, kept[job_id])


async def _complete_all(call: Call) -> Any:
    results = reading.results_of(call.body)
    told = await complete(Handed(call.node.node_id, call.nonce, results, call.node.actor))
    return _listing([node_render.verdict(one) for one in told])


async def _complete_one(call: Call) -> Any:
    result = reading.result_of(call.body, "", _job_id(call))
    return _one(await complete(Handed(call.node.node_id, call.nonce, [result], call.node.actor)))


async def _fail(call: Call) -> Any:
    reason = reading.reason_of(call.body)
    return _one(await fail(GivenBack(call.node.node_id, call.nonce, [(_job_id(call), reason)]), call.node))


_ACTS: dict[tuple[str, str], Callable[[Call], Awaitable[Any]]] = {
    ("", "lease"): _lease,
    ("", "heartbeat"): _keep_all,
    ("", "complete"): _complete_all,
    ("heartbeat", ""): _keep_one,
    ("complete", ""): _complete_one,
    ("fail", ""): _fail,
}


def _job_id(call: Call) -> str:
    uuid = bare("job", call.job_id)
    if uuid is None:
        raise Problem("not_found")
    return uuid


def _one(told: list[Answered]) -> Any:
    if told[0].verdict == "unknown":
        raise Problem("not_found")
    return node_render.verdict(told[0])


def _listing(data: list[Any]) -> Any:
    return {"data": data, "next_cursor": None}


async def _send(send: Send, status: int, body: Any, headers: dict[str, str]) -> None:
    raw = _encode(body)
    told = {**headers, "Content-Length": str(len(raw)), "Cache-Control": "no-store"}
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in told.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": raw})
