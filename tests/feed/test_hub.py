"""What commits is heard once, in order, with Redis or without it."""

import asyncio

import redis
from asgiref.sync import sync_to_async
from django.conf import settings

from exchange.feed import hub as feed
from exchange.feed.notices import Notices
from exchange.feed.replica import Batch, Changes, Replica
from exchange.services import bell
from exchange.services.rules import rules_of
from tests.feed.client import until
from tests.feed.market import Lane, open_account


class Heard:
    """A listener that keeps its own copy of the book by what it is handed."""

    def __init__(self, replica: Replica) -> None:
        self.seqs = [replica.seq]
        self.levels = {(s, p): (q, n) for s in (0, 1) for p, q, n in replica.top(s, None)}
        self.rereads = 0

    def advanced(self, replica: Replica, batch: Batch, changes: Changes) -> None:
        self.seqs.append(batch.seq)
        for key, entry in changes.items():
            self.levels[key] = entry
            if not entry[0]:
                del self.levels[key]

    def reread(self, replica: Replica) -> None:
        self.__init__(replica)  # type: ignore[misc]
        self.rereads += 1


async def _watch(hub: feed.Hub, lane: Lane) -> Heard:
    rules = await hub.rules(lane.book_id)
    holder: list[Heard] = []

    class Proxy:
        def advanced(self, *args: object) -> None:
            holder[0].advanced(*args)

        def reread(self, *args: object) -> None:
            holder[0].reread(*args)

    holder.append(Heard(await hub.books.watch(rules, Proxy())))
    return holder[0]


async def test_every_batch_is_heard_in_order(hub, lane):
    heard = await _watch(hub, lane)
    commit = sync_to_async(lane.batch)
    await commit((0, 100, 5, 1), (0, 99, 7, 2), (1, 101, 3, 1), trades=2)
    await commit((0, 100, 0, 0))
    bell.notify(lane.book_id, 2)
    await commit()
    await commit((1, 101, 4, 2), (1, 105, 1, 1))
    await until(lambda: heard.seqs[-1] == 4)
    assert heard.seqs == [0, 1, 2, 3, 4]
    assert heard.levels == lane.levels
    assert not heard.rereads


async def test_a_batch_that_does_not_lead_to_the_lanes_book_makes_it_read_anew(hub, lane):
    heard = await _watch(hub, lane)
    lane.levels[0, 50] = (1, 1)  # the lane's book has an order that no batch published
    await sync_to_async(lane.rest)([(0, 50, 1, 1)])
    await sync_to_async(lane.batch)((0, 100, 5, 1))
    await until(lambda: heard.rereads == 1)
    assert heard.seqs == [1]


async def test_nothing_depends_on_redis(lane, account, monkeypatch):
    monkeypatch.setattr(settings, "REDIS_URL", "redis://127.0.0.1:1/0")
    hub = await feed.started()
    try:
        heard = await _watch(hub, lane)
        with await hub.expect(account) as waiter:
            await sync_to_async(lane.batch)((0, 100, 5, 1))
            await sync_to_async(lane.tell)(account, results=(7,))
            assert (await waiter.result(7, 5)).batch_seq == 1
        await until(lambda: heard.seqs == [0, 1])
    finally:
        await feed.stop()


async def test_results_come_to_who_waits_whenever_he_learns_the_number(hub, lane, account):
    other = await sync_to_async(open_account)()
    with await hub.expect(account) as waiter:
        await sync_to_async(lane.batch)()
        await sync_to_async(lane.tell)(account, results=(11, 12))
        await sync_to_async(lane.tell)(other, results=(13,))
        bell.notify(lane.book_id, lane.seq)
        await until(lambda: hub.accounts._followed[account].unclaimed)
        pending = asyncio.create_task(waiter.results([11, 12, 14], 5))
        await sync_to_async(lane.batch)()
        await sync_to_async(lane.tell)(account, results=(14,))
        bell.notify(lane.book_id, lane.seq)
        outcomes = await pending
        assert {n: o.batch_seq for n, o in outcomes.items()} == {11: 1, 12: 1, 14: 2}
        assert await waiter.result(99, 0.05) is None
    assert other not in hub.accounts._followed
    assert hub.book_seq(lane.book_id) == 2


async def test_revocations_are_heard(hub):
    heard: list[str] = []
    hub.on_revoked(heard.append)
    client = redis.Redis.from_url(settings.REDIS_URL)
    await until(lambda: client.publish("keys", "revoked:0192aaaa"))
    await until(lambda: heard)
    client.close()
    assert heard == ["0192aaaa"]


async def test_one_ring_tells_of_several_accounts_and_what_is_no_ring_is_passed_over():
    heard: list[tuple[int, int]] = []
    nobody = heard.clear
    listening = Notices(
        on_batch=lambda _book, _seq: nobody(),
        on_account=lambda *told: heard.append(told),
        on_revoked=lambda _key: nobody(),
        on_jobs=lambda _supplier, _count: nobody(),
    )
    task = asyncio.create_task(listening.run())
    client = redis.Redis.from_url(settings.REDIS_URL)
    await until(lambda: listening.connected)
    await until(lambda: client.publish("notices", "account:1:2:3") > 0)
    bell.notify_accounts([])
    bell.notify_accounts([(7, 70), (8, 80)])
    bell.notify_accounts([(9, 90)])
    await until(lambda: len(heard) >= 3)
    task.cancel()
    client.close()
    assert heard == [(7, 70), (8, 80), (9, 90)]


async def test_rules_are_known_without_touching_the_database_twice(hub, lane):
    assert await hub.rules(lane.book_id) is rules_of(lane.book_id)
