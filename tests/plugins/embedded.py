"""PostgreSQL and Valkey for one test session, thrown away after it; DATABASE_URL and REDIS_URL, where given, are respected.

The addresses must be in the environment before Django reads its settings, so they are announced as pytest loads; the servers
themselves start only when the first test asks for the database. Durability is on as in production: fault tests mean it.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exchange.embedded.postgres import EmbeddedPostgres
from exchange.embedded.process import ServerProcess, die_with_parent
from exchange.embedded.record import Record
from exchange.embedded.valkey import EmbeddedValkey

PATIENCE_S = 60.0


class SessionServers:
    """Embedded servers in a directory of their own; `announce` their addresses, `start` them, `stop` them."""

    def __init__(self) -> None:
        self.data_dir = Path(tempfile.mkdtemp(prefix="synthference-tests-"))
        record = Record.load(self.data_dir)
        self.postgres = None if os.environ.get("DATABASE_URL") else EmbeddedPostgres(self.data_dir, record)
        self.valkey = None if os.environ.get("REDIS_URL") else EmbeddedValkey(self.data_dir, record)
        self._running: list[tuple[subprocess.Popen[bytes], ServerProcess]] = []
        self._started = False

    def announce(self) -> None:
        os.environ["DATA_DIR"] = str(self.data_dir)
        os.environ.setdefault("STATIC_ROOT", str(self.data_dir / "static"))
        Path(os.environ["STATIC_ROOT"]).mkdir(parents=True, exist_ok=True)  # WhiteNoise asks for it
        if self.postgres:
            os.environ["DATABASE_URL"] = self.postgres.url
        if self.valkey:
            self.valkey.prepare()
            os.environ["REDIS_URL"] = self.valkey.url

    def start(self) -> None:
        if self._started:
            return
        self._started = True
        if self.postgres:
            self.postgres.prepare()
            self._run("postgres", self.postgres.process(), self.postgres.is_ready)
        if self.valkey:
            self._run("valkey", self.valkey.process(), self.valkey.is_ready)

    def _run(self, name: str, server: ServerProcess, is_ready: Callable[[], bool]) -> None:
        log = self.data_dir / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                server.argv,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | server.environment,
                start_new_session=True,
                preexec_fn=die_with_parent(server.orphan_signal),  # noqa: PLW1509 - one prctl call, no locks
                **server.account.popen_arguments(),
            )
        self._running.append((process, server))
        deadline = time.monotonic() + PATIENCE_S
        while not is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.exit(f"{name} for the tests did not start:\n{log.read_text(errors='replace')[-4000:]}", returncode=3)
            time.sleep(0.02)

    def stop(self) -> None:
        for process, server in reversed(self._running):
            process.send_signal(server.stop_signal)
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()
        if self.postgres:
            shutil.rmtree(self.postgres.cluster, ignore_errors=True)
            shutil.rmtree(self.postgres.socket_dir, ignore_errors=True)
        shutil.rmtree(self.data_dir, ignore_errors=True)


_key = pytest.StashKey[SessionServers]()


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    servers = SessionServers()
    servers.announce()
    early_config.stash[_key] = servers


def pytest_unconfigure(config: pytest.Config) -> None:
    if (servers := config.stash.get(_key, None)) is not None:
        servers.stop()


@pytest.fixture(scope="session")
def embedded_servers(pytestconfig: pytest.Config) -> SessionServers:
    """Running servers; tests that use Valkey without the database ask for this."""
    servers = pytestconfig.stash[_key]
    servers.start()
    return servers


@pytest.fixture(scope="session")
def django_db_modify_db_settings(embedded_servers: SessionServers) -> Iterator[None]:
    """pytest-django asks for this before it makes the test database."""
    yield
