"""The doorbell rings ten times for once, two matchers hear it, and its line is cut or falls silent (TRUST.md, fault programme C).

A running exchange hears its bell through a wire of ours. Each ring that any of its parts sends is delivered ten times; two worker
processes listen to all lanes. Nothing may be doubled or lost, and nobody has to do anything by hand.
"""

import contextlib
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from celery import Celery

from exchange.embedded.process import die_with_parent
from exchange.supervision.tree import Shape, celery_worker, worker_queues
from tests.faults.order_load import Client, Crowd, told_is_kept
from tests.faults.wire import Tenfold, Wire
from tests.feed.venue import Venue
from tests.plugins.live import ROOT, LiveExchange, wait_until

TORTURE = os.environ.get("TORTURE") == "1"
CALLS = 400 if TORTURE else 40  # of each trader, made twice
LONGEST_CALL = 40
OUTAGES = 20 if TORTURE else 1
PROMISED_S = 10.0
MATCH = "exchange.tasks.match_book"


class Belfry(NamedTuple):
    """An exchange, its wire to the bell, and the bell itself as it is beyond the wire."""

    venue: Venue
    wire: Wire
    tenfold: Tenfold
    bell_url: str

    def client(self, trader: int, seed: int) -> Client:
        return Client(self.venue.exchange.base_url, self.venue.tokens[trader], self.venue.symbol, self.venue.prices[30:51], seed)

    def delivered(self) -> Counter[str]:
        """How many rings each worker has taken so far."""
        with Celery(broker=self.bell_url, set_as_current=False) as app:
            said = app.control.inspect(timeout=2.0).stats() or {}
        return Counter({name.split("@")[0]: stats["total"].get(MATCH, 0) for name, stats in said.items()})


@pytest.fixture(scope="module")
def belfry(start_exchange: Callable[..., LiveExchange], embedded_servers: object) -> Iterator[Belfry]:
    bell = urlsplit(os.environ["REDIS_URL"])
    tenfold = Tenfold()
    wire = Wire((bell.hostname or "", bell.port or 0), tenfold)
    own = bell._replace(path="/7")
    exchange = start_exchange("--matchers", "1", REDIS_URL=own._replace(netloc=f":{bell.password or ''}@127.0.0.1:{wire.port}").geturl())
    with _second_matcher(exchange):
        yield Belfry(Venue.open(exchange), wire, tenfold, own.geturl())
    exchange.close()
    wire.close()


@contextlib.contextmanager
def _second_matcher(exchange: LiveExchange) -> Iterator[None]:
    """A worker for the same lanes as the exchange's own."""
    lanes = worker_queues(Shape(webs=1, matchers=1, lanes=tuple(range(16))))["matcher-1"]
    with (exchange.data_dir / "twin.log").open("wb") as log:
        twin = subprocess.Popen(
            celery_worker("twin", lanes),
            cwd=ROOT,
            env=exchange.env | {"DJANGO_SETTINGS_MODULE": "exchange.settings"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509 - one prctl call, no locks
        )
    yield
    os.killpg(twin.pid, signal.SIGKILL)
    twin.wait()


def test_every_bell_rings_ten_times_for_two_matchers(belfry: Belfry, capsys: pytest.CaptureFixture[str]) -> None:
    clients = [belfry.client(number % 3, number) for number in range(4)]

    def trade(client: Client) -> None:
        for call in range(CALLS):
            client.place_many(1 + call % LONGEST_CALL)

    with ThreadPoolExecutor(len(clients)) as pool:
        list(pool.map(trade, clients))
    # What was rung is delivered in full: ten times each, sooner or later.
    wait_until(lambda: belfry.delivered().total() >= 10 * belfry.tenfold.rings, 120, "every ring to be taken ten times")
    taken = belfry.delivered()
    assert min(taken["matcher-1"], taken["twin"]) > belfry.tenfold.rings, "both matchers heard"
    orders = told_is_kept(belfry.venue.exchange, clients)
    with belfry.venue.connect() as database:
        (batches,) = database.execute("SELECT count(*) FROM exchange_batch").fetchone()
    with capsys.disabled():
        print(f"\n{orders} orders, {batches} batches, {belfry.tenfold.rings} rings, taken {dict(taken)}")
    for client in clients:
        client.close()


@pytest.mark.parametrize("how", ["cut", "silent"])
def test_the_line_to_the_bell_fails(belfry: Belfry, how: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Reset under load, or open and without an answer: the next orders are applied all the same, and the bell rings again afterwards."""
    clients = [belfry.client(number, 100 + number) for number in range(3)]
    prober = belfry.client(0, 103)
    waited: list[float] = []
    with Crowd(clients) as crowd:
        for _ in range(OUTAGES):
            if how == "cut":
                assert belfry.wire.cut() > 0
                waited.append(prober.place())
            else:
                belfry.wire.mute()
                waited += [prober.place() for _ in range(3)]
                belfry.wire.unmute()
            rings, heard = belfry.tenfold.rings, belfry.delivered()
            wait_until(lambda rings=rings: belfry.tenfold.rings > rings, 30, "the bell to ring again")
            wait_until(lambda heard=heard: belfry.delivered().total() > heard.total(), 60, "a matcher to hear it again")
    assert not crowd.errors
    orders = told_is_kept(belfry.venue.exchange, [*clients, prober])
    with capsys.disabled():
        print(f"\n{how}: {OUTAGES} times, {orders} orders told; next command applied after at worst {max(waited):.2f} s")
    for client in (*clients, prober):
        client.close()
    assert max(waited) <= PROMISED_S
