"""Suppliers as real processes over HTTP."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx

from exchange.embedded.process import die_with_parent
from tests.plugins.live import wait_until

ROOT = Path(__file__).resolve().parents[2]


class SupplierProcess:
    """One that runs until it is closed, killed or told to die. `again()` starts it anew at the same address."""

    def __init__(self, token: str = "") -> None:
        self.token = token
        self._port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        listener.listen(256)
        self._port = listener.getsockname()[1]
        with listener:
            os.set_inheritable(listener.fileno(), True)
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.suppliers.faulty", str(listener.fileno())],
                cwd=ROOT,
                pass_fds=(listener.fileno(),),
                env=os.environ | {"DEMO_SUPPLIER_TOKEN": self.token},
                preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509 - one prctl call, no locks
            )

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def base_url(self) -> str:
        return f"{self.root}/v1"

    def misbehave(self, mode: str, **how: int) -> None:
        httpx.post(f"{self.root}/faults", json={"mode": mode, **how}, timeout=30).raise_for_status()

    def meter(self) -> dict[str, dict[str, int]]:
        return httpx.get(f"{self.root}/meter", timeout=30).raise_for_status().json()

    def again(self) -> None:
        self.close()
        self.start()

    def wait_until_dead(self) -> None:
        process = self.process
        assert process is not None
        wait_until(lambda: process.poll() is not None, 30, "the supplier to die")

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
