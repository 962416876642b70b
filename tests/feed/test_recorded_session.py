"""A running venue, a crowd that trades, and clients that know only the protocol: what they rebuild is what the venue has (TRUST M1).

`FEED_COMMANDS=50000` gives the long session.
"""

import asyncio
import json
import os
import random
from collections.abc import AsyncIterator

import pytest

from tests.feed.client import Book, Client, PrivateLog, Violation, until
from tests.feed.contract import Contract
from tests.feed.venue import Traders, Venue

COMMANDS = int(os.environ.get("FEED_COMMANDS", "3000"))
PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def venue(live_exchange) -> Venue:
    return Venue.open(live_exchange)


class Follower:
    """A book at one depth, its picture after every message, and the trades beside it."""

    def __init__(self, client: Client, depth: int | str) -> None:
        self.client = client
        self.depth = depth
        self.book = Book(None if depth == "full" else int(depth))
        self.pictures: dict[int, tuple[str, str]] = {}
        self.trade_no = -1
        self.trades: list[str] = []
        client.handlers = {"book": self._hear_book, "trades": self._hear_trades}

    @classmethod
    async def open(cls, venue: Venue, depth: int | str) -> "Follower":
        follower = cls(await Client.open(venue.url), depth)
        await follower.client.do("subscribe", channel="book", instrument=venue.symbol, depth=depth)
        await follower.client.do("subscribe", channel="trades", instrument=venue.symbol)
        return follower

    def _hear_book(self, message: dict) -> None:
        if message["type"] == "heartbeat":
            if message["seq"] != self.book.seq:
                raise Violation(f"the heartbeat says {message['seq']}, the book is at {self.book.seq}")
            return
        self.book.apply(message)
        self.pictures[self.book.seq] = self.book.picture()

    def _hear_trades(self, message: dict) -> None:
        if message["type"] == "event":
            numbers = [int(trade["trade_no"]) for trade in message["data"]]
            if message["prev_seq"] != self.trade_no or numbers != list(range(self.trade_no + 1, message["seq"] + 1)):
                raise Violation(f"trades {numbers} after {self.trade_no}")
            self.trades += [trade["id"] for trade in message["data"]]
        self.trade_no = message["seq"]


async def _visitors(venue: Venue, chance: random.Random, seen: list[tuple[int, tuple[str, str]]], stop: asyncio.Event) -> None:
    """Clients that come at any moment, see one snapshot and leave."""
    while not stop.is_set():
        client = await Client.open(venue.url)
        await client.do("subscribe", channel="book", instrument=venue.symbol, depth="full")
        book = Book()
        book.apply(await client.next("snapshot"))
        seen.append((book.seq, book.picture()))
        await client.close()
        await asyncio.sleep(chance.random() * 0.2)


@pytest.fixture
async def followers(venue) -> AsyncIterator[list[Follower]]:
    opened = [await Follower.open(venue, depth) for depth in (10, 50, "full")]
    yield opened
    for follower in opened:
        await follower.client.close()


async def test_snapshot_and_deltas_are_the_book_at_every_step(venue, followers):
    """Every delta is proven by the checksum; every later snapshot, at any depth, is what the deltas had led to."""
    for follower in followers:
        await until(lambda f=follower: f.book.seq is not None and f.trade_no >= 0)
    seen: list[tuple[int, tuple[str, str]]] = []
    stop = asyncio.Event()
    visiting = asyncio.create_task(_visitors(venue, random.Random(3), seen, stop))
    await Traders(venue, seed=11).drive(COMMANDS)
    stop.set()
    await visiting
    final = await venue.get(f"/instruments/{venue.symbol}/book", depth=5000)
    for follower in followers:
        await until(lambda f=follower: str(f.book.seq) == final["seq"], PATIENCE_S)
        assert follower.book.snapshots == 1, "no reader here was slow"
        assert sorted(follower.pictures) == list(range(min(follower.pictures), follower.book.seq + 1))
    narrow, wide, full = followers
    assert full.book.levels("bids") == final["bids"]
    assert full.book.levels("asks") == final["asks"]
    assert str(full.book.checksum()) == final["checksum"]
    assert len(full.trades) > COMMANDS // 20
    assert narrow.trades == wide.trades == full.trades
    assert len(seen) > 3
    for seq, picture in seen:
        assert seq not in full.pictures or full.pictures[seq] == picture, f"a snapshot at {seq} is not what the deltas led to"
    replayed = _tops(full)
    for follower, depth in ((narrow, 10), (wide, 50)):
        assert all(replayed[seq][depth] == picture for seq, picture in follower.pictures.items() if seq in replayed)


def _tops(full: Follower) -> dict[int, dict[int, tuple[str, str]]]:
    """The best 10 and 50 levels of the whole book at every step."""
    tops: dict[int, dict[int, tuple[str, str]]] = {}
    for seq, (bids, asks) in full.pictures.items():
        sides = json.loads(bids), json.loads(asks)
        tops[seq] = {depth: (json.dumps(sides[0][:depth]), json.dumps(sides[1][:depth])) for depth in (10, 50)}
    return tops


async def test_no_message_precedes_its_commit(venue):
    """Whoever hears of a batch finds it committed, on any connection to the database."""
    early: list[tuple[str, int, int]] = []
    client = await Client.open(venue.url)
    with venue.connect() as looking:

        def behind(sql: str, number: int, ch: str) -> None:
            row = looking.execute(sql).fetchone()
            if row is None or row[0] < number:
                early.append((ch, number, -1 if row is None else row[0]))

        feed = f"SELECT {{}}_seq FROM exchange_accountfeed WHERE account_id = {venue.accounts[0]}"
        book = f"SELECT seq FROM exchange_book WHERE instrument_id = {venue.book_id}"
        traded = f"SELECT count(*) FROM exchange_trade WHERE book_id = {venue.book_id}"
        heard: dict[str, int] = {}

        def listen(ch: str, sql: str) -> None:
            def hear(message: dict) -> None:
                heard[ch] = heard.get(ch, 0) + 1
                behind(sql, message["seq"], ch)

            client.handlers[ch] = hear

        listen("book", book)
        listen("trades", traded)
        for ch in ("orders", "fills", "balances"):
            listen(ch, feed.format(ch))
        await client.do("auth", key=venue.tokens[0])
        for ch in ("book", "trades"):
            await client.do("subscribe", channel=ch, instrument=venue.symbol)
        for ch in ("orders", "fills", "balances"):
            await client.do("subscribe", channel=ch)
        await Traders(venue, seed=12).drive(400)
        await until(lambda: all(heard.get(ch, 0) > 2 for ch in ("book", "trades", "orders", "fills", "balances")))
    assert not early
    await client.close()


async def test_random_breaks_and_resumes_yield_every_private_event_once(venue):
    chance = random.Random(5)
    logs = {channel: PrivateLog(channel) for channel in ("orders", "fills", "balances")}
    trading = asyncio.create_task(Traders(venue, seed=13).drive(max(COMMANDS // 2, 1000)))
    token, account = venue.tokens[1], venue.accounts[1]
    while True:
        last_round = trading.done()
        client = await Client.open(venue.url)
        await client.do("auth", key=token)
        for channel, log in logs.items():
            client.handlers[channel] = log.hear
            await client.do("subscribe", channel=channel, from_seq=log.last + 1)
        if last_round:
            break
        await asyncio.sleep(chance.random() * 0.4)
        client.cut()
        await client.ended()
    await trading
    with venue.connect() as connection:
        row = connection.execute("SELECT orders_seq, fills_seq, balances_seq FROM exchange_accountfeed WHERE account_id = %s", [account])
        told = row.fetchone()
        orders = dict(connection.execute("SELECT 'ord_' || id, filled_lots::text FROM exchange_order WHERE account_id = %s", [account]))
    assert told is not None
    await until(lambda: [log.last for log in logs.values()] == list(told), PATIENCE_S)
    assert {event["id"]: event["filled_quantity"] for event in logs["orders"].events} == orders
    fills = [event["id"] for event in logs["fills"].events]
    assert len(fills) == len(set(fills)) == told[1]
    assert {**logs["balances"].events[-1], "in_escrow": "0.00"} == (await venue.get("/balances", token))["data"][0]
    await client.close()


async def test_orders_of_one_socket_keep_their_order(venue):
    """Placed, cancelled by their own names and swept, all sent at once: answers are those of that very order."""
    contract = Contract(await venue.get("/asyncapi.json"))
    client = await Client.open(venue.url, checker=contract.check)
    await client.do("auth", key=venue.tokens[2])
    await client.do("cancel_all")
    for channel in ("orders", "fills", "balances"):
        stands = (await client.do("subscribe", channel=channel))["seq"]
        await client.do("subscribe", channel=channel, from_seq=max(1, stands - 20))
    asks = []
    for number in range(20):
        order = {"instrument": venue.symbol, "side": "buy", "quantity": "1", "price": venue.prices[0], "client_order_id": f"sock-{number}"}
        asks.append(client.ask("place", **order))
        if number % 2:
            asks.append(client.ask("cancel", client_order_id=f"sock-{number}"))
    answers = await asyncio.gather(*asks, client.ask("cancel_all"))
    assert all(answer["ok"] for answer in answers), [answer["error"] for answer in answers if not answer["ok"]]
    # An answer tells the order after its batch, and a cancel may have been in the same one; on a slow machine it may not be applied yet.
    assert {answer["result"]["status"] for answer in answers if answer["op"] == "place"} <= {"open", "cancelled", "pending"}
    assert [answer["result"]["client_order_id"] for answer in answers if answer["op"] == "cancel"] == [f"sock-{n}" for n in range(1, 20, 2)]
    assert {answer["result"]["status"] for answer in answers if answer["op"] == "cancel"} <= {"cancelled", "pending"}
    assert answers[-1]["result"]["count"] == 10
    async with asyncio.timeout(PATIENCE_S):
        for number in range(20):
            while (order := await venue.get(f"/orders/by-client-id/sock-{number}", venue.tokens[2]))["status"] != "cancelled":
                assert order["status"] in {"pending", "open"}
    again = await client.ask("place", instrument=venue.symbol, side="buy", quantity="2", price=venue.prices[0], client_order_id="sock-0")
    assert again["error"]["code"] == "client_order_id_reused"
    refused = await client.ask("place", instrument=venue.symbol, side="buy", quantity="1", price="99999.000")
    assert not refused["ok"], refused
    assert (refused["error"]["code"], refused["error"]["order"]["status"]) == ("price_outside_collar", "rejected")
    amended = await client.do(
        "place", instrument=venue.symbol, side="buy", quantity="5", price=venue.prices[0], client_order_id="sock-amend"
    )
    assert (await client.do("amend", id=amended["id"], quantity="3"))["priority"] == "kept"
    assert (await client.do("cancel", id=amended["id"]))["reason"] == "user"
    await client.close()
    answered = {
        f"{op}_answer/{how}" for op, how in (("place", "ok"), ("place", "error"), ("amend", "ok"), ("cancel", "ok"), ("cancel_all", "ok"))
    }
    assert answered | {"orders/event", "fills/event", "balances/event"} <= contract.seen
