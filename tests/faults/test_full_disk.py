"""The disk under the database is full for a while (TRUST.md, fault programme C): nothing that was promised is lost, and once there is
room again the exchange goes on by itself.
"""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.order_load import Client, Crowd, told_is_kept
from tests.feed.venue import Venue
from tests.plugins.live import LiveExchange, wait_until

SIZE = "512m"
PROMISED_S = 30.0


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A directory on a disk of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount the small disk that is to be filled")
    place = Path(tempfile.mkdtemp(prefix="synthference-disk-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0755", "tmpfs", str(place)], check=False, capture_output=True, text=True
    )
    if mounted.returncode != 0:
        place.rmdir()
        pytest.skip(f"this machine lets nobody mount a small disk: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)
    place.rmdir()


def fill(ballast: Path) -> None:
    """Take all the room there is."""
    with ballast.open("ab", buffering=0) as file:
        for piece in (1 << 20, 1 << 12):
            with contextlib.suppress(OSError):
                while file.write(bytes(piece)) == piece:
                    pass


def is_told(exchange: LiveExchange, words: str, ballast: Path) -> bool:
    """Whether a part has said this. What was given back meanwhile, an old log segment say, is taken too."""
    fill(ballast)
    return words in exchange.output


def children(pid: int) -> set[int]:
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def test_orders_go_on_when_there_is_room_again(small_disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Under load; and while there is no room the database and the matcher die as well, so that they start where nothing can be written."""
    data_dir = small_disk / "data"
    data_dir.mkdir()
    exchange = LiveExchange(data_dir, "--matchers", "1")
    exchange._output = tmp_path / "output.txt"  # what is said here has room
    with contextlib.ExitStack() as stack:
        stack.callback(exchange.close)
        venue = Venue.open(exchange.start())
        clients = [Client(exchange.base_url, venue.tokens[n % 3], venue.symbol, venue.prices[30:51], n) for n in range(4)]
        for client in clients:
            stack.callback(client.close)
        *crowded, prober = clients
        before = {part: exchange.parts()[part] for part in ("matcher-1", "postgres")}
        with Crowd(crowded) as crowd:
            prober.place()
            ballast = small_disk / "ballast"
            wait_until(lambda: is_told(exchange, "No space left on device", ballast), 60, "the database to want for room")
            for part in before:
                with contextlib.suppress(KeyError, ProcessLookupError):  # the database may have died of it already
                    exchange.kill(part)
            wait_until(lambda: is_told(exchange, "postgres ended with code 1", ballast), 60, "the database to fail to start")
            wait_until(prober.is_refused, 60, "an order to fail")
            ballast.unlink()
            waited_s = prober.place()
            for _ in range(20):
                prober.place()
        assert not crowd.errors
        for part, former in before.items():
            exchange.wait_for_return(part, former)
        parts = exchange.parts()
        assert children(parts["up"]) == set(parts.values()) - {parts["up"]}, "each part runs once"
        orders = told_is_kept(exchange, clients)
        with capsys.disabled():
            print(f"\nfull disk: {orders} orders told; next command applied {waited_s:.2f} s after there was room")
        assert waited_s <= PROMISED_S
