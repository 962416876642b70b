"""The test's end of the fork server."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.db import connection

from tests.plugins.live import ROOT


def database_url() -> str:
    """Where the present test's database is, for another process."""
    at = connection.settings_dict
    place = f"{at['HOST']}:{at['PORT']}" if at["PORT"] else ""
    host = "" if place else f"?host={quote(at['HOST'], safe='/')}"
    return f"postgres://{quote(at['USER'])}:{quote(at['PASSWORD'])}@{place}/{at['NAME']}{host}"


class ForkServer:
    """See tests/faults/fork_server.py."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.fork_server"],
            cwd=ROOT,
            env=os.environ | {"DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "exchange.settings"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, acts: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        """Do one job: how its process ended, and what it reported."""
        return self.run_all([{"acts": acts, **more}])[0]

    def run_all(self, jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Do jobs at once, each in a process of its own."""
        self.begin(jobs)
        return self.answers()

    def begin(self, jobs: list[dict[str, Any]]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(jobs) + "\n")
        self._process.stdin.flush()

    def answers(self) -> list[dict[str, Any]]:
        """Wait for the end of all that was begun."""
        assert self._process.stdout is not None
        found: list[dict[str, Any]] = json.loads(self._process.stdout.readline())
        return found

    def children(self) -> list[int]:
        """Process ids of jobs under way."""
        pid = self._process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()
