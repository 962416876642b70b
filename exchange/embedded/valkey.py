"""The embedded Valkey: a doorbell that keeps nothing, so that a restart finds it empty."""

import contextlib
import os
import socket
from pathlib import Path

from exchange.embedded.binaries import valkey_program
from exchange.embedded.process import ServerProcess
from exchange.embedded.record import Record, write_private

_SETTINGS = """# Written at every start of `manage.py up`; changes here are lost.
bind 127.0.0.1
port {port}
requirepass {password}
protected-mode yes
daemonize no
dir {directory}
# Nothing of value lives here (TRUST.md): no files, and no eviction, which would swallow a bell silently.
save ""
appendonly no
maxmemory 256mb
maxmemory-policy noeviction
tcp-keepalive 30
timeout 0
# A bell must not wait for a dying client, nor a slow subscriber fill the memory.
client-output-buffer-limit pubsub 32mb 8mb 60
loglevel warning
logfile ""
"""


class EmbeddedValkey:
    """`prepare`, run `process()`, then poll `is_ready`."""

    def __init__(self, data_dir: Path, record: Record) -> None:
        self._program = valkey_program()
        self._record = record
        self._directory = data_dir / "valkey"

    @property
    def url(self) -> str:
        return f"redis://:{self._record.valkey_password}@127.0.0.1:{self._record.valkey_port}/0"

    def prepare(self) -> None:
        """Before every start: the port of last time if it is free (clients know it), and the settings."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        if not self._record.valkey_port:
            self._choose_port()
        text = _SETTINGS.format(port=self._record.valkey_port, password=self._record.valkey_password, directory=f'"{self._directory}"')
        write_private(self._directory / "valkey.conf", text)

    def move_if_taken(self) -> None:
        """Once, before the first start: another port if somebody else has ours by now."""
        if self._record.valkey_port and not _is_free(self._record.valkey_port):
            self._choose_port()

    def process(self) -> ServerProcess:
        return ServerProcess(argv=(str(self._program), str(self._directory / "valkey.conf")), environment={"LC_ALL": "C"})

    def is_ready(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._record.valkey_port), timeout=1) as line:
            line.sendall(f"AUTH {self._record.valkey_password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2 and (piece := line.recv(256)):
                answer += piece
            return answer == b"+OK\r\n+PONG\r\n"
        return False

    def _choose_port(self) -> None:
        # Below the range from which the kernel takes ports for outgoing connections: one of those could sit on ours at a restart.
        for _ in range(200):
            port = 10240 + int.from_bytes(os.urandom(2), "big") % 20000
            if _is_free(port):
                self._record.valkey_port = port
                self._record.save()
                return
        raise OSError("no free port on 127.0.0.1 for Valkey")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
