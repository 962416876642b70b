"""Every part of the venue is killed under load, again and again (TRUST.md, fault programme C). Nothing is done by hand.

After each kill the next command must be applied within the promised time and the audit must be clean; at the end, what any
client was told is done is there exactly once. Valkey comes back empty each time: it keeps nothing.
"""

import json
import os

import httpx
import psycopg
import pytest

from tests.faults.order_load import Client, Crowd
from tests.plugins.live import LiveExchange

TORTURE = os.environ.get("TORTURE") == "1"
KILLS = int(os.environ.get("KILLS", "20" if TORTURE else "3"))
# Seconds within which the next command must have been applied, by the part that died.
PROMISED = {"matcher-1": 5.0, "web-1": 10.0, "valkey": 10.0, "postgres": 30.0}


@pytest.fixture(scope="module")
def venue(start_exchange) -> LiveExchange:
    exchange = start_exchange("--matchers", "2")
    exchange.manage("seed_demo")
    return exchange


@pytest.fixture(scope="module")
def symbol(venue):
    listed = httpx.get(f"{venue.base_url}/api/v1/instruments", params={"phase": "continuous", "limit": "100"}).json()["data"]
    return max(i["symbol"] for i in listed if i["symbol"].startswith("TXT"))


def part_of(venue: LiveExchange, name: str, symbol: str) -> str:
    """The part to kill; of the matchers the one whose lanes hold the book."""
    if name != "matcher-1":
        return name
    with psycopg.connect(venue.env["DATABASE_URL"]) as database:
        row = database.execute(
            "SELECT lane FROM exchange_book b JOIN exchange_instrument i ON i.id = b.instrument_id WHERE symbol = %s", [symbol]
        ).fetchone()
    matchers = sorted(part for part in venue.parts() if part.startswith("matcher-"))
    return matchers[row[0] % len(matchers)]


def audit(venue: LiveExchange, *words: str) -> None:
    done = venue.manage("audit", "--json", *words, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


@pytest.mark.parametrize("name", list(PROMISED))
def test_killed_under_load(venue, symbol, name, capsys):
    clients = [Client(venue, participant, symbol, seed) for seed, participant in enumerate(("buyer", "seller", "maker", "seller"))]
    prober = Client(venue, "buyer", symbol, 99)
    waited = []
    with Crowd(clients) as crowd:
        for _ in range(KILLS):
            part = part_of(venue, name, symbol)
            former = venue.kill(part)
            waited.append(prober.place())
            venue.wait_for_return(part, former)
            audit(venue, "--quick")
            assert not crowd.errors
    assert not crowd.errors
    audit(venue)
    told = {cid: order_id for client in (*clients, prober) for cid, order_id in client.acknowledged.items()}
    with psycopg.connect(venue.env["DATABASE_URL"]) as database:
        found = database.execute(
            "SELECT c.client_order_id, 'ord_' || o.id::text, count(*) OVER (PARTITION BY c.client_order_id) FROM exchange_command c "
            "JOIN exchange_order o ON o.id = c.order_id WHERE c.client_order_id = ANY(%s)",
            [list(told)],
        ).fetchall()
    assert {cid: order_id for cid, order_id, _ in found} == told
    assert all(count == 1 for _, _, count in found)
    with capsys.disabled():
        ranked = sorted(waited)
        print(
            f"\n{name}: {KILLS} kills, {len(told)} orders told; next command applied after median {ranked[len(ranked) // 2]:.2f} s, worst {ranked[-1]:.2f} s"
        )
    for client in (*clients, prober):
        client.close()
    assert max(waited) <= PROMISED[name]


def test_the_journal_replays_after_all_of_it(venue):
    done = venue.manage("replay", "--json", check=False)
    assert done.returncode == 0, done.stdout[-4000:]
    assert json.loads(done.stdout.splitlines()[-1]) is not None
