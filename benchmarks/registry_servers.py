"""Servers of the registry bench's own: database, bell, one web process. Nothing that acts by itself as time passes.

They are thrown away after the bench unless it is told where to keep their data; what is kept is asked again by the next run.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from exchange.embedded.postgres import EmbeddedPostgres
from exchange.embedded.process import ServerProcess, die_with_parent
from exchange.embedded.record import Record
from exchange.embedded.valkey import EmbeddedValkey

PATIENCE_S = 300.0
PIDS = "REGISTRY_BENCH_PIDS"  # of the database and the web, for whoever counts what an answer costs
ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def servers(keep: Path | None = None) -> Iterator[tuple[int, dict[str, str]]]:
    """(the web's port, the environment that names all of it). `keep`: the data directory that stays, made if need be."""
    data = Path(tempfile.mkdtemp(prefix="synthference-registry-")) if keep is None else keep.absolute()
    data.mkdir(parents=True, exist_ok=True)
    record = Record.load(data)
    postgres, valkey = EmbeddedPostgres(data, record), EmbeddedValkey(data, record)
    postgres.prepare()
    valkey.prepare()
    env = os.environ | {"DATA_DIR": str(data), "DATABASE_URL": postgres.url, "REDIS_URL": valkey.url, "STATIC_ROOT": str(data / "static")}
    with ExitStack() as stack:
        for made in (data, postgres.cluster, postgres.socket_dir) if keep is None else ():
            stack.callback(shutil.rmtree, made, ignore_errors=True)
        database = stack.enter_context(_running(postgres.process(), env))
        _await(postgres.is_ready)
        stack.enter_context(_running(valkey.process(), env))
        subprocess.run([sys.executable, "manage.py", "prepare"], cwd=ROOT, env=env, check=True)
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        web = ServerProcess((sys.executable, "-m", "exchange.supervision.serve", str(listener.fileno())))
        served = stack.enter_context(_running(web, env, listener.fileno()))
        yield listener.getsockname()[1], env | {PIDS: f"{database} {served}"}


@contextmanager
def _running(server: ServerProcess, env: dict[str, str], *inherited: int) -> Iterator[int]:
    process = subprocess.Popen(  # noqa: S603 - its words are ours
        server.argv,
        cwd=ROOT if inherited else "/",
        stdin=subprocess.DEVNULL,
        env=env | server.environment,
        pass_fds=inherited,
        start_new_session=True,
        preexec_fn=die_with_parent(server.orphan_signal),  # noqa: PLW1509 - one prctl call, no locks
        **server.account.popen_arguments(),
    )
    try:
        yield process.pid
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
