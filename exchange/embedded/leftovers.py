"""Servers that outlived whoever started them, and files they left."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

_FAST_S = 20.0
_IMMEDIATE_S = 10.0


def end_server(pgdata: Path) -> None:
    """Stop a PostgreSQL that still runs on `pgdata`, and clear a pid file that names somebody else's process.

    A server whose supervisor was killed is told by the kernel to stop; this waits for it. Stopping rather than
    adopting it keeps one rule: each server has a living supervisor as its parent.
    """
    pid_file = pgdata / "postmaster.pid"
    try:
        pid = int(pid_file.read_text(encoding="utf-8").split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return
    command = _command_line(pid)
    if command is None:
        return  # PostgreSQL clears its own stale file, and uses it to find backends that are still going
    if str(pgdata) not in command:
        # The number was given to another process (usual after a container restarts), which would stop PostgreSQL from starting.
        pid_file.unlink(missing_ok=True)
        return
    for order, patience_s in ((signal.SIGINT, _FAST_S), (signal.SIGQUIT, _IMMEDIATE_S)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, order)
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            if _command_line(pid) is None:
                return
            time.sleep(0.02)


def remove_tree(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path)


def _command_line(pid: int) -> str | None:
    """The command line of a living process, None if there is none."""
    if Path("/proc/self").exists():
        try:
            raw = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return raw.replace(b"\0", b" ").decode(errors="replace") or None  # empty: a zombie
    done = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], check=False, capture_output=True, text=True)  # noqa: S607
    return done.stdout.strip() or None
