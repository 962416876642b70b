"""A database with its tables and a bell, alone: nothing that acts by itself as time passes. For benchmarks and simulated days."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

from exchange.embedded.postgres import EmbeddedPostgres
from exchange.embedded.process import ServerProcess, die_with_parent
from exchange.embedded.record import Record
from exchange.embedded.valkey import EmbeddedValkey

PATIENCE_S = 300.0


class Alone(NamedTuple):
    """The environment that names the servers, and the database's process."""

    env: dict[str, str]
    database_pid: int


@contextmanager
def alone(name: str, *, keep: Path | None = None, is_silent: bool = False) -> Iterator[Alone]:
    """Started and stopped around what is inside. Thrown away afterwards, unless `keep` is the data directory that stays, made if need be."""
    data = Path(tempfile.mkdtemp(prefix=f"synthference-{name}-")) if keep is None else keep.absolute()
    data.mkdir(parents=True, exist_ok=True)
    record = Record.load(data)
    postgres, valkey = EmbeddedPostgres(data, record), EmbeddedValkey(data, record)
    postgres.prepare()
    valkey.prepare()
    env = os.environ | {"DATA_DIR": str(data), "DATABASE_URL": postgres.url, "REDIS_URL": valkey.url, "STATIC_ROOT": str(data / "static")}
    with ExitStack() as stack:
        for made in (data, postgres.cluster, postgres.socket_dir) if keep is None else ():
            stack.callback(shutil.rmtree, made, ignore_errors=True)
        database = stack.enter_context(running(postgres.process(), env, is_silent=is_silent))
        _await(postgres.is_ready)
        stack.enter_context(running(valkey.process(), env, is_silent=is_silent))
        output = subprocess.DEVNULL if is_silent else None
        subprocess.run([sys.executable, "manage.py", "prepare"], cwd=settings.BASE_DIR, env=env, check=True, stdout=output)
        yield Alone(env, database)


@contextmanager
def running(server: ServerProcess, env: Mapping[str, str], *inherited: int, is_silent: bool = False) -> Iterator[int]:
    """The process id of a server that ends with what is inside, and with this process. `inherited`: file descriptors it is given."""
    output = subprocess.DEVNULL if is_silent else None
    process = subprocess.Popen(
        server.argv,
        cwd=settings.BASE_DIR if inherited else "/",
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env={**env, **server.environment},
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
