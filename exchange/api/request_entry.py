"""Requests come in: `POST /api/v1/requests` as a raw ASGI application in front of Django, where calls that come at once go together.

The same contract as the view's (exchange/api/views/requests.py), which describes it and answers what only looks (`validate_only`).
"""

from collections.abc import Sequence

from exchange.api.idempotency_key import keyed_as
from exchange.api.order_entry.access import header, principal_of
from exchange.api.permissions import check_scope
from exchange.api.raw_http import Answer, Receive, Scope, Send, check_is_json, read_bytes, refused, send_answer
from exchange.api.request_id import request_id
from exchange.api.request_refusals import request_problems
from exchange.api.strict_json import parse_object
from exchange.api.views.request_form import read_envelope
from exchange.services.idempotency import Done
from exchange.services.rate_limit import check_async
from exchange.services.submissions import Answer as Outcome
from exchange.services.submissions import Submission, answer_alone, answer_submissions
from rights.kernel.clock import now_us
from rights.kernel.ids import Mint
from settlement.services.gathered import Gathered
from settlement.services.off_loop import in_thread
from settlement.services.submit import goes_together

PATH = "/api/v1/requests"
MINT = Mint()


def _together(submissions: Sequence[Submission]) -> list[Outcome]:
    return answer_submissions(submissions, mint=MINT, now_us=now_us())


def _by_itself(submission: Submission) -> Done:
    return answer_alone(submission, mint=MINT, now_us=now_us())


_gathered: Gathered[Submission, Done] = Gathered(_together, _by_itself)


async def _alone(submission: Submission) -> Done:
    return await in_thread(_by_itself, submission=submission)


def serves(scope: Scope) -> bool:
    """Whether this application answers: a submission without parameters."""
    return scope["path"] == PATH and scope["method"] == "POST" and not scope["query_string"]


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    rid = request_id(header(scope, b"x-request-id"))
    limits: dict[str, str] = {}
    try:
        answer = await _answer(scope, receive, limits)
    except Exception as error:  # noqa: BLE001 - whatever happens, the caller hears a problem
        answer = refused(error, rid)
    answer.headers = limits | answer.headers
    await send_answer(send, answer, rid)


async def _answer(scope: Scope, receive: Receive, limits: dict[str, str]) -> Answer:
    raw = await read_bytes(receive)
    if raw:
        check_is_json(header(scope, b"content-type"))
    who = await principal_of(scope)
    check_scope(who, "redeem")
    limits |= await check_async(who.account_id, "write")
    body = parse_object(raw) if raw else {}
    key = header(scope, b"idempotency-key")
    keyed = None if key is None else keyed_as(key, account_id=who.account_id, method="POST", path=PATH, body=body)
    with request_problems():
        submission = Submission(who, *read_envelope(body), keyed)
        # What can't go with others keeps none of them waiting.
        done = await (_gathered if goes_together(submission.envelope) else _alone)(submission)
    return Answer(done.status, done.body, {"Idempotent-Replayed": "true"} if done.replayed else {})
