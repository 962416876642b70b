"""The published descriptions and the server say the same."""

from pathlib import Path

import httpx
import pytest
from asgiref.sync import sync_to_async
from jsonschema import Draft202012Validator

from exchange.services import bell
from exchange.services.rules import rules_of
from exchange.sockets.asyncapi import document
from exchange.sockets.channels import CHANNELS
from exchange.sockets.closing import Close
from exchange.sockets.operations import OPERATIONS
from tests.feed.client import Client, until
from tests.feed.contract import Contract

GUIDE = (Path(__file__).parents[2] / "docs" / "websocket.md").read_text()


def _refs(node: object) -> list[str]:
    if isinstance(node, dict):
        return [v for k, v in node.items() if k == "$ref"] + [ref for value in node.values() for ref in _refs(value)]
    return [ref for value in node for ref in _refs(value)] if isinstance(node, list) else []


def test_the_document_hangs_together():
    whole = document()
    assert whole["asyncapi"] == "3.0.0"
    for ref in _refs(whole):
        place = whole
        for part in ref.removeprefix("#/").split("/"):
            place = place[part]
    for name, message in whole["components"]["messages"].items():
        Draft202012Validator.check_schema(message["payload"])
        assert message["name"] == name


@pytest.mark.parametrize("word", [*OPERATIONS, *CHANNELS, *(str(int(code)) for code in Close)])
def test_the_guide_names_everything(word):
    assert f"`{word}`" in GUIDE or f"| {word} |" in GUIDE


async def test_every_kind_of_frame_is_as_described(url, lane, owner):
    base = url.replace("ws://", "http://").removesuffix("/ws/v1")
    async with httpx.AsyncClient() as http:
        contract = Contract((await http.get(f"{base}/api/v1/asyncapi.json")).json())
    symbol = (await sync_to_async(rules_of)(lane.book_id)).symbol
    client = await Client.open(url, checker=contract.check)
    await client.do("auth", key=owner.token)
    for channel in CHANNELS.values():
        await client.do("subscribe", channel=channel.name, **({"instrument": symbol} if channel.per_instrument else {}))

    def commit() -> None:
        lane.batch((0, 100, 5, 1), (1, 110, 2, 1), trades=2)
        lane.tell(owner.account_id, orders=2)

    await sync_to_async(commit)()
    bell.notify(lane.book_id, lane.seq)
    for op in OPERATIONS:
        if op != "auth":
            await client.ask(op, nonsense=1)
    await client.do("ping")
    await client.do("cancel_all")
    expected = {f"{c.name}/{kind}" for c in CHANNELS.values() for kind in ("snapshot", "heartbeat")}
    expected |= {"book/delta", "trades/event", "ticker/event", "orders/event", "cancel_all/ok", "place_answer/error"} - {"cancel_all/ok"}
    await until(lambda: expected <= contract.seen)
    await client.do("unsubscribe", channel="book", instrument=symbol)
    await client.close()
    assert client.closed == (1000, "")
