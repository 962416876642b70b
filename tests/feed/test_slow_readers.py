"""A client that reads too slowly harms nobody: its book conflates, and what may not be left out closes its socket."""

import asyncio
import contextlib
import itertools
import json
import socket

from asgiref.sync import sync_to_async
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from exchange.services.rules import rules_of
from exchange.sockets import outbox
from exchange.sockets.outbox import Line, Outbox
from tests.feed.client import Book, Client, PrivateLog, until


class Narrow:
    """A network that takes a frame only when told to."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.open = asyncio.Semaphore(0)

    async def send(self, frame: str) -> None:
        await self.open.acquire()
        self.taken.append(frame)


class Counter:
    """A source whose message says from where to where it leads."""

    def __init__(self) -> None:
        self.now = 0

    def catch_up(self, sent: int) -> tuple[str, int]:
        return f"{sent}->{self.now}", self.now


async def test_a_line_that_conflates_catches_up_with_one_message(monkeypatch):
    monkeypatch.setattr(outbox, "BEHIND_FRAMES", 4)
    network, source = Narrow(), Counter()
    box = Outbox(network.send, lambda: None)
    line = Line("book", "X", source)
    running = asyncio.create_task(box.run())
    for number in range(1, 20):
        source.now = number
        box.offer(f"{number - 1}->{number}", line, number)
        await asyncio.sleep(0)
    for _ in range(30):
        network.open.release()
    await asyncio.sleep(0.01)
    source.now = 20
    box.offer("19->20", line, 20)
    await asyncio.sleep(0.01)
    box.close()
    await running
    steps = [tuple(map(int, frame.split("->"))) for frame in network.taken]
    assert len(steps) < 10
    assert steps[0][0] == 0
    assert steps[-1][1] == 20
    assert all(before[1] == after[0] for before, after in itertools.pairwise(steps))


async def test_what_may_not_be_left_out_ends_the_socket(monkeypatch):
    monkeypatch.setattr(outbox, "MOST_FRAMES", 10)
    network, overflows = Narrow(), []
    box = Outbox(network.send, lambda: overflows.append(1))
    line = Line("orders", None)
    running = asyncio.create_task(box.run())
    for number in range(1, 30):
        box.put(str(number), line, number)
    assert overflows == [1]
    network.open.release()
    await asyncio.wait_for(running, 1)
    assert line.sent <= 1


async def test_an_unsubscribed_line_is_not_sent_any_more():
    network = Narrow()
    box = Outbox(network.send, lambda: None)
    line, other = Line("trades", "X"), Line("status", None)
    box.put("a", line, 1)
    box.put("b", other, 1)
    line.is_open = False
    for _ in range(2):
        network.open.release()
    running = asyncio.create_task(box.run())
    await asyncio.sleep(0.01)
    box.close()
    await running
    assert network.taken == ["b"]


async def _slow(url: str):
    """A connection whose client takes next to nothing from the network until it reads."""
    host, port = url.removeprefix("ws://").split("/")[0].split(":")
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.connect((host, int(port)))
    return await connect(url, sock=narrow, compression=None, max_queue=1, max_size=2**24, ping_interval=None)


async def test_a_slow_readers_book_is_right_when_it_wakes(url, lane, monkeypatch):
    monkeypatch.setattr(outbox, "BEHIND_FRAMES", 3)
    symbol = (await sync_to_async(rules_of)(lane.book_id)).symbol
    prompt = await Client.open(url)
    brisk = Book()
    prompt.handlers["book"] = lambda message: message["type"] == "heartbeat" or brisk.apply(message)
    await prompt.do("subscribe", channel="book", instrument=symbol, depth="full")
    slow = await _slow(url)
    await slow.send(json.dumps({"op": "subscribe", "id": 1, "args": {"channel": "book", "instrument": symbol, "depth": "full"}}))
    assert json.loads(await slow.recv())["ok"]
    lane.rests = False
    for number in range(40):
        await sync_to_async(lane.batch)(*[(0, 1000 + (number * 7 + i) % 1500, number + i + 1, 1) for i in range(400)])
    await until(lambda: brisk.seq == lane.seq, 30)
    book, steps = Book(), 0
    async with asyncio.timeout(30):
        while book.seq != lane.seq:
            message = json.loads(await slow.recv())
            if message.get("ch") == "book" and message["type"] != "heartbeat":
                book.apply(message)
                steps += 1
    assert book.picture() == brisk.picture()
    assert steps < lane.seq + 1
    await slow.close()
    await prompt.close()


async def test_a_slow_private_reader_is_closed_and_resumes_where_it_was(url, lane, owner, monkeypatch):
    monkeypatch.setattr(outbox, "MOST_CHARS", 300_000)
    slow = await _slow(url)
    await slow.send(json.dumps({"op": "auth", "id": 1, "args": {"key": owner.token}}))
    await slow.send(json.dumps({"op": "subscribe", "id": 2, "args": {"channel": "orders", "from_seq": 1}}))
    log = PrivateLog("orders")
    assert json.loads(await slow.recv())["ok"]
    assert json.loads(await slow.recv())["ok"]

    def commit() -> None:
        lane.batch()
        lane.tell(owner.account_id, orders=100)

    for _ in range(20):
        await sync_to_async(commit)()
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)
    with contextlib.suppress(ConnectionClosed):
        while True:
            message = json.loads(await slow.recv())
            if message.get("ch") == "orders":
                log.hear(message)
    assert slow.close_code == 4008
    assert json.loads(slow.close_reason) == {"last_seq": {"orders": log.last}}
    assert 0 < log.last < 2000
    again = await Client.open(url)
    await again.do("auth", key=owner.token)
    again.handlers["orders"] = log.hear
    monkeypatch.setattr(outbox, "MOST_CHARS", 8_000_000)
    await again.do("subscribe", channel="orders", from_seq=log.last + 1)
    await until(lambda: log.last == 2000, 30)
    await again.close()
