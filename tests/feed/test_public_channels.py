"""The public channels of a socket, against batches that the test commits itself."""

import pytest
from asgiref.sync import sync_to_async

from exchange.services import bell
from exchange.services.rules import rules_of
from tests.feed.client import Book, Client


async def _commit(lane, *changes, trades: int = 0) -> None:
    await sync_to_async(lane.batch)(*changes, trades=trades)
    bell.notify(lane.book_id, lane.seq)


@pytest.fixture
async def symbol(lane) -> str:
    return (await sync_to_async(rules_of)(lane.book_id)).symbol


async def test_a_book_is_a_snapshot_and_its_deltas(url, lane, symbol):
    await _commit(lane, (0, 100, 5, 1), (1, 110, 2, 1))
    client = await Client.open(url)
    result = await client.do("subscribe", channel="book", instrument=symbol, depth=10)
    assert result == {"channel": "book", "instrument": symbol, "depth": 10, "seq": result["seq"]}
    book = Book(10)
    book.apply(await client.next("snapshot"))
    for changes in (((0, 100, 4, 1),), ((0, 100, 0, 0), (0, 99, 9, 3)), (), ((1, 110, 0, 0), (1, 111, 1, 1))):
        await _commit(lane, *changes)
        message = await client.next()
        assert message["ch"] == "book"
        assert message["inst"] == symbol
        assert message["type"] == "delta"
        assert set(message) == {"ch", "inst", "type", "seq", "prev_seq", "ts", "data", "checksum"}
        book.apply(message)
        assert book.seq == lane.seq
    assert book.levels("bids") == [["0.099", "9", 3]]
    assert book.levels("asks") == [["0.111", "1", 1]]
    await client.close()


async def test_a_view_shows_the_levels_that_move_up_into_it(url, lane, symbol):
    await _commit(lane, *[(0, 100 - n, n + 1, 1) for n in range(14)])
    client = await Client.open(url)
    await client.do("subscribe", channel="book", instrument=symbol, depth=10)
    book = Book(10)
    book.apply(await client.next("snapshot"))
    for changes in (((0, 95, 0, 0), (0, 97, 0, 0)), ((0, 120, 1, 1), (0, 119, 1, 1), (0, 118, 1, 1)), ((0, 120, 0, 0), (0, 87, 50, 1))):
        await _commit(lane, *changes)
        book.apply(await client.next("delta"))
        best = sorted((p for _, p in lane.levels), reverse=True)[:10]
        assert [level[1] for level in book.levels("bids")] == [str(lane.levels[0, p][0]) for p in best]
    await client.close()


async def test_trades_are_numbered_without_gaps(url, lane, symbol):
    await _commit(lane, trades=3)
    client = await Client.open(url)
    await client.do("subscribe", channel="trades", instrument=symbol)
    snapshot = await client.next("snapshot")
    assert snapshot["seq"] == 3
    await _commit(lane)
    await _commit(lane, trades=2)
    message = await client.next("event")
    assert (message["prev_seq"], message["seq"]) == (3, 5)
    assert [trade["trade_no"] for trade in message["data"]] == ["4", "5"]
    await client.close()


async def test_the_ticker_tells_best_prices_and_the_day(url, lane, symbol):
    client = await Client.open(url)
    await client.do("subscribe", channel="ticker", instrument=symbol)
    assert (await client.next("snapshot"))["data"]["best_bid"] is None
    await _commit(lane, (0, 100, 5, 1), (1, 110, 2, 1))
    told = (await client.next("event"))["data"]
    assert (told["best_bid"], told["best_ask"], told["best_ask_quantity"], told["phase"]) == ("0.100", "0.110", "2", "continuous")
    await client.close()


async def test_every_subscription_has_a_heartbeat(url, lane, symbol):
    client = await Client.open(url)
    assert (await client.next("heartbeat")).keys() == {"type", "ts"}
    await client.do("subscribe", channel="book", instrument=symbol)
    await client.do("subscribe", channel="status")
    seen = [await client.next("heartbeat") for _ in range(4)]
    assert {beat.get("ch") for beat in seen} >= {"book", "status"}
    assert all(beat["seq"] == lane.seq for beat in seen if beat.get("ch") == "book")
    await client.close()


async def test_instruments_and_status_begin_with_the_whole(url, lane, symbol):
    client = await Client.open(url)
    await client.do("subscribe", channel="instruments")
    assert symbol in {each["symbol"] for each in (await client.next("snapshot"))["data"]}
    await client.do("subscribe", channel="status")
    assert (await client.next("snapshot"))["data"]["status"] in {"ok", "degraded"}
    await client.close()


async def test_unsubscribed_is_silent_and_asking_again_begins_anew(url, lane, symbol):
    client = await Client.open(url)
    await client.do("subscribe", channel="book", instrument=symbol)
    await client.next("snapshot")
    await client.do("unsubscribe", channel="book", instrument=symbol)
    await _commit(lane, (0, 100, 5, 1))
    await client.do("subscribe", channel="trades", instrument=symbol)
    assert (await client.next())["ch"] == "trades"
    await client.do("subscribe", channel="book", instrument=symbol, depth="full")
    book = Book()
    while book.seq != lane.seq:
        book.apply(await client.next())
    assert (book.snapshots, book.levels("bids")) == (1, [["0.100", "5", 1]])
    await client.close()
