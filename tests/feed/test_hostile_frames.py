"""Frames that nobody should send: each has one answer or closes its own socket, and nothing else suffers."""

import asyncio
import json
import os
import random

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.feed.client import Client

FRAMES = int(os.environ.get("HOSTILE_FRAMES", "5000"))
NASTY = [
    "", " ", "null", "[]", "{}", "0", '"x"', "{", '{"op":', '{"op":"ping"}}', '{"op":"ping","op":"ping"}', '{"op":1}', '{"op":"ping","id":1e3}',
    '{"op":"ping","id":-0}', '{"op":"ping","id":NaN}', '{"op":"ping","id":"\\u0000"}', '{"op":"ping","id":"\\ud800"}', "[" * 1000, '{"a":' * 17 + "1" + "}" * 17,
    '{"op":"ping","args":[]}', '{"op":"ping","args":{"x":1}}', '{"op":"ping","x":1}', '{"op":"pıng"}', '{"op":"__class__"}', '{"op":"subscribe"}',
    '{"op":"subscribe","args":{"channel":"book"}}', '{"op":"subscribe","args":{"channel":"book","instrument":"\'; DROP TABLE x"}}',
    '{"op":"subscribe","args":{"channel":"book","instrument":"A","depth":11}}', '{"op":"subscribe","args":{"channel":"book","instrument":"A","depth":true}}',
    '{"op":"subscribe","args":{"channel":"book","instrument":"A","depth":[10]}}', '{"op":"subscribe","args":{"channel":["book"]}}',
    '{"op":"subscribe","args":{"channel":"trades","depth":10,"instrument":"A"}}', '{"op":"subscribe","args":{"channel":"nothing"}}',
    '{"op":"subscribe","args":{"channel":"candles.1m"}}', '{"op":"unsubscribe","args":{"channel":"book","instrument":"A"}}', '{"op":"mass_quote"}',
    '{"op":"set","args":{"cancel_on_disconnect":"account"}}', '{"op":"ping","id":9007199254740993}', '{"op":"ping","id":9007199254740993.0}',
    '\ufeff{"op":"ping"}', '{"op":"ping","id":{"deep":[1,{"er":null}]}}',
]  # fmt: skip


def _random_frame(chance: random.Random) -> str | bytes:
    kind = chance.randrange(6)
    if kind == 0:
        return chance.choice(NASTY)
    if kind == 1:
        return "".join(chr(chance.choice([chance.randrange(32, 127), chance.randrange(0xD7FF)])) for _ in range(chance.randrange(200)))
    if kind == 2:
        text = chance.choice(NASTY)
        at = chance.randrange(len(text) + 1)
        return text[:at] + chr(chance.randrange(1, 0x2FFF)) + text[at:]
    if kind == 3:
        value = chance.choice([None, True, -1, 1, 2**60, "", "x" * 100, [], {}, [[]], "10", "full", "\x7f"])
        args = {chance.choice(["channel", "instrument", "depth", "from_seq", "key", "id", "x"]): value for _ in range(chance.randrange(4))}
        op = chance.choice(["subscribe", "unsubscribe", "ping", "amend", "set", "cancel_all_after", None, 5])
        return json.dumps({"op": op, "id": value, "args": args})
    if kind == 4:
        return bytes(chance.randrange(256) for _ in range(chance.randrange(50)))
    return json.dumps({"op": "ping", "id": chance.randrange(10**6)})


async def _throw(wire: ClientConnection, chance: random.Random, left: int) -> int:
    """Send until the venue closes; how many frames it took."""
    sent = 0
    try:
        while sent < left:
            await wire.send(_random_frame(chance))
            sent += 1
            if sent % 20 == 0:
                await asyncio.sleep(0)
        await wire.close()
    except ConnectionClosed:
        pass
    assert wire.close_code in (1000, 1003, 1007, 4001, 4003, 4029, None), wire.close_code
    return max(sent, 1)


async def _swallow(wire: ClientConnection) -> int:
    answers = 0
    async for text in wire:
        message = json.loads(text)
        assert message.get("type") == "heartbeat" or message["ok"] or message["error"]["status"] < 500, message
        answers += 1
    return answers


async def test_random_frames_break_nothing(url):
    witness = await Client.open(url)
    chance = random.Random(7)
    left = FRAMES
    while left > 0:
        wire = await connect(url, compression=None)
        swallow = asyncio.create_task(_swallow(wire))
        left -= await _throw(wire, chance, left)
        await asyncio.wait([swallow], timeout=10)
    assert await witness.do("ping")
    await witness.close()


@pytest.mark.parametrize("frame", NASTY)
async def test_each_has_one_answer_with_its_id(url, frame):
    wire = await connect(url, compression=None)
    await wire.send(frame)
    answer = json.loads(await asyncio.wait_for(wire.recv(), 10))
    if answer["ok"]:
        assert json.loads(frame)["op"] in {"ping", "unsubscribe"}
    else:
        assert answer["error"]["status"] in {400, 401}
        assert answer["error"]["request_id"]
    await wire.close()


async def test_binary_and_oversized_frames_close_the_socket(url):
    wire = await connect(url, compression=None)
    await wire.send(b"\x00")
    with pytest.raises(ConnectionClosed):
        await asyncio.wait_for(wire.recv(), 10)
    assert wire.close_code == 1003
    wire = await connect(url, compression=None)
    await wire.send(json.dumps({"op": "ping", "id": "x" * 70_000}))
    with pytest.raises(ConnectionClosed):
        await asyncio.wait_for(wire.recv(), 10)
    assert wire.close_code == 1009


async def test_who_does_not_heed_the_limit_is_closed(url):
    wire = await connect(url, compression=None)
    answers: list[dict] = []
    with pytest.raises(ConnectionClosed):
        for number in range(2000):
            await wire.send(json.dumps({"op": "ping", "id": number}))
            answers.append(json.loads(await asyncio.wait_for(wire.recv(), 10)))
    assert wire.close_code == 4029
    codes = {answer["error"]["code"] for answer in answers if not answer.get("ok") and "error" in answer}
    assert codes == {"rate_limited"}


async def test_one_socket_carries_a_bounded_number_of_subscriptions(url, monkeypatch):
    monkeypatch.setattr("exchange.sockets.connection.MOST_LINES", 1)
    client = await Client.open(url)
    await client.do("subscribe", channel="status")
    await client.do("subscribe", channel="status")
    assert (await client.ask("subscribe", channel="instruments"))["error"]["code"] == "conflict"
    await client.close()
