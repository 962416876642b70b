"""Private channels: snapshot or replay, then live; every number once, whatever happens to the line (TRUST M1)."""

import asyncio
import random

import psycopg
import pytest
from asgiref.sync import sync_to_async

from exchange.feed.pool import _parameters
from exchange.services import bell
from tests.feed.client import Client, PrivateLog


async def _tell(lane, owner, orders: int) -> None:
    def commit() -> None:
        lane.batch()
        lane.tell(owner.account_id, orders=orders)

    await sync_to_async(commit)()
    bell.notify(lane.book_id, lane.seq)


async def _open(url, owner) -> Client:
    client = await Client.open(url)
    await client.do("auth", key=owner.token)
    return client


async def test_without_from_seq_it_begins_with_the_present(url, lane, owner):
    await _tell(lane, owner, 3)
    client = await _open(url, owner)
    answer = await client.do("subscribe", channel="orders")
    assert answer == {"channel": "orders", "instrument": None, "seq": 3}
    snapshot = await client.next("snapshot")
    assert (snapshot["seq"], snapshot["prev_seq"], snapshot["data"]) == (3, None, [])
    await _tell(lane, owner, 2)
    for number in (4, 5):
        event = await client.next()
        assert (event["type"], event["prev_seq"], event["seq"]) == ("event", number - 1, number)
        assert event["data"]["client_order_id"] == str(number)
    await client.close()


async def test_from_seq_is_the_first_number_that_comes(url, lane, owner):
    for orders in (2, 3, 0, 4):
        await _tell(lane, owner, orders)
    for first in range(1, 11):
        for written in (first, str(first)):
            client = await _open(url, owner)
            assert (await client.do("subscribe", channel="orders", from_seq=written))["seq"] == first - 1
            got = [(await client.next())["seq"] for _ in range(first, 10)]
            assert got == list(range(first, 10))
            assert client.messages.empty() or client.messages.get_nowait()["type"] == "heartbeat"
            await client.close()


async def test_a_number_never_sent_and_one_no_longer_kept_ask_for_a_resync(url, lane, owner):
    for _ in range(6):
        await _tell(lane, owner, 2)
    client = await _open(url, owner)
    assert (await client.ask("subscribe", channel="orders", from_seq=14))["error"]["code"] == "resync_required"

    def forget() -> None:
        with psycopg.connect(**_parameters()) as connection:
            connection.execute("DELETE FROM exchange_accountmessage WHERE account_id = %s AND seq <= 3", [owner.account_id])

    await sync_to_async(forget)()
    assert (await client.ask("subscribe", channel="orders", from_seq=6))["error"]["code"] == "resync_required"
    await client.do("subscribe", channel="orders", from_seq=7)
    assert [(await client.next())["seq"] for _ in range(6)] == list(range(7, 13))
    await client.close()


async def test_an_account_that_was_never_told_anything_begins_at_one(url, lane, owner):
    client = await _open(url, owner)
    await client.do("subscribe", channel="orders", from_seq=1)
    await client.do("subscribe", channel="fills")
    assert (await client.next("snapshot"))["data"] == []
    await _tell(lane, owner, 1)
    assert (await client.next("event"))["seq"] == 1
    await client.close()


async def test_another_account_hears_nothing(url, lane, owner, account):
    client = await _open(url, owner)
    await client.do("subscribe", channel="orders", from_seq=1)
    await sync_to_async(lane.batch)()
    await sync_to_async(lane.tell)(account, orders=2)
    await _tell(lane, owner, 1)
    assert (await client.next())["data"]["client_order_id"] == "1"
    await client.close()


@pytest.mark.parametrize("seed", [1, 2])
async def test_random_breaks_lose_and_repeat_nothing(url, lane, owner, seed):
    chance = random.Random(seed)
    log = PrivateLog("orders")
    rounds = 40
    done = asyncio.Event()

    async def write() -> None:
        for _ in range(rounds):
            await _tell(lane, owner, chance.randrange(4))
        done.set()

    writing = asyncio.create_task(write())
    total = 0
    while not (done.is_set() and log.last == total):
        client = await _open(url, owner)
        client.handlers["orders"] = log.hear
        await client.do("subscribe", channel="orders", from_seq=log.last + 1)
        await asyncio.sleep(chance.random() * 0.1)
        client.cut()
        await client.ended()
        if done.is_set():
            total = lane.messages[owner.account_id][1]
    await writing
    assert [event["client_order_id"] for event in log.events] == [str(n) for n in range(1, total + 1)]
