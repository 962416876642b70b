"""Buckets: exact under concurrency, one for REST and loops, a quarter without Redis, nothing for cancels."""

import asyncio
import threading
import uuid

import pytest

from exchange.services import keys, rate_limit, rate_limit_ahead
from exchange.services.rate_limit import Limiter, RateLimited, Rule
from rights.kernel.clock import now_us
from tests.api.conftest import Caller
from tests.registry_desk import Desk

pytestmark = pytest.mark.usefixtures("embedded_servers")


@pytest.fixture
def account():
    """An account id nobody else draws from."""
    return uuid.uuid4().int >> 66


def run(limiter, draws):
    """Run a coroutine in a loop of its own, and leave none of its connections behind."""

    async def whole():
        try:
            return await draws
        finally:
            await limiter.close_async()

    return asyncio.run(whole())


@pytest.fixture
def limiter(monkeypatch):
    limiter = Limiter()
    limiter.rules = {"read": Rule(1, 10), "order": Rule(1, 100), "order_requests": Rule(1, 5)}
    monkeypatch.setattr(rate_limit, "_limiter", limiter)
    yield limiter
    limiter.close()


def test_a_bucket_gives_what_it_holds(limiter, account):
    for left in range(9, -1, -1):
        decision = limiter.take(account, ("read", 1))
        assert (decision.allowed, decision.remaining) == (True, left)
    refused = limiter.take(account, ("read", 1))
    assert not refused.allowed
    assert refused.headers() == {"RateLimit-Policy": '"read";q=10;w=10', "RateLimit": '"read";r=0;t=10', "Retry-After": "1"}
    assert limiter.take(account + 1, ("read", 1)).allowed


def test_two_buckets_are_drawn_together_or_not_at_all(limiter, account):
    assert limiter.take(account, ("order_requests", 1), ("order", 99)).allowed
    refused = limiter.take(account, ("order_requests", 1), ("order", 50))
    assert (refused.allowed, refused.action) == (False, "order")
    assert refused.retry_after_s >= 48
    assert limiter.take(account, ("order_requests", 4)).allowed
    assert not limiter.take(account, ("order_requests", 1)).allowed


def test_a_call_larger_than_the_bucket_is_paid_off_later(limiter, account):
    assert limiter.take(account, ("order", 500)).allowed
    assert not limiter.take(account, ("order", 1)).allowed


def test_twenty_threads_draw_exactly_the_burst(limiter, account):
    limiter.rules = {"read": Rule(1, 200)}
    gone, begin = [], threading.Barrier(20)

    def draw():
        begin.wait()
        for _ in range(20):
            gone.append(limiter.take(account, ("read", 1)).allowed)

    threads = [threading.Thread(target=draw) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 200 <= sum(gone) <= 210  # what flows in while the threads run


@pytest.fixture
def patient(monkeypatch):
    """What is drawn ahead is kept however slow the machine is."""
    monkeypatch.setattr(rate_limit_ahead, "KEEP_S", 3600.0)


def test_of_a_full_bucket_a_little_is_drawn_ahead_and_told_as_left(limiter, account, patient):
    limiter.rules = {"read": Rule(1, 640)}
    taken = [limiter.take(account, ("read", 1))]
    limiter.close()  # whoever asks Redis makes its script anew
    taken += [limiter.take(account, ("read", cost)) for cost in (1, 2, 3, 4)]
    assert limiter._script is None
    assert [decision.remaining for decision in taken] == [639, 638, 636, 633, 629]
    taken.append(limiter.take(account, ("read", 1)))
    assert limiter._script is not None
    assert all(decision.allowed for decision in taken)
    assert 628 <= taken[-1].remaining <= 640 - 12 + 60  # with what has flowed in


def test_processes_that_draw_ahead_give_the_burst_and_no_more(limiter, account, patient):
    """Two limiters are two processes. What the one holds when it stops calling is a part of its share at most."""
    other = Limiter()
    other.rules = limiter.rules = {"read": Rule(1, 640)}
    gone = [each.take(account, ("read", cost)).allowed * cost for cost in (1, 3, 2) * 80 for each in (limiter, other)]
    assert 640 <= sum(gone) <= 700
    assert not gone[-1]
    other.close()


def test_what_was_drawn_ahead_goes_back_when_it_is_old(limiter, account, monkeypatch):
    monkeypatch.setattr(rate_limit_ahead, "KEEP_S", 0.0)
    limiter.rules = {"read": Rule(1, 640)}
    left = [limiter.take(account, ("read", 1)).remaining for _ in range(20)]
    assert left[-1] >= 620
    assert sum(limiter.take(account, ("read", 10)).allowed for _ in range(80)) >= 62


def test_without_redis_what_was_drawn_ahead_is_still_spent(limiter, account, settings, patient):
    limiter.rules = {"read": Rule(1, 640)}
    assert limiter.take(account, ("read", 1)).allowed
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    limiter.close()
    assert limiter.take(account, ("read", 10)).remaining >= 629
    assert 640 // 4 <= sum(limiter.take(account, ("read", 1)).allowed for _ in range(400)) <= 640 // 4 + 60


def test_loops_and_threads_share_a_bucket(limiter, account):
    async def draw():
        return [(await limiter.take_async(account, ("read", 1))).allowed for _ in range(6)]

    assert run(limiter, draw()) == [True] * 6
    assert [limiter.take(account, ("read", 1)).allowed for _ in range(5)] == [True] * 4 + [False]
    assert run(limiter, draw()) == [False] * 6


def test_without_redis_a_quarter_is_granted(limiter, account, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    limiter.rules = {"read": Rule(4, 100)}
    granted = sum(limiter.take(account, ("read", 1)).allowed for _ in range(100))
    assert 25 <= granted <= 30

    async def draw():
        return (await limiter.take_async(account, ("read", 1))).allowed

    assert run(limiter, draw()) is False


def test_cancels_are_never_blocked(limiter, account):
    for _ in range(1000):
        assert limiter.take(account, ("cancel", 500)).allowed
    assert rate_limit.check(account, "cancel", 500) == {}


def test_check_counts_requests_and_orders(limiter, account):
    assert rate_limit.check(account, "order", 20)["RateLimit"] in {'"order";r=80;t=20', '"order_requests";r=4;t=1'}
    with pytest.raises(RateLimited) as refused:
        rate_limit.check(account, "order", 90)
    assert refused.value.decision.action == "order"

    async def draw():
        for _ in range(10):
            await rate_limit.check_async(account, "order", 1)

    with pytest.raises(RateLimited) as refused:
        run(limiter, draw())
    assert refused.value.decision.action == "order_requests"


def test_refusals_are_problems_with_retry_after(limiter, db, monkeypatch):
    account = Desk().accounts["holder"]
    caller = Caller(keys.create(account_id=account.pk, scopes={"read"}, label="", expires_us=None, now_us=now_us()).token)
    limiter.rules = {"read": Rule(1, 2)}
    assert caller.get("balances")["RateLimit"].startswith('"read";r=')
    caller.get("balances")
    answer = caller.get("balances")
    assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (429, "rate_limited", True)
    assert answer["Retry-After"] == "1"
