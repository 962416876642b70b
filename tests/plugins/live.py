"""A whole running exchange (`manage.py up`) for tests that speak to it as clients do, and that kill its parts."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exchange.embedded.process import Account, die_with_parent

ROOT = Path(__file__).resolve().parent.parent.parent
START_S = 180.0


def wait_until(condition: Callable[[], object], patience_s: float, what: str, *, every_s: float = 0.02) -> None:
    """Poll for a real condition; fail with what was awaited."""
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patience_s:g} s: {what}")
        time.sleep(every_s)


class LiveExchange:
    """A process tree on a free port with a data directory of its own."""

    def __init__(
        self, data_dir: Path, *words: str, python: str = sys.executable, account: Account | None = None, **environment: str
    ) -> None:
        self.data_dir = data_dir
        self.base_url = ""
        self.port = 0
        self._words = words
        self._python = python
        self._account = account or Account.own()
        # Its servers are its own, whatever the test session uses.
        inherited = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL", "STATIC_ROOT"}}
        self._environment = inherited | {"DATA_DIR": str(data_dir), "PYTHONUNBUFFERED": "1"} | environment
        self._process: subprocess.Popen[bytes] | None = None
        self._output = data_dir / "output.txt"

    @property
    def env(self) -> dict[str, str]:
        """The environment of a client on this machine: DATABASE_URL, REDIS_URL and all."""
        lines = (self.data_dir / "run.env").read_text().splitlines()
        return self._environment | dict(line.split("=", 1) for line in lines)

    @property
    def output(self) -> str:
        return self._output.read_text(errors="replace") if self._output.exists() else ""

    def start(self) -> "LiveExchange":
        """Start and wait for the ready line; the port of the first start is kept."""
        self.launch()
        return self.wait_until_ready()

    def launch(self) -> None:
        """Start without waiting. From the main thread: the kernel stops the tree when the thread that started it ends."""
        if self._process is not None:
            self._process.wait(10)
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [
                    self._python,
                    str(ROOT / "manage.py"),
                    "up",
                    "--data",
                    str(self.data_dir),
                    "--port",
                    str(self.port),
                    *self._words,
                ],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment,
                preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - one prctl call, no locks
                **self._account.popen_arguments(),
            )

    def wait_until_ready(self) -> "LiveExchange":
        process = self._process
        assert process is not None
        wait_until(lambda: self._ready_line() or process.poll() is not None, START_S, f"the ready line; said so far:\n{self.output}")
        line = self._ready_line()
        assert line, f"`up` ended with {process.returncode}:\n{self.output}"
        self.base_url = line.split()[1]
        self.port = int(self.base_url.rsplit(":", 1)[1])
        return self

    def _ready_line(self) -> str:
        return next((line for line in self.output.splitlines() if line.startswith("ready http")), "")

    def parts(self) -> dict[str, int]:
        """Name → process id of every part that runs now; `up` is the supervisor."""
        return dict(json.loads((self.data_dir / "parts.json").read_text()))

    def kill(self, name: str, order: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to a part; answers the process id it had."""
        pid = self.parts()[name]
        os.kill(pid, order)
        return pid

    def wait_for_return(self, name: str, former_pid: int, patience_s: float = 30.0) -> int:
        """Wait until the part runs under another process id."""
        wait_until(lambda: self.parts().get(name, former_pid) != former_pid, patience_s, f"{name} to come back")
        return self.parts()[name]

    def manage(self, *words: str, check: bool = True, timeout_s: float = 120.0) -> subprocess.CompletedProcess[str]:
        """Run a `manage.py` command as somebody in another terminal would."""
        environment = self._environment | {"DATA_DIR": str(self.data_dir)}
        argv = [self._python, str(ROOT / "manage.py"), *words]
        done = subprocess.run(
            argv,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            **self._account.popen_arguments(),
        )
        assert not check or done.returncode == 0, f"{words} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done

    def interrupt(self, order: signal.Signals = signal.SIGINT, patience_s: float = 60.0) -> int:
        """Stop the tree from the outside; answers its exit code."""
        assert self._process is not None
        self._process.send_signal(order)
        return self._process.wait(patience_s)

    def close(self) -> None:
        """Stop if running and remove everything, also what lies outside the data directory."""
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.interrupt(signal.SIGTERM)
            self._process.kill()
            self._process.wait()
        with contextlib.suppress(FileNotFoundError, ValueError):
            record = json.loads((self.data_dir / "embedded.json").read_text())
            for place in (record["cluster"], record["socket_dir"]):
                if place:
                    shutil.rmtree(place, ignore_errors=True)
        shutil.rmtree(self.data_dir, ignore_errors=True)


@pytest.fixture(scope="session")
def start_exchange() -> Iterator[Callable[..., LiveExchange]]:
    """Start an exchange of one's own: `start_exchange("--demo", "--matchers", "2")`; stopped after the session, or by `close()`."""
    started: list[LiveExchange] = []

    def start(*words: str, **environment: str) -> LiveExchange:
        exchange = LiveExchange(Path(tempfile.mkdtemp(prefix="synthference-live-")), *words, **environment)
        started.append(exchange)
        return exchange.start()

    yield start
    for exchange in started:
        exchange.close()


@pytest.fixture(scope="session")
def live_exchange(start_exchange: Callable[..., LiveExchange]) -> LiveExchange:
    """One exchange without demo data, shared by the session's tests."""
    return start_exchange()


@pytest.fixture(scope="module")
def demo_exchange(start_exchange: Callable[..., LiveExchange]) -> Iterator[LiveExchange]:
    """One exchange with demo data and bots, shared by the module's tests; the bots stop with the last of them."""
    exchange = start_exchange("--demo")
    yield exchange
    exchange.close()
