"""The whole of `manage.py up`: servers, tables, parts, the ready line, and the end."""

import asyncio
import contextlib
import fcntl
import os
import secrets
import signal
import socket
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from exchange.embedded.account import EmbeddedError
from exchange.embedded.postgres import EmbeddedPostgres
from exchange.embedded.record import Record, write_private
from exchange.embedded.valkey import EmbeddedValkey
from exchange.supervision import listening, readiness, tree, watchdog
from exchange.supervision.merged_log import MergedLog
from exchange.supervision.part import Part, Stage
from exchange.supervision.supervisor import Supervisor

_SERVER_PATIENCE_S = 120.0
_INSIDE = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for on the command line; empty URLs ask for embedded servers. `commands` are those `manage.py` knows."""

    data_dir: Path
    host: str
    port: int
    shape: tree.Shape
    demo: bool
    database_url: str
    redis_url: str
    commands: Collection[str] = field(default_factory=frozenset)


def run(plan: Plan) -> int:
    """Run until told to stop; answers the exit code."""
    plan.data_dir.mkdir(parents=True, exist_ok=True)
    with _only_one(plan.data_dir):
        return asyncio.run(_run(plan))


@contextlib.contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    """Refuse to run twice on one data directory; the kernel forgets the lock when we die."""
    with (data_dir / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EmbeddedError(f"another `manage.py up` runs on {data_dir}: stop it, or name another --data") from None
        yield


async def _run(plan: Plan) -> int:
    log = MergedLog(plan.data_dir / "up.log")
    environment = dict(os.environ) | {
        "PYTHONUNBUFFERED": "1",
        "DATA_DIR": str(plan.data_dir),
        "DJANGO_SETTINGS_MODULE": "exchange.settings",
    }
    environment.setdefault("STATIC_ROOT", str(plan.data_dir / "static"))
    if plan.demo:
        environment["DEMO"] = "1"
    supervisor = Supervisor(log, plan.data_dir / "parts.json", environment, tree.ROOT)
    told_to_stop = asyncio.Event()

    def on_signal() -> None:
        if told_to_stop.is_set():
            supervisor.hurry()
        told_to_stop.set()

    for order in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(order, on_signal)
    async with contextlib.AsyncExitStack() as sockets:
        listener = sockets.enter_context(await listening.bind(plan.host, plan.port, lambda text: log.say("up", text)))
        if plan.demo:
            supplier = sockets.enter_context(await listening.bind(_INSIDE, 0, lambda text: log.say("up", text)))
            # Anew at each start: seed_demo tells the registry where the supplier is called, and with which token.
            environment["DEMO_SUPPLIER_URL"] = listening.url(_INSIDE, supplier) + "/v1"
            environment["DEMO_SUPPLIER_TOKEN"] = secrets.token_urlsafe(24)
            environment["DEMO_URL"] = listening.url(plan.host, listener)
            supervisor.start(tree.supplier_part(supplier.fileno()))
        return await _run_until_told(plan, supervisor, environment, listener, told_to_stop)


async def _run_until_told(
    plan: Plan,
    supervisor: Supervisor,
    environment: dict[str, str],
    listener: socket.socket,
    told_to_stop: asyncio.Event,
) -> int:
    start = asyncio.create_task(_start(plan, supervisor, environment, listener))
    stop = asyncio.create_task(told_to_stop.wait())
    await asyncio.wait({start, stop}, return_when=asyncio.FIRST_COMPLETED)
    code = 0
    if start.done() and start.exception() is not None:
        supervisor.log.say("up", f"cannot go on: {start.exception()}")
        code = 1
    else:
        await stop  # everything runs; nothing to do until somebody says so
    start.cancel()
    await asyncio.gather(start, return_exceptions=True)
    await supervisor.stop()
    supervisor.log.say("up", "stopped")
    stop.cancel()
    return code


async def _start(plan: Plan, supervisor: Supervisor, environment: dict[str, str], listener: socket.socket) -> None:
    """Start everything, say so, and from then on watch; returns only by failing."""
    base_url = listening.url(plan.host, listener)
    await _start_servers(plan, supervisor, environment)
    if await supervisor.run_once("prepare", tree.manage("prepare")):
        raise RuntimeError("the database could not be prepared")
    seeded: list[str] = []
    if plan.demo and "seed_demo" in plan.commands and await supervisor.run_once("seed_demo", tree.manage("seed_demo"), seeded):
        raise RuntimeError("the demo could not be seeded")
    for part in [*tree.worker_parts(plan.shape, plan.data_dir), *tree.web_parts(plan.shape, listener.fileno())]:
        if part.name != "sweeper" or "sweep" in plan.commands:
            supervisor.start(part)
    while not await readiness.is_ready(base_url):
        await asyncio.sleep(0.1)
    if plan.demo and "demo_bots" in plan.commands:
        supervisor.start(tree.bots_part(base_url))
    for line in seeded:
        if not line.startswith(" "):  # who and with which password; what was listed stands further up
            supervisor.log.plain(line)
    supervisor.log.plain(f"ready {base_url}")
    await watchdog.watch(supervisor, environment["REDIS_URL"], watchdog.ears(tree.worker_queues(plan.shape)))


async def _start_servers(plan: Plan, supervisor: Supervisor, environment: dict[str, str]) -> None:
    """Start what was not given, and write the addresses down for `manage.py` commands in other terminals."""
    addresses: dict[str, str] = {}
    record = Record.load(plan.data_dir) if not (plan.database_url and plan.redis_url) else None
    if record is not None and not plan.database_url:
        postgres = EmbeddedPostgres(plan.data_dir, record)
        postgres.prepare()
        part = Part("postgres", Stage.SERVER, postgres.process(), postgres.prepare, stop_patience_s=60.0)
        await _until_ready(supervisor, part, postgres.is_ready)
        addresses["DATABASE_URL"] = postgres.url
        supervisor.log.say("up", f"PostgreSQL keeps its data in {postgres.pgdata}")
    if record is not None and not plan.redis_url:
        valkey = EmbeddedValkey(plan.data_dir, record)
        valkey.move_if_taken()
        await _until_ready(supervisor, Part("valkey", Stage.SERVER, valkey.process(), valkey.prepare), valkey.is_ready)
        addresses["REDIS_URL"] = valkey.url
    environment |= addresses
    write_private(plan.data_dir / "run.env", "".join(f"{name}={value}\n" for name, value in addresses.items()))


async def _until_ready(supervisor: Supervisor, part: Part, is_ready: Callable[[], bool]) -> None:
    supervisor.start(part)
    try:
        async with asyncio.timeout(_SERVER_PATIENCE_S):
            while not is_ready():
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise EmbeddedError(f"{part.name} did not answer within {_SERVER_PATIENCE_S:g} s") from None
