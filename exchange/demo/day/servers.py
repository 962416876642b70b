"""A database and a bell of the day's own, thrown away afterwards. Nothing else runs: time passes when the day says so."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from django.conf import settings

from exchange.embedded.postgres import EmbeddedPostgres
from exchange.embedded.process import ServerProcess, die_with_parent
from exchange.embedded.record import Record
from exchange.embedded.valkey import EmbeddedValkey

PATIENCE_S = 300.0


@contextmanager
def servers() -> Iterator[dict[str, str]]:
    """The environment that names them, with the tables made. Whoever asks this process to end has them stopped and removed too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    data = Path(tempfile.mkdtemp(prefix="synthference-day-"))
    record = Record.load(data)
    postgres, valkey = EmbeddedPostgres(data, record), EmbeddedValkey(data, record)
    postgres.prepare()
    valkey.prepare()
    env = os.environ | {"DATA_DIR": str(data), "DATABASE_URL": postgres.url, "REDIS_URL": valkey.url, "STATIC_ROOT": str(data / "static")}
    with ExitStack() as stack:
        for made in (data, postgres.cluster, postgres.socket_dir):
            stack.callback(shutil.rmtree, made, ignore_errors=True)
        stack.enter_context(_running(postgres.process(), env))
        _await(postgres.is_ready)
        stack.enter_context(_running(valkey.process(), env))
        subprocess.run([sys.executable, "manage.py", "prepare"], cwd=settings.BASE_DIR, env=env, check=True, stdout=subprocess.DEVNULL)
        yield env


@contextmanager
def _running(server: ServerProcess, env: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen(  # noqa: S603 - its words are ours
        server.argv,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=env | server.environment,
        start_new_session=True,
        preexec_fn=die_with_parent(server.orphan_signal),  # noqa: PLW1509 - one prctl call, no locks
        **server.account.popen_arguments(),
    )
    try:
        yield
    finally:
        process.send_signal(server.stop_signal)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(is_ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_ready():
        if time.monotonic() > deadline:
            raise TimeoutError("the database did not start")
        time.sleep(0.05)
