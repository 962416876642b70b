"""Requests over REST in front of Django: calls that come at once go together, and each is answered as the view would answer it alone."""

import asyncio
import json
from contextlib import contextmanager

import httpx
import pytest
from django.contrib.sessions.models import Session
from django.db import OperationalError, connection, connections
from psycopg import errors

from exchange.api import base, request_entry
from exchange.api.idempotency_key import keyed_as
from exchange.api.views.request_form import read_envelope
from exchange.asgi import application
from exchange.models import ApiKey
from exchange.services import submissions
from exchange.services.idempotency import KeyReusedError
from exchange.services.identity import principal_by_bearer
from exchange.services.key_standing import KeyEnded
from exchange.services.rate_limit import limiter
from exchange.services.submissions import Submission, answer_alone, answer_submissions, would_be
from rights.kernel.clock import to_datetime
from settlement.models import Request
from settlement.services.gathered import Apart
from settlement.services.ledger import LedgerRefusal
from settlement.services.request_refusal import RequestRefused
from tests.redeem_desk import BODY, RedeemDesk
from tests.registry_desk import MINT

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/api/v1/requests"


@pytest.fixture
def desk(monkeypatch):
    made = RedeemDesk()
    for room in (base, request_entry):
        monkeypatch.setattr(room, "now_us", lambda: made.now_us)
    return made


@pytest.fixture
def wish(desk):
    def of(right=desk.right, **said):
        plain = {"workload": "text.generation", "operation": "chat.completions", "units": "1000", "payload": BODY}
        return {**plain, "rights": [{"right_id": f"rgt_{right.pk}"}], **said}

    return of


def at_once(*calls):
    """The answers to calls (headers, body) that come in one moment."""

    async def all_of_them():
        transport = httpx.ASGITransport(app=application)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            answers = await asyncio.gather(*(client.post(PATH, headers=headers, content=raw(body)) for headers, body in calls))
        await limiter().close_async()
        return answers

    return asyncio.run(all_of_them())


def raw(body):
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def by(caller, **more):
    return {"Content-Type": "application/json", **caller.headers, **more}


def test_several_at_once_are_answered_as_they_are_seen_later(desk, caller, wish):
    holder, other = caller("holder", "read", "redeem"), caller("other", "read", "redeem")
    theirs = desk.desk.issue(10**6, holder="other", assurance={"reference": "pledged"})
    wishes = [wish(), wish(route="manual"), wish(preferences={"cost": 1}, fallback_policy=[]), wish(delivery="async")]
    answers = at_once(*[(by(holder), each) for each in wishes], (by(other), wish(theirs)))
    assert [answer.status_code for answer in answers] == [201] * 5
    assert {answer.headers["content-type"] for answer in answers} == {"application/json"}
    assert [answer.json()["state"] for answer in answers] == ["matched", "validated", "matched", "matched", "matched"]
    for answer, caller_ in zip(answers, [holder] * 4 + [other], strict=True):
        assert caller_.get(f"requests/{answer.json()['id']}").json() == answer.json()


def test_a_delegates_request_beside_those_of_the_holder(desk, caller, wish):
    holder, other = caller("holder", "read", "redeem", "transfer"), caller("other", "read", "redeem")
    window = {"valid_from": "2026-12-01T00:00:00Z", "valid_until": "2026-12-02T00:00:00Z"}
    named = {"right_id": f"rgt_{desk.right.pk}", "delegate": f"acc_{desk.accounts['other'].uuid}", "max_units": "1500"}
    lent = holder.post("delegations", named | window)
    assert lent.status_code == 201, lent.content
    theirs = wish(delegation_id=lent.json()["id"], rights=[])
    answers = at_once((by(holder), wish()), (by(other), theirs), (by(other), theirs))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 409]
    (refused,) = (answer.json() for answer in answers if answer.status_code == 409)
    assert (refused["code"], refused["gates"][0]["code"]) == ("lifecycle_refused", "delegation_exhausted")
    made = next(answer.json() for answer in answers[1:] if answer.status_code == 201)
    assert other.get(f"requests/{made['id']}").json() == holder.get(f"requests/{made['id']}").json() == made


def test_what_may_wait_is_accepted(desk, caller, wish):
    terms = {
        "limits": {"max_concurrent": 1},
        "fallback_policy": {"allow_fallback": True, "defer_within_window": True},
        "assurance": {"reference": "patient"},
    }
    desk.suppliers["boreal"].assure(10**6, patch=terms, reference="patient")
    right, holder = desk.issue(10_000, **terms), caller("holder", "read", "redeem")
    first, second = at_once((by(holder), wish(right)), (by(holder), wish(right)))
    assert sorted([(first.status_code, first.json()["state"]), (second.status_code, second.json()["state"])]) == [
        (201, "matched"),
        (202, "deferred"),
    ]
    for answer in (first, second):
        assert holder.get(f"requests/{answer.json()['id']}").json() == answer.json()


def test_what_is_refused_takes_no_other_with_it_and_reads_as_from_the_view(desk, caller, wish):
    holder, looker = caller("holder", "redeem"), caller("holder", "read")
    key = {"Idempotency-Key": "one two"}
    calls = [
        (by(holder), wish(units="0", nonsense=1)),
        (by(holder), wish(rights=[{"right_id": "rgt_0192e4a0-0000-7000-8000-000000000000"}])),
        (by(holder), wish(payload="[1]")),
        (by(holder), b'{"units": 1, "units": 2}'),
        (by(holder), b""),
        (by(holder, **{"Content-Type": "text/plain"}), wish()),
        (by(looker), wish()),
        (by(caller()), wish()),
        ({"Content-Type": "application/json", "Authorization": "Bearer key_nobody.x"}, wish()),
        (by(holder, **key), wish()),
        (by(holder), wish(rights=[])),
    ]
    answers = at_once((by(holder), wish()), *calls, (by(holder), wish()))
    assert (answers[0].status_code, answers[-1].status_code) == (201, 201)
    for (headers, body), answer in zip(calls, answers[1:-1], strict=True):
        told = holder.client.post(PATH, raw(body), content_type=headers.pop("Content-Type"), headers=headers)
        assert (answer.status_code, plain(answer.json())) == (told.status_code, plain(told.json()))
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
        assert answer.headers.get("www-authenticate") == told.headers.get("www-authenticate")
        assert ("ratelimit" in answer.headers) == ("RateLimit" in told.headers)
    assert Request.objects.count() == 2


def plain(problem):
    return {name: said for name, said in problem.items() if name != "request_id"}


def test_twins_of_one_key_are_done_once(caller, wish):
    holder = caller("holder", "read", "redeem")
    keyed, good = by(holder, **{"Idempotency-Key": "one"}), wish()
    answers = at_once((keyed, good), (keyed, good), (by(holder), good))
    assert [answer.status_code for answer in answers] == [201] * 3
    assert answers[0].json() == answers[1].json() != answers[2].json()
    assert sorted(answer.headers.get("idempotent-replayed", "") for answer in answers) == ["", "", "true"]
    (again,) = at_once((keyed, good))
    assert (again.json(), again.headers["idempotent-replayed"]) == (answers[0].json(), "true")
    assert holder.post("requests", good, **{"Idempotency-Key": "one"}).json() == answers[0].json()
    assert Request.objects.count() == 2


def answers_to(came, now_us):
    """Together, and by itself what is to be done so."""
    answers = answer_submissions(came, mint=MINT, now_us=now_us)
    return [alone(one, now_us) if isinstance(answer, Apart) else answer for one, answer in zip(came, answers, strict=True)]


def alone(submission, now_us):
    try:
        return answer_alone(submission, mint=MINT, now_us=now_us)
    except KeyReusedError as refused:
        return refused


def test_what_the_first_of_one_key_comes_to_decides_about_the_others(desk, caller, wish):
    who = principal_by_bearer(caller("holder", "redeem").token, desk.now_us)
    good, less, much = wish(), wish(units="7"), wish(units="10000000000")

    def submission(body, key):
        return Submission(who, *read_envelope(body), keyed_as(key, account_id=who.account_id, method="POST", path=PATH, body=body))

    came = [submission(*each) for each in ((good, "one"), (less, "one"), (good, "one"), (much, "two"), (good, "two"), (much, "two"))]
    first, other, twin, refused, kept, late = answers_to(came, desk.now_us)
    assert (twin.body, twin.replayed, type(other)) == (first.body, True, KeyReusedError)
    # What was refused is not kept: another may have its key, and from then on it is that one's.
    assert (type(refused), kept.status, kept.replayed, type(late)) == (RequestRefused, 201, False, KeyReusedError)
    again = answers_to([came[4], came[0], came[3]], desk.now_us + 1)
    assert [answer.body for answer in again[:2]] == [kept.body, first.body]
    assert isinstance(again[2], KeyReusedError)
    assert Request.objects.count() == 2


def test_a_key_that_was_revoked_a_moment_ago_submits_nothing(desk, caller, wish):
    holder, other = caller("holder", "redeem"), caller("holder", "redeem")
    assert [answer.status_code for answer in at_once((by(holder), wish()), (by(other), wish()))] == [201, 201]
    ApiKey.objects.filter(uuid=holder.token.partition(".")[0].removeprefix("key_")).update(revoked_at=to_datetime(desk.now_us))
    answers = at_once((by(holder), wish()), (by(other), wish()))
    assert [(answer.status_code, answer.json().get("code")) for answer in answers] == [(401, "unauthenticated"), (201, None)]


def test_a_key_that_was_revoked_a_moment_ago_is_not_told_what_it_was_answered_before(desk, caller, wish):
    who = principal_by_bearer(caller("holder", "redeem").token, desk.now_us)
    asked = Submission(who, *read_envelope(wish()), keyed_as("once", account_id=who.account_id, method="POST", path=PATH, body=wish()))
    answered, again = (answer_submissions([asked], mint=MINT, now_us=desk.now_us)[0] for _ in range(2))
    assert (again.body, again.replayed) == (answered.body, True)
    ApiKey.objects.filter(pk=who.key_id).update(revoked_at=to_datetime(desk.now_us))
    (refused,) = answer_submissions([asked], mint=MINT, now_us=desk.now_us)
    assert isinstance(refused, KeyEnded)
    with pytest.raises(KeyEnded):
        answer_alone(asked, mint=MINT, now_us=desk.now_us)


def test_what_only_looks_is_begun_again_where_it_lost_against_another(monkeypatch, desk, caller, wish):
    who = principal_by_bearer(caller("holder", "redeem").token, desk.now_us)
    submit, lost = submissions.submit_alone, []

    def lose_once(**said):
        if not lost:
            lost.append(True)
            raise OperationalError from errors.DeadlockDetected()
        return submit(**said)

    monkeypatch.setattr(submissions, "submit_alone", lose_once)
    done = would_be(Submission(who, *read_envelope(wish())), mint=MINT, now_us=desk.now_us)
    assert (done.status, done.body["state"], lost) == (201, "matched", [True])
    assert Request.objects.count() == 0


def test_a_member_needs_the_token_of_its_pages(member, wish):
    page = member("holder")
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in page.client.cookies.items())
    headers = {**by(page), "Cookie": cookies}
    bare = {name: said for name, said in headers.items() if name != "X-CSRFToken"}
    answers = at_once((headers, wish()), (bare, wish()))
    assert [(answer.status_code, answer.json().get("code")) for answer in answers] == [(201, None), (403, "csrf_failed")]
    Session.objects.all().delete()
    assert [answer.status_code for answer in at_once((headers, wish()))] == [401]


@pytest.mark.parametrize("error", [LedgerRefusal("balance"), OperationalError("deadlock detected")])
def test_what_the_database_refuses_to_all_is_done_one_by_one(monkeypatch, caller, wish, error):
    holder, sizes = caller("holder", "read", "redeem"), []

    def refuse(*, asks, **more):
        sizes.append(len(asks))
        raise error

    monkeypatch.setattr(submissions, "submit_requests", refuse)
    keyed = by(holder, **{"Idempotency-Key": "one"})
    answers = at_once((keyed, wish()), (by(holder), wish(units="0")), (by(holder), wish()), (by(holder), wish()), (keyed, wish()))
    assert [answer.status_code for answer in answers] == [201, 400, 201, 201, 201]
    assert answers[0].json() == answers[4].json()
    assert Request.objects.count() == 3
    assert sum(sizes) >= 3


def test_what_may_be_committed_is_not_done_again(monkeypatch, caller, wish):
    """The line is lost behind the COMMIT: nobody knows whether it is in, and without a key nobody may ask again in the caller's place."""
    holder = caller("holder", "read", "redeem")
    wrapper, submitted, lost = type(connections["default"]), [], []
    commit, submit = wrapper._commit, submissions.submit_requests

    def commit_and_lose(self):
        commit(self)
        if submitted and not lost:
            lost.append(True)
            self.connection.close()
            raise OperationalError("server closed the connection unexpectedly")

    def submit_and_tell(**said):
        submitted.append(len(said["asks"]))
        return submit(**said)

    monkeypatch.setattr(submissions, "submit_requests", submit_and_tell)
    monkeypatch.setattr(wrapper, "_commit", commit_and_lose)
    answers = at_once((by(holder), wish()), (by(holder), wish()))
    made = Request.objects.count()
    assert sorted(answer.status_code for answer in answers) in ([503, 503], [201, 503]), [answer.json() for answer in answers]
    assert lost
    assert made == 2  # each is there once, whatever its caller was told


@contextmanager
def in_other_hands(right):
    """The right under the lock of another connection, until it is let go."""
    other = connection.copy()
    other.set_autocommit(False)
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT 1 FROM rights_right WHERE id = %s FOR UPDATE", [right.pk])
        yield other.connection.rollback
    finally:
        other.rollback()
        other.close()


def test_what_one_is_stuck_at_holds_up_nobody_else(desk, caller, wish):
    """A right is under somebody's lock all the while: whoever uses another one is answered before that is let go."""
    holder, other, free = caller("holder", "redeem"), caller("holder", "redeem"), desk.issue(10**6)
    with in_other_hands(desk.right) as let_go:

        async def answered():
            transport = httpx.ASGITransport(app=application)
            async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
                first = asyncio.create_task(client.post(PATH, headers=by(other), content=raw(wish(free))))
                stuck = [asyncio.create_task(client.post(PATH, headers=by(holder), content=raw(wish()))) for _ in range(3)]
                free_ones = [first, asyncio.create_task(client.post(PATH, headers=by(holder), content=raw(wish(free))))]
                done = await asyncio.gather(*free_ones)
                assert not any(one.done() for one in stuck)
                await asyncio.to_thread(let_go)
                answers = [*done, *await asyncio.gather(*stuck)]
            await limiter().close_async()
            return answers

        answers = asyncio.run(answered())
    assert [answer.status_code for answer in answers] == [201] * 5
