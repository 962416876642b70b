"""A mass cancel takes its place among the commands of its socket: what was placed before it goes, what is placed after it stays."""

import asyncio

import pytest

from tests.feed.client import Client
from tests.feed.venue import Venue


@pytest.fixture(scope="module")
def venue(live_exchange) -> Venue:
    return Venue.open(live_exchange)


async def test_what_is_placed_behind_a_mass_cancel_stays(venue):
    client = await Client.open(venue.url)
    await client.do("auth", key=venue.tokens[0])
    order = {"instrument": venue.symbol, "side": "buy", "quantity": "1", "price": venue.prices[0]}
    for number in range(10):
        before, swept, after = await asyncio.gather(
            client.ask("place", **order, client_order_id=f"before-{number}"),
            client.ask("cancel_all"),
            client.ask("place", **order, client_order_id=f"after-{number}"),
        )
        assert swept["ok"], swept
        assert before["result"]["id"] in swept["result"]["ids"]
        assert after["result"]["id"] not in swept["result"]["ids"]
        found = (await venue.get("/orders", venue.tokens[0], status="live"))["data"]
        assert [row["id"] for row in found] == [after["result"]["id"]]
    await client.close()
