"""Servers of the registry bench's own: database, bell, one web process. Nothing that acts by itself as time passes.

They are thrown away after the bench unless it is told where to keep their data; what is kept is asked again by the next run.
"""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exchange.embedded.alone import alone, running
from exchange.embedded.process import ServerProcess

PIDS = "REGISTRY_BENCH_PIDS"  # of the database and the web, for whoever counts what an answer costs


@contextmanager
def servers(keep: Path | None = None) -> Iterator[tuple[int, dict[str, str]]]:
    """(the web's port, the environment that names all of it). `keep`: the data directory that stays, made if need be."""
    with alone("registry", keep=keep) as own, socket.create_server(("127.0.0.1", 0)) as listener:
        web = ServerProcess((sys.executable, "-m", "exchange.supervision.serve", str(listener.fileno())))
        with running(web, own.env, listener.fileno()) as served:
            yield listener.getsockname()[1], own.env | {PIDS: f"{own.database_pid} {served}"}
