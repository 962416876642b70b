"""The doorbell rings ten times for once and two matchers hear it; lines are cut or fall silent (TRUST.md, fault programme C).

A running exchange reaches its bell and its database through wires of ours. Each ring that any of its parts sends is delivered ten
times; two worker processes listen to all lanes. Nothing may be doubled or lost, and nobody has to do anything by hand.
"""

import contextlib
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qs, urlsplit

import psycopg
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
PROMISED_S = {"bell": 10.0, "database": 30.0}
MATCH = "exchange.tasks.match_book"


class Wired(NamedTuple):
    """An exchange, its wires to the bell and to the database, and the bell itself, beyond the wire."""

    venue: Venue
    bell: Wire
    database: Wire
    tenfold: Tenfold
    bell_url: str

    def client(self, trader: int, seed: int) -> Client:
        return Client(self.venue.exchange.base_url, self.venue.tokens[trader], self.venue.symbol, self.venue.prices[30:51], seed)

    def taken(self) -> Counter[str]:
        """How many rings each worker has taken so far."""
        with Celery(broker=self.bell_url, set_as_current=False) as app:
            said = app.control.inspect(timeout=2.0).stats() or {}
        return Counter({name.split("@")[0]: stats["total"].get(MATCH, 0) for name, stats in said.items()})


def on_this_machine(url: SplitResult, port: int, path: str) -> str:
    """The same server by way of a wire."""
    return url._replace(netloc=f"{url.username or ''}:{url.password or ''}@127.0.0.1:{port}", path=path, query="").geturl()


@pytest.fixture(scope="module")
def wired(start_exchange: Callable[..., LiveExchange], embedded_servers: object) -> Iterator[Wired]:
    """On the test session's servers, in a database and a keyspace of its own."""
    bell, database = urlsplit(os.environ["REDIS_URL"]), urlsplit(os.environ["DATABASE_URL"])
    with psycopg.connect(database.geturl(), autocommit=True) as link:
        link.execute("DROP DATABASE IF EXISTS wired WITH (FORCE)")
        link.execute("CREATE DATABASE wired")
    socket_dir = parse_qs(database.query).get("host", [""])[0]
    tenfold = Tenfold()
    to_bell = Wire((bell.hostname or "", bell.port or 6379), tenfold)
    to_database = Wire(f"{socket_dir}/.s.PGSQL.{database.port or 5432}" if socket_dir else (database.hostname or "", database.port or 5432))
    exchange = start_exchange(
        "--matchers",
        "1",
        REDIS_URL=on_this_machine(bell, to_bell.port, "/7"),
        DATABASE_URL=on_this_machine(database, to_database.port, "/wired"),
    )
    with _second_matcher(exchange):
        yield Wired(Venue.open(exchange), to_bell, to_database, tenfold, bell._replace(path="/7").geturl())
    exchange.close()
    to_bell.close()
    to_database.close()
    with psycopg.connect(database.geturl(), autocommit=True) as link:
        link.execute("DROP DATABASE wired WITH (FORCE)")


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


def test_every_bell_rings_ten_times_for_two_matchers(wired: Wired, capsys: pytest.CaptureFixture[str]) -> None:
    clients = [wired.client(number % 3, number) for number in range(4)]

    def trade(client: Client) -> None:
        for call in range(CALLS):
            client.place_many(1 + call % LONGEST_CALL)

    with ThreadPoolExecutor(len(clients)) as pool:
        list(pool.map(trade, clients))
    # What was rung is delivered in full: ten times each, sooner or later.
    wait_until(lambda: wired.taken().total() >= 10 * wired.tenfold.rings, 120, "every ring to be taken ten times")
    taken = wired.taken()
    assert min(taken["matcher-1"], taken["twin"]) > wired.tenfold.rings, "both matchers heard"
    orders = told_is_kept(wired.venue.exchange, clients)
    with wired.venue.connect() as database:
        (batches,) = database.execute("SELECT count(*) FROM exchange_batch").fetchone()
    with capsys.disabled():
        print(f"\n{orders} orders, {batches} batches, {wired.tenfold.rings} rings, taken {dict(taken)}")
    for client in clients:
        client.close()


@pytest.mark.parametrize("how", ["cut", "silent"])
@pytest.mark.parametrize("line", list(PROMISED_S))
def test_a_line_fails_under_load(wired: Wired, line: str, how: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Reset, or open and without an answer. Orders need no bell. Without the database nothing is told; with it they go on by themselves."""
    wire: Wire = getattr(wired, line)
    clients = [wired.client(number % 3, 100 + number) for number in range(4)]
    *crowded, prober = clients
    waited: list[float] = []
    with Crowd(crowded) as crowd:
        for _ in range(OUTAGES):
            if how == "cut":
                assert wire.cut() > 0
            else:
                wire.mute()
                if line == "database":
                    assert prober.is_refused()
                    wire.unmute()
            waited.append(prober.place())
            wire.unmute()
            rings, taken = wired.tenfold.rings, wired.taken().total()
            wait_until(lambda rings=rings: wired.tenfold.rings > rings, 30, "the bell to ring again")
            wait_until(lambda taken=taken: wired.taken().total() > taken, 60, "a matcher to hear it again")
    assert not crowd.errors
    orders = told_is_kept(wired.venue.exchange, clients)
    with capsys.disabled():
        print(f"\n{line} {how}: {OUTAGES} times, {orders} orders told; next command applied after at worst {max(waited):.2f} s")
    for client in clients:
        client.close()
    assert max(waited) <= PROMISED_S[line]
