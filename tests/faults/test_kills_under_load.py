"""Every part of the venue is killed or stopped under load, again and again (TRUST.md, fault programme C). Nothing is done by hand.

After each blow the next command must be applied within the promised time and the audit must be clean; at the end, what any
client was told is done is there exactly once. Valkey comes back empty each time: it keeps nothing.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from typing import NamedTuple

import httpx
import psycopg
import pytest

from tests.faults.order_load import Client, Crowd, told_is_kept
from tests.plugins.live import LiveExchange, wait_until

TORTURE = os.environ.get("TORTURE") == "1"
KILLS = int(os.environ.get("KILLS", "20" if TORTURE else "3"))
Recovered = Callable[[], None]  # waits until what was hit is whole again


class Ground(NamedTuple):
    """A venue and the book that is traded in it."""

    venue: LiveExchange
    symbol: str

    def database(self) -> psycopg.Connection:
        return psycopg.connect(self.venue.env["DATABASE_URL"], autocommit=True)

    def matcher(self) -> str:
        """The matcher whose lanes hold the book."""
        with self.database() as database:
            lane = database.execute(
                "SELECT lane FROM exchange_book b JOIN exchange_instrument i ON i.id = b.instrument_id WHERE symbol = %s", [self.symbol]
            ).fetchone()[0]
        matchers = sorted(part for part in self.venue.parts() if part.startswith("matcher-"))
        return matchers[lane % len(matchers)]

    def audit(self) -> None:
        done = self.venue.manage("audit", "--json", "--quick", check=False)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def kill(ground: Ground, part: str) -> Recovered:
    former = ground.venue.kill(part)
    return lambda: ground.venue.wait_for_return(part, former)


def stop_matcher(ground: Ground) -> Recovered:
    """Stopped, maybe in a batch, and woken once others have gone on; unless the watchdog was faster and ended it."""
    part = ground.matcher()
    former = ground.venue.parts()[part]
    os.killpg(former, signal.SIGSTOP)

    def wake() -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(former, signal.SIGCONT)
        wait_until(lambda: part in ground.venue.parts(), 30, f"{part} to be there")

    return wake


def end_backends(ground: Ground) -> Recovered:
    """Every connection to the database is ended at once, as an administrator would."""
    with ground.database() as database:
        others = "FROM pg_stat_activity WHERE usename = current_user AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        ended = database.execute(f"SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) {others}").fetchone()[0]
    assert ended > 3
    return lambda: None


# What is done, and the seconds within which the next command must have been applied.
BLOWS: dict[str, tuple[float, Callable[[Ground], Recovered]]] = {
    "matcher killed": (5.0, lambda ground: kill(ground, ground.matcher())),
    "matcher stopped": (5.0, stop_matcher),
    "web killed": (10.0, lambda ground: kill(ground, "web-1")),
    "Valkey killed": (10.0, lambda ground: kill(ground, "valkey")),
    "PostgreSQL killed": (30.0, lambda ground: kill(ground, "postgres")),
    "backends ended": (30.0, end_backends),
}


@pytest.fixture(scope="module")
def ground(start_exchange: Callable[..., LiveExchange]) -> Iterator[Ground]:
    venue = start_exchange("--matchers", "2")
    venue.manage("seed_demo")
    listed = httpx.get(f"{venue.base_url}/api/v1/instruments", params={"phase": "continuous", "limit": "100"}).json()["data"]
    yield Ground(venue, max(i["symbol"] for i in listed if i["symbol"].startswith("TXT")))
    venue.close()


@pytest.fixture(scope="module")
def clients(ground: Ground) -> Iterator[list[Client]]:
    """They outlive every blow, and remember what they were told before it."""
    names = ("buyer", "seller", "maker", "seller", "buyer")
    clients = [Client.of_participant(ground.venue, name, ground.symbol, seed) for seed, name in enumerate(names)]
    yield clients
    for client in clients:
        client.close()


@pytest.mark.parametrize("blow", list(BLOWS))
def test_a_blow_under_load(ground: Ground, clients: list[Client], blow: str, capsys: pytest.CaptureFixture[str]) -> None:
    promised_s, strike = BLOWS[blow]
    *crowded, prober = clients
    waited = []
    with Crowd(crowded) as crowd:
        for _ in range(KILLS):
            recovered = strike(ground)
            waited.append(prober.place())
            recovered()
            ground.audit()
            assert not crowd.errors
    assert not crowd.errors
    orders = told_is_kept(ground.venue, clients)
    ranked = sorted(waited)
    with capsys.disabled():
        print(
            f"\n{blow}: {KILLS} times, {orders} orders told by now; next command applied after median {ranked[KILLS // 2]:.2f} s, "
            f"worst {ranked[-1]:.2f} s"
        )
    assert ranked[-1] <= promised_s
